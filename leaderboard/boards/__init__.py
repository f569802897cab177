"""Boards: placing, standings, ties, movement, intervals."""
