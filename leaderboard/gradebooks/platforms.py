"""The gradebooks of Canvas, Moodle and Blackboard: whose a line is, and where a grade belongs.

Sources: Canvas, "How do I import grades in the Gradebook?" (columns before the assignments, the row
`Points Possible`, `EX` for excused); Moodle, "Grade import" (a person is mapped by e-mail address,
whose case counts, or ID number; a column of feedback); Blackboard Learn, "Work offline with grade
data" (`Title|column id`, separated by commas or tabs in UTF-16).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from grader.words.message import said
from leaderboard.errors import BadRequest
from leaderboard.gradebooks.sheet import Line, Sheet
from leaderboard.grades.reckoning import PersonGrade
from leaderboard.teams.class_lists import headings

_CANVAS_ITEM = re.compile(r"\(\d+\)$")
_BLACKBOARD_ITEM = re.compile(r"\|\s*\d+$")
_FEEDBACK = re.compile(r"feedback|反馈|评语", re.IGNORECASE)
_WORKSHEET = ("grade", "bewertung", "成绩")  # of Moodle's offline grading worksheet


class Platform(StrEnum):
    """Whose gradebook a file is."""

    CANVAS = "canvas"
    MOODLE = "moodle"
    BLACKBOARD = "blackboard"


@dataclass(frozen=True, kw_only=True)
class Book:
    """What was understood of a gradebook; `items` are the places of columns of grades."""

    platform: Platform
    columns: Mapping[str, int]
    items: tuple[int, ...]
    first_line: int  # of people


def understood(sheet: Sheet) -> Book:
    """Recognise a gradebook by its header.

    Raises:
        BadRequest: it is none of the three.
    """
    header = sheet.header
    columns = headings.columns_of(header)
    named = [each.casefold() for each in header]
    if "student" in named and "id" in named and columns.keys() & {"number", "login"}:
        items = [place for place, name in enumerate(header) if _CANVAS_ITEM.search(name)]
        return Book(
            platform=Platform.CANVAS,
            columns=columns,
            items=tuple(items),
            first_line=_below_points(sheet),
        )
    blackboard = [place for place, name in enumerate(header) if _BLACKBOARD_ITEM.search(name)]
    if "login" in columns and (blackboard or "first" in columns):
        return Book(
            platform=Platform.BLACKBOARD, columns=columns, items=tuple(blackboard), first_line=1
        )
    if columns.keys() & {"email", "number"}:
        known = {*columns.values(), *_moodle_facts(header)}
        rest = [place for place in range(len(header)) if place not in known and header[place]]
        return Book(platform=Platform.MOODLE, columns=columns, items=tuple(rest), first_line=1)
    raise BadRequest(said("gradebook.unknown", columns=", ".join(header)[:300] or "–"))


def item_named(book: Book, sheet: Sheet, name: str, title: str) -> int | None:
    """The column that a name means; without one, that of the assignment's title; None: a new one.

    Raises:
        BadRequest: no column of grades is called that.
    """
    header = sheet.header
    if name:
        for place in book.items:
            if header[place] == name.strip():
                return place
        columns = ", ".join(header[place] for place in book.items)[:300] or "–"
        raise BadRequest(said("gradebook.no_column", column=repr(name), columns=columns))
    wanted = title.casefold()
    of_title = [place for place in book.items if wanted in header[place].casefold()]
    if book.platform is Platform.MOODLE:
        grades = [place for place in book.items if header[place].casefold() in _WORKSHEET]
        of_title = of_title or grades
        of_title = [place for place in of_title if not _FEEDBACK.search(header[place])]
    return of_title[0] if len(of_title) == 1 else None


def feedback_of(book: Book, sheet: Sheet, item: int) -> int | None:
    """Moodle's column of feedback to a column of grades."""
    if book.platform is not Platform.MOODLE:
        return None
    header = sheet.header
    stem = header[item].partition("(")[0].strip().casefold()
    for place in book.items:
        name = header[place].casefold()
        if _FEEDBACK.search(name) and (name.startswith(stem) or stem in _WORKSHEET):
            return place
    return None


@dataclass(frozen=True, kw_only=True)
class People:
    """Students by what gradebooks know them by."""

    by_number: Mapping[str, PersonGrade]
    by_email: Mapping[str, PersonGrade]
    by_login: Mapping[str, PersonGrade]

    @classmethod
    def of(cls, grades: Sequence[PersonGrade]) -> People:
        """Logins are what stands before the @, where it is one person's alone."""
        logins: dict[str, list[PersonGrade]] = {}
        with_address = [each for each in grades if each.user.address]
        for each in with_address:
            logins.setdefault(each.user.address.partition("@")[0].casefold(), []).append(each)
        return cls(
            by_number={each.number.casefold(): each for each in grades if each.number},
            by_email={each.user.address.casefold(): each for each in with_address},
            by_login={login: found[0] for login, found in logins.items() if len(found) == 1},
        )

    def owner(self, book: Book, line: Line) -> PersonGrade | None:
        """Whose a line is; None where nobody's, or where number and address are two people's."""
        cells = {
            meaning: line.value(book.columns[meaning]).strip().casefold()
            for meaning in ("number", "email", "login")
            if meaning in book.columns
        }
        address = cells.get("email") or cells.get("login", "")
        found = {
            each.user.id: each
            for each in (
                self.by_number.get(cells.get("number", "")),
                self.by_email.get(address)
                or self.by_login.get(address if "@" not in address else "")
                or self.by_number.get(cells.get("login", "")),
            )
            if each is not None
        }
        return next(iter(found.values())) if len(found) == 1 else None


def is_person(book: Book, line: Line) -> bool:
    """Whether a line is anybody's: not empty, and not Canvas's test student."""
    if not any(line.value(place).strip() for place in range(len(line.cells))):
        return False
    return not (book.platform is Platform.CANVAS and line.value(0).strip() == "Student, Test")


def _below_points(sheet: Sheet) -> int:
    """The first line of people: below `Points Possible`, which may have another line above it."""
    for number, line in enumerate(sheet.lines[:5]):
        if line.value(0).strip().startswith("Points Possible"):
            return number + 1
    return 1


def points_line(book: Book) -> int | None:
    """Canvas's line of what can be reached."""
    is_there = book.platform is Platform.CANVAS and book.first_line > 1
    return book.first_line - 1 if is_there else None


def _moodle_facts(header: Sequence[str]) -> list[int]:
    """Columns that are of the person or the export, and no grades."""
    facts = re.compile(
        r"^(identifier|institution|department|abteilung|机构|部门|status|maximum grade|"
        r"grade can be changed|last modified|last downloaded|zuletzt aus|上次从|course total|"
        r"kurs gesamt|课程总分)",
        re.IGNORECASE,
    )
    return [place for place, name in enumerate(header) if facts.match(name)]
