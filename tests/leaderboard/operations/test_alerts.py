"""Each alert rule fires in its condition, by a real scrape of a real server, and is quiet else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import yaml
from flask import Flask
from scraped import Scrape
from small_site import Site, predictions_csv

from leaderboard import create_app
from leaderboard.db import utcnow
from leaderboard.evaluations import publishing
from leaderboard.models import Condition, NightlyRun, Submission
from leaderboard.operations import backup
from leaderboard.operations.monitoring import conditions, facts
from leaderboard.queue import workers
from leaderboard.queue.durable import Job
from leaderboard.state import State

MONITORING = Path(__file__).parents[3] / "deploy" / "monitoring"
RULES = yaml.safe_load((MONITORING / "alerts.yml").read_text(encoding="utf-8"))["groups"][0][
    "rules"
]


@pytest.fixture(autouse=True)
def apps() -> Iterator[None]:
    yield
    _app.cache_clear()


@cache
def _app(_: int, state: State) -> Flask:
    return create_app(state=state)


def firing(state: State) -> set[str]:
    """What the rules say of a scrape, after a look that the worker's conditions say the same."""
    page = _app(id(state), state).test_client().get("/metrics")
    assert page.status_code == 200, page.text
    scrape = Scrape(page.text)
    fired = {
        (name, labels.get("lane", ""))
        for rule in RULES
        for name in [rule["labels"]["condition"]]
        for labels in scrape.fires(rule["expr"])
    }
    with state.database.reading() as session:
        held = conditions.holding(facts.look(session, state))
    assert fired == {(each.condition.value, each.lane) for each in held}
    return {name for name, _ in fired}


@pytest.fixture
def well(site: Site) -> Site:
    """A server that is as it should be: a worker lives, a backup was made, baselines run."""
    settings = replace(site.settings, nightly_command=("true",), min_free_mb=0)
    site.state = replace(site.state, settings=settings)
    _worker(site, ["csv", "code"])
    backup.make(site.state, site.settings.state_dir.parent / "kept", progress=lambda *_: None)
    with site.state.database.write() as session:
        session.add(NightlyRun(started_at=utcnow(), finished_at=utcnow(), exit_code=0))
    return site


def _worker(site: Site, lanes: list[str]) -> None:
    with site.state.database.write() as session:
        workers.announce(
            session,
            executor_id="host:1",
            incarnation="x",
            concurrency=1,
            facts={"lanes": lanes},
            now=utcnow(),
        )


@contextmanager
def _internal_errors(site: Site) -> Iterator[State]:
    found = site.submission(site.hand_in("eve", predictions_csv(site.folder)))
    for attempt in range(3):
        assert firing(site.state) == set()
        job = Job(submission_id=found.id, number=found.evaluation_number, attempt=attempt)
        assert publishing.note_fault(site.state, job, "PlatformFault: away")
    yield site.state
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(facts, "LATELY", timedelta(seconds=-60))  # an hour later
        assert firing(site.state) == set()


@contextmanager
def _queue_old(site: Site) -> Iterator[State]:
    public_id = site.hand_in("ada", predictions_csv(site.folder))
    assert firing(site.state) == set()
    with site.state.database.write() as session:
        moved = sa.update(Submission).values(accepted_at=utcnow() - timedelta(minutes=31))
        session.execute(moved)
    yield site.state
    site.score(public_id)


@contextmanager
def _no_worker(site: Site) -> Iterator[State]:
    site.hand_in("ada", predictions_csv(site.folder))
    assert firing(site.state) == set()
    _worker(site, ["code"])
    yield site.state
    _worker(site, ["csv"])


@contextmanager
def _backup(site: Site) -> Iterator[State]:
    taken = site.settings.state_dir.parent / "kept"
    with pytest.raises(backup.BackupRefused):
        backup.make(site.state, taken, progress=lambda *_: None)
    yield site.state
    backup.make(site.state, taken.with_name("again"), progress=lambda *_: None)


@contextmanager
def _old_backup(site: Site) -> Iterator[State]:
    note = site.settings.state_dir / backup.LAST_FILE
    told = json.loads(note.read_text())
    old = {**told, "made_at": (utcnow() - timedelta(days=2, minutes=1)).isoformat()}
    note.write_text(json.dumps(old))
    yield site.state
    note.write_text(json.dumps(told))


@contextmanager
def _no_backup(site: Site) -> Iterator[State]:
    note = site.settings.state_dir / backup.LAST_FILE
    told = note.read_text()
    note.unlink()
    assert firing(site.state) == set()  # the server is new
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(facts, "_first_event", lambda _, now: now - timedelta(days=2, minutes=1))
        yield site.state
    note.write_text(told)


@contextmanager
def _disk(site: Site) -> Iterator[State]:
    free_mb = site.state.blobs.free_bytes() >> 20
    yield replace(site.state, settings=replace(site.settings, min_free_mb=free_mb * 3 // 4))


@contextmanager
def _drift(site: Site) -> Iterator[State]:
    with site.state.database.write() as session:
        session.add(NightlyRun(started_at=utcnow(), finished_at=utcnow(), exit_code=3))
    yield site.state
    with site.state.database.write() as session:
        session.add(NightlyRun(started_at=utcnow(), finished_at=utcnow(), exit_code=0))


@pytest.mark.parametrize(
    ("condition", "comes_and_goes"),
    [
        (Condition.INTERNAL_ERRORS, _internal_errors),
        (Condition.QUEUE_OLD, _queue_old),
        (Condition.NO_WORKER, _no_worker),
        (Condition.BACKUP, _backup),
        (Condition.BACKUP, _old_backup),
        (Condition.BACKUP, _no_backup),
        (Condition.DISK, _disk),
        (Condition.DRIFT, _drift),
    ],
)
def test_an_alert_fires_in_its_condition_alone_and_is_quiet_before_and_after(
    well: Site, condition: Condition, comes_and_goes: Any
) -> None:
    assert firing(well.state) == set()
    with comes_and_goes(well) as state:
        assert firing(state) == {condition.value}
    assert condition is Condition.INTERNAL_ERRORS or firing(well.state) == set()


def test_each_condition_has_a_rule_and_a_line_in_the_readme() -> None:
    readme = (MONITORING.parent / "README.md").read_text(encoding="utf-8")
    assert [rule["labels"]["condition"] for rule in RULES] == list(Condition)
    assert [rule["alert"] for rule in RULES if f"`{rule['alert']}`" not in readme] == []


def test_another_machine_with_postgresql_does_not_ask_for_backups(well: Site) -> None:
    (well.settings.state_dir / backup.LAST_FILE).unlink()

    class _Elsewhere:
        is_sqlite = False

    state = replace(well.state, database=_Elsewhere())
    with well.state.database.reading() as session:
        assert facts._backup(session, state, utcnow()) is None


def test_the_dashboard_asks_for_numbers_that_a_scrape_has(well: Site) -> None:
    well.score(well.hand_in("ada", predictions_csv(well.folder, wrong=2)))
    client = create_app(state=well.state).test_client()
    client.get("/healthz")
    names = Scrape(client.get("/metrics").text).names()
    board = json.loads((MONITORING / "dashboard.json").read_text(encoding="utf-8"))
    asked = {
        name
        for panel in board["panels"]
        for target in panel["targets"]
        for name in re.findall(r"leaderboard_\w+", target["expr"])
    }
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"]) >= 10
    # no counter is there before its first event
    assert asked - names <= {"leaderboard_internal_errors_total"}
