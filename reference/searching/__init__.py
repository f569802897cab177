"""Search for settings by trials, and whether what won is better than what was there."""
