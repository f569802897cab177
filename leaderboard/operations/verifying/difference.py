"""What a step of `leaderboard verify` finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Something that is not as it was promised."""

    subject: str
    reason: str
