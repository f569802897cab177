"""The layout that README and pyproject.toml promise: rooms of one purpose, arrows that hold.

The arrows between rooms are import-linter's contracts, which `make lint` checks; here stands what
it can't say: sizes, and who imports `leaderboard` from outside the packages.
"""

from __future__ import annotations

import ast
import subprocess
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("grader", "leaderboard", "sandbox", "reference")
RELEASED = "leaderboard/migrations/versions/0001_the_first_schema.py"
MIGRATIONS = (
    "leaderboard/migrations/versions/"  # a shelf of dated pieces: one a change, never fewer
)
# programs that the software hands out or runs, and no rooms of its own
NO_ROOMS = ("/kits/", "/probes/", "tests/verdicts/")


def python_files() -> list[str]:
    """Paths below the checkout, as git knows them."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = [path for path in listed.stdout.splitlines() if (ROOT / path).is_file()]
    return [path for path in found if not any(part in path for part in NO_ROOMS)]


@pytest.mark.parametrize(("package", "most"), [("leaderboard", 12), ("sandbox", 10)])
def test_the_top_of_a_package_is_a_hall_and_no_corridor(package: str, most: int) -> None:
    assert len(list((ROOT / package).glob("*.py"))) <= most


def test_a_room_holds_at_most_fourteen_files() -> None:
    rooms = Counter(
        str(Path(path).parent)
        for path in python_files()
        if path.startswith(PACKAGES)
        and not path.endswith("__init__.py")
        and not path.startswith(MIGRATIONS)
    )
    assert {room: count for room, count in rooms.items() if count > 14} == {}


def test_no_file_is_too_long_to_be_one_noun() -> None:
    lengths = {path: len((ROOT / path).read_bytes().splitlines()) for path in python_files()}
    assert {path for path, lines in lengths.items() if lines > 450} <= {RELEASED}


def test_nothing_but_leaderboard_its_tests_and_its_packaging_imports_leaderboard() -> None:
    importers = {
        path
        for path in python_files()
        if not path.startswith(("leaderboard/", "tests/", "setup.py"))
        and "leaderboard" in imports_of(path)
    }
    assert importers == set()


def imports_of(path: str) -> set[str]:
    """The top-level packages that a file imports, wherever in it the import stands."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and not node.level:
            found.add(str(node.module).partition(".")[0])
        elif isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
    return found
