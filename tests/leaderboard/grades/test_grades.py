"""Grades: by the scale, late, decided by staff, published once, and lowered only by two."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from commands import run
from flask import Flask
from graded import (
    MEANS,
    PAGE,
    ROUTE,
    decide,
    grades,
    released,
    scored,
    staff,
    write_graded,
    write_scale,
)
from signing_in import signed_in
from small_site import Api, Site, make_site, predictions_csv

from leaderboard import create_app
from leaderboard.cases import opening
from leaderboard.db import utcnow
from leaderboard.models import (
    GradeLowering,
    GradeMark,
    Notification,
    OutgoingMail,
    PublishedGrade,
    Role,
    Submission,
    User,
)
from leaderboard.operations import privacy, verification
from leaderboard.teams import membership

OWN = "/courses/dl-1/assignments/animals/grade"
DUE = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
LATE = "due = {due}\ncloses = {closes}\nlate_penalty_per_day = 0.3"


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


def student(app: Flask, site: Site, name: str) -> Api:
    site.person(name)
    return Api(app.test_client(), site.token(name))


def test_a_grade_is_explained_in_a_sentence_from_which_it_is_recomputed(
    app: Flask, site: Site
) -> None:
    boss = staff(app, site)
    scored(site, "ann", 20)
    site.person("idle")

    told = boss.get(ROUTE).get_json()
    ann, idle = (grades(boss)[name] for name in ("ann", "idle"))

    low, high = ann["below"], ann["above"]
    share = (ann["score"] - low["score"]) / (high["score"] - low["score"])
    exact = low["grade"] + share * (high["grade"] - low["grade"])
    assert ann["exact"] == pytest.approx(exact)
    steps = [float(each) for each in told["steps"]]
    assert ann["grade"] == min(steps, key=lambda step: abs(step - exact))
    [sentence] = ann["explanation"]
    assert sentence["text"] == (
        f"{ann['score']:.4f} lies between lenet5 ({low['score']:.4f} gives 3) and small_cnn "
        f"({high['score']:.4f} gives 1.3): {exact:.2f}; the grade is {ann['written']}."
    )
    assert (idle["state"], idle["grade"], idle["written"]) == ("missing", None, "")
    assert (told["counts"]["ready"], told["counts"]["missing"]) == (1, 1)


def test_days_late_that_no_late_day_pays_are_taken_off(tmp_path: Path) -> None:
    dates = LATE.format(due=DUE.isoformat(), closes=(DUE + timedelta(days=9)).isoformat())
    site = make_site(tmp_path, write_graded(tmp_path / "animals", schedule=dates))
    scored(site, "ann", 20, at=DUE + timedelta(hours=30))
    app = create_app(state=site.state)

    ann = grades(staff(app, site))["ann"]

    assert (ann["days_late"], ann["penalty"]) == (2, pytest.approx(0.6))
    assert ann["left"] == pytest.approx(ann["exact"] + 0.6)
    assert f"; 2 days late, 0.60 off: {ann['left']:.2f};" in ann["explanation"][0]["text"]
    site.state.close()


def test_what_staff_decide_counts_with_its_reason_until_it_is_revoked(
    app: Flask, site: Site
) -> None:
    boss = staff(app, site)
    scored(site, "ann", 20)
    site.person("ill")
    site.person("gone")

    made = decide(boss, "ann", "override", "1.7", "A talk in its place.")
    decide(boss, "ill", "excused", reason="Ill.")
    decide(boss, "gone", "withdrawn", reason="Left in May.")
    found = grades(boss)

    assert made.status_code == 201
    assert (found["ann"]["written"], found["ann"]["override"]) == ("1.7", 1.7)
    assert "1.7: A talk in its place." in found["ann"]["explanation"][0]["text"]
    assert (found["ill"]["state"], found["gone"]["state"]) == ("excused", "withdrawn")
    assert boss.client.delete(
        f"/api/v1{ROUTE}/decisions/{made.get_json()['id']}",
        headers={"Authorization": f"Bearer {boss.token}"},
    )
    assert grades(boss)["ann"]["override"] is None


@pytest.mark.parametrize(
    ("kind", "value", "reason", "words"),
    [
        ("override", "1.5", "Why.", "gives no grade '1.5'"),
        ("override", "", "Why.", "gives no grade ''"),
        ("override", "1.7", " ", "Give a reason"),
        ("factor", "3", "Why.", "from 0 to 2"),
        ("factor", "nan", "Why.", "from 0 to 2"),
        ("loved", "", "Why.", "must be one of override"),
    ],
)
def test_a_decision_that_is_none_is_refused(
    app: Flask, site: Site, kind: str, value: str, reason: str, words: str
) -> None:
    boss = staff(app, site)
    site.person("ann")

    refused = decide(boss, "ann", kind, value, reason)

    assert refused.status_code == 400
    assert words in refused.get_json()["detail"]


def test_each_of_a_team_sees_their_own_factor_alone(app: Flask, site: Site) -> None:
    boss = staff(app, site)
    scored(site, "ann", 20)
    bob_id, boss_id = site.person("bob").id, site.person("boss").id
    with site.state.database.session() as session:
        team, bob = site.team(session, "ann"), session.get_one(User, bob_id)
        membership.move(session, team.course, bob, team, actor=session.get_one(User, boss_id))
    decide(boss, "bob", "factor", "0.5", "Wrote a quarter.")
    released(site)
    found = grades(boss)

    exact = found["ann"]["exact"]
    assert found["bob"]["submission"] == found["ann"]["submission"]
    assert found["bob"]["left"] == pytest.approx(5.0 - 0.5 * (5.0 - exact))
    assert boss.post(f"{ROUTE}/publish").get_json() == {"told": 2, "stay": 0}
    ann, bob_text = (json.dumps(student(app, site, n).get(OWN).get_json()) for n in ("ann", "bob"))
    assert "quarter" in bob_text
    assert "quarter" not in ann
    assert not re.search(r"\b0\.5\b", ann)
    assert re.search(r"\b0\.5\b", bob_text)


def test_a_grade_is_pending_while_a_case_is_open_or_an_evaluation_outstanding(
    app: Flask, site: Site
) -> None:
    boss = staff(app, site)
    suspected = scored(site, "ann", 20)
    scored(site, "bob", 20)
    site.hand_in("bob", predictions_csv(site.folder, wrong=1))
    with site.state.database.session() as session:
        found = session.scalars(sa.select(Submission).filter_by(public_id=suspected)).one()
        opening.open_by_hand(session, found, "The same as another.", actor=None)
    released(site)

    told = grades(boss)

    assert {told[name]["state"] for name in ("ann", "bob")} == {"pending"}
    assert "question" in told["ann"]["explanation"][0]["text"]
    assert "evaluated" in told["bob"]["explanation"][0]["text"]
    assert boss.post(f"{ROUTE}/publish").get_json()["told"] == 0


def test_grades_are_published_after_the_results_and_told_once(app: Flask, site: Site) -> None:
    boss, ann = staff(app, site), student(app, site, "ann")
    public_id = scored(site, "ann", 20)

    assert boss.post(f"{ROUTE}/publish").status_code == 409
    released(site)
    assert ann.get(OWN).get_json()["published_at"] is None
    first, second = (boss.post(f"{ROUTE}/publish").get_json() for _ in range(2))

    assert (first, second) == ({"told": 1, "stay": 0}, {"told": 0, "stay": 0})
    assert ann.get(OWN).get_json()["written"] == grades(boss)["ann"]["written"]
    report = signed_in(app, "ann").get(f"/s/{public_id}").text
    assert report.index("data-own-grade") < report.index("data-private-score")
    with site.state.database.reading() as session:
        theirs = Notification.user_id == site.person("ann").id
        notices = session.scalars(sa.select(Notification).where(theirs)).all()
        mails = session.scalars(sa.select(OutgoingMail.details)).all()
    told = [each for each in notices if "grade" in each.details]
    assert [each.path for each in told] == ["/c/dl-1/a/animals/grade"]
    assert not any(grades(boss)["ann"]["written"] in json.dumps(each) for each in mails)


def test_nobody_is_lowered_by_another_scale_until_two_instructors_sign(
    app: Flask, site: Site
) -> None:
    boss, vice = staff(app, site), staff(app, site, "vice")
    scored(site, "ann", 20)
    released(site)
    before = grades(boss)["ann"]["written"]
    boss.post(f"{ROUTE}/publish")

    write_scale(site.folder, {name: mean + 0.09 for name, mean in MEANS.items()})
    site.publish(site.folder)
    assert grades(boss)["ann"]["written"] == before  # the scale was fixed

    assert boss.post(f"{ROUTE}/lowering", reason="The runs were wrong.").status_code == 200
    refused = boss.post(f"{ROUTE}/lowering/sign")
    assert "Another instructor" in refused.get_json()["detail"]
    assert vice.post(f"{ROUTE}/lowering/sign").status_code == 200

    after = grades(boss)["ann"]
    assert float(after["written"]) > float(before)
    assert after["published"] == after["written"]


def test_nobody_is_lowered_by_a_decision_or_a_rescore_after_publication(
    app: Flask, site: Site
) -> None:
    boss = staff(app, site)
    scored(site, "ann", 20)
    released(site)
    boss.post(f"{ROUTE}/publish")
    before = grades(boss)["ann"]["written"]

    decide(boss, "ann", "override", "4.0")
    assert boss.post(f"{ROUTE}/publish").get_json() == {"told": 0, "stay": 1}
    assert (grades(boss)["ann"]["written"], grades(boss)["ann"]["stays"]) == (before, True)
    decide(boss, "ann", "override", "1.0")
    assert boss.post(f"{ROUTE}/publish").get_json() == {"told": 1, "stay": 0}
    assert student(app, site, "ann").get(OWN).get_json()["written"] == "1"


def test_an_only_instructor_signs_a_day_after_asking(app: Flask, site: Site) -> None:
    boss = staff(app, site)
    scored(site, "ann", 20)
    boss.post(f"{ROUTE}/lowering", reason="The key was wrong.")

    early = boss.post(f"{ROUTE}/lowering/sign")
    assert early.status_code == 409
    assert "24 hours" in early.get_json()["detail"]
    with site.state.database.write() as session:
        past = utcnow() - timedelta(hours=25)
        session.execute(sa.update(GradeLowering).values(asked_at=past))

    assert boss.post(f"{ROUTE}/lowering/sign").status_code == 200


def test_verify_finds_a_decision_or_a_published_grade_that_was_changed(
    app: Flask, site: Site
) -> None:
    boss = staff(app, site)
    scored(site, "ann", 20)
    decide(boss, "ann", "override", "1.7")
    released(site)
    boss.post(f"{ROUTE}/publish")
    assert verification.verify(site.state, progress=lambda *_: None).differences == ()

    with site.state.database.engine.begin() as raw:
        raw.execute(sa.update(GradeMark.__table__).values(reason="Paid."))
        raw.execute(sa.update(PublishedGrade.__table__).values(written="1.3"))

    found = verification.verify(site.state, progress=lambda *_: None).differences
    assert {each.subject.partition(":")[0] for each in found} == {"grade_mark", "published_grade"}


def test_an_assignment_without_a_scale_gives_the_score(tmp_path: Path) -> None:
    folder = write_graded(tmp_path / "animals")
    toml = folder / "assignment.toml"
    toml.write_text(toml.read_text().partition("[grading]")[0])
    site = make_site(tmp_path, folder)
    scored(site, "ann", 20)

    ann = grades(staff(create_app(state=site.state), site))["ann"]

    assert ann["written"] == f"{ann['score']:.4f}"
    assert "no grading scale" in ann["explanation"][0]["text"]
    site.state.close()


def test_staff_decide_and_publish_in_the_browser(app: Flask, site: Site) -> None:
    ann = site.person("ann")
    scored(site, "ann", 20)
    site.person("boss", Role.INSTRUCTOR)
    site.person("aide", Role.ASSISTANT)
    released(site)
    boss = signed_in(app, "boss")

    listed = boss.get(PAGE).text
    assert "1 ready" in listed
    assert "lies between lenet5" in listed
    token = listed.partition('name="csrf_token" value="')[2].partition('"')[0]
    refused = boss.post(f"{PAGE}{ann.id}", data={"csrf_token": token, "kind": "excused"})
    assert refused.status_code == 400
    sent = {"csrf_token": token, "kind": "override", "value": "2.0", "reason": "A talk."}
    assert boss.post(f"{PAGE}{ann.id}", data=sent).status_code == 303
    assert "Set by the teaching team to 2: A talk." in boss.get(f"{PAGE}{ann.id}").text
    assert boss.post(f"{PAGE}publish", data={"csrf_token": token}).status_code == 303
    assert "A talk." in signed_in(app, "ann").get("/c/dl-1/a/animals/grade").text
    assert 'name="kind"' not in signed_in(app, "aide").get(f"{PAGE}{ann.id}").text
    chinese = boss.get(PAGE, headers={"Accept-Language": "zh"}).text
    assert "教学团队定为 2：A talk." in chinese


def test_the_command_lists_decides_and_publishes(site: Site) -> None:
    scored(site, "ann", 20)
    released(site)

    listed = run(site.settings.state_dir, "grades", "dl-1", "animals")
    done = run(
        *(site.settings.state_dir, "grades", "dl-1", "animals", "ann@example.edu"),
        *("--decide", "override", "--value", "2.0", "--reason", "A talk.", "--publish", "--json"),
    )

    assert "ann@example.edu\t-\tann\tready" in listed.stdout
    assert json.loads(done.stdout)["items"][0]["published"] == "2"


def test_a_person_reads_what_was_decided_about_them_and_it_goes_with_them(
    app: Flask, site: Site
) -> None:
    boss, ann = staff(app, site), site.person("ann")
    scored(site, "ann", 20)
    decide(boss, "ann", "override", "1.7", "A talk.")
    released(site)
    boss.post(f"{ROUTE}/publish")

    with site.state.database.session() as session:
        record = privacy.record_of(session, session.get_one(User, ann.id))["grades"]
        privacy.erase(session, site.state, session.get_one(User, ann.id))
        left = session.scalars(sa.select(GradeMark.id)).all()

    assert record[0]["reason"] == "A talk."
    assert record[1]["written"] == "1.7"
    assert left == []
    assert verification.verify(site.state, progress=lambda *_: None).differences == ()
