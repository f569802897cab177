"""Where a team stands, as pages say it first: its rank, of how many, how far behind the first."""

from __future__ import annotations

from dataclasses import dataclass

from leaderboard.boards.standings import Board


@dataclass(frozen=True, kw_only=True)
class Place:
    """A ranked team's place; `gap` is what it lacks to the best score, in the metric's own unit, 0
    where it has that itself, None where the board's page does not begin with the best."""

    rank: int
    is_shared: bool
    total: int
    score: float
    gap: float | None


def place_of(board: Board) -> Place | None:
    """The place of the reader's team; None where it has no rank."""
    mine = board.mine
    if mine is None or mine.rank is None:
        return None
    best = next((row for row in board.rows if row.rank == 1), None)
    return Place(
        rank=mine.rank,
        is_shared=mine.is_shared,
        total=board.total,
        score=mine.primary,
        gap=None if best is None else abs(best.primary - mine.primary),
    )
