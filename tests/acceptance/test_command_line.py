"""The student's story by command line alone, in a fresh environment with the base install."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import exhibition
import pytest

ROOT = Path(__file__).parents[2]
STUDENT = "yusuf@example.org"
INSTALL_SECONDS = 240
COMMAND_SECONDS = 120
NAMES = "import importlib.metadata as m; print(*(each.name for each in m.distributions()))"
_PIP = (sys.executable, "-m", "pip")
HEAVY = {"torch", "flask", "sqlalchemy", "pandas", "scikit-learn", "cryptography", "pillow"}


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A student's machine: an environment of their own, and a home with nothing in it."""

    bin: Path
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        path = f"{self.bin}:{os.defpath}"
        return {"PATH": path, "HOME": str(self.home), "LANG": "C.UTF-8", "TERM": "xterm"}

    def run(self, line: str, *arguments: str, exit_code: int = 0, stdin: str = "", **extra: str):
        """Run a command in the student's home. A result with stdout and stderr apart."""
        done = subprocess.run(
            [*line.split(), *arguments],
            input=stdin,
            cwd=self.home,
            env=self.environment | extra,
            capture_output=True,
            encoding="utf-8",
            timeout=COMMAND_SECONDS,
            check=False,
        )
        assert done.returncode == exit_code, f"{line}\n{done.stdout}\n{done.stderr}"
        return done

    def type(self, line: str, answers: str, *, exit_code: int = 0) -> str:
        """Run a command on a terminal and answer its questions; all that it showed."""
        ours, theirs = pty.openpty()
        program = subprocess.Popen(
            line.split(),
            cwd=self.home,
            env=self.environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        os.write(ours, answers.encode())
        shown = b""
        while True:
            try:
                shown += os.read(ours, 4096)
            except OSError:  # Linux says so when the last writer has closed a terminal
                break
        os.close(ours)
        text = shown.decode()
        assert program.wait(COMMAND_SECONDS) == exit_code, text
        return text


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A fresh virtual environment with this checkout installed in it, without extras."""
    folder = tmp_path_factory.mktemp("student")
    sources = folder / "sources"
    for name in ("grader", "sandbox", "leaderboard", "reference"):
        ignored = shutil.ignore_patterns("__pycache__", "cards")
        shutil.copytree(ROOT / name, sources / name, ignore=ignored)
    for name in ("pyproject.toml", "setup.py", "README.md"):
        shutil.copy(ROOT / name, sources / name)
    # without a pip of its own, whose making takes as long as the rest: ours installs into it
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
    began = time.monotonic()
    installed = subprocess.run(
        [*_PIP, "--python", folder / "env/bin/python", "install", "-q", str(sources)],
        env={k: v for k, v in os.environ.items() if k in ("PATH", "HOME") or k[:4] == "PIP_"},
        capture_output=True,
        encoding="utf-8",
        timeout=INSTALL_SECONDS,
        check=False,
    )
    if installed.returncode:
        if os.environ.get("CI") == "true":
            pytest.fail(f"the base install failed:\n{installed.stderr}")
        pytest.skip(f"pip reaches no package index: {installed.stderr.strip().splitlines()[-1]}")
    print(f"installed in {time.monotonic() - began:.1f} s")
    (folder / "home").mkdir()
    return Desk(bin=folder / "env/bin", home=folder / "home")


def sign_in(desk: Desk, server: exhibition.Exhibition) -> None:
    arguments = ("--email", STUDENT, "--password-stdin")
    desk.run("grader login", server.url, *arguments, stdin=exhibition.PASSWORD + "\n")


def test_a_student_goes_from_nothing_to_the_leaderboard_by_commands_alone(desk, server):
    names = desk.run("python -c", NAMES)
    packages = {name.lower() for name in names.stdout.split()}
    assert "gradewright" in packages
    assert not packages & HEAVY

    desk.run("grader init --kind csv work")
    sign_in(desk, server)
    desk.run("grader data digits work/pack")
    trained = desk.run("python work/train.py work/pack")
    assert "797 rows" in trained.stdout
    desk.run("grader check work/predictions.csv -a work/pack")

    content = (desk.home / "work/predictions.csv").read_bytes()
    (desk.home / "wrong.csv").write_bytes(exhibition.spoil(content))
    by_hand = desk.run("grader check wrong.csv -a work/pack", exit_code=3).stdout
    refused = desk.run("grader submit wrong.csv -a digits --declare none", exit_code=3).stdout
    for said in (by_hand, refused):
        assert re.search(r"line 10.*is there already", said)
        assert re.search(r"line 21.*\d\.0", said)
        assert "missing" in said
        assert "Hint: write" in said
    assert "20 of 20 left" in desk.run("grader quota -a digits").stdout

    handed_in = desk.run(
        "grader submit work/predictions.csv -a digits --declare none --claim accuracy=.99 --wait",
        "-m",
        "softmax",
    )
    assert "Receipt: accepted" in handed_in.stdout
    assert "OK: scored" in handed_in.stdout
    score = float(re.search(r"^accuracy\t([\d.]+)", handed_in.stdout, re.MULTILINE)[1])
    assert score > 0.85
    number = re.search(r"s_\w+", handed_in.stdout)[0]
    report = json.loads(desk.run("grader status --json", number).stdout)
    assert report["declared"] == []
    assert [each["agrees"] for each in report["claim_findings"]] == [False]
    listed = csv.DictReader(io.StringIO(desk.run("grader submissions -a digits --csv").stdout))
    assert [row["message"] for row in listed] == ["softmax", ""]

    desk.run("grader pick", number)
    board = desk.run("grader leaderboard -a digits").stdout
    assert re.search(r"\t\* Team Yusuf\t", board)
    rows = json.loads(desk.run("grader leaderboard -a digits --json").stdout)["rows"]
    assert [row["primary"] for row in rows if row["is_mine"]] == [pytest.approx(score, abs=1e-5)]
    in_chinese = desk.run("grader leaderboard -a digits", GRADER_LANG="zh").stdout
    assert in_chinese.startswith("名次\t")


def test_on_a_terminal_it_asks_what_the_rules_forbid_and_draws_tables(desk, server):
    desk.run("grader init --kind csv terminal")
    sign_in(desk, server)
    desk.run("grader data digits terminal/pack")

    line = "grader submit terminal/pack/sample_submission.csv -a digits --wait"
    assert "nothing was sent" in desk.type(line, "y\n", exit_code=3)
    shown = desk.type(line, "n\n")

    assert "Did data from elsewhere go into it?" in shown
    assert "pretrained" not in shown
    assert "Sending sample_submission.csv" in shown
    assert re.search(r"accuracy +0\.\d{5}", shown)
    newest, *_ = json.loads(desk.run("grader submissions -a digits --json").stdout)
    assert newest["declared"] == []


def test_what_needs_an_extra_names_it_and_the_rest_works_without(desk, server):
    sign_in(desk, server)
    desk.run("grader init --kind code code")
    desk.run("grader data digits code/pack")
    line = "grader check code/bundle -a code/pack"
    refused = desk.run(line, exit_code=2, SANDBOX_RUNNER_ENV="/nonexistent")
    assert "pip install torch" in refused.stderr
    untrained = desk.run("python code/train.py code/pack", exit_code=2)
    assert "pip install torch" in untrained.stderr
    assert "Usage: grader" in desk.run("grader --help").stdout
    desk.run("grader submit nothing.csv -a digits", exit_code=2)
    completed = desk.run(
        "grader", _GRADER_COMPLETE="bash_complete", COMP_WORDS="grader sub", COMP_CWORD="1"
    )
    assert completed.stdout.split() == ["plain,submit", "plain,submissions"]


def test_who_is_not_signed_in_or_offline_is_told_what_to_do(desk, server):
    nobody = {"GRADER_CONFIG": str(desk.home / "none.toml")}
    address = ("--server", server.url)
    refused = desk.run("grader quota -a digits", *address, exit_code=5, **nobody)
    assert "grader login URL" in refused.stderr
    wrong = desk.run("grader quota -a digits --token gw_x", *address, exit_code=5, **nobody)
    assert "grader login URL" in wrong.stderr
