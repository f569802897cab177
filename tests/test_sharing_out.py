"""Tests run side by side, whole files at a time, and those that want to be alone are."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

COMMON = Path(__file__).parent / "common"
CONFTEST = """
import sharing_out

def pytest_configure(config):
    if plugin := sharing_out.plugin(config):
        config.pluginmanager.register(plugin)
"""
FILE = """
import os, time
import pytest

@pytest.fixture(autouse=True)
def noted(request):
    begun = time.monotonic()
    time.sleep(0.2)
    yield
    with open("log", "a") as log:
        print(os.getpid(), begun, time.monotonic(), request.node.nodeid, file=log)

@pytest.mark.alone
def test_alone():
    assert not {fails}

@pytest.mark.parametrize("number", range(3))
def test_together(number):
    pass
"""


@dataclass(frozen=True, kw_only=True)
class Ran:
    """One test: in which process, from when to when in seconds."""

    process: str
    begun: float
    ended: float
    test: str

    def meets(self, other: Ran) -> bool:
        return self.begun < other.ended and other.begun < self.ended


@pytest.fixture
def tests_of_four_files(tmp_path: Path):
    """Run them in three processes; what ran, and pytest's answer."""
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = alone\n")
    (tmp_path / "conftest.py").write_text(CONFTEST)

    def run(*, fails: str = "") -> tuple[list[Ran], subprocess.CompletedProcess[str]]:
        for name in "abcd":
            content = FILE.replace("{fails}", str(name == fails))
            (tmp_path / f"test_{name}.py").write_text(content)
        command = [sys.executable, "-m", "pytest", "-n", "3", "--dist", "loadfile"]
        done = subprocess.run(
            [*command, "-p", "no:cacheprovider"],
            cwd=tmp_path,
            env={"PYTHONPATH": str(COMMON)},
            capture_output=True,
            text=True,
            check=False,
        )
        rows = [line.split() for line in (tmp_path / "log").read_text().splitlines()]
        ran = [Ran(process=a, begun=float(b), ended=float(c), test=d) for a, b, c, d in rows]
        return ran, done

    return run


def test_files_stay_whole_and_nothing_runs_beside_a_test_that_wants_to_be_alone(
    tests_of_four_files,
) -> None:
    ran, done = tests_of_four_files()

    assert "16 passed" in done.stdout.splitlines()[-1], done.stdout
    alone = [each for each in ran if "test_alone" in each.test]
    assert len(alone) == 4
    assert not [(a, b) for a in alone for b in ran if a is not b and a.meets(b)]
    together = [each for each in ran if each not in alone]
    where = {(each.test.partition("::")[0], each.process) for each in together}
    assert len(where) == 4
    assert len({process for _, process in where}) > 1


def test_a_failure_of_one_that_runs_alone_is_in_the_one_summary(tests_of_four_files) -> None:
    _, done = tests_of_four_files(fails="b")
    assert done.returncode == 1
    assert "1 failed, 15 passed" in done.stdout.splitlines()[-1], done.stdout
