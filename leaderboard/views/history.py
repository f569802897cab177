"""How the board came to be: the best public score of each leading team over time. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard.boards import standings
from leaderboard.models import Assignment, Evaluation, Split, SplitScore, Submission, Team, Track

LEADERS = 5


@dataclass(frozen=True, kw_only=True)
class Climb:
    """A team's best shown score after each hand-in that improved it, oldest first."""

    team_id: int
    name: str
    is_mine: bool
    steps: tuple[tuple[datetime, float], ...]


def climbs(
    session: Session, assignment: Assignment, mine: Team | None, track: Track = Track.ALL
) -> tuple[Climb, ...]:
    """The leaders' climbs on a track's public board, best first, and the reader's own team."""
    leading = standings.ranked(assignment, Split.PUBLIC, track).limit(LEADERS)
    leaders = session.scalars(leading).all()
    names = {each.team_id: each.team.shown_name for each in leaders}
    if mine is not None and not mine.is_baseline:
        names.setdefault(mine.id, mine.name)
    shown = _shown_scores(session, assignment, names, track)
    sign = 1 if standings.higher_is_better(assignment.metric) else -1
    return tuple(
        Climb(
            team_id=team_id,
            name=name,
            is_mine=mine is not None and mine.id == team_id,
            steps=_improvements(shown[team_id], sign),
        )
        for team_id, name in names.items()
        if shown[team_id]
    )


def gain(session: Session, assignment: Assignment, team: Team, since: datetime) -> float | None:
    """By how much a team's best shown score became better since a moment, in the metric's own unit;
    None where it had none by then."""
    sign = 1 if standings.higher_is_better(assignment.metric) else -1
    scores = _shown_scores(session, assignment, [team.id], Track.ALL)[team.id]
    before = [sign * score for at, score in scores if at < since]
    return max(sign * score for _, score in scores) - max(before) if before else None


def _shown_scores(
    session: Session, assignment: Assignment, teams: Iterable[int], track: Track
) -> dict[int, list[tuple[datetime, float]]]:
    """What the board could show of each scored submission, in the order of hand-in."""
    found: dict[int, list[tuple[datetime, float]]] = {team: [] for team in teams}
    rows = session.execute(
        sa.select(Submission.team_id, Submission.accepted_at, SplitScore.shown, Submission.declared)
        .join(Evaluation, Submission.current_evaluation_id == Evaluation.id)
        .join(SplitScore, SplitScore.evaluation_id == Evaluation.id)
        .where(
            Submission.assignment_id == assignment.id,
            Submission.team_id.in_(list(found)),
            SplitScore.split == Split.PUBLIC,
            Submission.voided_at.is_(None),
        )
        .order_by(Submission.id)
    )
    for team_id, at, score, declared in rows:
        if standings.is_of_track(declared, track):
            found[team_id].append((at, score))
    return found


def _improvements(
    scores: Iterable[tuple[datetime, float]], sign: int
) -> tuple[tuple[datetime, float], ...]:
    """
    >>> at = datetime(2026, 1, 1)
    >>> [score for _, score in _improvements([(at, .5), (at, .4), (at, .7)], 1)]
    [0.5, 0.7]
    """
    steps: list[tuple[datetime, float]] = []
    for at, score in scores:
        if not steps or sign * score > sign * steps[-1][1]:
            steps.append((at, score))
    return tuple(steps)
