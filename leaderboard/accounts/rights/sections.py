"""Sections that one of the staff is confined to, as what a query asks."""

from __future__ import annotations

from collections.abc import Collection

import sqlalchemy as sa

from leaderboard.models import Enrolment, TeamMember


def teams(course_id: int, sections: Collection[str]) -> sa.Select[int]:
    """The ids of a course's teams in which somebody is of these sections."""
    return (
        sa.select(TeamMember.team_id)
        .join(
            Enrolment,
            sa.and_(
                Enrolment.user_id == TeamMember.user_id,
                Enrolment.course_id == TeamMember.course_id,
            ),
        )
        .where(TeamMember.course_id == course_id, Enrolment.section.in_(sections))
    )
