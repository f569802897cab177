"""A case from the flag to the decision: nobody's submission counts no more unheard."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from commands import run
from databases import EACH_DATABASE
from flask import Flask
from forms import app_of, send
from signing_in import signed_in
from small_site import Api, Site, initialised_site, make_site, predictions_csv, write_assignment

from grader.scoring.memorised import Losses
from leaderboard import audit
from leaderboard.boards import placing
from leaderboard.cases import entries, hearing, opening, reading, voiding
from leaderboard.db import utcnow
from leaderboard.evaluations import looked_up
from leaderboard.models import (
    AuditEvent,
    Case,
    CaseEntry,
    Course,
    OutgoingMail,
    Role,
    Submission,
    SubmissionStatus,
    User,
)
from leaderboard.operations import privacy, verification
from leaderboard.submissions import accept

OF_COURSE = "/staff/courses/dl-1/cases"
BOARD = "/courses/dl-1/assignments/animals"
LOST = Losses(copies=256, right=240, lost=80)  # of copies with noise: what a table loses


@pytest.fixture
def mem(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Submissions, by id, whose run lost answers on copies with noise."""
    weigh, flagged = looked_up.weigh, set[str]()

    def with_losses(session: Any, submission: Any, made: Any) -> Any:
        if submission.public_id in flagged:
            made = replace(made, facts={**made.facts, **LOST.as_facts()})
        return weigh(session, submission, made)

    monkeypatch.setattr(looked_up, "weigh", with_losses)
    return flagged


def api(app: Flask, site: Site, name: str, role: Role = Role.STUDENT) -> Api:
    site.person(name, role)
    return Api(app.test_client(), site.token(name, staff=role.is_staff))


def scored(site: Site, name: str, wrong: int, mem: set[str] | None = None) -> str:
    public_id = site.hand_in(name, predictions_csv(site.folder, wrong=wrong))
    if mem is not None:
        mem.add(public_id)
    site.score(public_id)
    return public_id


def in_days(days: float) -> str:
    return (utcnow() + timedelta(days=days)).isoformat()


def ranks(client: Api, split: str = "public") -> list[tuple[str, int]]:
    """The teams from the first on, each with how many of its hand-ins count."""
    rows = client.get(f"{BOARD}/leaderboard?split={split}").get_json()["rows"]
    return [(row["team_name"], row["entries"]) for row in rows]


def differences(site: Site) -> list[tuple[str, str]]:
    found = verification.verify(site.state, progress=lambda *_: None).differences
    return [(each.subject, each.reason) for each in found]


def open_by_hand(site: Site, public_id: str) -> int:
    with site.state.database.session() as session:
        found = session.scalars(sa.select(Submission).filter_by(public_id=public_id)).one()
        return opening.open_by_hand(session, found, "The same file as another.", actor=None).id


def notified(site: Site, case_id: int) -> None:
    with site.state.database.session() as session:
        case = session.get_one(Case, case_id)
        until = utcnow() + timedelta(days=2)
        hearing.give_notice(session, case, "How was it made?", reply_until=until, actor=None)


def voided(site: Site, case_id: int, reason: str = "Looked up.") -> None:
    with site.state.database.session() as session:
        case = session.get_one(Case, case_id)
        voiding.void(session, site.state, case, reason, actor=None)


def replied(site: Site, case_id: int, name: str) -> None:
    with site.state.database.session() as session:
        case, user = session.get_one(Case, case_id), session.get_one(User, site.people[name].id)
        hearing.reply(session, case, f"{name} made it.", actor=user)


@pytest.fixture(params=EACH_DATABASE)
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    folder = write_assignment(tmp_path / "animals", daily_limit=5)
    if request.param == "sqlite":
        made = make_site(tmp_path, folder)
    else:
        url = request.getfixturevalue("new_database")()
        made = initialised_site(tmp_path, folder, database_url=url)
    yield made
    made.state.close()


