"""What every command shares: options, settings, tables on a terminal."""
