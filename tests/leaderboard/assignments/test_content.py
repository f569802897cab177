"""Which files are kept, and what happens when there is no room for more."""

from __future__ import annotations

import ctypes
import io
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from small_site import Api, Site, make_site, predictions_csv, write_assignment
from werkzeug.test import EnvironBuilder

from leaderboard import create_app
from leaderboard.assignments import release
from leaderboard.blobs import BlobMissing, FolderStore
from leaderboard.db import utcnow
from leaderboard.errors import NotAllowedNow
from leaderboard.models import Assignment, AuditEvent, Cause, Role, Submission
from leaderboard.operations import content, verification
from leaderboard.submissions import accept


def age_files(site: Site, *, days: float) -> None:
    """Let time pass for every kept file."""
    assert isinstance(site.state.blobs, FolderStore)
    then = utcnow().timestamp() - days * 86_400
    for path in site.state.blobs.folder.glob("??/*"):
        os.utime(path, (then, then))


def release_days_ago(site: Site, days: int) -> None:
    with site.state.database.session() as session:
        release.release(session, site.assignment(session), actor=None)
    with site.state.database.write() as session:
        session.execute(sa.update(Assignment).values(released_at=utcnow() - timedelta(days=days)))


def marked_days_ago(site: Site, days: int) -> None:
    with site.state.database.write() as session:
        session.execute(
            sa.update(Submission)
            .where(Submission.content_removed_at.is_not(None))
            .values(content_removed_at=utcnow() - timedelta(days=days))
        )


@pytest.fixture
def entries(site: Site) -> dict[str, str]:
    """A worse and a better entry of a team, a pick, a baseline, a rejection."""
    site.person("baseline", Role.BASELINE)
    made = {
        name: site.hand_in(who, predictions_csv(site.folder, wrong=wrong))
        for name, who, wrong in (
            ("worse", "ann", 30),
            ("better", "ann", 3),
            ("picked", "bob", 20),
            ("unpicked", "bob", 10),
            ("baseline", "baseline", 40),
        )
    }
    for public_id in made.values():
        site.score(public_id)
    made["rejected"] = site.hand_in("ann", b"id,label\nnobody,1\n")
    with site.state.database.session() as session:
        accept.pick_finals(
            session,
            site.assignment(session),
            site.team(session, "bob"),
            [made["picked"]],
            actor=site.person("bob"),
            now=utcnow(),
        )
    return made


def test_files_go_in_two_steps_and_scores_and_what_counts_stay(
    site: Site, entries: dict[str, str]
) -> None:
    release_days_ago(site, 40)
    age_files(site, days=50)

    assert content.clear(site.state, days=60).marked == ()
    planned = content.clear(site.state, days=30, dry_run=True)
    assert site.submission(entries["worse"]).content_removed_at is None
    cleared = content.clear(site.state, days=30)

    assert cleared.marked == planned.marked == (entries["worse"], entries["rejected"])
    worse = site.submission(entries["worse"])
    assert cleared.deleted == 0
    assert site.state.blobs.read(worse.content_sha256)  # a backup may be under way
    marked_days_ago(site, 3)
    assert content.clear(site.state, days=30).deleted == 2
    with pytest.raises(BlobMissing):
        site.state.blobs.read(worse.content_sha256)
    assert worse.current_evaluation is not None
    found = verification.verify(site.state, progress=lambda *_: None)
    assert found.differences == ()
    assert (found.receipts, found.scores) == (6, 5)
    with site.state.database.reading() as session:
        event = session.scalars(sa.select(AuditEvent).filter_by(action="content.remove")).one()
        assert event.details["submissions"] == 2


def test_what_has_no_file_can_be_scored_again_but_not_run(
    site: Site, entries: dict[str, str]
) -> None:
    release_days_ago(site, 40)
    content.clear(site.state, days=30)

    def rejudge(cause: Cause) -> None:
        with site.state.database.session() as session:
            found = session.scalars(
                sa.select(Submission).filter_by(public_id=entries["worse"])
            ).one()
            accept.rejudge(session, site.state, found, cause=cause, actor=None)

    with pytest.raises(NotAllowedNow, match="no longer kept"):
        rejudge(Cause.RERUN)
    rejudge(Cause.RESCORE)
    site.score(entries["worse"])
    assert site.submission(entries["worse"]).verdict == "OK"


