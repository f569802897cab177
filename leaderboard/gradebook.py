"""Grades as a table for other programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from leaderboard import declarations, lateness, standings
from leaderboard.models import Assignment, Enrolment, Role, Split, Standing, Team, TeamMember

_HEADER = (
    "email",
    "name",
    "section",
    "team",
    "entries",
    "public_score",
    "public_rank",
    "private_score",
    "private_rank",
    "decided_by",
    "days_late",
    "penalty_days",
    "declared",
)
# a spreadsheet runs a cell that starts with one of these as a formula
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def grades_csv(session: Session, assignment: Assignment) -> str:
    """One row a student, by e-mail: section, team, entries, both scores and ranks. Staff only.

    `decided_by` is the submission that the private score is of (the better of the final picks);
    `days_late` is how late it was, `penalty_days` what of that no late day paid: those that
    `late_penalty_per_day` is for; `declared` what its team said went into it, of what the rules
    speak of (`none`: it said that nothing did; empty: it said nothing).
    Students without a scored submission have empty cells, never a zero.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_HEADER)
    ranked = {split: _ranked(session, assignment, split) for split in (Split.PUBLIC, Split.PRIVATE)}
    for enrolment, team in _students(session, assignment):
        public = ranked[Split.PUBLIC].get(team.id) if team else None
        private = ranked[Split.PRIVATE].get(team.id) if team else None
        cells = [
            enrolment.user.email,
            enrolment.user.name,
            enrolment.section,
            team.name if team else "",
            public[1].entries if public else "",
            f"{public[1].primary:.6f}" if public else "",
            public[0] if public else "",
            f"{private[1].primary:.6f}" if private else "",
            private[0] if private else "",
            private[1].submission.public_id if private else "",
            private[1].submission.days_late if private else "",
            lateness.penalty_days(private[1].submission) if private else "",
            declarations.as_text(private[1].submission.declared) if private else "",
        ]
        writer.writerow([neutral(cell) for cell in cells])
    return out.getvalue()


def table_csv(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows of equal keys as a CSV with a header; None is an empty cell."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if rows:
        writer.writerow(rows[0])
    for row in rows:
        writer.writerow([neutral("" if cell is None else cell) for cell in row.values()])
    return out.getvalue()


def neutral(cell: object) -> str:
    """A cell that no spreadsheet takes for a formula."""
    text = str(cell)
    return "'" + text if text.startswith(_FORMULA_STARTS) else text


def _ranked(
    session: Session, assignment: Assignment, split: Split
) -> dict[int, tuple[int, Standing]]:
    """Rank and row of every team; one ordered pass, however many they are."""
    rows = session.scalars(standings.ranked(assignment, split))
    return {row.team_id: (rank, row) for rank, row in enumerate(rows, start=1)}


def _students(session: Session, assignment: Assignment) -> list[tuple[Enrolment, Team | None]]:
    rows = session.execute(
        sa.select(Enrolment, Team)
        .outerjoin(
            TeamMember,
            sa.and_(
                TeamMember.user_id == Enrolment.user_id,
                TeamMember.course_id == Enrolment.course_id,
            ),
        )
        .outerjoin(Team, Team.id == TeamMember.team_id)
        .where(Enrolment.course_id == assignment.course_id, Enrolment.role == Role.STUDENT)
        .options(joinedload(Enrolment.user))
    )
    found = [(enrolment, team) for enrolment, team in rows]
    return sorted(found, key=lambda pair: pair[0].user.email)
