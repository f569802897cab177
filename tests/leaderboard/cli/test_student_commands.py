"""The student's commands against a real server: cancelling, and where the attempts went."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from commands import serving
from small_site import Site, bundle_zip, predictions_csv, write_assignment

from grader.cli import cli


@pytest.fixture
def assignment_folder(tmp_path: Path) -> Path:
    return write_assignment(tmp_path / "animals", daily_limit=5)


@pytest.fixture
def ann(site: Site) -> Iterator[CliRunner]:
    """Ann's terminal, signed in."""
    with serving(site, "--no-worker") as (_, address):
        yield CliRunner(env={"GRADER_SERVER": address, "GRADER_TOKEN": site.token("ann")})


def run(terminal: CliRunner, *arguments: str, exit_code: int = 0, language: str = "en") -> Result:
    done = terminal.invoke(cli, arguments, env={"GRADER_LANG": language})
    assert done.exit_code == exit_code, done.output
    return done


def test_cancel_says_what_became_of_it(site: Site, ann: CliRunner) -> None:
    waiting = site.hand_in("ann", predictions_csv(site.folder))
    scored = site.hand_in("ann", predictions_csv(site.folder, wrong=1))
    site.score(scored)

    assert "it has no verdict and cost nothing" in run(ann, "cancel", waiting).stdout
    assert "不占用次数" in run(ann, "cancel", waiting, language="zh").stdout
    assert json.loads(run(ann, "cancel", waiting, "--json").stdout)["status"] == "cancelled"
    refused = run(ann, "cancel", scored, exit_code=3)
    assert "what has a result can't be cancelled" in refused.stderr


def test_tables_show_the_courses_time_and_programs_read_utc(site: Site, ann: CliRunner) -> None:
    at = datetime(2026, 10, 1, 17, 30, tzinfo=UTC)
    with site.state.database.write() as session:
        toml = site.assignment(session)
        toml.settings_toml = toml.settings_toml.replace(
            "[schedule]", f"[schedule]\ndue = {at.isoformat()}"
        )

    table = run(ann, "status").stdout
    rows = run(ann, "status", "--csv").stdout
    (listed,) = json.loads(run(ann, "status", "--json").stdout)["assignments"]

    assert "2026-10-02 01:30 Shanghai" in table
    assert "2026-10-01T17:30:00+00:00" in rows
    assert listed["schedule"]["due"] == "2026-10-01T17:30:00+00:00"


def test_quota_tells_where_the_attempts_of_today_went(site: Site, ann: CliRunner) -> None:
    cancelled = site.hand_in("ann", predictions_csv(site.folder))
    run(ann, "cancel", cancelled)
    scored = site.hand_in("ann", predictions_csv(site.folder, wrong=1))
    site.score(scored)
    waiting = site.hand_in("ann", bundle_zip(), filename="bundle.zip")

    shown = run(ann, "quota", "-a", "animals").stdout.splitlines()
    entries = json.loads(run(ann, "quota", "-a", "animals", "--json").stdout)["entries"]

    assert shown[0] == "3 of 5 left today."
    assert [line.split("\t")[1:] for line in shown[2:]] == [
        [cancelled, "+1", "reserved, and given back below"],
        [cancelled, "-1", "given back: it was cancelled"],
        [scored, "+1", "charged: it ran on hidden images or was scored"],
        [waiting, "+1", "reserved; charged when it runs on hidden images or is scored"],
    ]
    assert [(each["submission"], each["amount"], each["why"]) for each in entries] == [
        (cancelled, 1, "taken_back"),
        (cancelled, -1, "cancelled"),
        (scored, 1, "charged"),
        (waiting, 1, "reserved"),
    ]
    assert "曾预留，已在下方退还" in run(ann, "quota", "-a", "animals", language="zh").stdout
