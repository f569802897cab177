"""`python -m leaderboard.cli`: how `leaderboard serve` starts its children."""

from __future__ import annotations

from leaderboard.cli import main

main()
