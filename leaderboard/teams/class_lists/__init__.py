"""How class lists are written: encodings, separators, and the words of languages and systems."""
