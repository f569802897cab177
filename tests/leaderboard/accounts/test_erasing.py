"""A person's own data: all of it in one file, and its removal that leaves the statistics alone."""

from __future__ import annotations

import json
import re
import zipfile
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from commands import run
from documented import Held
from flask.testing import FlaskClient
from forms import send
from small_site import PASSWORD, Api, Site, predictions_csv

from leaderboard import audit, create_app
from leaderboard.accounts import accounts, courses
from leaderboard.assignments import release
from leaderboard.boards import standings
from leaderboard.cases import opening
from leaderboard.db import Base, utcnow, writing
from leaderboard.errors import BadRequest, SignInRefused
from leaderboard.models import (
    CaseState,
    Course,
    Extension,
    Reason,
    Rescore,
    Role,
    Split,
    Submission,
    User,
)
from leaderboard.operations import privacy
from leaderboard.teams import extensions, membership
from leaderboard.views import gradebook

NAME = "annabel"
CHINESE = {"Accept-Language": "zh"}


@pytest.fixture
def lived(site: Site) -> Site:
    """A site where Annabel and Bob have done all that leaves traces."""
    for name, wrong in ((NAME, 4), ("bob", 9)):
        site.score(site.hand_in(name, predictions_csv(site.folder, wrong=wrong)))
        site.token(name)
    with site.state.database.session() as session:
        extensions.grant(
            session,
            session.get_one(Course, site.course.id),
            session.get_one(User, site.person(NAME).id),
            extensions.More(late_days=1, reason=Reason.ILLNESS, reference=f"letter of {NAME}"),
            actor=None,
        )
        accounts.sign_in(
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
    # a word of its own: a signature may hold any three letters
    assert not re.search(r"\bbob\b", json.dumps(record))
    assert "argon2" not in json.dumps(record)


def test_erasing_leaves_no_trace_of_the_name_and_every_score(lived: Site, tmp_path: Path) -> None:
    before = board(lived)
    assert NAME in everything(lived)

    run(lived.settings.state_dir, "erase-person", f"{NAME}@example.edu", "--yes")

    assert NAME not in everything(lived)
    assert "203.0.113.7" not in everything(lived)
    [_, (_, *other)] = before
    assert board(lived) == [(1, *other)]  # results are not out: the erased one leaves the rank
    with lived.state.database.reading() as session:
        assert audit.verify(session, lived.state.receipts.public_key)[1] == ()
        assert NAME not in gradebook.grades_csv(session, lived.assignment(session))


def test_an_extension_stays_with_the_team_without_whom_and_why(lived: Site) -> None:
    with lived.state.database.session() as session:
        user = session.get_one(User, lived.person(NAME).id)
        (kept,) = privacy.record_of(session, user)["extensions"]
        privacy.erase(session, lived.state, user)
        found = session.scalars(sa.select(Extension)).one()
        left = (found.user_id, found.reason, found.reference, found.late_days)

    assert (kept["reason"], kept["reference"]) == (Reason.ILLNESS, f"letter of {NAME}")
    assert left == (None, Reason.OTHER, "", 1)


def test_an_erased_account_is_entered_by_nobody(lived: Site) -> None:
    client = create_app(state=lived.state).test_client()
    sign_in(client, NAME)
    assert client.get("/account").status_code == 200
    run(lived.settings.state_dir, "erase-person", f"{NAME}@example.edu", "--yes")

    assert client.get("/account").status_code == 303
    for email in (f"{NAME}@example.edu", f"erased-{lived.people[NAME].id}@invalid"):
        with lived.state.database.session() as session, pytest.raises(SignInRefused):
            accounts.check_password(
                session, email=email, password=PASSWORD, address="", now=utcnow()
            )


def sign_in(client: FlaskClient, name: str) -> None:
    send(client, "/sign-in", email=f"{name}@example.edu", password=PASSWORD)


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


def person(session, name: str = NAME) -> User:
    return session.scalars(sa.select(User).filter_by(email=f"{name}@example.edu")).one()


def test_after_publication_the_place_stays_as_somebody_removed(lived: Site) -> None:
    before = board(lived)
    with lived.state.database.session() as session:
        release.release(session, lived.assignment(session), actor=None)
        privacy.erase(session, lived.state, person(session))

    assert board(lived) == before
    client = create_app(state=lived.state).test_client()
    sign_in(client, "bob")
    page = client.get("/c/dl-1/a/animals/leaderboard?split=private", headers=CHINESE).text
    assert "已移除" in page
    assert "removed" not in page
    with lived.state.database.session() as session:
        team, bob = lived.team(session, "bob"), person(session, "bob")
        with pytest.raises(BadRequest):
            membership.rename(session, team, name="Removed 1", pseudonym="", actor=bob)


def test_an_erasure_waits_for_records_and_rescores_and_then_happens_by_itself(
    lived: Site,
) -> None:
    command = ("erase-person", f"{NAME}@example.edu", "--yes")
    run(lived.settings.state_dir, "keep-records", "dl-1", "--until", "2999-12-31")
    with lived.state.database.write() as session:
        going_on = Rescore(
            assignment_id=lived.assignment(session).id, until_id=1, total=1, created_at=utcnow()
        )
        session.add(going_on)

    refused = run(lived.settings.state_dir, *command, code=3).stderr
    assert "dl-1 keeps its examination records until 2999-12-31." in refused
    assert "scores in animals are being computed anew" in refused
    assert erase_due(lived) == 0
    run(lived.settings.state_dir, "keep-records", "dl-1", "--off")
    assert erase_due(lived) == 0
    with lived.state.database.write() as session:
        session.get_one(Rescore, going_on.id).finished_at = utcnow()
    assert erase_due(lived) == 1
    assert NAME not in everything(lived)


def test_an_erasure_waits_for_a_case_and_tells_nobody_of_one_before_its_time(lived: Site) -> None:
    prof = lived.person("prof", Role.INSTRUCTOR)
    with lived.state.database.session() as session:
        theirs = sa.select(Submission).where(Submission.user_id == lived.people[NAME].id)
        submission, actor = session.scalars(theirs).one(), session.get_one(User, prof.id)
        case = opening.open_by_hand(session, submission, "The same file.", actor=actor)

        (unheard,) = privacy.obstacles(session, person(session), utcnow())
        assert unheard.said == "dl-1 has not finished its checks of what was submitted."
        with writing(session):
            case.state, case.reply_until = CaseState.NOTICED, utcnow()
        (heard,) = privacy.obstacles(session, person(session), utcnow())
        assert submission.public_id in heard.said
        assert heard.until == case.reply_until
        with writing(session):
            case.state = CaseState.CLOSED
        assert privacy.obstacles(session, person(session), utcnow()) == ()


def erase_due(site: Site) -> int:
    with site.state.database.session() as session:
        return privacy.erase_due(session, site.state)


def test_a_student_asks_on_the_page_reads_why_it_waits_and_takes_it_back(lived: Site) -> None:
    keep_records(lived)
    client = create_app(state=lived.state).test_client()
    sign_in(client, NAME)

    wrong = send(client, "/account/erase", form="/account", confirmation="no password of hers")
    assert (wrong.status_code, "present password is wrong" in wrong.text) == (403, True)
    send(client, "/account/erase", form="/account", confirmation=PASSWORD)
    page = client.get("/account", headers=CHINESE).text
    assert "dl-1 的考核记录须保存至 2999-01-01。" in page
    send(client, "/account/erase/withdraw", form="/account")
    assert "data-erasure" not in client.get("/account").text
    keep_records(lived, until=None)
    assert erase_due(lived) == 0
    done = send(client, "/account/erase", form="/account", confirmation=PASSWORD)
    assert done.location == "/sign-in"
    assert NAME not in everything(lived)


def keep_records(site: Site, until: str | None = "2999-01-01T12:00:00+00:00") -> None:
    with site.state.database.session() as session:
        course = session.get_one(Course, site.course.id)
        moment = until and datetime.fromisoformat(until)
        privacy.keep_records(session, course, moment or None, actor=None)


def test_the_api_says_what_an_erasure_waits_for(lived: Site) -> None:
    keep_records(lived)
    app = create_app(state=lived.state)
    held = Held()
    app.after_request(held.check)
    api = Api(app.test_client(), lived.token(NAME))

    assert api.post("/me/erasure").status_code == 400
    asked = api.post("/me/erasure", confirmation=PASSWORD)
    (reason,) = asked.get_json()["waits_for"]
    assert (asked.status_code, reason["detail_said"]["code"]) == (202, "erasure.records")
    assert reason["until"] == "2999-01-01T12:00:00+00:00"
    assert api.get("/me/erasure").get_json()["asked_at"]
    taken_back = api.client.delete("/api/v1/me/erasure", headers=api._authorization).get_json()
    assert taken_back["asked_at"] is None
    keep_records(lived, until=None)
    done = api.post("/me/erasure", confirmation=PASSWORD)
    assert (done.status_code, done.get_json()["is_erased"]) == (200, True)
    prof = Api(app.test_client(), lived.token("ta"))
    with lived.state.database.session() as session:
        course = session.get_one(Course, lived.course.id)
        courses.enrol(session, course, person(session, "ta"), Role.ASSISTANT)
    assert prof.post("/me/erasure", confirmation=PASSWORD).status_code == 409
