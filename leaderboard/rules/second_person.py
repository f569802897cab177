"""What one instructor asks and another confirms; the only one of a course does, a day later."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard.db import utcnow
from leaderboard.errors import NotAllowedNow
from leaderboard.models import Enrolment, Role, User

ALONE_WAITS: Final = timedelta(hours=24)


def check(session: Session, course_id: int, *, first: int, since: datetime, actor: User) -> None:
    """Refuse whoever may not confirm what the person `first` asked for at `since`.

    Raises:
        NotAllowedNow: it is their own wish, and there is another instructor or the day is not over.
    """
    if first != actor.id:
        return
    instructors = sa.select(Enrolment.user_id).where(
        Enrolment.course_id == course_id, Enrolment.role == Role.INSTRUCTOR
    )
    if set(session.scalars(instructors)) - {actor.id}:
        raise NotAllowedNow(said("second.person"))
    begins = since + ALONE_WAITS
    if utcnow() < begins:
        raise NotAllowedNow(said("second.wait_a_day", moment=f"{begins:%Y-%m-%d %H:%M}"))
