"""The routes of grades."""
