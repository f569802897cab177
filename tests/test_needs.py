"""What a machine lacks is skipped there; in continuous integration it is a failure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NEEDY = (
    "tests/sandbox/run/test_runner.py::test_several_runs_at_once_do_not_meet",
    "tests/sandbox/checking/test_host.py::test_a_host_without_bubblewrap_uses_docker",
    "tests/leaderboard/queue/test_live_logs.py"
    "::test_the_log_is_there_while_the_run_goes_on_and_whole_at_its_end",
    "tests/leaderboard/test_postgresql.py",
    "tests/acceptance/test_keyboard.py",
)
HIDE = """
import shutil
from pathlib import Path

shutil.which = lambda *_, **__: None
found = Path.glob
Path.glob = lambda self, what: () if "postgresql" in str(self) else found(self, what)
"""


@pytest.mark.parametrize("ci", [True, False])
def test_a_machine_with_no_sandbox_engine_database_or_browser(tmp_path: Path, ci: bool) -> None:
    (tmp_path / "bare_machine.py").write_text(HIDE)
    environment = {name: text for name, text in os.environ.items() if name != "CI"}
    environment |= {"PYTHONPATH": str(tmp_path), "PATH": str(tmp_path)}
    environment |= {"DOCKER_HOST": f"unix://{tmp_path}/none", **({"CI": "true"} if ci else {})}
    options = ["-p", "bare_machine", "-p", "no:cacheprovider", "-q"]

    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *NEEDY],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    summary = done.stdout.splitlines()[-1]
    assert "passed" not in summary, done.stdout
    assert ("skipped" in summary) is not ci, done.stdout
    assert (done.returncode != 0) is ci
    for name in NEEDY:
        assert ci is (f"ERROR {name}" in done.stdout or f"FAILED {name}" in done.stdout), name
