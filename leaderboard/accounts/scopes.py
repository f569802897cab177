"""What a token may do: read, hand in, do staff's work, or hand in to one assignment alone.

The last, `submit:COURSE/SLUG`, is for machines that others can change the work of: who gets hold of
it can hand in there until it expires, and can read nothing, not even what became of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard.errors import BadRequest
from leaderboard.models import Assignment, Course, Enrolment, User

SCOPES: Final = ("read", "submit", "staff")
_SUBMIT_TO: Final = "submit:"


def submit_to(course: str, slug: str) -> str:
    """The scope to hand in to one assignment.

    >>> submit_to("dl-1", "animals")
    'submit:dl-1/animals'
    """
    return f"{_SUBMIT_TO}{course}/{slug}"


def place_of(scope: str) -> str | None:
    """COURSE/SLUG of a scope for one assignment; None for any other.

    >>> place_of("submit:dl-1/animals"), place_of("submit")
    ('dl-1/animals', None)
    """
    return scope.removeprefix(_SUBMIT_TO) if scope.startswith(_SUBMIT_TO) else None


def allows(held: Sequence[str], scope: str, narrow: str | None = None) -> bool:
    """Whether one who holds these scopes may do what asks for `scope`, or for the `narrow` one.

    >>> allows(["submit:dl-1/animals"], "submit", submit_to("dl-1", "animals"))
    True
    >>> allows(["submit:dl-1/animals"], "submit"), allows(["submit:dl-1/animals"], "read")
    (False, False)
    """
    return scope in held or (narrow is not None and narrow in held)


def check(session: Session, user: User, scopes: Sequence[str]) -> None:
    """Refuse what is no scope, or is for an assignment that the user does not reach.

    Raises:
        BadRequest: a scope is unknown, or there is none.
    """
    unknown = [scope for scope in scopes if scope not in SCOPES]
    places = [place_of(scope) for scope in unknown]
    if not scopes or not all(place and _reaches(session, user, place) for place in places):
        known = (*SCOPES, submit_to("COURSE", "ASSIGNMENT"))
        raise BadRequest(said("account.unknown_scope", scopes=", ".join(known)))


def _reaches(session: Session, user: User, place: str) -> bool:
    code, _, slug = place.partition("/")
    found = (
        sa.select(Assignment.id)
        .join(Course, Course.id == Assignment.course_id)
        .join(Enrolment, Enrolment.course_id == Course.id)
        .where(Course.code == code, Assignment.slug == slug, Enrolment.user_id == user.id)
    )
    return session.scalars(found).first() is not None
