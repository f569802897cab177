"""A hand-in counts from the moment its hash was committed; its bytes may take their time."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from socket import SHUT_RDWR
from threading import Thread
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from databases import EACH_DATABASE
from flask.testing import FlaskClient
from small_site import (
    Site,
    bundle_zip,
    initialised_site,
    make_site,
    predictions_csv,
    write_assignment,
)
from tampering import differences
from werkzeug.serving import make_server

from grader.cli import cli
from grader.client import committed
from grader.client.client import Client
from leaderboard import create_app, receipts
from leaderboard.db import utcnow
from leaderboard.models import Submission, Upload
from leaderboard.rules import quotas
from leaderboard.submissions import accept, commitments

UPLOADS = "/api/v1/courses/dl-1/assignments/animals/uploads"


class Sender:
    """Ann's program."""

    def __init__(self, client: FlaskClient, token: str) -> None:
        self._client, self._headers = client, {"Authorization": f"Bearer {token}"}

    def commit(self, content: bytes, **more: Any) -> Any:
        sha256 = hashlib.sha256(content).hexdigest()
        fields = {"sha256": sha256, "size": len(content), "filename": "p.csv", **more}
        return self._client.post(UPLOADS, json=fields, headers=self._headers)

    def part(self, upload: str, offset: int, content: bytes) -> Any:
        headers = {**self._headers, "Upload-Offset": str(offset)}
        path, kind = f"/api/v1/uploads/{upload}", "application/octet-stream"
        return self._client.patch(path, data=content, headers=headers, content_type=kind)

    def get(self, path: str) -> Any:
        return self._client.get(f"/api/v1{path}", headers=self._headers)

    def withdraw(self, upload: str) -> Any:
        return self._client.delete(f"/api/v1/uploads/{upload}", headers=self._headers)


Make = Callable[..., tuple[Site, Sender]]


