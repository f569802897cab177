"""A person's own data: all of it as a file, and its removal."""

from __future__ import annotations

from leaderboard.operations.privacy.erasing import erase
from leaderboard.operations.privacy.obstacles import (
    Obstacle,
    keep_records,
    obstacles,
    records_day,
)
from leaderboard.operations.privacy.record import export, record_of
from leaderboard.operations.privacy.waiting import ask, ask_oneself, erase_due, withdraw

__all__ = [
    "Obstacle",
    "ask",
    "ask_oneself",
    "erase",
    "erase_due",
    "export",
    "keep_records",
    "obstacles",
    "record_of",
    "records_day",
    "withdraw",
]
