"""Trying work on one's own machine before it is handed in."""
