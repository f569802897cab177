"""The whole way on the system's own Python: Debian 12's is 3.11.2, which newer ones hide."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest
from small_site import PASSWORD, bundle_zip, predictions_csv, write_assignment
from sparing import SPARED

from sandbox import SandboxUnavailable, get_runner

ROOT = Path(__file__).parents[2]
SYSTEM = Path("/usr/bin/python3")
DEBIAN = Path("/etc/debian_version")
ABOUT = "import json, sys, venv; print(json.dumps(sys.version_info[:2]))"
STUDENT = "ann@example.edu"


def missing(reason: str) -> NoReturn:
    if os.environ.get("CI") == "true" and DEBIAN.exists():
        pytest.fail(f"Debian's own Python must be tested in CI: {reason}")
    pytest.skip(reason)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The commands under the system's Python, with a state folder and a home of their own."""

    python: Path
    home: Path

    def run(self, *command: str, stdin: str = "") -> str:
        done = subprocess.run(
            [self.python, "-m", *command],
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            cwd=self.home,
            env=self.environment,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "TMPDIR")}
        folders = {"HOME": self.home, "XDG_CONFIG_HOME": self.home / "config"}
        folders["LEADERBOARD_STATE_DIR"] = self.home / "state"
        return {
            **kept,
            **SPARED,
            "LANG": "C.UTF-8",
            **{name: str(path) for name, path in folders.items()},
        }

    @contextmanager
    def serving(self) -> Iterator[str]:
        """The server with its worker; its address."""
        log = self.home / "serve.log"
        command = [self.python, "-m", "leaderboard.cli", "serve", "--port", "0"]
        with log.open("w") as into:
            server = subprocess.Popen(
                command, cwd=self.home, env=self.environment, stdout=into, stderr=into
            )
            try:
                yield self._address(log, server)
            finally:
                server.send_signal(signal.SIGTERM)
                server.wait(60)
        assert "Traceback" not in log.read_text()

    @staticmethod
    def _address(log: Path, server: subprocess.Popen[bytes]) -> str:
        while server.poll() is None:
            if found := re.search(r"http://\S+(?=\s)", log.read_text()):
                return found[0]
            time.sleep(0.1)
        raise AssertionError(log.read_text())


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """A virtual environment of the system's Python on the packages that are installed here."""
    if not SYSTEM.exists():
        missing(f"there is no {SYSTEM}")
    asked = subprocess.run([SYSTEM, "-I", "-c", ABOUT], capture_output=True, check=False)
    if asked.returncode:
        missing(f"{SYSTEM} has no venv module")
    if tuple(json.loads(asked.stdout)) != sys.version_info[:2]:
        missing(f"{SYSTEM} is of another release than {sys.executable}: no package fits both")
    home = tmp_path_factory.mktemp("system")
    subprocess.run([SYSTEM, "-m", "venv", "--without-pip", home / "venv"], check=True)
    installed = [path for path in sys.path if path.endswith("site-packages")]
    (site_packages,) = (home / "venv/lib").glob("python*/site-packages")
    (site_packages / "here.pth").write_text("\n".join([str(ROOT), *installed]))
    return Machine(python=home / "venv/bin/python", home=home)


def has_sandbox() -> bool:
    try:
        get_runner().close()
    except SandboxUnavailable:
        return False
    return True


@pytest.mark.timeout(600)
def test_a_course_is_set_up_handed_in_to_and_scored_on_the_systems_python(machine: Machine) -> None:
    folder = write_assignment(machine.home / "animals")
    staff = "leaderboard.cli"
    machine.run(staff, "init")
    machine.run(staff, "create-user", "--email", STUDENT, "--password", PASSWORD)
    machine.run(staff, "create-course", "dl-1", "--title", "Deep Learning")
    machine.run(staff, "enrol", "dl-1", STUDENT)
    machine.run(staff, "publish", str(folder), "--course", "dl-1")

    handed_in = {"predictions.csv": predictions_csv(folder, wrong=3)}
    if has_sandbox():
        handed_in["bundle.zip"] = bundle_zip()
    elif os.environ.get("CI") == "true":
        pytest.fail("the sandbox must be tested in CI")
    with machine.serving() as url:
        machine.run("grader", "login", url, "--email", STUDENT, "--password-stdin", stdin=PASSWORD)
        for name, content in handed_in.items():
            (machine.home / name).write_bytes(content)
            wanted = ("submit", name, "-a", "animals", "-m", "x", "--declare", "none")
            report = json.loads(machine.run("grader", *wanted, "--wait", "--json"))
            assert report["verdict"] == "OK", report
        examined = json.loads(machine.run(staff, "doctor", "--json"))

    tried = {each["name"]: each for each in examined if each["name"].startswith("trial")}
    assert tried["trial: CSV"]["ok"], examined
    assert tried["trial: code"]["ok"] is has_sandbox(), examined
