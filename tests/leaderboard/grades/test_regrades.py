"""A question about a grade: asked once a submission in a window, owned, answered, closed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from commands import run
from flask import Flask
from graded import ROUTE, released, scored, staff, write_graded
from signing_in import signed_in
from small_site import Api, Site, make_site

from leaderboard import create_app
from leaderboard.assignments import release
from leaderboard.db import utcnow
from leaderboard.grades import regrades
from leaderboard.models import Course, Notification, PublishedGrade, Role, User
from leaderboard.operations import privacy

THREADS = "/staff/courses/dl-1/regrades"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = make_site(tmp_path, write_graded(tmp_path / "animals"))
    yield made
    made.state.close()


@pytest.fixture
def app(site: Site) -> Flask:
    made = create_app(state=site.state)
    made.testing = True
    return made


def published(app: Flask, site: Site) -> tuple[Api, Api, str]:
    """An instructor, a student, and the submission that decided the student's published grade."""
    boss = staff(app, site)
    public_id = scored(site, "ann", 20)
    released(site)
    boss.post(f"{ROUTE}/publish")
    return boss, Api(app.test_client(), site.token("ann")), public_id


def told(site: Site, name: str) -> list[str]:
    with site.state.database.reading() as session:
        rows = session.scalars(sa.select(Notification).filter_by(user_id=site.person(name).id))
        return [each.path for each in rows if "regrade" in each.details]


def test_a_question_from_asking_to_its_outcome(app: Flask, site: Site) -> None:
    boss, ann, public_id = published(app, site)
    site.person("aide", Role.ASSISTANT)
    own = f"/submissions/{public_id}/regrade"

    asked = ann.post(own, text="Image 7 is a fox.").get_json()
    one = f"{THREADS}/{asked['id']}"
    assert told(site, "boss") == [f"/staff/c/dl-1/regrades/{asked['id']}"]
    assigned = boss.post(f"{one}/assign", owner="aide@example.edu", due_at="2099-01-01T12:00")
    assert assigned.get_json()["owner"] == "aide"
    ann.post(own, text="And image 9.")
    assert told(site, "aide") == [f"/staff/c/dl-1/regrades/{asked['id']}"]
    for odd in ([], {}, 1, True, "no"):
        assert boss.post(one, text="So.", outcome=odd).status_code == 400
    boss.post(one, text="Both are foxes, as in the key.", outcome="unchanged")

    thread = ann.get(own).get_json()
    assert [(each["is_staff"], each["by"]) for each in thread["messages"]] == [
        (False, "ann"),
        (False, "ann"),
        (True, None),
    ]
    assert (thread["outcome"], thread["owner"]) == ("unchanged", None)
    assert told(site, "ann") == [f"/s/{public_id}/regrade"]
    assert ann.post(own, text="But …").status_code == 409


def test_it_is_asked_in_the_window_by_those_whose_grade_it_is(app: Flask, site: Site) -> None:
    boss, ann, public_id = published(app, site)
    other = scored_other(site)
    bob = Api(app.test_client(), site.token("bob"))

    assert bob.post(f"/submissions/{public_id}/regrade", text="Mine?").status_code == 404
    assert bob.post(f"/submissions/{other}/regrade", text="Why?").status_code == 409
    with site.state.database.write() as session:
        past = utcnow() - regrades.WINDOW - timedelta(minutes=1)
        session.execute(sa.update(PublishedGrade).values(published_at=past))
    late = ann.post(f"/submissions/{public_id}/regrade", text="Late.")
    assert late.status_code == 409
    assert "could be asked until" in late.get_json()["detail"]
    assert boss.get(THREADS).get_json()["items"] == []


def scored_other(site: Site) -> str:
    """A submission whose grade is not published."""
    site.person("bob")
    with site.state.database.session() as session:
        release.unrelease(session, site.assignment(session), actor=None)
    public_id = scored(site, "bob", 30)
    released(site)
    return public_id


def test_what_is_due_is_counted_for_the_overview(app: Flask, site: Site) -> None:
    boss, ann, public_id = published(app, site)
    number = ann.post(f"/submissions/{public_id}/regrade", text="Look again.").get_json()["id"]
    overview = "/staff/courses/dl-1/overview"
    assert boss.get(overview).get_json()["needs"]["regrades"] == 0

    with site.state.database.reading() as session:
        course = session.get_one(Course, site.course.id)
        soon = utcnow() + regrades.ANSWERED_WITHIN - timedelta(hours=1)
        assert regrades.count_due(session, course, utcnow()) == 0
        assert regrades.count_due(session, course, soon) == 1
    boss.post(f"{THREADS}/{number}/assign", due_at=utcnow().isoformat())
    assert boss.get(overview).get_json()["needs"]["regrades"] == 1
    assert 'data-regrades="1"' in signed_in(app, "boss").get("/staff/c/dl-1/").text


def test_asking_and_answering_in_the_browser_with_a_saved_reply(app: Flask, site: Site) -> None:
    boss_api, _, public_id = published(app, site)
    ann, boss = signed_in(app, "ann"), signed_in(app, "boss")
    page = f"/s/{public_id}/regrade"

    report = ann.get(f"/s/{public_id}").text
    assert f'href="{page}"' in report
    token = ann.get(page).text.partition('name="csrf_token" value="')[2].partition('"')[0]
    assert ann.post(page, data={"csrf_token": token, "text": " "}).status_code == 400
    assert ann.post(page, data={"csrf_token": token, "text": "Look again."}).status_code == 303
    thread = boss_api.get(THREADS).get_json()["items"][0]["id"]
    kept = boss_api.post(
        "/staff/courses/dl-1/saved-replies", title="Stays", text="We looked: it stays."
    ).get_json()["id"]
    one = f"/staff/c/dl-1/regrades/{thread}"
    token = boss.get(one).text.partition('name="csrf_token" value="')[2].partition('"')[0]
    sent = {"csrf_token": token, "text": "", "saved": str(kept), "step": "unchanged"}
    assert boss.post(one, data=sent).status_code == 303

    answered = ann.get(page).text
    assert "We looked: it stays." in answered
    assert "grade stays" in answered
    assert "boss" not in answered.partition("<main")[2]
    assert "grade stays" in boss.get("/staff/c/dl-1/regrades/").text


def test_the_command_answers_and_words_go_with_their_person(app: Flask, site: Site) -> None:
    _, ann, public_id = published(app, site)
    number = str(ann.post(f"/submissions/{public_id}/regrade", text="Mine.").get_json()["id"])
    state = site.settings.state_dir

    shown = run(state, "regrades", "dl-1", number, "--reply", "It stays.", "--outcome", "unchanged")

    assert "Mine." in shown.stdout
    assert "unchanged" in run(state, "regrades", "dl-1").stdout
    with site.state.database.session() as session:
        person = session.get_one(User, site.person("ann").id)
        assert privacy.record_of(session, person)["regrades"][0]["text"] == "Mine."
        privacy.erase(session, site.state, person)
    assert "Mine." not in run(state, "regrades", "dl-1", number).stdout
