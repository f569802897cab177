"""Backup, restore, verification, retention, doctor, privacy."""
