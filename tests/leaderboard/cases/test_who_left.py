"""Whoever left the course is heard about what they had a part in, and reads no more than that."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from forms import send
from signing_in import signed_in
from small_site import Api, Site, predictions_csv

from leaderboard.cases import hearing, opening
from leaderboard.db import utcnow
from leaderboard.models import Course, Submission, TeamMember, User
from leaderboard.operations import privacy
from leaderboard.teams import leaving, membership

CASE = "/c/dl-1/cases/1"


@pytest.fixture
def public_id(site: Site) -> str:
    """What mei handed in with kofi; both were told of a case about it, and left the course."""
    for name in ("other", "mei", "kofi"):
        site.person(name)
    with site.state.database.session() as session:
        course, mei = session.get_one(Course, site.course.id), site.people["mei"]
        kofi = session.get_one(User, site.people["kofi"].id)
        membership.move(
            session, course, kofi, site.team(session, "mei"), actor=session.get_one(User, mei.id)
        )
    made = site.hand_in("mei", predictions_csv(site.folder))
    site.score(made)
    with site.state.database.session() as session:
        found = session.scalars(sa.select(Submission)).one()
        case = opening.open_by_hand(session, found, "The same file.", actor=None)
        until = utcnow() + timedelta(days=2)
        hearing.give_notice(session, case, "How was it made?", reply_until=until, actor=None)
        for name in ("mei", "kofi"):
            user = session.get_one(User, site.people[name].id)
            leaving.unenrol(session, session.get_one(Course, site.course.id), user, actor=None)
        assert session.scalars(sa.select(TeamMember.user_id)).all() == [site.people["other"].id]
    return made


@pytest.mark.parametrize("name", ["mei", "kofi"])
def test_whoever_left_reads_the_case_and_replies(
    app: Flask, site: Site, public_id: str, name: str
) -> None:
    page, api = signed_in(app, name), Api(app.test_client(), site.token(name))

    assert f'href="{CASE}"' in page.get("/").text
    assert "The teaching team has a question about" in page.get("/notifications").text
    assert "How was it made?" in page.get(CASE).text
    assert send(page, f"{CASE}/reply", form=CASE, text="By hand.").status_code == 303
    assert api.get("/courses/dl-1/cases/1").get_json()["may_reply"]
    assert api.post("/courses/dl-1/cases/1/reply", text="Honestly.").status_code == 201
    assert "By hand." in page.get(CASE).text
    assert page.get(f"/s/{public_id}").status_code == 200
    assert api.get(f"/submissions/{public_id}").get_json()["receipt"]["id"] == public_id
    with site.state.database.reading() as session:
        record = privacy.record_of(session, session.get_one(User, site.people[name].id))
    assert [each["id"] for each in record["cases"]] == [1]


@pytest.mark.parametrize("name", ["mei", "kofi"])
def test_whoever_left_reads_no_more_than_that(
    app: Flask, site: Site, public_id: str, name: str
) -> None:
    page, api = signed_in(app, name), Api(app.test_client(), site.token(name))
    theirs = site.hand_in("other", predictions_csv(site.folder, wrong=1))

    for path in (
        "/c/dl-1/",
        "/c/dl-1/animals/",
        "/c/dl-1/animals/leaderboard",
        f"/s/{theirs}",
        "/staff/c/dl-1/cases/1",
    ):
        assert page.get(path).status_code == 404, path
    for path in ("/courses/dl-1/assignments/animals/leaderboard", f"/submissions/{theirs}"):
        assert api.get(path).status_code == 404, path
    assert "other" not in page.get(f"/s/{public_id}").text
    assert api.post(f"/submissions/{public_id}/cancel").status_code == 404
    assert send(page, f"/s/{public_id}/claims", form=CASE, claims="").status_code == 404


def test_nobody_else_learns_that_there_is_a_case(app: Flask, site: Site, public_id: str) -> None:
    other = signed_in(app, "other")
    api = Api(app.test_client(), site.token("other"))

    assert CASE not in other.get("/").text
    assert {
        other.get(f"/c/{course}/cases/{n}").status_code
        for course in ("dl-1", "dl-9")
        for n in (1, 9)
    } == {404}
    assert api.get("/courses/dl-1/cases/1").status_code == 404
    assert api.post("/courses/dl-1/cases/1/reply", text="x").status_code == 404
