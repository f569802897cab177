"""Pages of an account: signing in and up, its settings."""
