"""Nothing is lost while everything is killed, in short; the long run is `chaos.py` by hand."""

from __future__ import annotations

from pathlib import Path

import chaos
import pytest
from databases import NEEDS_POSTGRESQL


@NEEDS_POSTGRESQL
def test_nothing_is_lost_on_postgresql_with_three_workers_and_two_web_processes(
    tmp_path: Path,
) -> None:
    plan = chaos.Plan(submissions=45, kills=7, teams=9, seed=5)

    outcome = chaos.run(plan, "postgresql", tmp_path)

    assert outcome.problems == ()
    assert outcome.killed.total() == 7
    assert set(outcome.verdicts) <= {"OK", "REJ"}


@pytest.mark.long
def test_nothing_is_lost_on_sqlite_with_one_worker_and_one_web_process(tmp_path: Path) -> None:
    plan = chaos.Plan(submissions=30, kills=4, teams=6, workers=1, web_processes=1, seed=7)

    outcome = chaos.run(plan, "sqlite", tmp_path)

    assert outcome.problems == ()
    assert set(outcome.verdicts) <= {"OK", "REJ"}