@pytest.fixture(params=EACH_DATABASE)
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Makes a site on either database with Ann in it; its assignment as the arguments say."""
    made: list[Site] = []

    def site(**assignment: Any) -> tuple[Site, Sender]:
        folder = write_assignment(tmp_path / "animals", **assignment)
        if request.param == "sqlite":
            made.append(make_site(tmp_path, folder))
        else:
            url = request.getfixturevalue("new_database")()
            made.append(initialised_site(tmp_path, folder, database_url=url))
        app = create_app(state=made[0].state)
        return made[0], Sender(app.test_client(), made[0].token("ann"))

    yield site
    for each in made:
        each.state.close()


def test_the_moment_of_the_commitment_counts_however_late_the_bytes_come(make: Make) -> None:
    closes = (utcnow() - timedelta(hours=1)).isoformat()
    site, ann = make(schedule=f"due = {closes}")
    content = predictions_csv(site.folder)
    assert ann.commit(content).status_code == 403  # it is over

    with pytest.MonkeyPatch.context() as patch:
        before = utcnow() - timedelta(hours=2)
        patch.setattr("leaderboard.api.uploads.utcnow", lambda: before)
        made = ann.commit(content, message="slow line").json
    assert made["committed_at"] == before.isoformat()
    assert receipts.verify(made["commitment"], site.state.receipts.public_key)

    middle = len(content) // 2
    assert ann.part(made["id"], 0, content[:middle]).json["received"] == middle
    report = ann.part(made["id"], middle, content[middle:])
    assert report.status_code == 201, report.text
    assert not report.json["is_late"]
    assert report.json["receipt"]["upload_started_at"] == before.isoformat()
    assert report.json["receipt"]["sha256"] == made["sha256"]
    assert report.json["message"] == "slow line"
    assert ann.part(made["id"], 0, b"x").status_code == 409  # it is handed in


def test_only_the_bytes_that_were_committed_to_are_taken(make: Make) -> None:
    site, ann = make()
    content = predictions_csv(site.folder)
    made = ann.commit(content).json
    other = predictions_csv(site.folder, wrong=9)
    assert len(other) == len(content)

    refused = ann.part(made["id"], 0, other)

    assert (refused.status_code, refused.json["code"]) == (400, "bad_request")
    assert ann.get(f"/uploads/{made['id']}").status_code == 409
    with site.state.database.reading() as session:
        assert session.scalars(sa.select(Submission)).all() == []


def test_an_upload_goes_on_from_where_it_broke_off(make: Make) -> None:
    site, ann = make()
    content = predictions_csv(site.folder)
    made = ann.commit(content).json
    ann.part(made["id"], 0, content[:10])
    assert ann.part(made["id"], 0, content).status_code == 409
    assert ann.commit(content).json["id"] == made["id"]  # asked for once more
    assert ann.get(f"/uploads/{made['id']}").json["received"] == 10
    assert ann.part(made["id"], 10, content[10:]).status_code == 201


def test_a_commitment_takes_one_of_the_days_submissions_until_it_is_withdrawn(make: Make) -> None:
    site, ann = make(daily_limit=2)
    content = predictions_csv(site.folder)
    made = ann.commit(content).json
    quota = "/courses/dl-1/assignments/animals/quota"
    assert ann.get(quota).json["remaining"] == 1
    site.hand_in("ann", predictions_csv(site.folder, wrong=1))
    assert ann.commit(b"another").json["code"] == "quota_exceeded"

    assert ann.part(made["id"], 0, content).status_code == 201  # its own place is its own
    assert ann.get(quota).json["remaining"] == 0
    with site.state.database.reading() as session:
        assignment, team = site.assignment(session), site.team(session, "ann")
        assert quotas.quota(session, assignment, team, utcnow()).used == 2


def test_three_uploads_of_a_person_are_open_at_most_and_reserve_their_room(make: Make) -> None:
    site, ann = make()
    ids = [ann.commit(bytes([number])).json["id"] for number in range(3)]
    assert ann.commit(b"one more").json["code"] == "not_allowed_now"
    assert ann.withdraw(ids[0]).status_code == 200
    assert ann.withdraw(ids[0]).status_code == 409
    assert ann.commit(b"one more").status_code == 201
    ben = Sender(create_app(state=site.state).test_client(), site.token("ben"))
    assert ben.get(f"/uploads/{ids[1]}").status_code == 404
    with pytest.MonkeyPatch.context() as patch:
        room = (site.settings.min_free_mb + 1) << 20
        patch.setattr(type(site.state.blobs), "free_bytes", lambda _: room)
        assert ben.commit(b"small").status_code == 201
        large = {"sha256": "a" * 64, "size": 2 << 20}
        assert ben.commit(b"", **large).json["code"] == "disk_full"


def test_what_came_and_was_withdrawn_is_bounded_a_day(make: Make, monkeypatch) -> None:
    site, ann = make()
    monkeypatch.setattr(accept, "max_upload_bytes", lambda *_: 1000)
    for number in range(10):  # the first is handed in, and no stray
        content = predictions_csv(site.folder, wrong=number)
        upload = ann.commit(content).json["id"]
        ann.part(upload, 0, content if number == 0 else content[:-1])
        ann.withdraw(upload)
    strays = 9 * (len(content) - 1)
    assert ann.commit(b"", sha256="a" * 64, size=1000).status_code == 201
    monkeypatch.setattr(accept, "max_upload_bytes", lambda *_: (strays + 900) / 10)
    refused = ann.commit(b"", sha256="b" * 64, size=901)
    assert (refused.status_code, refused.json["code"]) == (409, "not_allowed_now")
    assert ann.commit(b"", sha256="b" * 64, size=900).status_code == 201


def test_a_moment_that_was_changed_past_the_server_is_found_and_counts_for_nothing(
    make: Make,
) -> None:
    site, ann = make()
    content = predictions_csv(site.folder)
    upload = ann.commit(content).json["id"]
    assert differences(site) == ()
    with site.state.database.engine.begin() as connection:
        earlier = sa.update(Upload).values(committed_at=utcnow() - timedelta(days=3))
        connection.execute(earlier)
    assert [each.subject for each in differences(site)] == [upload, "upload:1"]
    assert ann.part(upload, 0, content).status_code == 409


@pytest.mark.parametrize(
    ("sha256", "size"), [("A" * 64, 5), ("a" * 63, 5), ("a" * 64, 0), ("a" * 64, -1), ("é" * 64, 5)]
)
def test_what_is_no_hash_and_no_size_is_refused(make: Make, sha256: str, size: int) -> None:
    _, ann = make()
    assert ann.commit(b"", sha256=sha256, size=size).status_code == 400


def test_a_file_of_many_parts_is_put_together(make: Make, monkeypatch) -> None:
    site, ann = make()
    monkeypatch.setattr(commitments, "PART_BYTES", 1 << 16)
    content = os.urandom(200_000)
    made = ann.commit(content, filename="b.zip").json
    offset = 0
    while offset < len(content):
        reply = ann.part(made["id"], offset, content[offset : offset + (1 << 16)])
        offset = reply.json.get("received", len(content))
    assert reply.status_code == 201
    assert reply.json["verdict"] == "REJ"  # noise is no archive
    assert site.submission(reply.json["id"]).content_sha256 == made["sha256"]


def test_the_client_goes_on_where_the_line_broke_and_its_time_is_safe(site: Site, monkeypatch):
    monkeypatch.setattr(committed, "PART_BYTES", 1 << 16)
    monkeypatch.setattr(committed, "_PAUSES_SECONDS", (0.0, 0.0))
    app, broken, said = create_app(state=site.state), iter([False, True, False, True]), []

    def on_a_bad_line(environ: Any, start: Any) -> Any:
        """Every other part arrives, and its answer does not."""
        answer = app.wsgi_app(environ, start)
        if environ["REQUEST_METHOD"] == "PATCH" and next(broken, False):
            environ["werkzeug.socket"].shutdown(SHUT_RDWR)
        return answer

    bundle = zip_with(site, os.urandom(300_000))
    server = make_server("127.0.0.1", 0, on_a_bad_line, threaded=True)
    Thread(target=server.serve_forever, daemon=True).start()
    with Client(f"http://127.0.0.1:{server.server_port}", site.token("ann"), attempts=1) as client:
        report = client.send(
            bundle,
            assignment="animals",
            course="dl-1",
            on_committed=lambda: said.append("safe"),
        )
    server.shutdown()
    server.server_close()
    assert said == ["safe"]
    assert report.status == "queued"
    with site.state.database.reading() as session:
        upload = session.scalars(sa.select(Upload)).one()
        found = session.scalars(sa.select(Submission)).one()
        assert found.upload_started_at == upload.committed_at
        assert len(upload.parts) > 4


def zip_with(site: Site, noise: bytes) -> Path:
    path = site.folder.parent / "bundle.zip"
    path.write_bytes(bundle_zip())
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("noise.bin", noise)
    return path


def test_a_commitment_is_no_receipt(tmp_path: Path) -> None:
    """Both are signed by one key; only a receipt says that a file was handed in."""
    site = make_site(tmp_path, write_assignment(tmp_path / "animals"))
    client = create_app(state=site.state).test_client()
    made = Sender(client, site.token("ann")).commit(predictions_csv(site.folder)).json
    shown, key = tmp_path / "shown.json", tmp_path / "key.json"
    shown.write_text(json.dumps(made["commitment"]))
    key.write_text(client.get("/api/v1/receipt-key").text)

    said = CliRunner().invoke(cli, ["receipt", str(shown), "--key", str(key)])
    site.state.close()

    assert said.exit_code == 3
    assert "This is genuine, and no receipt" in said.output
    assert "Genuine: " not in said.output
