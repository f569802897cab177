"""Dates and allowances are read in one place, so that an extension reaches all that they decide."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import leaderboard

_HOME = Path(leaderboard.__file__).parent
_READER = _HOME / "rules" / "schedule.py"
_PARTS = {
    "schedule": {"opens", "due", "closes", "time_zone"},
    "rules": {"schedule"},
    "submission": {"daily_limit"},
    "course": {"late_days"},
}


def test_only_the_schedule_reads_dates_daily_limits_and_late_days() -> None:
    found = {
        f"{path.relative_to(_HOME)}:{line}"
        for path in sorted(_HOME.rglob("*.py"))
        if path != _READER and "migrations" not in path.parts
        for line in _reads(ast.parse(path.read_text()))
    }

    assert found == set()


def test_no_template_reads_them_either() -> None:
    pattern = r"schedule\.(opens|due|closes|time_zone)|submission\.daily_limit|course\.late_days"
    found = [
        path.name
        for path in (_HOME / "templates").rglob("*.html")
        if re.search(pattern, path.read_text())
    ]

    assert found == []


def test_a_read_past_the_schedule_would_be_found() -> None:
    source = "late = at > catalog.rules(assignment).schedule.due\nleft = found.course.late_days"

    assert _reads(ast.parse(source)) == [1, 2]


def test_the_settings_are_not_taken_apart_elsewhere() -> None:
    source = "dates = catalog.rules(assignment).schedule"

    assert _reads(ast.parse(source)) == [1]


def _reads(tree: ast.AST) -> list[int]:
    """The lines that read a date, a daily limit or a course's late days."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    found = [node for node in nodes if isinstance(node.ctx, ast.Load)]
    return sorted({node.lineno for node in found if node.attr in _PARTS.get(_name(node.value), ())})


def _name(node: ast.expr) -> str:
    """What an expression is called: the last word of it, or of the function that makes it."""
    if isinstance(node, ast.Call):
        return _name(node.func)
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