def test_the_story_of_a_case_from_the_flag_to_the_decision_and_back(
    either: Site, mem: set[str]
) -> None:
    site, app = either, app_of(either)
    boss, mei, kofi = (
        api(app, site, "boss", Role.INSTRUCTOR),
        api(app, site, "mei"),
        api(app, site, "kofi"),
    )
    honest = scored(site, "mei", 40)
    scored(site, "kofi", 20)
    looked = scored(site, "mei", 0, mem)
    before = mei.get(f"/submissions/{looked}").get_json()

    # the flag opens a case, of which the team sees nothing; the submission stands
    [listed] = boss.get(f"{OF_COURSE}?undecided=true").get_json()["items"]
    route, own = f"{OF_COURSE}/{listed['id']}", f"/courses/dl-1/cases/{listed['id']}"
    told = boss.get(route).get_json()
    assert (told["cause"], told["submission"], told["state"]) == ("mem", looked, "open")
    assert told["evidence"]["copies"] == {
        "n": 256,
        "right": 240,
        "lost": 80,
        "p_value": LOST.as_facts()["copies_p"],
        "flagged": True,
    }
    assert (before["flags"], before["case"], before["voided"]) == ([], None, None)
    assert mei.get(own).status_code == 404
    assert ranks(kofi) == [("mei", 2), ("kofi", 1)]
    assert boss.post(f"{route}/void", text="Looked up.").status_code == 409

    # notice: mailed, shown, and nothing can be decided before the team is heard
    assert boss.post(f"{route}/notice", text="How?", reply_until=in_days(0.5)).status_code == 400
    given = boss.post(f"{route}/notice", text="How was it made?", reply_until=in_days(7))
    assert given.get_json()["state"] == "noticed"
    assert boss.post(f"{route}/void", text="Looked up.").status_code == 409
    assert mei.get(f"/submissions/{looked}").get_json()["case"] == listed["id"]
    read = mei.get(own).get_json()
    assert [(each["step"], each["by"]) for each in read["steps"]] == [("notice", None)]
    assert "evidence" not in read
    assert kofi.get(own).status_code == 404
    assert kofi.post(f"{own}/reply", text="I too").status_code == 404
    with site.state.database.reading() as session:
        assert session.scalars(sa.select(OutgoingMail.user_id).filter_by(kind="case")).all() == [
            site.people["mei"].id
        ]

    # reply, and then the decision: the board's next entry moves up
    assert mei.post(f"{own}/reply", text="A table of hashes.").status_code == 201
    assert boss.post(f"{route}/void", text=" ").status_code == 400
    assert boss.post(f"{route}/void", text="As you say.").get_json()["state"] == "voided"
    assert ranks(kofi) == [("kofi", 1), ("mei", 1)]
    assert ranks(boss, "private") == [("kofi", 1), ("mei", 1)]
    seen = mei.get(f"/submissions/{looked}").get_json()
    assert (seen["verdict"], seen["voided"]["reason"]) == ("OK", "As you say.")
    assert seen["public"]["accuracy"] == 1.0
    assert seen["quota"]["used"] == before["quota"]["used"] == 2
    refused = mei.post(f"{BOARD}/picks", submissions=[looked])
    assert (refused.status_code, "voided" in refused.get_json()["detail"]) == (400, True)
    grades = boss.get(f"/staff{BOARD}/grades.csv").text
    assert (looked in grades, honest in grades) == (False, True)
    assert mei.post(f"{own}/reply", text="But").status_code == 409
    assert differences(site) == []

    # and back
    restored = boss.post(f"{route}/restore", text="We were wrong.").get_json()
    assert [each["step"] for each in restored["steps"]] == [
        *("opened", "notice", "reply", "voided", "restored")
    ]
    assert ranks(kofi) == [("mei", 2), ("kofi", 1)]
    assert mei.get(f"/submissions/{looked}").get_json()["voided"] is None
    assert differences(site) == []
    with site.state.database.reading() as session:
        key = site.state.receipts.public_key
        assert audit.verify(session, key)[1] == ()
        actions = session.scalars(sa.select(AuditEvent.action).order_by(AuditEvent.id)).all()
        details = json.dumps([*session.scalars(sa.select(AuditEvent.details))])
    assert [each for each in actions if each.startswith("case.")] == [
        *("case.opened", "case.notice", "case.reply", "case.voided", "case.restored")
    ]
    assert "hashes." not in details


