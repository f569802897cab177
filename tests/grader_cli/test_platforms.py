"""Where there is no sandbox, the command line says so and does what it can."""

import json
import sys

import pytest

from grader import RunnerUnavailable
from grader.cli import runners
from grader.cli.own_code import OwnCode


@pytest.mark.parametrize(("platform", "said"), [("win32", "Windows"), ("darwin", "Linux only")])
def test_no_sandbox_is_promised_elsewhere(monkeypatch, platform, said):
    monkeypatch.setattr(sys, "platform", platform)

    with pytest.raises(RunnerUnavailable, match=said):
        runners.sandbox_runner()


@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_ones_own_code_runs_as_a_plain_program_and_that_is_said(monkeypatch, capsys, platform):
    monkeypatch.setattr(sys, "platform", platform)

    assert isinstance(runners.sandbox_or_own_code(), OwnCode)

    assert "Without a sandbox, as a plain program" in capsys.readouterr().err


def test_staff_score_no_foreign_code_without_a_sandbox(run, assignment_folder, tmp_path):
    run("init", "--kind", "code", tmp_path / "work")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(sys, "platform", "win32")
        result = run("score", assignment_folder, tmp_path / "work" / "bundle", "--json")

    assert result.exit_code == 4
    assert "Windows" in json.loads(result.stdout)["detail"]
