"""Fixtures around `small_site`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

# tests are no package (--import-mode=importlib), so that none can shadow ours
sys.path.insert(0, str(Path(__file__).parent))

from small_site import Api, Site, make_site, write_assignment

from leaderboard import create_app


@pytest.fixture
def assignment_folder(tmp_path: Path) -> Path:
    return write_assignment(tmp_path / "animals")


@pytest.fixture
def site(tmp_path: Path, assignment_folder: Path) -> Iterator[Site]:
    made = make_site(tmp_path, assignment_folder)
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
