"""The grades of an assignment as a file for another program, made from nothing.

Filling the gradebook that the platform exported (filling.py) is safer: it has the platform's ids.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.orm import Session

from leaderboard.gradebooks import filling, xlsx
from leaderboard.gradebooks.cells import neutral
from leaderboard.gradebooks.platforms import Platform
from leaderboard.grades import reckoning, scales
from leaderboard.grades.reckoning import PersonGrade
from leaderboard.models import Assignment
from leaderboard.views.gradebook import table
from leaderboard.views.tables import table_csv

_NUMBERS = frozenset(
    {
        *("entries", "public_score", "public_rank", "private_score", "private_rank"),
        *("days_late", "penalty_days", "below_score", "below_grade", "above_score", "above_grade"),
        *("exact", "factor", "penalty_per_day", "left", "worse_step", "better_step", "override"),
        *("grade", "published"),
    }
)


class ExportFormat(StrEnum):
    """What an export is for."""

    CSV = "csv"  # everything, with a byte order mark: what Excel needs to read UTF-8
    XLSX = "xlsx"
    CANVAS = "canvas"
    MOODLE = "moodle"
    BLACKBOARD = "blackboard"


@dataclass(frozen=True, kw_only=True)
class Export:
    """A file to be downloaded."""

    filename: str
    mimetype: str
    content: bytes


def export(
    session: Session, assignment: Assignment, kind: ExportFormat, *, section: str | None = None
) -> Export:
    """Make a file of the grades; cells of people without one are empty. Staff only.

    Args:
        section: only of its students.
    """
    name = f"{assignment.slug}-grades"
    if kind in (ExportFormat.CSV, ExportFormat.XLSX):
        rows = table.grade_rows(session, assignment, section)
        if kind is ExportFormat.XLSX:
            content = xlsx.workbook(rows, _NUMBERS)
            return Export(filename=f"{name}.xlsx", mimetype=xlsx.MIME, content=content)
        content = table_csv(rows).encode("utf-8-sig")
        return Export(filename=f"{name}.csv", mimetype="text/csv", content=content)
    grades = [
        each
        for each in reckoning.of_assignment(session, assignment)
        if section is None or each.section == section
    ]
    if kind is ExportFormat.CANVAS:
        best = filling.best_grade(scales.holding(session, assignment))
        lines = _canvas(grades, assignment.title, best)
    elif kind is ExportFormat.MOODLE:
        lines = _moodle(grades, assignment.title)
    else:
        content = _text(_blackboard(grades, assignment.title), "\t").encode("utf-16")
        filename = f"{name}-blackboard.tsv"
        return Export(filename=filename, mimetype="text/tab-separated-values", content=content)
    content = _text(lines, ",").encode()
    return Export(filename=f"{name}-{kind.value}.csv", mimetype="text/csv", content=content)


def _canvas(grades: Sequence[PersonGrade], title: str, best: float) -> list[list[str]]:
    lines = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", title]]
    lines.append(["    Points Possible", "", "", "", "", f"{best:g}"])
    for each in grades:
        cell = filling.cell_of(each, Platform.CANVAS)
        who = [each.user.name, "", each.number or "", each.user.address, each.section]
        lines.append([*who, cell])
    return lines


def _moodle(grades: Sequence[PersonGrade], title: str) -> list[list[str]]:
    lines = [["Email address", "ID number", title, "Feedback"]]
    for each in grades:
        cell = filling.cell_of(each, Platform.MOODLE)
        lines.append([each.user.address, each.number or "", cell, " ".join(each.said)])
    return lines


def _blackboard(grades: Sequence[PersonGrade], title: str) -> list[list[str]]:
    lines = [["Last Name", "First Name", "Username", "Student ID", title]]
    for each in grades:
        first, _, last = each.user.name.rpartition(" ")
        cell = filling.cell_of(each, Platform.BLACKBOARD)
        lines.append([last, first, each.user.address, each.number or "", cell])
    return lines


def _text(lines: Sequence[Sequence[str]], separator: str) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\r\n")
    # the blanks before `Points Possible` are Canvas's own
    writer.writerows([[neutral(cell) for cell in line] for line in lines])
    return out.getvalue()
