"""Student numbers: a course's own column, written by class lists, for staff and for signing in."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

from grader.words.message import Message, said
from leaderboard.errors import BadRequest
from leaderboard.models import Course, Enrolment

LONGEST: Final = 64
# what a spreadsheet makes of a number of twelve digits: which one it was is lost
_SHORTENED: Final = re.compile(r"\d([.,]\d+)?E\+?\d+", re.IGNORECASE)


# how spreadsheets mark and write what is meant as text
_MARKED: Final = re.compile(r"""'(?P<text>\w.*)|="(?P<formula>[^"]*)"|(?P<decimal>\d+)\.0""")


def clean(typed: str) -> str:
    """A number as it is kept: in plain characters, its leading zeros with it, and without what a
    spreadsheet put around it.

    >>> clean(" ００42 "), clean("'0042"), clean('="0042"'), clean("20260001.0")
    ('0042', '0042', '0042', '20260001')

    Raises:
        BadRequest: it is too long, or no number that anybody has.
    """
    number = _unmarked(unicodedata.normalize("NFKC", typed).strip())
    if _SHORTENED.fullmatch(number):
        raise BadRequest(said("class_list.number_shortened", number=repr(number)))
    if len(number) > LONGEST or not number.isprintable():
        raise BadRequest(said("class_list.number_unfit", number=repr(number[:LONGEST])))
    return number


def _unmarked(number: str) -> str:
    found = _MARKED.fullmatch(number)
    return next(filter(None, found.groups()), "") if found else number


def held(session: Session, course: Course) -> dict[str, Enrolment]:
    """Whose each number of a course is."""
    rows = session.scalars(
        sa.select(Enrolment)
        .where(Enrolment.course_id == course.id, Enrolment.number.is_not(None))
        .options(joinedload(Enrolment.user))
    )
    return {row.number.casefold(): row for row in rows if row.number}


def conflicts(
    session: Session, course: Course, wanted: Mapping[str, tuple[str, int | None]]
) -> Iterator[Message]:
    """A sentence for each number that is somebody else's, and stays theirs.

    `wanted`: address, or number → the number, and who it is if they have an account.
    """
    present = held(session, course)
    leaving = {
        user_id: number.casefold() for number, user_id in wanted.values() if user_id is not None
    }
    for address, (number, user_id) in wanted.items():
        holder = present.get(number.casefold())
        if holder is None or holder.user_id == user_id:
            continue
        if leaving.get(holder.user_id, number.casefold()) == number.casefold():
            yield said(
                "class_list.number_taken",
                address=address,
                number=repr(number),
                holder=holder.user.address or holder.user.name,
            )


def assign(session: Session, course: Course, wanted: Mapping[int, str | None]) -> None:
    """Give people of the course, by id, their numbers, or none, within the caller's transaction.

    Two may change theirs for each other's.
    """
    rows = session.scalars(
        sa.select(Enrolment).where(
            Enrolment.course_id == course.id, Enrolment.user_id.in_(list(wanted))
        )
    ).all()
    changed = [row for row in rows if row.number != wanted[row.user_id]]
    for row in changed:
        row.number = None
    session.flush()
    for row in changed:
        row.number = wanted[row.user_id]
    session.flush()
