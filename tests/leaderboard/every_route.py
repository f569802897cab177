"""Every route with who may use it, and how a request to it is filled in."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import sqlalchemy as sa
from flask import Flask
from PIL import Image
from small_site import Site
from sqlalchemy.orm import Session
from werkzeug.routing import Rule

from grader.evaluation import pixels_sha256
from leaderboard.accounts import accounts
from leaderboard.accounts.links import Links
from leaderboard.accounts.rights import matrix, routes
from leaderboard.accounts.rights.matrix import Who
from leaderboard.accounts.rights.routes import Audience
from leaderboard.cases import hearing, opening
from leaderboard.db import utcnow, writing
from leaderboard.drafts import keeping
from leaderboard.grades import marks
from leaderboard.models import (
    Course,
    HeatMaps,
    Invitation,
    LoginSession,
    MarkKind,
    Notification,
    Regrade,
    Shown,
    Submission,
    Team,
    Upload,
    User,
)
from leaderboard.submissions import commitments
from leaderboard.teams import extensions, invitations
from sandbox import HEAT_SIDE

ALLOWED = routes.AUDIENCE

# what each person of the walk is to the course
WHO = {
    "anonymous": Who.ANONYMOUS,
    "outsider": Who.OUTSIDER,
    "other": Who.STUDENT,
    "mate": Who.STUDENT,
    "auditor": Who.AUDITOR,
    "examiner": Who.EXAMINER,
    "tutor": Who.TUTOR,  # of a section that nobody's submission is of
    "near-tutor": Who.TUTOR,
    "assistant": Who.ASSISTANT,
    "instructor": Who.INSTRUCTOR,
    "admin": Who.ADMIN,
}
# of those whom the table lets in, these have nothing to do with what is `mate`'s
_NOT_THEIRS = {"other", "auditor", "tutor"}
_OF_MATE = {Audience.OWN_TEAM, Audience.OWN_GRADED_TEAM, Audience.TEAM_AND_STAFF}
_ABOUT_MATES_WORK = {
    *("staff.rejudge", "jobs.cancel", "regrades.one", "regrades.reply", "api.rejudge"),
    *("examine.page", "examine.source", "examine.download", "examine.note"),
    *("examine.remove_note", "api.list_notes", "api.write_note", "api.submission_file"),
}
_OWN_UPLOAD = {
    *("hand_in.upload_state", "hand_in.send_part"),
    *("api.get_upload", "api.send_part", "api.withdraw_upload"),
}
_ABOUT_OTHER = {"grades.person"}  # who is of neither tutor's section


def may(person: str, endpoint: str) -> bool:
    """Whether somebody of the walk may use a route, by the table and by whose the thing is."""
    audience = ALLOWED[endpoint]
    if WHO[person] not in matrix.MATRIX[audience]:
        return False
    if audience is Audience.OWN or endpoint in _OWN_UPLOAD or endpoint == "team.revoke":
        return person == "mate"
    if audience in _OF_MATE or endpoint in _ABOUT_MATES_WORK:
        return person not in _NOT_THEIRS
    return not (endpoint in _ABOUT_OTHER and WHO[person] is Who.TUTOR)


def leave_traces(site: Site) -> None:
    """What the routes of people need: invitations, a second device of `mate`, a picture."""
    _show_a_picture(site)
    with site.state.database.session() as session:
        mate = session.get_one(User, site.person("mate").id)
        course = session.get_one(Course, site.course.id)
        invitations.invite(session, course, actor=None)
        team = site.team(session, "mate")
        invitations.invite(session, course, team=team, actor=mate)
        keeping.of_published(session, site.assignment(session), actor=None)
        _commit_to_an_upload(session, site, team, mate)
        more = extensions.More(late_days=1)
        extensions.grant(session, course, team, more, actor=None)
        _ask_about_a_submission(session, team)
        _decide_a_grade(session, site)
        _ask_about_a_grade(session, team)
        _look_at_the_sample(session, site, team)
        accounts.begin(session, mate, user_agent="", now=utcnow(), lifetime=timedelta(days=1))


def _show_a_picture(site: Site) -> None:
    (site.folder / "pictures").mkdir()
    Image.new("RGB", (4, 4)).save(site.folder / "pictures/cat.png")
    readme = site.folder / "README.md"
    readme.write_text(readme.read_text() + "\n![A cat](pictures/cat.png)\n")
    site.publish(site.folder)


def _ask_about_a_submission(session: Session, team: Team) -> None:
    submission = session.scalars(sa.select(Submission).filter_by(team_id=team.id)).first()
    if submission is None:
        return
    case = opening.open_by_hand(session, submission, "The same file as another.", actor=None)
    until = utcnow() + timedelta(days=7)
    hearing.give_notice(session, case, "How was it made?", reply_until=until, actor=None)


def _decide_a_grade(session: Session, site: Site) -> None:
    other = session.get_one(User, site.person("other").id)
    of = site.assignment(session)
    marks.decide(session, of, other, MarkKind.EXCUSED, reason="Ill.", actor=None)


def _ask_about_a_grade(session: Session, team: Team) -> None:
    submission = session.scalars(sa.select(Submission).filter_by(team_id=team.id)).first()
    if submission is None:
        return
    with writing(session):
        asked = Regrade(
            course_id=team.course_id,
            submission_id=submission.id,
            due_at=utcnow(),
            opened_at=utcnow(),
        )
        session.add(asked)


def _look_at_the_sample(session: Session, site: Site, team: Team) -> None:
    submission = session.scalars(sa.select(Submission).filter_by(team_id=team.id)).first()
    if submission is None:
        return
    images = np.load(site.folder / "sample/images.npy")
    with writing(session):
        session.add(
            HeatMaps(
                submission_id=submission.id,
                shown=Shown.SAMPLE,
                asked_at=utcnow(),
                verdict="OK",
                images_sha256=pixels_sha256(images[:1]),
                image_rows=[0],
                labels=[0],
                squares=bytes(HEAT_SIDE**2),
            )
        )


def _commit_to_an_upload(session: Session, site: Site, team: Team, mate: User) -> None:
    commitments.commit(
        session,
        site.state,
        assignment=site.assignment(session),
        team=team,
        user=mate,
        wanted=commitments.Wanted(sha256="a" * 64, size=7, filename="p.csv"),
        now=utcnow(),
    )


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
            "calendar.feed": links.of_calendar(mate),
            "account.confirm_address": links.of_address(mate, "mate@new.example"),
            "account.change_address": links.of_address(mate, "mate@new.example"),
        }
        to_course_link = links.of_invitation(to_course)
        session_id = session.scalars(
            sa.select(LoginSession.id).filter_by(user_id=mate.id).order_by(LoginSession.id)
        ).first()
        upload = session.scalars(sa.select(Upload.public_id).filter_by(user_id=mate.id)).first()
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
        "name": "cat.png",
        "extension_id": 1,
        "case_id": 1,
        "mark_id": 1,
        "decision_id": 1,
        "draft_id": 1,
        "regrade_id": 1,
        "reply_id": 1,
        "kind": "csv",
        "group": "homework",
        "upload": upload,
        "shown": "sample",
        "run": "0" * 32,
        "signed": "x.y.z",
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
