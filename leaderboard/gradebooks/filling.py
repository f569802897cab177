"""Filling an uploaded gradebook with grades: what would be written, for whom not, and the file.

A cell of a person without a grade (pending, missing, withdrawn) stays as it is. The uploaded file
is not kept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from sqlalchemy.orm import Session

from leaderboard.gradebooks import platforms, sheet
from leaderboard.gradebooks.platforms import Book, People, Platform
from leaderboard.gradebooks.sheet import Sheet
from leaderboard.grades import reckoning, scales
from leaderboard.grades.reckoning import PersonGrade
from leaderboard.models import Assignment, GradeState

_EXCUSED = "EX"  # Canvas's
_HAS_COMMA = re.compile(r"^-?\d+,\d+$")
_HAS_POINT = re.compile(r"^-?\d+\.\d+$")


@dataclass(frozen=True, kw_only=True)
class WrittenCell:
    """A cell that another value comes into."""

    person: str
    email: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """What filling a gradebook would do.

    `unmatched`: lines of the file that are no student's here; `absent`: students here that no line
    is of; `without`: students of the file without a grade now, whose cells stay.
    """

    platform: Platform
    column: Annotated[str, {"description": "where grades go"}]
    is_new_column: bool
    columns: Annotated[Sequence[str], {"description": "of grades, that may be chosen"}]
    matched: int
    unchanged: int
    changes: Sequence[WrittenCell]
    unmatched: Sequence[str]
    absent: Sequence[str]
    without: Sequence[str]
    over: Annotated[float | None, {"description": "the points possible that a grade exceeds"}]


@dataclass(frozen=True, kw_only=True)
class Filled:
    """The file with grades, and what was done to it."""

    content: bytes
    run: DryRun


def fill(
    session: Session,
    assignment: Assignment,
    content: bytes,
    *,
    column: str = "",
    section: str | None = None,
) -> Filled:
    """Fill a gradebook that staff exported from their platform. Reads only.

    Args:
        column: the header of the column to fill; "": that of the assignment's title, else a new
            one.
        section: only its students; the others' lines stay as they are.

    Raises:
        BadRequest: it is no gradebook of Canvas, Moodle or Blackboard, or has no such column.
    """
    table = sheet.read(content)
    book = platforms.understood(table)
    item = platforms.item_named(book, table, column, assignment.title)
    grades = [
        each
        for each in reckoning.of_assignment(session, assignment)
        if section is None or each.section == section
    ]
    owners = _owners(book, table, People.of(grades))
    filled, place = (
        (table, item)
        if item is not None
        else _with_new_column(
            book, table, assignment.title, best_grade(scales.holding(session, assignment))
        )
    )
    filled, changes = _with_grades(book, filled, place, owners, _writes_commas(table))
    seen = {each.user.id for each in owners.values()}
    header = table.header  # read once: a file may have a hundred thousand columns
    return Filled(
        content=filled.content(),
        run=DryRun(
            platform=book.platform,
            column=filled.header[place],
            is_new_column=item is None,
            columns=[header[each] for each in book.items],
            matched=len(owners),
            unchanged=sum(_is_given(each) for each in owners.values()) - len(changes),
            changes=tuple(changes),
            unmatched=_unmatched(book, table, owners),
            absent=[_known_by(each) for each in grades if each.user.id not in seen],
            without=[_known_by(each) for each in owners.values() if not _is_given(each)],
            over=_over(book, filled, place, owners),
        ),
    )


def cell_of(found: PersonGrade, platform: Platform | None, *, decimal_comma: bool = False) -> str:
    """What goes into a person's cell: the grade as it is written, "" where there is none."""
    if found.state is GradeState.EXCUSED and platform is Platform.CANVAS:
        return _EXCUSED
    if found.state is not GradeState.READY:
        return ""
    return found.written.replace(".", ",") if decimal_comma else found.written


def best_grade(held: scales.Holding) -> float:
    """The largest number that a grade can be: what a platform calls the points possible."""
    if held.newest is None:
        return 1.0
    return max(held.newest.ends)


def _owners(book: Book, table: Sheet, people: People) -> dict[int, PersonGrade]:
    """Whose each line is; of two lines of one person the first."""
    found: dict[int, PersonGrade] = {}
    seen: set[int] = set()
    for number, line in enumerate(table.lines[book.first_line :], start=book.first_line):
        owner = people.owner(book, line) if platforms.is_person(book, line) else None
        if owner is not None and owner.user.id not in seen:
            seen.add(owner.user.id)
            found[number] = owner
    return found


def _unmatched(book: Book, table: Sheet, owners: dict[int, PersonGrade]) -> list[str]:
    places = [place for name, place in book.columns.items() if name != "section"]
    return [
        ", ".join(filter(None, (line.value(place).strip() for place in places)))
        for number, line in enumerate(table.lines[book.first_line :], start=book.first_line)
        if platforms.is_person(book, line) and number not in owners
    ]


def _with_new_column(book: Book, table: Sheet, title: str, best: float) -> tuple[Sheet, int]:
    """A column more, which makes a new assignment there: in Canvas beside the section, where its
    others begin."""
    is_canvas = book.platform is Platform.CANVAS
    place = book.columns["section"] + 1 if is_canvas and "section" in book.columns else 0
    place = place or len(table.header)
    values = [title, *[""] * (len(table.lines) - 1)]
    if (points := platforms.points_line(book)) is not None:
        values[points] = f"{best:g}"
    return table.with_column(place, values), place


def _with_grades(
    book: Book,
    table: Sheet,
    place: int,
    owners: dict[int, PersonGrade],
    decimal_comma: bool,
) -> tuple[Sheet, list[WrittenCell]]:
    feedback = platforms.feedback_of(book, table, place)
    changes: list[WrittenCell] = []
    for number, owner in owners.items():
        value = cell_of(owner, book.platform, decimal_comma=decimal_comma)
        if not value:
            continue
        before = table.lines[number].value(place)
        if not _is_same(before, value):
            table = table.with_cell(number, place, value)
            changes.append(
                WrittenCell(
                    person=owner.user.name, email=_known_by(owner), before=before, after=value
                )
            )
        if feedback is not None:
            table = table.with_cell(number, feedback, " ".join(owner.said))
    return table, changes


def _known_by(found: PersonGrade) -> str:
    """What staff know a person by: the address, else the student number."""
    return found.user.address or found.number or found.user.name


def _is_given(found: PersonGrade) -> bool:
    return found.state in (GradeState.READY, GradeState.EXCUSED)


def _is_same(cell: str, value: str) -> bool:
    """Whether a cell says a grade already: 8.50 is 8.5, and 85,00 is 85."""
    one, other = (_number(text) for text in (cell, value))
    return cell.strip() == value if one is None or other is None else one == other


def _number(text: str) -> float | None:
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return None


def _writes_commas(table: Sheet) -> bool:
    """Whether the file's numbers have a decimal comma."""
    cells = [line.value(place) for line in table.lines[1:] for place in range(len(line.cells))]
    commas = sum(bool(_HAS_COMMA.match(cell.strip())) for cell in cells)
    return commas > sum(bool(_HAS_POINT.match(cell.strip())) for cell in cells)


def _over(book: Book, table: Sheet, place: int, owners: dict[int, PersonGrade]) -> float | None:
    """The points possible of Canvas's column, if somebody's grade is more."""
    line = platforms.points_line(book)
    points = _number(table.lines[line].value(place)) if line is not None else None
    given = [each.given for each in owners.values() if each.given is not None]
    return points if points is not None and given and max(given) > points else None