def test_once_the_date_has_passed_silence_holds_nothing_up(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    case_id = open_by_hand(site, scored(site, "mei", 3))
    notified(site, case_id)
    later = utcnow() + timedelta(days=3)
    for module in (voiding, entries):
        monkeypatch.setattr(module, "utcnow", lambda: later)

    voided(site, case_id)

    assert differences(site) == []


def test_an_unfounded_case_closes_without_a_word_to_a_team_that_was_not_told(
    app: Flask, site: Site, mem: set[str]
) -> None:
    mei = api(app, site, "mei")
    public_id = scored(site, "mei", 0, mem)
    before = mei.get(f"/submissions/{public_id}").data
    boss = api(app, site, "boss", Role.INSTRUCTOR)

    closed = boss.post(f"{OF_COURSE}/1/close", text="A strong network.").get_json()

    assert closed["state"] == "closed"
    assert mei.get(f"/submissions/{public_id}").data == before
    assert boss.get(f"{OF_COURSE}?undecided=true").get_json()["items"] == []
    assert boss.post(f"{OF_COURSE}/1/notice", text="x", reply_until=in_days(2)).status_code == 409
    with site.state.database.reading() as session:
        assert session.scalars(sa.select(OutgoingMail).filter_by(kind="case")).all() == []


def test_a_rejudge_that_is_flagged_again_asks_no_second_time(site: Site, mem: set[str]) -> None:
    public_id = scored(site, "mei", 0, mem)
    with site.state.database.write() as session:
        session.scalars(sa.select(Submission)).one().evaluation_number = 2
        session.scalars(sa.select(Submission)).one().status = SubmissionStatus.QUEUED
    site.score(public_id)

    assert site.submission(public_id).evaluation_number == 2
    with site.state.database.reading() as session:
        assert len(session.scalars(sa.select(Case)).all()) == 1


@pytest.mark.parametrize(
    ("role", "status"), [(Role.ASSISTANT, 404), (Role.STUDENT, 404), (Role.INSTRUCTOR, 201)]
)
def test_instructors_alone_open_cases_by_hand(
    app: Flask, site: Site, role: Role, status: int
) -> None:
    public_id = scored(site, "mei", 3)
    site.person("who", role)
    who = Api(app.test_client(), site.token("who", staff=True))

    opened = who.post(f"/staff/submissions/{public_id}/cases", text="The same file as another.")

    assert opened.status_code == status
    if status == 201:
        again = who.post(f"/staff/submissions/{public_id}/cases", text="Once more.")
        assert again.status_code == 409


def test_whoever_left_the_team_is_told_and_heard_about_what_they_handed_in(site: Site) -> None:
    case_id = open_by_hand(site, scored(site, "mei", 3))
    site.person("kofi")
    with site.state.database.write() as session:
        session.scalars(sa.select(Submission)).one().team_id = site.team(session, "kofi").id
    notified(site, case_id)

    replied(site, case_id, "mei")
    replied(site, case_id, "kofi")

    site.person("other")
    with site.state.database.session() as session:
        course, other = session.get_one(Course, site.course.id), site.people["other"]
        assert reading.of_course(session, course)
        with pytest.raises(reading.NotFound):
            reading.one_of(session, course, case_id, session.get_one(User, other.id))


def test_a_voided_pick_leaves_the_choice_to_the_others(site: Site) -> None:
    better, worse = scored(site, "mei", 3), scored(site, "mei", 9)
    with site.state.database.session() as session:
        assignment, team = site.assignment(session), site.team(session, "mei")
        actor = session.get_one(User, site.people["mei"].id)
        accept.pick_finals(session, assignment, team, [better], actor=actor, now=utcnow())
    case_id = open_by_hand(site, better)
    notified(site, case_id)
    replied(site, case_id, "mei")
    voided(site, case_id)

    with site.state.database.reading() as session:
        assignment, team = site.assignment(session), site.team(session, "mei")
        there = placing.entries_of(session, assignment, team)
        best = placing.best_entries(assignment, there)
    assert {entry.public_id for entry in best.values() if entry} == {worse}


def test_on_a_ladder_later_entries_climb_without_the_voided_one(tmp_path: Path) -> None:
    folder = write_assignment(tmp_path / "animals", scoring='public_board = "ladder"')
    site = make_site(tmp_path, folder)
    looked, later = scored(site, "mei", 0), scored(site, "mei", 20)
    alone = scored(site, "kofi", 20)
    case_id = open_by_hand(site, looked)
    notified(site, case_id)
    replied(site, case_id, "mei")
    assert shown(site, later) == shown(site, looked)

    voided(site, case_id)
    site.score(later)

    assert shown(site, later) == shown(site, alone) < shown(site, looked)
    assert differences(site) == []
    site.state.close()


def shown(site: Site, public_id: str) -> float:
    evaluation = site.submission(public_id).current_evaluation
    assert evaluation is not None
    return next(each.shown for each in evaluation.splits if each.split.value == "public")


@pytest.mark.parametrize(
    ("change", "subject"),
    [
        ("UPDATE submission SET voided_at = NULL", "s_"),
        ("UPDATE submission_case SET state = 'closed'", "case:1"),
        ("UPDATE case_entry SET text = 'other' WHERE step = 'voided'", "case:1"),
        ("UPDATE case_entry SET text = '' WHERE step = 'reply'", "case:1"),
        ("UPDATE case_entry SET text = '', user_id = NULL WHERE step = 'reply'", "case:1"),
        ("UPDATE case_entry SET user_id = 1 WHERE step = 'voided'", "case:1"),
        ("DELETE FROM case_entry WHERE step IN ('notice', 'reply')", "case:1"),
    ],
)
def test_verify_finds_what_was_decided_past_the_server(
    site: Site, change: str, subject: str
) -> None:
    case_id = open_by_hand(site, scored(site, "mei", 3))
    notified(site, case_id)
    replied(site, case_id, "mei")
    voided(site, case_id)
    assert differences(site) == []

    with site.state.database.engine.begin() as connection:
        connection.execute(sa.text(change))

    assert any(each.startswith(subject) for each, _ in differences(site))


def test_a_person_gets_what_was_said_with_their_data_and_it_goes_with_them(site: Site) -> None:
    case_id = open_by_hand(site, scored(site, "mei", 3))
    unknown = open_by_hand(site, scored(site, "mei", 4))
    notified(site, case_id)
    replied(site, case_id, "mei")
    with site.state.database.session() as session:
        record = privacy.record_of(session, session.get_one(User, site.people["mei"].id))
        assert [each["id"] for each in record["cases"]] == [case_id] != [unknown]
        assert [step["text"] for step in record["cases"][0]["steps"]] == [
            *("How was it made?", "mei made it.")
        ]
        for each in session.scalars(sa.select(Case)).all():  # an open one holds an erasure up
            hearing.close(session, each, "It is mei's own.", actor=None)
        privacy.erase(session, site.state, session.get_one(User, site.people["mei"].id))

    with site.state.database.reading() as session:
        left = session.execute(sa.select(CaseEntry.text, CaseEntry.user_id)).all()
        assert left == [("", None)] * 6
    assert differences(site) == []


def test_instructors_and_the_team_do_it_all_by_page(app: Flask, site: Site, mem: set[str]) -> None:
    site.person("boss", Role.INSTRUCTOR)
    public_id = scored(site, "mei", 0, mem)
    boss, mei = signed_in(app, "boss"), signed_in(app, "mei")
    case, own = "/staff/c/dl-1/cases/1", "/c/dl-1/cases/1"

    assert "data-undecided>1 case to decide<" in boss.get("/staff/c/dl-1/").text
    assert "Of 240 that were answered rightly, 80" in " ".join(boss.get(case).text.split())
    assert 'data-case="1"' in boss.get("/staff/c/dl-1/cases/").text
    kept = send(
        boss, f"{case}/notice", form=case, text="Why & how?", reply_until="2001-01-01T00:00"
    )
    assert (kept.status_code, "Why &amp; how?" in kept.text) == (400, True)
    until = (utcnow() + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M")
    assert (
        send(boss, f"{case}/notice", form=case, text="How?", reply_until=until).status_code == 303
    )
    assert f'href="{own}"' in mei.get(f"/s/{public_id}").text
    assert "The teaching team has a question about" in mei.get("/notifications").text
    assert f'href="{own}"' in mei.get("/").text
    assert send(mei, f"{own}/reply", form=own, text="By hand.").status_code == 303
    assert "The team mei replied about" in boss.get("/notifications").text
    assert "By hand." in boss.get(case).text
    assert send(boss, f"{case}/void", form=case, text="So be it.").status_code == 303
    assert "data-awaits-reply" not in mei.get("/").text
    for page in (mei.get(f"/s/{public_id}").text, boss.get(f"/s/{public_id}").text):
        assert "So be it." in page[page.index("data-voided") :]
    assert "voided" in mei.get("/c/dl-1/a/animals/submissions").text
    assert send(boss, f"{case}/restore", form=case, text="No.").status_code == 303
    assert "data-voided" not in mei.get(f"/s/{public_id}").text
    again = send(boss, f"/staff/s/{public_id}/case", form=f"/s/{public_id}", grounds="Another.")
    assert again.location.endswith("/staff/c/dl-1/cases/2")


def test_the_command_lists_opens_and_decides(site: Site) -> None:
    public_id = scored(site, "mei", 3)
    state = site.settings.state_dir
    run(state, "cases", "dl-1", "--open", public_id, "--text", "The same file.")
    run(state, "cases", "dl-1", "1", "--void", "--text", "x", code=3)
    run(state, "cases", "dl-1", "1", "--notice", "--text", "How?", "--until", in_days(2))
    replied(site, 1, "mei")
    run(state, "cases", "dl-1", "1", "--void", "--text", "Copied.")

    shown = run(state, "cases", "dl-1", "1").output
    [listed] = json.loads(run(state, "cases", "dl-1", "--json").output)

    assert "state: voided" in shown
    assert "Copied." in shown
    assert (listed["submission"], listed["state"]) == (public_id, "voided")
    assert run(state, "cases", "dl-1", "--undecided").output.count("\n") == 1