def test_the_same_file_of_another_team_is_kept(site: Site) -> None:
    twin = predictions_csv(site.folder, wrong=30)
    worse, best = site.hand_in("ann", twin), site.hand_in("ann", predictions_csv(site.folder))
    other = site.hand_in("bob", twin)
    for public_id in (worse, best, other):
        site.score(public_id)
    release_days_ago(site, 40)
    content.clear(site.state, days=30)
    marked_days_ago(site, 3)
    age_files(site, days=50)

    assert content.clear(site.state, days=30).deleted == 0
    assert site.state.blobs.read(site.submission(other).content_sha256) == twin


def test_files_that_never_got_a_row_go_when_they_are_old(site: Site) -> None:
    orphan = site.state.blobs.put_bytes(b"an upload whose request was cut off")

    assert content.clear(site.state, days=0).deleted == 0
    age_files(site, days=3)
    assert content.clear(site.state, days=0).deleted == 1
    with pytest.raises(BlobMissing):
        site.state.blobs.read(orphan.sha256)


_MS_DETACHED = 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 MB of its own."""
    libc = ctypes.CDLL(None, use_errno=True)
    folder = tmp_path / "disk"
    folder.mkdir()
    if libc.mount(b"tmpfs", bytes(folder), b"tmpfs", 0, b"size=48m") != 0:
        pytest.skip(f"cannot mount here: {os.strerror(ctypes.get_errno())}")
    try:
        yield folder
    finally:
        libc.umount2(bytes(folder), _MS_DETACHED)


def send(person: Api, *, megabytes: int, is_length_known: bool = True) -> Any:
    """A hand-in of so many; without its length nothing can be refused before it arrives."""
    start = b"--b\r\nContent-Disposition: form-data; name=file; filename=p.csv\r\n\r\n"
    body = start + b"x" * (megabytes << 20) + b"\r\n--b--\r\n"
    environ = EnvironBuilder(
        "/api/v1/courses/dl-1/assignments/animals/submissions",
        method="POST",
        headers={"Authorization": f"Bearer {person.token}"},
        input_stream=io.BytesIO(body),
        content_type="multipart/form-data; boundary=b",
        content_length=len(body),
    ).get_environ()
    if not is_length_known:
        del environ["CONTENT_LENGTH"]
        environ["wsgi.input_terminated"] = True
    return person.client.open(environ)


def fill(folder: Path, *, leave: int) -> None:
    usage = os.statvfs(folder)
    (folder / "filler").write_bytes(b"\0" * (usage.f_bavail * usage.f_frsize - leave))


def test_a_full_disk_refuses_uploads_early_and_keeps_everything_else_going(
    small_disk: Path, tmp_path: Path
) -> None:
    site = make_site(small_disk, write_assignment(tmp_path / "animals"), min_free_mb="8")
    app = create_app(state=site.state)
    ann = Api(app.test_client(), site.token("ann"))
    waiting = ann.hand_in(predictions_csv(site.folder)).json["id"]

    too_much = send(ann, megabytes=40)  # would leave less than the 8 MB
    fill(small_disk, leave=4 << 20)
    refused = ann.hand_in(predictions_csv(site.folder, wrong=1))

    for reply in (too_much, refused):
        assert reply.status_code == 503
        assert (reply.json["code"], reply.json["owner"]) == ("disk_full", "platform")
        assert int(reply.headers["Retry-After"]) >= 60
        assert "disk" in reply.json["detail"]
    site.score(waiting)
    assert ann.get(f"/submissions/{waiting}").json["verdict"] == "OK"
    board = ann.get("/courses/dl-1/assignments/animals/leaderboard")
    assert board.json["rows"][0]["rank"] == 1
    (small_disk / "filler").unlink()
    assert ann.hand_in(predictions_csv(site.folder, wrong=1)).status_code == 201
    site.state.close()


def test_a_disk_that_fills_up_in_the_middle_of_an_upload_is_our_fault_and_leaves_nothing(
    small_disk: Path, tmp_path: Path
) -> None:
    site = make_site(small_disk, write_assignment(tmp_path / "animals"), min_free_mb="0")
    app = create_app(state=site.state)
    app.testing = False
    ann = Api(app.test_client(), site.token("ann"))
    fill(small_disk, leave=6 << 20)

    reply = send(ann, megabytes=20, is_length_known=False)

    assert (reply.status_code, reply.json["code"]) == (503, "disk_full")
    assert not any(path.is_file() for path in (site.settings.state_dir / "blobs/staging").iterdir())
    site.state.close()
