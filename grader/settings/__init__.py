"""assignment.toml: its keys, what each must be, and what is wrong with a file."""
