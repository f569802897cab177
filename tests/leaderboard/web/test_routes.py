"""Every route × every role, from the application's own map of routes: nobody reaches what is not
theirs, and what is not theirs looks like what does not exist."""

from __future__ import annotations

import io
import re

import pytest
import sqlalchemy as sa
from every_route import ALLOWED, leave_traces, may, requests_of
from flask import Flask
from signing_in import signed_in
from small_site import PASSWORD, Site, predictions_csv

from leaderboard.accounts import accounts, courses
from leaderboard.accounts.rights.matrix import MATRIX, Who
from leaderboard.accounts.rights.routes import Audience
from leaderboard.models import Enrolment, Role

# whose walks leave everything as it is walk on one site; the others each have one of their own
TOGETHER = (("anonymous", "outsider", "examiner", "auditor", "other"), ("tutor", "near-tutor"))
WALKS = [*TOGETHER, *((person,) for person in ("mate", "assistant", "instructor", "admin"))]


@pytest.fixture
def populated(site: Site) -> tuple[Site, str]:
    """People in every role, and one scored submission of the team of `mate`."""
    site.person("mate")
    site.person("other")
    site.person("assistant", Role.ASSISTANT)
    site.person("instructor", Role.INSTRUCTOR)
    site.person("auditor", Role.AUDITOR)
    site.person("examiner", Role.EXAMINER)
    site.person("tutor", Role.ASSISTANT)
    site.person("near-tutor", Role.ASSISTANT)
    with site.state.database.session() as session:
        elsewhere = courses.create_course(session, code="dl-2", title="Another course")
        outsider = accounts.create_user(
            session, email="outsider@example.edu", name="outsider", password=PASSWORD
        )
        courses.enrol(session, elsewhere, outsider, Role.INSTRUCTOR)
        admin = accounts.create_user(
            session, email="admin@example.edu", name="admin", password=PASSWORD, is_admin=True
        )
        for user in (outsider, admin):
            session.refresh(user)
            site.people[user.name] = user
        session.expunge_all()
    with site.state.database.write() as session:
        of = {each.user_id: each for each in session.scalars(sa.select(Enrolment))}
        of[site.people["mate"].id].section = "M"
        of[site.people["near-tutor"].id].sees = ["M"]
        of[site.people["tutor"].id].sees = ["T", "U"]
    public_id = site.hand_in("mate", predictions_csv(site.folder, wrong=5))
    site.score(public_id)  # which tells `mate`
    leave_traces(site)
    return site, public_id


def test_every_route_says_who_may_use_it(app: Flask) -> None:
    assert {rule.endpoint for rule in app.url_map.iter_rules()} == set(ALLOWED)


@pytest.mark.parametrize("people", WALKS, ids="+".join)
def test_each_role_reaches_exactly_its_own_routes(
    app: Flask, populated: tuple[Site, str], people: tuple[str, ...]
) -> None:
    site, public_id = populated
    app.config["WTF_CSRF_ENABLED"] = False  # the next test is about that
    site.token("mate")  # the token number 1 of the walk

    wrong = [each for person in people for each in _wrong(app, site, public_id, person)]

    assert wrong == []


def _wrong(app: Flask, site: Site, public_id: str, person: str) -> list[str]:
    """Where a person's walk along every route is not answered as the table says."""
    wrong = []
    headers = {}
    if person != "anonymous":
        headers = {"Authorization": f"Bearer {site.token(person, staff=True)}"}
    client = signed_in(app, person)
    for rule, method, url in requests_of(app, public_id):
        if rule.endpoint in CHANGES_WHO_ASKS:
            continue  # the walk would go on as somebody else; test_sign_up.py walks these
        is_api = rule.endpoint.startswith("api.")
        body = {}
        if method == "POST":
            content = predictions_csv(site.folder, wrong=6)
            files = {"file": (io.BytesIO(content), "p.csv"), "show": "no", "again": "yes"}
            body = {"json": {"submissions": []}} if is_api else {"data": files}
            if rule.endpoint == "api.hand_in":
                body = {"data": files}
            if rule.endpoint == "api.release_board":
                body = {"json": {"released": False}}
        reply = client.open(url, method=method, headers=headers if is_api else {}, **body)
        status = reply.status_code
        if may(person, rule.endpoint):
            good = status < 400 or (status < 500 and rule.endpoint in MAY_REFUSE)
        elif ALLOWED[rule.endpoint] is Audience.AGENTS:
            good = status == (410 if rule.endpoint == "agents.fetch" else 401)
        elif ALLOWED[rule.endpoint] is Audience.NOBODY:
            good = status == 404
        elif person == "anonymous" and not is_api:
            good = status == 303 and reply.location.startswith("/sign-in")
        elif person == "anonymous":
            good = status == 401
        else:
            good = status == 404
        if not good:
            wrong.append(f"{person} {method} {url}: {status}")
        reply.close()
    return wrong


