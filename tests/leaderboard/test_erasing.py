"""A person's own data: all of it in one file, and its removal that leaves the statistics alone."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path

import pytest
import sqlalchemy as sa
from small_site import PASSWORD, Site, predictions_csv
from test_commands import run

from leaderboard import audit, create_app, gradebook, privacy, standings
from leaderboard.auth import service
from leaderboard.db import Base, utcnow
from leaderboard.errors import SignInRefused
from leaderboard.models import Course, Split, Submission, User

NAME = "annabel"


@pytest.fixture
def lived(site: Site) -> Site:
    """A site where Annabel and Bob have done all that leaves traces."""
    for name, wrong in ((NAME, 4), ("bob", 9)):
        site.score(site.hand_in(name, predictions_csv(site.folder, wrong=wrong)))
        site.token(name)
    with site.state.database.session() as session:
        service.sign_in(
            session,
            email=f"{NAME}@example.edu",
            password=PASSWORD,
            address="203.0.113.7",
            user_agent=f"Browser of {NAME}",
            now=utcnow(),
            lifetime=site.settings.session_days * (utcnow() - utcnow()).resolution,
        )
    return site


def board(site: Site) -> list[tuple[int | None, float, int]]:
    with site.state.database.reading() as session:
        found = standings.board(session, site.assignment(session), Split.PRIVATE)
        return [(row.rank, row.primary, row.entries) for row in found.rows]


def everything(site: Site) -> str:
    """Each cell of each table, as text."""
    with site.state.database.reading() as session:
        rows = [
            row
            for table in Base.metadata.sorted_tables
            for row in session.execute(sa.select(table))
        ]
    return "\n".join(str(tuple(row)) for row in rows)


def test_the_record_holds_the_person_and_their_files_and_nobody_else(
    lived: Site, tmp_path: Path
) -> None:
    target = tmp_path / "person.zip"
    run(lived.settings.state_dir, "export-person", f"{NAME}@example.edu", str(target))

    with zipfile.ZipFile(target) as archive:
        record = json.loads(archive.read("person.json"))
        (file,) = [name for name in archive.namelist() if name != "person.json"]
        assert archive.read(file) == predictions_csv(lived.folder, wrong=4)
    assert record["account"]["email"] == f"{NAME}@example.edu"
    assert [each["verdict"] for each in record["submissions"]] == ["OK"]
    assert record["submissions"][0]["private"] is None  # not released: not theirs to read
    for part in ("courses", "teams", "tokens", "devices", "notices", "mails", "log"):
        assert record[part], part
    assert "bob" not in json.dumps(record)
    assert "argon2" not in json.dumps(record)


def test_erasing_leaves_no_trace_of_the_name_and_every_score(lived: Site, tmp_path: Path) -> None:
    before = board(lived)
    assert NAME in everything(lived)

    run(lived.settings.state_dir, "erase-person", f"{NAME}@example.edu", "--yes")

    assert NAME not in everything(lived)
    assert "203.0.113.7" not in everything(lived)
    assert board(lived) == before
    with lived.state.database.reading() as session:
        assert audit.verify(session, lived.state.receipts.public_key)[1] == ()
        assert NAME not in gradebook.grades_csv(session, lived.assignment(session))


def test_an_erased_account_is_entered_by_nobody(lived: Site) -> None:
    app = create_app(state=lived.state)
    client = app.test_client()
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/sign-in").text)
    fields = {"email": f"{NAME}@example.edu", "password": PASSWORD, "csrf_token": token[1]}
    client.post("/sign-in", data=fields)
    assert client.get("/account").status_code == 200
    run(lived.settings.state_dir, "erase-person", f"{NAME}@example.edu", "--yes")

    assert client.get("/account").status_code == 303
    for email in (f"{NAME}@example.edu", f"erased-{lived.people[NAME].id}@invalid"):
        with lived.state.database.session() as session, pytest.raises(SignInRefused):
            service.check_password(
                session, email=email, password=PASSWORD, address="", now=utcnow()
            )


def test_files_go_unless_somebody_else_handed_the_same_in(lived: Site) -> None:
    shared = predictions_csv(lived.folder, wrong=9)  # bob's
    waits = lived.hand_in(NAME, shared)
    refused = run(lived.settings.state_dir, "erase-person", f"{NAME}@example.edu", "--yes", code=3)
    assert waits in refused.stderr
    lived.score(waits)
    run(lived.settings.state_dir, "erase-person", f"{NAME}@example.edu", "--yes")

    with lived.state.database.reading() as session:
        ann = lived.people[NAME].id
        removed = session.scalars(
            sa.select(Submission.content_removed_at).where(Submission.user_id == ann)
        ).all()
        kept = session.scalars(
            sa.select(Submission.content_sha256).where(Submission.user_id != ann)
        ).one()
    assert None not in removed
    assert b"".join(lived.state.blobs.chunks(kept)) == shared


def test_erasing_twice_changes_nothing_more(lived: Site) -> None:
    for _ in range(2):
        with lived.state.database.session() as session:
            privacy.erase(session, lived.state, session.get_one(User, lived.people[NAME].id))

    assert NAME not in everything(lived)
    with lived.state.database.reading() as session:
        assert session.get_one(Course, lived.course.id)
