"""Pages: parse a request, call one function, render."""
