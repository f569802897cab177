"""A client that a generator makes of the OpenAPI document, unedited, at work."""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from flask import Flask
from small_site import PASSWORD, Site, predictions_csv

from leaderboard.api.openapi import document

COURSE, SLUG = "dl-1", "animals"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a package `made_client`."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "openapi.json").write_text(json.dumps(document()))
    (folder / "settings.json").write_text('{"post_hooks": []}')  # no formatting
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--fail-on-warning"]
    command += ["--path", "openapi.json", "--config", "settings.json", "--meta", "none"]
    command += ["--output-path", "made_client"]
    subprocess.run(command, cwd=folder, check=True, timeout=120)
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"made_client.{name}")


def _client(app: Flask, token: str = "") -> Any:
    """The made client, straight into the app; signed in by the token."""
    client = _module("client")
    more = {
        "base_url": "http://localhost/api/v1",
        "httpx_args": {"transport": httpx.WSGITransport(app=app)},
    }
    return client.AuthenticatedClient(token=token, **more) if token else client.Client(**more)


def test_a_client_made_from_the_document_signs_in_hands_in_and_reads_the_report(
    made: Path, app: Flask, site: Site
) -> None:
    site.person("ann")
    models = _module("models")
    asked = models.Credentials(email="ann@example.edu", password=PASSWORD)
    token = _module("api.account.make_token").sync(client=_client(app), body=asked)
    ann = _client(app, token.token)

    content = predictions_csv(site.folder, wrong=40)
    file = _module("types").File(payload=io.BytesIO(content), file_name="predictions.csv")
    submit = _module("api.submissions.submit")
    handed_in = submit.sync(COURSE, SLUG, client=ann, body=models.SubmitBody(file=file))
    site.score(handed_in.id)
    report = _module("api.submissions.get_submission").sync(handed_in.id, client=ann)

    assert handed_in.receipt.sha256 == hashlib.sha256(content).hexdigest()
    assert (report.status, report.verdict) == (models.SubmissionStatus.FINISHED, "OK")
    assert 0 < report.public.accuracy < 1
    assert report.accepted_at.tzinfo is not None
    board = _module("api.leaderboard.get_leaderboard").sync(COURSE, SLUG, client=ann)
    assert [row.is_mine for row in board.rows] == [True]


def test_a_client_made_from_the_document_downloads_the_packs_bytes(
    made: Path, app: Flask, site: Site
) -> None:
    ann = _client(app, site.token("ann"))

    pack = _module("api.assignments.download_pack").sync(COURSE, SLUG, client=ann)

    content = pack.payload.read()
    with site.state.database.reading() as session:
        assert hashlib.sha256(content).hexdigest() == site.assignment(session).pack_sha256
    assert "README.md" in zipfile.ZipFile(io.BytesIO(content)).namelist()


def test_a_client_made_from_the_document_tells_refusals_apart(
    made: Path, app: Flask, site: Site
) -> None:
    ann = _client(app, site.token("ann"))

    refusal = _module("api.staff.download_grades").sync(COURSE, SLUG, client=ann)

    assert isinstance(refusal, _module("models").Problem)
    assert (refusal.status, refusal.code) == (403, "forbidden")


def test_the_pack_comes_as_what_is_asked_for(app: Flask, site: Site) -> None:
    client, token = app.test_client(), site.token("ann")

    def kind(accept: str) -> str:
        headers = {"Authorization": f"Bearer {token}", "Accept": accept}
        path = f"/api/v1/courses/{COURSE}/assignments/{SLUG}/pack"
        return client.get(path, headers=headers).mimetype

    assert kind("application/octet-stream") == "application/octet-stream"
    assert {kind("*/*"), kind("text/html, */*;q=0.8"), kind("application/zip")} == {
        "application/zip"
    }
