"""Grades as a table for other programs."""

from __future__ import annotations

import csv
import io

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from leaderboard.boards import standings
from leaderboard.models import (
    Assignment,
    Enrolment,
    Role,
    Split,
    Standing,
    Submission,
    Team,
    TeamMember,
)
from leaderboard.rules import declarations, lateness
from leaderboard.views.tables import neutral

_HEADER = (
    "email",
    "name",
    "number",
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


def grades_csv(session: Session, assignment: Assignment) -> str:
    """One row a student, by e-mail: number, section, team, entries, both scores and ranks.

    Staff only. `number` is the student number of the institution, as class lists gave it.

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
            enrolment.user.address,
            enrolment.user.name,
            enrolment.number or "",
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


def _ranked(
    session: Session, assignment: Assignment, split: Split
) -> dict[int, tuple[int, Standing]]:
    """Rank and row of every team; one ordered pass, however many they are."""
    lateness_too = joinedload(Standing.submission).load_only(
        Submission.public_id,
        Submission.declared,
        Submission.days_late,
        Submission.late_days_spent,
    )
    rows = session.scalars(standings.ranked(assignment, split).options(lateness_too)).all()
    ranks = standings.ranks(row.rank_key for row in rows)
    return {row.team_id: (rank, row) for rank, row in zip(ranks, rows, strict=True)}


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
    return sorted(found, key=lambda pair: (pair[0].user.address, pair[0].number or "", pair[0].id))
