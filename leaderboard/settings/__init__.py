"""The settings of the server: one table of them, and how each is read."""
