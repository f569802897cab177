"""Every example in a docstring runs, and what is raised stands in one form."""

from __future__ import annotations

import ast
import doctest
import importlib
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("grader", "leaderboard", "sandbox", "reference")
# a line `Raises:`, below it each error with what it means; a meaning goes on a level deeper
RAISES = re.compile(r"(?:[\w.]+(?:, [\w.]+)*: .+(?:\n    .+)*(?:\n|$))+")


def modules() -> list[Path]:
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def modules_with_examples() -> list[str]:
    """Dotted names of the modules that hold a prompt, as `leaderboard.rules.schedule`."""
    told = [path for path in modules() if ">>> " in path.read_text(encoding="utf-8")]
    return [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in told]


@pytest.mark.parametrize("name", modules_with_examples())
def test_examples_in_docstrings_hold(name: str) -> None:
    module: ModuleType = importlib.import_module(name)
    tested = doctest.testmod(module, extraglobs={"np": np}, optionflags=doctest.ELLIPSIS)
    assert tested.attempted
    assert not tested.failed


def docstrings(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


def is_of_the_form(docstring: str) -> bool:
    """Whether it says what is raised in a section, if it says so at all."""
    before, *sections = re.split(r"^Raises:\n", docstring, flags=re.MULTILINE)
    entries = [textwrap.dedent(re.split(r"\n\n", section)[0]) for section in sections]
    return not re.search(r"\bRaises\b", before) and all(map(RAISES.fullmatch, entries))


@pytest.mark.parametrize(
    ("docstring", "fine"),
    [
        ("Reads.\n\nRaises:\n    a.b.C: it is none.\n    D, E: another\n        line.\n", True),
        ("Reads. Raises: ValueError.", False),
        ("Reads.\n\nRaises: ValueError for none.", False),
        ("Reads.\n\nRaises:\n    ValueError.\n", False),
        ("Reads.\n\nRaises:\n    ValueError: none\n    for all.\n", False),
    ],
)
def test_the_form_is_told_from_others(docstring: str, fine: bool) -> None:
    assert is_of_the_form(docstring.strip()) is fine


def test_what_is_raised_is_said_in_one_form() -> None:
    others = [
        f"{path.relative_to(ROOT)}: {docstring}"
        for path in modules()
        for docstring in docstrings(path)
        if not is_of_the_form(docstring)
    ]
    assert others == []
