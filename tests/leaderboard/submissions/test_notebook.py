"""Notebooks hand in to a real server: `from grader import Client`, and the kit's own."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from types import ModuleType
from typing import Any

import nbclient
import nbformat
import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from signing_in import signed_in
from small_site import CLASSES, Site, answers, bundle_zip, make_site, write_assignment
from werkzeug.serving import make_server

import grader
from grader import AuthError, Client, InvalidBundle, InvalidPredictions
from leaderboard import create_app
from leaderboard.assignments import notebooks


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("notebook")
    scoring = 'feedback = "confusion"'
    return make_site(folder / "site", write_assignment(folder / "animals", scoring=scoring))


@pytest.fixture(scope="module")
def url(site: Site) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, create_app(state=site.state), threaded=True)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def _no_secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("GRADER_SERVER", "GRADER_TOKEN", "GRADER_COURSE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GRADER_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def client(site: Site, url: str) -> Iterator[Client]:
    with Client(url, site.token("ann")) as client:
        yield client


def right_labels(site: Site, pack: Path) -> np.ndarray:
    known = answers(site.folder)
    ids = (pack / "ids.csv").read_text().split()[1:]
    return np.array([known[name] for name in ids])


def received(site: Site, submission_id: str) -> bytes:
    found = site.submission(submission_id)
    return site.state.blobs.read(found.content_sha256)


def test_the_notebook_that_the_page_gives_runs_from_top_to_bottom(
    site: Site, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = site.token("bea")
    monkeypatch.setenv("GRADER_SERVER", url)
    monkeypatch.setenv("GRADER_TOKEN", token)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    with site.state.database.reading() as session:
        made = notebooks.made_for(site.assignment(session, "animals"), url)
    notebook = nbformat.reads(made.decode(), as_version=4)
    assert f'client = Client("{url}", course="dl-1")' in notebook.cells[1].source
    resources = {"metadata": {"path": str(tmp_path)}}

    with site.worker():
        ran = nbclient.NotebookClient(notebook, timeout=120, resources=resources).execute()

    shown = json.dumps(ran)
    assert token not in shown
    report, board = (
        cell.outputs[0].data["text/html"]
        for cell in ran.cells
        if "report\n" in source_of(cell) or "leaderboard" in source_of(cell)
    )
    assert "OK: scored" in report
    assert "public: true ↓ predicted →" in report
    assert all(name in report for name in CLASSES)
    assert "<b>1</b>" in board or "<td>1" in board


def source_of(cell: Any) -> str:
    return f"{cell.source}\n" if cell.cell_type == "code" else ""


@pytest.mark.parametrize("kind", ["array", "list", "tensor", "pandas", "polars", "path", "text"])
def test_predictions_may_be_whatever_a_notebook_has(
    site: Site, client: Client, tmp_path: Path, kind: str
) -> None:
    pack = client.data("animals", tmp_path / "pack")
    labels = right_labels(site, pack)
    ids = (pack / "ids.csv").read_text().split()[1:]
    table = {"id": ids, "label": labels}
    path = tmp_path / "mine.csv"
    pd.DataFrame(table).to_csv(path, index=False)
    predictions = {
        "array": labels,
        "list": labels.tolist(),
        "tensor": torch.tensor(labels),
        "pandas": pd.DataFrame(table),
        "polars": pl.DataFrame(table),
        "path": path,
        "text": str(path),
    }[kind]

    report = client.submit(predictions, "animals", message=kind, wait=False)

    assert report.status == "queued"
    assert report.message == kind
    assert received(site, report.id) == path.read_bytes()


def test_an_array_of_scores_is_one_column_a_class_and_fetches_the_pack_it_needs(
    site: Site, client: Client, tmp_path: Path
) -> None:
    scores = np.eye(len(CLASSES))[np.zeros(80, dtype=int)]

    report = client.submit(scores, "animals", wait=False)

    assert received(site, report.id).startswith(f"id,{','.join(CLASSES)}\n".encode())
    assert list(tmp_path.iterdir()) == []


def test_what_the_server_would_reject_is_said_before_anything_is_sent(
    site: Site, client: Client, tmp_path: Path
) -> None:
    pack = client.data("animals", tmp_path / "pack")
    before = len(client.submissions("animals"))
    labels = right_labels(site, pack)

    with pytest.raises(InvalidPredictions, match="has 79 rows where the pack has 80 ids"):
        client.submit(labels[:-1], "animals")
    with pytest.raises(InvalidPredictions, match="has the shape 80×7; expected 80 labels"):
        client.submit(np.zeros((80, 7)), "animals")
    with pytest.raises(InvalidPredictions, match=r"write 3, not 3.0"):
        client.submit(labels.astype(float), "animals")
    with pytest.raises(InvalidPredictions, match="column 'label' is missing"):
        client.submit(pd.DataFrame({"id": ["img000"], "guess": [1]}), "animals")
    (tmp_path / "bundle.zip").write_bytes(bundle_zip()[:100])
    with pytest.raises(InvalidBundle):
        client.submit(tmp_path / "bundle.zip", "animals")

    assert len(client.submissions("animals")) == before


def test_a_pack_is_not_written_over_anything(client: Client, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("keep")
    with pytest.raises(FileExistsError, match="holds other files"):
        client.data("animals", tmp_path / "mine")


def module(monkeypatch: pytest.MonkeyPatch, name: str, **members: Any) -> None:
    """A module that only Colab or Kaggle has, with the members that are used of it."""
    made = ModuleType(name)
    for member, value in members.items():
        setattr(made, member, value)
    monkeypatch.setitem(sys.modules, name, made)


class NotThere(Exception):
    pass


class Closed(Exception):
    pass


def colab(monkeypatch: pytest.MonkeyPatch, secrets: dict[str, str], *, closed: bool) -> None:
    class UserData:
        SecretNotFoundError, NotebookAccessError = NotThere, Closed

        @staticmethod
        def get(name: str) -> str:
            if closed:
                raise Closed
            if name not in secrets:
                raise NotThere(name)
            return secrets[name]

    module(monkeypatch, "google.colab", userdata=UserData)


def kaggle(monkeypatch: pytest.MonkeyPatch, secrets: dict[str, str]) -> None:
    class UserSecretsClient:
        def get_secret(self, name: str) -> str:
            if name not in secrets:
                raise NotThere(name)
            return secrets[name]

    members = {"BackendError": NotThere, "CredentialError": Closed}
    module(monkeypatch, "kaggle_secrets", UserSecretsClient=UserSecretsClient, **members)


@pytest.mark.parametrize("place", ["colab", "kaggle", "environment", "file"])
def test_server_and_token_come_from_the_secrets_of_the_place_and_show_nowhere(
    site: Site, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str
) -> None:
    token = site.token("ann")
    secrets = {"GRADER_SERVER": url, "GRADER_TOKEN": token}
    if place == "colab":
        colab(monkeypatch, secrets, closed=False)
    elif place == "kaggle":
        kaggle(monkeypatch, secrets)
    elif place == "environment":
        for name, value in secrets.items():
            monkeypatch.setenv(name, value)
    else:
        (tmp_path / "config.toml").write_text(f'server = "{url}"\ntoken = "{token}"\n')

    with Client() as client:
        assert client.me().name
        assert repr(client) == f"Client({url!r}, signed in: yes)"


def test_a_course_is_named_once_for_everything(site: Site, url: str) -> None:
    with Client(url, site.token("ann"), course="dl-1") as client:
        assert client.quota("animals").limit == 0
        assert client.leaderboard("animals").metric == "accuracy"
    elsewhere = Client(url, site.token("ann"), course="dl-2")
    with elsewhere, pytest.raises(grader.ApiError):
        elsewhere.quota("animals")


def test_a_secret_that_the_notebook_may_not_read_is_named(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    colab(monkeypatch, {}, closed=True)
    with pytest.raises(AuthError, match="may not read the secret GRADER_SERVER: switch on"):
        Client(url)


def test_without_any_server_it_says_where_to_put_one() -> None:
    with pytest.raises(AuthError, match="set GRADER_SERVER"):
        Client()


def test_a_secret_token_is_not_sent_to_another_server(monkeypatch: pytest.MonkeyPatch) -> None:
    kaggle(monkeypatch, {"GRADER_SERVER": "https://a.example.edu", "GRADER_TOKEN": "secret"})
    assert "signed in: no" in repr(Client("https://b.example.edu"))


def test_the_assignment_page_offers_the_notebook_where_csvs_are_taken(site: Site) -> None:
    browser = signed_in(create_app(state=site.state), "ann")
    assert 'href="/c/dl-1/a/animals/notebook.ipynb"' in browser.get("/c/dl-1/a/animals/").text
    given = browser.get("/c/dl-1/a/animals/notebook.ipynb")
    assert given.headers["Content-Disposition"] == 'attachment; filename="animals.ipynb"'
    assert nbformat.reads(given.text, as_version=4).cells[1].source.count('"animals"') == 1
