"""The same code on PostgreSQL: schema, the one door, queue and workers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from databases import NEEDS_POSTGRESQL
from small_site import Site, initialised_site, predictions_csv, write_assignment

from leaderboard import migrations
from leaderboard.boards import placing
from leaderboard.db import Base, Database
from leaderboard.errors import NotAllowedNow, QuotaExceeded
from leaderboard.messages import mail
from leaderboard.models import Course, Invitation, Letter, Split, Standing, Track, User
from leaderboard.teams import invitations, membership

pytestmark = NEEDS_POSTGRESQL


@pytest.fixture
def url(new_database: Callable[[], str]) -> str:
    return new_database()


@pytest.fixture
def site(tmp_path: Path, url: str) -> Iterator[Site]:
    made = initialised_site(
        tmp_path, write_assignment(tmp_path / "animals", daily_limit=5), database_url=url
    )
    yield made
    made.state.close()


def test_migrating_from_nothing_gives_the_models_tables(url: str) -> None:
    database = Database(url.replace("postgresql:", "postgresql+psycopg:"))
    migrations.upgrade(database)

    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    database.dispose()


def test_a_csv_is_scored_by_a_worker_that_comes_back_after_a_kill(site: Site) -> None:
    environment = {"LEADERBOARD_DATABASE_URL": str(site.settings.database_url)}
    with site.worker(**environment) as worker:
        site.wait(site.hand_in("ann", predictions_csv(site.folder, wrong=3)))
        worker.kill()
        worker.wait()
    public_id = site.hand_in("ann", predictions_csv(site.folder))
    with site.worker(**environment):
        assert site.wait(public_id).verdict == "OK"


def test_twenty_parallel_uploads_of_one_team_take_exactly_the_limit(site: Site) -> None:
    site.person("ann")
    outcomes: list[str] = []
    gate = threading.Barrier(20)

    def upload(number: int) -> None:
        gate.wait()
        try:
            site.hand_in("ann", predictions_csv(site.folder, wrong=number))
            outcomes.append("accepted")
        except QuotaExceeded:
            outcomes.append("refused")

    threads = [threading.Thread(target=upload, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["accepted"] * 5 + ["refused"] * 15


def test_of_many_who_join_at_once_only_as_many_as_there_are_seats_get_in(site: Site) -> None:
    names = [f"s{number}" for number in range(6)]
    for name in ("ann", *names):
        site.person(name)
    with site.state.database.session() as session:
        team = site.team(session, "ann")
        number = invitations.invite(session, team.course, team=team, actor=None).id
    outcomes: list[str] = []
    gate = threading.Barrier(len(names))

    def join(name: str) -> None:
        gate.wait()
        with site.state.database.session() as session:
            user = session.get_one(User, site.people[name].id)
            try:
                membership.join(session, session.get_one(Invitation, number), user)
                outcomes.append("in")
            except NotAllowedNow:
                outcomes.append("full")

    threads = [threading.Thread(target=join, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["full"] * 3 + ["in"] * 3  # four seats, one of them Ann's


def give_weights_a_track(site: Site) -> None:
    settings = site.folder / "assignment.toml"
    settings.write_text(settings.read_text() + '\n[rules]\npretrained = "own track"\n')
    site.publish(site.folder)


def tracks_of(site: Site, name: str) -> list[Track]:
    with site.state.database.reading() as session:
        rows = sa.select(Standing.track).where(
            Standing.team_id == site.team(session, name).id, Standing.split == Split.PUBLIC
        )
        return sorted(session.scalars(rows))


def test_a_result_that_began_before_other_rules_were_published_stands_by_them(site: Site) -> None:
    site.score(site.hand_in("ann", predictions_csv(site.folder)))
    with site.state.database.write() as session:
        assignment, team = site.assignment(session), site.team(session, "ann")
        assert placing.decided_by(assignment)[0] == (Track.ALL,)
        give_weights_a_track(site)

        placing.refresh(session, assignment, team)

    assert tracks_of(site, "ann") == [Track.ALL, Track.SCRATCH]


def test_other_rules_wait_for_a_result_that_is_being_published(site: Site) -> None:
    site.person("ann")
    public_id = site.hand_in("ann", predictions_csv(site.folder))
    began, may_end = threading.Event(), threading.Event()

    def hold_the_result(_c: object, _u: object, statement: str, *_rest: object) -> None:
        if statement.startswith("INSERT INTO standing") and not began.is_set():
            began.set()
            assert may_end.wait(60)

    engine = site.state.database.engine
    sa.event.listen(engine, "after_cursor_execute", hold_the_result)
    try:
        with ThreadPoolExecutor(2) as pool:
            result = pool.submit(site.score, public_id)
            assert began.wait(60)
            rules = pool.submit(give_weights_a_track, site)
            wait_for_a_lock(site)
            may_end.set()
            result.result()
            rules.result()
    finally:
        sa.event.remove(engine, "after_cursor_execute", hold_the_result)

    assert tracks_of(site, "ann") == [Track.ALL, Track.SCRATCH]


def wait_for_a_lock(site: Site) -> None:
    """Until somebody in the database waits for somebody else."""
    waiting = sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted")
    for _ in range(600):
        with site.state.database.engine.connect() as connection:
            if connection.scalar(waiting):
                return
        time.sleep(0.1)
    raise AssertionError("nobody waits")


def test_many_workers_send_each_mail_once(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    with site.state.database.write() as session:
        course = session.get_one(Course, site.course.id)
        for number in range(12):
            key, address = f"key {number}", f"p{number}@example.edu"
            facts = {"course": course.title}
            mail.post(session, Letter.WELCOME, dedupe_key=key, address=address, details=facts)
    # the mails are to nobody we know, so they can't be written: only who takes which matters here
    taken: list[str] = []
    monkeypatch.setattr(mail.letters, "compose", lambda *_: _Written())
    monkeypatch.setattr(type(site.settings), "sends_mail", property(lambda _: True))
    monkeypatch.setattr(mail, "_hand_over", lambda _, message: taken.append(message["Message-ID"]))
    workers = [threading.Thread(target=mail.send_due, args=(site.state,)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert len(taken) == len(set(taken)) == 12


def test_two_processes_with_more_requests_than_postgresql_takes_connections_answer_them_all(
    site: Site,
) -> None:
    processes = [Database(site.settings.database_url, threads=80) for _ in range(2)]

    def ask(number: int) -> int | None:
        with processes[number % 2].reading() as session:
            return session.scalar(sa.text("SELECT 1 FROM pg_sleep(0.05)"))

    with ThreadPoolExecutor(160) as requests:
        assert list(requests.map(ask, range(160))) == [1] * 160
    for process in processes:
        process.dispose()


class _Written:
    address, subject, text, language = "a@example.edu", "s", "t", "en"
