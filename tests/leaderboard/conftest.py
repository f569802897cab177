"""Fixtures around `small_site`."""

from __future__ import annotations

import itertools
import math
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, time, timedelta
from pathlib import Path
from time import sleep
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from flask import Flask
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy.engine import Engine
from werkzeug.routing import Rule

# tests are no package (--import-mode=importlib), so that none can shadow ours
sys.path.insert(0, str(Path(__file__).parent))

import private_postgres
from real_mail import Mailbox, smtp_server
from small_site import Api, Site, make_site, write_assignment

from leaderboard import create_app, db
from leaderboard.accounts import accounts
from leaderboard.recent import Recent

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """A server's URL up to the database's name."""
    with private_postgres.running() as url:
        yield url


_LONGEST_OF_A_DAY = 20.0  # seconds


@pytest.fixture(autouse=True)
def one_day() -> None:
    """Limits are a day's: what a test hands in and what it then counts must be of the same day,
    that of the small site's course."""
    now = datetime.now(ZoneInfo("Asia/Shanghai"))
    midnight = datetime.combine(now.date() + timedelta(days=1), time(), now.tzinfo)
    left = (midnight - now).total_seconds()
    if left < _LONGEST_OF_A_DAY:
        sleep(left)


@pytest.fixture(scope="session", autouse=True)
def slow_hasher() -> Iterator[PasswordHasher]:
    """The server's own, which the tests do without: they make thousands of passwords."""
    with pytest.MonkeyPatch.context() as patch:
        own = accounts._hasher
        quick = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
        patch.setattr(accounts, "_hasher", quick)
        patch.setattr(accounts, "_NOBODY", quick.hash("nobody's"))
        yield own


@pytest.fixture(scope="session", autouse=True)
def disk_that_is_not_waited_for() -> Iterator[None]:
    """No test cuts the power, so what this process writes need not be on the disk to go on: each
    wait is milliseconds, and a test has dozens. Processes that tests start wait for theirs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        sa.event.listen(sa.Pool, "checkout", _do_not_wait)
        yield
        sa.event.remove(sa.Pool, "checkout", _do_not_wait)


@pytest.fixture(scope="session", autouse=True)
def statements_compiled_once() -> Iterator[None]:
    """Each test has a database and an engine of its own, for which SQLAlchemy would compile the
    same statements anew (a quarter of all time): SQLite's engines share what was compiled,
    which is found by the dialect."""
    pattern = sa.create_engine("sqlite://", query_cache_size=2_000)
    pattern.connect().close()  # the dialect learns what this SQLite can do
    make = db._make_engine

    def sharing(url: sa.URL, threads: int) -> sa.Engine:
        engine = make(url, threads)
        if engine.dialect.name == pattern.dialect.name:
            engine.dialect, engine._compiled_cache = pattern.dialect, pattern._compiled_cache
        return engine

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(db, "_make_engine", sharing)
        yield
    pattern.dispose()


@pytest.fixture(scope="session", autouse=True)
def routes_compiled_once() -> Iterator[None]:
    """Each test has an application of its own, and of the time that making one takes nearly all
    goes into the functions by which Werkzeug builds the routes' addresses, from syntax trees: one
    of a route without defaults is the same in each application."""
    own: Any = getattr(Rule, "_compile_builder", None)
    made: dict[tuple[object, ...], Any] = {}

    def once(rule: Any, append_unknown: bool = True) -> Any:
        if rule.defaults:
            return own(rule, append_unknown)
        key = rule.rule, tuple(rule._trace), append_unknown
        if key not in made:
            made[key] = own(rule, append_unknown)
        return made[key]

    with pytest.MonkeyPatch.context() as patch:
        if own is not None:
            patch.setattr(Rule, "_compile_builder", once)
        yield


class _Compiled(BytecodeCache):
    """Templates by name and source, as Jinja compiled them."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if code := self._kept.get(bucket.key):
            bucket.bytecode_from_string(code)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


@pytest.fixture(scope="session", autouse=True)
def templates_compiled_once() -> Iterator[None]:
    """Else each application compiles those of the pages that its test looks at, 25 ms a page."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Flask, "jinja_options", {"bytecode_cache": _Compiled()})
        yield


def _do_not_wait(connection: object, *_: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous=OFF").close()


@pytest.fixture
def new_database(postgresql: str) -> Callable[[], str]:
    """Makes an empty database on it; gives the URL."""

    def make() -> str:
        name = f"t{next(_NUMBERS)}"
        with psycopg.connect(postgresql.format("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return postgresql.format(name)

    return make


@pytest.fixture
def assignment_folder(tmp_path: Path) -> Path:
    return write_assignment(tmp_path / "animals")


@pytest.fixture
def site(tmp_path: Path, assignment_folder: Path) -> Iterator[Site]:
    made = make_site(tmp_path, assignment_folder)
    yield made
    made.state.close()


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with smtp_server() as running:
        yield running


@pytest.fixture
def posting(tmp_path: Path, assignment_folder: Path, mailbox: Mailbox) -> Iterator[Site]:
    """A site that sends its mail to the mailbox."""
    made = make_site(
        tmp_path,
        assignment_folder,
        smtp_url=mailbox.url,
        mail_from="Course <course@example.edu>",
        public_url="http://localhost",
    )
    yield made
    made.state.close()


@pytest.fixture
def app(site: Site) -> Flask:
    app = create_app(state=site.state)
    app.testing = True
    return app


@pytest.fixture
def api(app: Flask, site: Site) -> Callable[..., Api]:
    def as_person(name: str, *, staff: bool = False) -> Api:
        return Api(app.test_client(), site.token(name, staff=staff))

    return as_person


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every statement that any engine carries out, but BEGIN. What is asked anew now and then
    (estimates) is asked once: a slow machine would else seem to ask more."""
    seen: list[str] = []
    get = Recent.get
    monkeypatch.setattr(
        Recent, "get", lambda self, key, ask, *, seconds: get(self, key, ask, seconds=math.inf)
    )

    def note(*arguments: Any) -> None:
        if arguments[2] != "BEGIN":
            seen.append(arguments[2])

    sa.event.listen(Engine, "before_cursor_execute", note)
    yield seen
    sa.event.remove(Engine, "before_cursor_execute", note)