# without valid fields these refuse even whoever may use them
MAY_REFUSE = {
    "joint.download",  # the walk's assignment is of no group
    "regrades.reply",
    "regrades.assign",
    "regrades.save",
    "own_regrade.write",
    "api.ask_regrade",
    "api.answer_regrade",
    "api.assign_regrade",
    "api.save_reply",
    "grades.decide",
    "exports.fill",  # a file of the walk is no gradebook
    "api.fill_gradebook",
    "grades.publish",  # not before the results
    "grades.lower",
    "api.decide_grade",
    "api.publish_grades",
    "api.ask_lowering",
    "api.sign_lowering",
    "api.withdraw_lowering",
    "hand_in.commit_upload",
    "hand_in.send",  # the same file is asked about first
    "api.commit_upload",
    "hand_in.send_part",
    "api.send_part",
    "hand_in.upload_state",  # it is closed, or withdrawn by the route beside
    "api.get_upload",
    "api.withdraw_upload",
    "auth.sign_in_with_password",
    "sign_up.use_sign_in_code",
    "account.ask_erasure",
    "person.correct",
    "published.rename",
    "published.unpublish",
    "api.ask_erasure",
    "api.make_token",
    *("cases.open_case", "cases.notice", "cases.close", "cases.void", "cases.restore"),
    *("api.open_case", "api.give_notice", "api.close_case", "api.void_submission"),
    *("api.restore_submission", "api.reply_in_case", "own_case.reply"),
    "extensions.grant",
    *("extensions.away", "api.extend_all"),
    "calendar.feed",  # another address of `mate` ended the link before
    "api.grant_extension",
    "staff.rejudge",
    "api.rejudge",
    "api.cancel",  # it has a result
    "api.put_first",
    *("api.judge_several_again", "api.cancel_several", "api.write_note"),
    *("examine.note", "examine.remove_note"),
    "difficulty.sheet",  # no label is outvoted
    *("drafts.make", "drafts.save", "drafts.publish"),
    *("drafts.one", "drafts.sheet", "drafts.drop"),  # whoever came before has dropped it
    *("labels.picture", "labels.decide", "labels.confirm", "labels.drop"),
    *("api.decide_label", "api.confirm_label", "api.drop_label"),
    *("api.show_label_moves", "api.publish_labels"),  # nothing waits
    "api.remind_missing",  # once an hour
    "sign_up.use_code",
    "sign_up.ask_for_account",
    "account.change_password",
    "account.prove_address",
    "people.confirm",
    "account.ask_for_address",
    "team.rename",
}
CHANGES_WHO_ASKS = {
    "reading.begin",  # test_reading_as.py walks on as the student
    "person.unenrol",  # whom the other routes are about; test_person_pages.py walks it
    "auth.sign_out",
    "account.sign_out_everywhere",
    "sign_up.sign_up",
    "sign_up.set_password",
    "sign_up.join",
}


def test_what_is_not_theirs_looks_like_what_does_not_exist(
    app: Flask, populated: tuple[Site, str]
) -> None:
    site, public_id = populated
    client = signed_in(app, "other")
    headers = {"Authorization": f"Bearer {site.token('other')}"}
    token = re.compile(rb'value="[^"]{40,}"')  # the form's CSRF token changes by the second

    for pattern, extra in (("/s/{}", {}), ("/api/v1/submissions/{}", headers)):
        theirs = client.get(pattern.format(public_id), headers=extra)
        nothing = client.get(pattern.format("s_0000000000"), headers=extra)
        assert theirs.status_code == nothing.status_code == 404
        same = token.sub(b"", theirs.data).replace(public_id.encode(), b"s_0000000000")
        assert same == token.sub(b"", nothing.data)


def test_every_form_without_its_token_is_refused(app: Flask, populated: tuple[Site, str]) -> None:
    _, public_id = populated
    client = signed_in(app, "instructor")
    mate = signed_in(app, "mate")

    for rule, method, url in requests_of(app, public_id):
        if method == "POST" and not rule.endpoint.startswith(("api.", "agents.")):
            who = mate if Who.INSTRUCTOR not in MATRIX[ALLOWED[rule.endpoint]] else client
            assert who.post(url).status_code == 400, url


def test_the_api_takes_no_cookie(app: Flask, populated: tuple[Site, str]) -> None:
    _, public_id = populated
    client = signed_in(app, "mate")

    assert client.get(f"/api/v1/submissions/{public_id}").status_code == 401


def test_a_token_does_what_its_scopes_say(app: Flask, populated: tuple[Site, str]) -> None:
    site, public_id = populated
    client = app.test_client()
    plain = {"Authorization": f"Bearer {site.token('instructor')}"}
    staff = {"Authorization": f"Bearer {site.token('instructor', staff=True)}"}
    grades = "/api/v1/staff/courses/dl-1/assignments/animals/grades.csv"

    assert client.get(grades, headers=plain).status_code == 403
    assert client.get(grades, headers=staff).status_code == 200
    assert client.get(f"/api/v1/submissions/{public_id}", headers=plain).status_code == 404
    assert client.get(f"/api/v1/submissions/{public_id}", headers=staff).status_code == 200


def test_every_response_carries_the_protective_headers(
    app: Flask, populated: tuple[Site, str]
) -> None:
    _, public_id = populated
    client = signed_in(app, "mate")

    for _, method, url in requests_of(app, public_id):
        if method != "GET":
            continue
        with client.get(url) as reply:
            policy = reply.headers["Content-Security-Policy"]
            assert "unsafe-inline" not in policy
            assert "default-src 'none'" in policy
            assert reply.headers["X-Content-Type-Options"] == "nosniff"
