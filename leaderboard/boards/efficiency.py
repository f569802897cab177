"""What models cost, beside what they score: the columns that an assignment asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard.boards.standings import Board, BoardRow
from leaderboard.models import Assignment, Evaluation, Submission
from leaderboard.rules import catalog

TIMED = "seconds_per_1000"


def coarse(facts: Mapping[str, Any], wanted: Sequence[str]) -> dict[str, float]:
    """Those of a run's facts that may be shown; times to one digit.

    An exact time of a hidden run could carry out what the program saw.
    """
    shown = {name: facts[name] for name in wanted if name in facts}
    if TIMED in shown:
        shown[TIMED] = float(f"{shown[TIMED]:.1g}")
    return shown


def with_columns(session: Session, assignment: Assignment, board: Board) -> Board:
    """The board with the figures that the assignment's `scoring.efficiency` names.

    An entry that is a CSV has none.
    """
    wanted = catalog.rules(assignment).scoring.efficiency
    if not wanted:
        return board
    listed = [*board.rows, *([board.mine] if board.mine else [])]
    ids = {row.submission_public_id for row in listed}
    found = session.execute(
        sa.select(Submission.public_id, Evaluation.facts)
        .join(Evaluation, Evaluation.id == Submission.current_evaluation_id)
        .where(Submission.public_id.in_(ids))
    ).all()
    figures = {public_id: coarse(facts, wanted) for public_id, facts in found}

    def filled(row: BoardRow) -> BoardRow:
        return replace(row, efficiency=figures.get(row.submission_public_id, {}))

    return replace(
        board,
        rows=tuple(filled(row) for row in board.rows),
        mine=filled(board.mine) if board.mine else None,
        efficiency=tuple(wanted),
    )
