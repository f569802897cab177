"""The runner environment: its interpreter and packages."""
