"""What proves the walls: checks of this host, and the suite of attacks."""
