"""The HTTP client of a course's server."""
