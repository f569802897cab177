"""What a token may do: read, hand in, do staff's work, or hand in to one assignment alone.

The last, `submit:COURSE/SLUG`, is for machines that others can change the work of: who gets hold of
it can hand in there until it expires, and can read nothing, not even what became of it. The token
belongs to the assignment, not to its slug: it goes on when that changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard.accounts import courses
from leaderboard.errors import BadRequest
from leaderboard.models import ApiToken, Assignment, Course, Enrolment, User

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


def of(token: ApiToken) -> tuple[str, ...]:
    """The scopes of a token, that of one assignment by what it is called now."""
    if token.assignment is None:
        return tuple(token.scopes)
    return (submit_to(token.assignment.course.code, token.assignment.slug),)


def allows(token: ApiToken, scope: str, narrow: Assignment | None = None) -> bool:
    """Whether who holds the token may do what asks for `scope`; `narrow`: what for, where a token
    for this one assignment does as well."""
    if scope in token.scopes:
        return True
    return narrow is not None and scope == "submit" and token.assignment_id == narrow.id


def granted(
    session: Session, user: User, scopes: Sequence[str]
) -> tuple[list[str], Assignment | None]:
    """What a token is to hold: scopes, or the one assignment that it hands in to.

    Raises:
        BadRequest: a scope is unknown or for an assignment that the user does not reach, there is
            none, or one for an assignment stands beside others.
    """
    if scopes and all(scope in SCOPES for scope in scopes):
        return sorted(set(scopes)), None
    place = place_of(scopes[0]) if len(scopes) == 1 else None
    found = _reached(session, user, place) if place else None
    if found is None:
        known = (*SCOPES, submit_to("COURSE", "ASSIGNMENT"))
        raise BadRequest(said("account.unknown_scope", scopes=", ".join(known)))
    return [], found


def _reached(session: Session, user: User, place: str) -> Assignment | None:
    code, _, slug = place.partition("/")
    enrolled = (
        sa.select(Course)
        .join(Enrolment, Enrolment.course_id == Course.id)
        .where(Course.code == code, Enrolment.user_id == user.id)
    )
    course = session.scalars(enrolled).first()
    return courses.called(session, course, slug) if course is not None else None
