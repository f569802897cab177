"""Fixtures around `small_site`."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from flask import Flask

# tests are no package (--import-mode=importlib), so that none can shadow ours
sys.path.insert(0, str(Path(__file__).parent))

import private_postgres
from real_mail import Mailbox, smtp_server
from small_site import Api, Site, make_site, write_assignment

from leaderboard import create_app

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """A server's URL up to the database's name."""
    with private_postgres.running() as url:
        yield url


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
