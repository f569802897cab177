"""Every route × every role, from the application's own map of routes: nobody reaches what is not
theirs, and what is not theirs looks like what does not exist."""

from __future__ import annotations

import io
import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from small_site import PASSWORD, Site, predictions_csv
from werkzeug.routing import Rule

from leaderboard import courses, invitations
from leaderboard.auth import service
from leaderboard.auth.links import Links
from leaderboard.db import utcnow
from leaderboard.models import Course, Invitation, LoginSession, Notification, Role, User

# who may: everyone, the signed-in, the enrolled, the team's members and staff, staff, instructors
ALLOWED = {
    "static": "everyone",
    "auth.sign_in": "everyone",
    "auth.sign_in_with_password": "everyone",
    "auth.sign_out": "everyone",
    "auth.choose_language": "everyone",
    "auth.choose_theme": "everyone",
    "auth.tokens": "signed-in",
    "auth.make_token": "signed-in",
    "auth.revoke_token": "own token",
    "sign_up.code": "everyone",
    "sign_up.use_code": "everyone",
    "sign_up.invitation": "everyone",
    "sign_up.join": "signed-in",
    "sign_up.ask_for_account": "everyone",
    "sign_up.confirmed": "everyone",
    "sign_up.sign_up": "everyone",
    "sign_up.forgotten": "everyone",
    "sign_up.send_reset": "everyone",
    "sign_up.choose_password": "everyone",
    "sign_up.set_password": "everyone",
    "sso.begin": "nobody",  # no provider is set
    "sso.finish": "nobody",
    "account.page": "signed-in",
    "account.save": "signed-in",
    "account.save_notices": "signed-in",
    "account.change_password": "signed-in",
    "account.ask_for_address": "signed-in",
    "account.confirm_address": "own link",
    "account.change_address": "own link",
    "account.sign_out_device": "own session",
    "account.sign_out_everywhere": "signed-in",
    "account.own_data": "signed-in",
    "account.about_privacy": "everyone",
    "account.notices": "signed-in",
    "account.mark_read": "signed-in",
    "account.follow": "own notice",
    "team.page": "teams",
    "team.rename": "teams",
    "team.invite": "teams",
    "team.revoke": "own invitation",
    "team.leave": "teams",
    "people.page": "staff",
    "people.invite": "instructor",
    "people.revoke": "instructor",
    "people.change_code": "instructor",
    "people.import_roster": "instructor",
    "people.set_team_rules": "instructor",
    "people.move": "instructor",
    "student.home": "signed-in",
    "student.course": "enrolled",
    "student.assignment": "enrolled",
    "student.pack": "enrolled",
    "student.team_submissions": "teams",
    "student.pick": "teams",
    "board.leaderboard": "enrolled",
    "board.leaderboard_csv": "enrolled",
    "board.leaderboard_json": "enrolled",
    "hand_in.form": "teams",
    "hand_in.rows": "teams",
    "hand_in.send": "teams",
    "report.submission": "team and staff",
    "report.follow": "team and staff",
    "report.claim": "own team",
    "report.cancel": "team and staff",
    "staff.home": "signed-in",
    "staff.course": "staff",
    "staff.assignment": "staff",
    "staff.grades": "staff",
    "staff.confirm_release": "instructor",
    "staff.do_release": "instructor",
    "staff.rejudge": "staff",
    "rescore.page": "staff",
    "rescore.start": "staff",
    "api.openapi": "everyone",
    "api.receipt_key": "everyone",
    "api.make_token": "everyone",
    "api.me": "signed-in",
    "api.assignments": "enrolled",
    "api.assignment": "enrolled",
    "api.pack": "enrolled",
    "api.leaderboard": "enrolled",
    "api.quota": "teams",
    "api.hand_in": "teams",
    "api.team_submissions": "teams",
    "api.picks": "teams",
    "api.submission": "team and staff",
    "api.submission_events": "team and staff",
    "api.cancel": "team and staff",
    "api.staff_submissions": "staff",
    "api.rejudge": "staff",
    "api.release_board": "instructor",
    "api.grades": "staff",
}
ROLES = {
    "everyone": {"anonymous", "outsider", "other", "mate", "assistant", "instructor", "admin"},
    "signed-in": {"outsider", "other", "mate", "assistant", "instructor", "admin"},
    "nobody": set(),
    "own token": {"mate"},
    "own session": {"mate"},
    "own notice": {"mate"},
    "own invitation": {"mate"},
    "own link": {"mate"},
    "enrolled": {"other", "mate", "assistant", "instructor", "admin"},
    "teams": {"other", "mate"},
    "own team": {"mate"},
    "team and staff": {"mate", "assistant", "instructor", "admin"},
    "staff": {"assistant", "instructor", "admin"},
    "instructor": {"instructor", "admin"},
}
PEOPLE = sorted(ROLES["everyone"])


