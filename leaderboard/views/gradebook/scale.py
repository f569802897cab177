"""The grading scale that holds, its references with their zones, and where the teams lie. Staff."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from grader.metric_list import METRICS
from grader.scoring.grading import Knot
from leaderboard.boards import standings
from leaderboard.grades import scales
from leaderboard.models import Assignment, Split


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A baseline on the scale: from the score `begins` on, its grade.

    `low` to `high`, its mean ± the zone, is where other seeds and other test images put it with
    95 %.
    """

    name: str
    grade: float
    begins: float
    mean: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class ScalePicture:
    """What the page draws; `references` are the worst first, and empty where there is no scale.

    `zone`: the most points that other seeds of the same baselines move a grade by. `teams`: private
    scores, the best first. `versions`: how many versions hold, of which each grade is the best.
    """

    metric: str
    references: tuple[Reference, ...]
    zone: float
    versions: int
    teams: tuple[float, ...]


def picture(session: Session, assignment: Assignment) -> ScalePicture:
    """The newest version that holds, and the private scores of all teams."""
    held = scales.holding(session, assignment)
    newest = held.newest
    ranked = session.scalars(standings.ranked(assignment, Split.PRIVATE))
    return ScalePicture(
        metric=assignment.metric,
        references=tuple(_reference(knot, assignment.metric) for knot in newest.knots)
        if newest
        else (),
        zone=newest.zone if newest else 0.0,
        versions=len(held.versions),
        teams=tuple(row.primary for row in ranked),
    )


def _reference(knot: Knot, metric: str) -> Reference:
    low, high = knot.mean - knot.zone, knot.mean + knot.zone
    if METRICS[metric].interval:
        low, high = max(METRICS[metric].lowest, low), min(1.0, high)
    return Reference(
        name=knot.name,
        grade=knot.grade,
        begins=knot.score,
        mean=knot.mean,
        low=low,
        high=high,
    )
