"""Where there is no sandbox, the command line says so and does what it can."""

import json
import sys

import click
import pytest

from grader import RunnerUnavailable
from grader.cli.trying import runners


@pytest.mark.parametrize(("platform", "said"), [("win32", "Windows"), ("darwin", "Linux only")])
def test_no_sandbox_is_promised_elsewhere(monkeypatch, platform, said):
    monkeypatch.setattr(sys, "platform", platform)

    with pytest.raises(RunnerUnavailable, match=said):
        runners.sandbox_runner()


def test_ones_own_code_runs_as_a_plain_program_and_that_is_said(monkeypatch, capsys):
    monkeypatch.setattr(sys, "platform", "darwin")

    assert runners.sandbox_or_own_code().describe()["backend"] == "unconfined"

    assert "Without a sandbox, as a plain program" in capsys.readouterr().err


def test_windows_is_told_where_its_code_can_be_tried(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")

    with pytest.raises(click.UsageError, match="inside WSL on Windows"):
        runners.sandbox_or_own_code()


def test_staff_score_no_foreign_code_without_a_sandbox(run, assignment_folder, tmp_path):
    run("init", "--kind", "code", tmp_path / "work")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(sys, "platform", "win32")
        result = run("score", assignment_folder, tmp_path / "work" / "bundle", "--json")

    assert result.exit_code == 4
    assert "Windows" in json.loads(result.stdout)["detail"]
