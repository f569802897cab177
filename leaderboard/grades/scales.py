"""The versions of an assignment's grading scale, and which of them hold.

The scale is fixed at the opening: the last version that was made by then is the first that holds.
A later one lowers nobody, since every version that holds is asked and the best grade given, until
two instructors sign that one alone counts (lowering.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grader import Assignment as Folder
from grader.metric_list import METRICS
from grader.scoring.grading import Anchor, Grade, Scale, plain_grade, scale_of, steps_of
from grader.scoring.scale_file import FILE, load_anchors, load_scale
from grader.settings.tables import Grading
from leaderboard import audit
from leaderboard.db import utcnow
from leaderboard.models import Assignment, GradeLowering, GradingScale, User
from leaderboard.rules import schedule


@dataclass(frozen=True, kw_only=True)
class Holding:
    """What grades are made by: the versions of a scale that hold, by number; none: the score."""

    metric: str
    penalty_per_day: float
    versions: tuple[tuple[int, Scale], ...]

    @property
    def newest(self) -> Scale | None:
        """The last version."""
        return self.versions[-1][1] if self.versions else None

    def grade(self, score: float, *, days_late: int = 0, factor: float = 1.0) -> Grade:
        """The best grade of a score by any version that holds."""
        points = self.penalty_per_day
        if not self.versions:
            return plain_grade(
                score,
                metric=self.metric,
                days_late=days_late,
                penalty_per_day=points,
                factor=factor,
            )
        found = [
            scale.grade(score, days_late=days_late, penalty_per_day=points, factor=factor)
            for _, scale in reversed(self.versions)
        ]
        best = found[0]
        for each in found[1:]:
            best = each if self.is_better(each.given, best.given) else best
        return best

    def is_better(self, given: float, other: float) -> bool:
        """Whether a grade that is given is better than another."""
        if self.newest is not None:
            return self.newest.steps.is_better(given, other)
        return given > other if self.rises else given < other

    @property
    def rises(self) -> bool:
        """Whether the larger grade is the better one."""
        if self.newest is not None:
            return self.newest.steps.best_is_high
        return METRICS[self.metric].higher_is_better


def content_of(folder: Path, source: Folder) -> dict[str, Any] | None:
    """What is kept of a folder's scale; None where it has none.

    Raises:
        AssignmentError: the folder has a scale, and it is none.
    """
    if not source.grading.anchors or not (folder / FILE).exists():
        return None
    load_scale(folder, source)
    grading = asdict(source.grading)
    grading["letters"] = dict(source.grading.letters)
    for name in ("anchors", "weight", "training_minutes"):  # none changes what a score is worth
        del grading[name]
    anchors = {
        each.name: {
            "grade": each.grade,
            "scores": list(each.scores),
            "test_error": each.test_error,
        }
        for each in load_anchors(folder, source)
    }
    return {"metric": source.scoring.metric, "anchors": anchors, "grading": grading}


def keep(
    session: Session,
    assignment: Assignment,
    content: dict[str, Any] | None,
    *,
    actor: User | None,
) -> None:
    """Keep a version, unless it is the last one again; within the caller's write transaction.

    A folder without a scale takes none away: what was fixed and shown stays.
    """
    last = versions(session, assignment)[-1:]
    if content is None or (last and last[0].content == content):
        return
    made = GradingScale(
        assignment_id=assignment.id,
        number=last[0].number + 1 if last else 1,
        content=content,
        made_at=utcnow(),
    )
    session.add(made)
    session.flush()
    audit.record(
        session,
        action="grade.scale",
        subject=f"assignment:{assignment.id}",
        course=assignment.course,
        actor=actor,
        details={"version": made.number},
    )


def versions(session: Session, assignment: Assignment) -> Sequence[GradingScale]:
    """Every version, the first one first."""
    return session.scalars(
        sa.select(GradingScale)
        .where(GradingScale.assignment_id == assignment.id)
        .order_by(GradingScale.number)
    ).all()


def holding(session: Session, assignment: Assignment) -> Holding:
    """What grades of an assignment are made by now."""
    found = versions(session, assignment)
    first = _first_that_holds(session, assignment, found)
    return Holding(
        metric=assignment.metric,
        penalty_per_day=schedule.penalty_per_day(assignment),
        versions=tuple(
            (each.number, scale_from(each.content))
            for each in found
            if each.number >= first and each.content["metric"] == assignment.metric
        ),
    )


def scale_from(content: dict[str, Any]) -> Scale:
    """The scale that a version holds.

    Raises:
        ScaleError: its anchors make none; `keep` keeps no such.
    """
    anchors = [
        Anchor(
            name=name,
            grade=each["grade"],
            scores=tuple(each["scores"]),
            test_error=each["test_error"],
        )
        for name, each in content["anchors"].items()
    ]
    return scale_of(
        anchors, metric=content["metric"], steps=steps_of(Grading(**content["grading"]))
    )


def _first_that_holds(
    session: Session, assignment: Assignment, found: Sequence[GradingScale]
) -> int:
    signed = session.scalars(
        sa.select(GradeLowering.scale_number)
        .where(
            GradeLowering.assignment_id == assignment.id,
            GradeLowering.signed_at.is_not(None),
            GradeLowering.scale_number.is_not(None),
        )
        .order_by(GradeLowering.id.desc())
    ).first()
    if signed is not None:
        return signed
    opens = schedule.terms(assignment, None).opens
    in_time = [each.number for each in found if opens is not None and each.made_at <= opens]
    return in_time[-1] if in_time else 1