@pytest.fixture
def populated(site: Site) -> tuple[Site, str]:
    """People in every role, and one scored submission of the team of `mate`."""
    site.person("mate")
    site.person("other")
    site.person("assistant", Role.ASSISTANT)
    site.person("instructor", Role.INSTRUCTOR)
    with site.state.database.session() as session:
        elsewhere = courses.create_course(session, code="dl-2", title="Another course")
        outsider = service.create_user(
            session, email="outsider@example.edu", name="outsider", password=PASSWORD
        )
        courses.enrol(session, elsewhere, outsider, Role.INSTRUCTOR)
        admin = service.create_user(
            session, email="admin@example.edu", name="admin", password=PASSWORD, is_admin=True
        )
        for user in (outsider, admin):
            session.refresh(user)
            site.people[user.name] = user
        session.expunge_all()
    public_id = site.hand_in("mate", predictions_csv(site.folder, wrong=5))
    site.score(public_id)  # which tells `mate`
    leave_traces(site)
    return site, public_id


def leave_traces(site: Site) -> None:
    """What the routes of people need: invitations, and a second device of `mate`."""
    with site.state.database.session() as session:
        mate = session.get_one(User, site.person("mate").id)
        course = session.get_one(Course, site.course.id)
        invitations.invite(session, course, actor=None)
        team = site.team(session, "mate")
        invitations.invite(session, course, team=team, actor=mate)
        service.begin(session, mate, user_agent="", now=utcnow(), lifetime=timedelta(days=1))


def signed_in(app: Flask, name: str) -> FlaskClient:
    client = app.test_client()
    if name != "anonymous":
        token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/sign-in").text)
        assert token is not None
        fields = {
            "email": f"{name}@example.edu",
            "password": PASSWORD,
            "next": "/",
            "csrf_token": token[1],
        }
        assert client.post("/sign-in", data=fields).status_code == 303
    return client


def requests_of(app: Flask, public_id: str) -> list[tuple[Rule, str, str]]:
    """Each route with its methods and a URL of the populated site."""
    state = app.extensions["leaderboard"]
    links = Links(state.settings.secret_key)
    with state.database.reading() as session:
        mate = session.scalars(sa.select(User).filter_by(email="mate@example.edu")).one()
        other = session.scalars(sa.select(User).filter_by(email="other@example.edu")).one()
        ways = session.scalars(sa.select(Invitation)).all()
        to_course = next(way for way in ways if way.team_id is None)
        to_team = next(way for way in ways if way.team_id is not None)
        secrets = {
            "sign_up.confirmed": links.of_sign_up(to_course.id, "new@example.edu"),
            "sign_up.sign_up": links.of_sign_up(to_course.id, "new@example.edu"),
            "sign_up.choose_password": links.of_password(other, timedelta(hours=1)),
            "sign_up.set_password": links.of_password(other, timedelta(hours=1)),
            "account.confirm_address": links.of_address(mate, "mate@new.example"),
            "account.change_address": links.of_address(mate, "mate@new.example"),
        }
        to_course_link = links.of_invitation(to_course)
        session_id = session.scalars(
            sa.select(LoginSession.id).filter_by(user_id=mate.id).order_by(LoginSession.id)
        ).first()
        notice_id = session.scalars(
            sa.select(Notification.id).filter_by(user_id=mate.id).order_by(Notification.id)
        ).first()
    values = {
        "session_id": session_id,
        "notice_id": notice_id,
        "user_id": other.id,
        "course": "dl-1",
        "slug": "animals",
        "public_id": public_id,
        "token_id": 1,
        "filename": "site.css",
    }
    adapter = app.url_map.bind("localhost")
    found = []
    for rule in app.url_map.iter_rules():
        values["secret"] = secrets.get(rule.endpoint, to_course_link)
        is_team = rule.endpoint.startswith("team.")
        values["invitation_id"] = to_team.id if is_team else to_course.id
        url = adapter.build(rule.endpoint, {name: values[name] for name in rule.arguments})
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            found.append((rule, method, url))
    return found


def test_every_route_says_who_may_use_it(app: Flask) -> None:
    assert {rule.endpoint for rule in app.url_map.iter_rules()} == set(ALLOWED)


@pytest.mark.parametrize("person", PEOPLE)
def test_each_role_reaches_exactly_its_own_routes(
    app: Flask, populated: tuple[Site, str], person: str
) -> None:
    site, public_id = populated
    app.config["WTF_CSRF_ENABLED"] = False  # the next test is about that
    wrong = []
    site.token("mate")  # the token number 1 of the walk
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
            files = {"file": (io.BytesIO(content), "p.csv"), "show": "no"}
            body = {"json": {"submissions": []}} if is_api else {"data": files}
            if rule.endpoint == "api.hand_in":
                body = {"data": files}
            if rule.endpoint == "api.release_board":
                body = {"json": {"released": False}}
        reply = client.open(url, method=method, headers=headers if is_api else {}, **body)
        may = person in ROLES[ALLOWED[rule.endpoint]]
        status = reply.status_code
        if may:
            good = status < 400 or (status < 500 and rule.endpoint in MAY_REFUSE)
        elif ROLES[ALLOWED[rule.endpoint]] == set():
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
    assert wrong == []


# without valid fields these refuse even whoever may use them
MAY_REFUSE = {
    "auth.sign_in_with_password",
    "api.make_token",
    "staff.rejudge",
    "api.rejudge",
    "api.cancel",  # it has a result
    "sign_up.use_code",
    "sign_up.ask_for_account",
    "account.change_password",
    "account.ask_for_address",
    "team.rename",
}
CHANGES_WHO_ASKS = {
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
        if method == "POST" and not rule.endpoint.startswith("api."):
            who = mate if ALLOWED[rule.endpoint] in ("teams", "own invitation") else client
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
