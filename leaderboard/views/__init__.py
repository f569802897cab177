"""Rows made into the shapes that pages and the API show."""
