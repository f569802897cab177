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


def _instructors(room: str, names: str) -> dict[str, str]:
    return dict.fromkeys((f"{room}.{name}" for name in names.split()), "instructor")


# who may: everyone, the signed-in, the enrolled, the team's members and staff, staff, instructors
ALLOWED = {
    "static": "everyone",
    "probes.alive": "everyone",
    "probes.ready": "everyone",
    "probes.numbers": "everyone",  # of this machine, which the walk is (test_probes.py)
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
    "sign_up.ask_for_code": "everyone",
    "sign_up.use_sign_in_code": "everyone",
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
    "account.prove_address": "signed-in",
    "account.sign_out_device": "own session",
    "account.sign_out_everywhere": "signed-in",
    "account.own_data": "signed-in",
    "account.ask_erasure": "signed-in",
    "account.withdraw_erasure": "signed-in",
    "account.about_privacy": "everyone",
    "account.notices": "signed-in",
    "account.mark_read": "signed-in",
    "account.follow": "own notice",
    "team.page": "teams",
    "team.rename": "teams",
    "team.invite": "teams",
    "team.revoke": "own invitation",
    "team.leave": "teams",
    "codes.page": "instructor",
    "codes.make": "instructor",
    "person.page": "instructor",
    "person.correct": "instructor",
    "person.unenrol": "instructor",
    "published.page": "instructor",
    "published.rename": "instructor",
    "published.unpublish": "instructor",
    "people.page": "staff",
    "people.invite": "instructor",
    "people.revoke": "instructor",
    "people.change_code": "instructor",
    "people.import_roster": "instructor",
    "people.preview_roster": "instructor",
    "people.set_team_rules": "instructor",
    "people.move": "instructor",
    "people.confirm": "instructor",
    "extensions.page": "instructor",
    "extensions.grant": "instructor",
    "extensions.revoke": "instructor",
    "extensions.away": "instructor",
    "calendar.feed": "everyone",  # who has the link
    "cases.page": "instructor",
    "cases.one": "instructor",
    "cases.open_case": "instructor",
    "cases.notice": "instructor",
    "cases.close": "instructor",
    "cases.void": "instructor",
    "cases.restore": "instructor",
    "grades.page": "staff",
    "grades.person": "staff",
    "grades.scale": "staff",
    "grades.decide": "instructor",
    "grades.revoke": "instructor",
    "grades.publish": "instructor",
    "grades.lower": "instructor",
    "exports.page": "staff",
    "exports.download": "staff",
    "exports.fill": "staff",
    "joint.page": "staff",
    "joint.download": "staff",
    "regrades.page": "staff",
    "regrades.one": "staff",
    "regrades.reply": "staff",
    "regrades.assign": "staff",
    "regrades.save": "staff",
    "regrades.forget": "staff",
    "own_regrade.page": "own team",
    "own_regrade.write": "own team",
    "own_grade.page": "enrolled",
    "own_case.page": "own team",
    "own_case.reply": "own team",
    "student.home": "signed-in",
    "student.course": "enrolled",
    "student.assignment": "enrolled",
    "student.sample": "enrolled",
    "student.picture": "enrolled",
    "student.pack": "enrolled",
    "student.notebook": "enrolled",
    "student.team_submissions": "teams",
    "student.pick": "teams",
    "board.leaderboard": "enrolled",
    "board.leaderboard_csv": "enrolled",
    "board.leaderboard_json": "enrolled",
    "hand_in.form": "teams",
    "hand_in.rows": "teams",
    "hand_in.send": "teams",
    "hand_in.commit_upload": "teams",
    "hand_in.upload_state": "own upload",
    "hand_in.send_part": "own upload",
    "report.submission": "team and staff",
    "report.follow": "team and staff",
    "report.claim": "own team",
    "report.cancel": "team and staff",
    "heat.ask": "team and staff",
    "heat.sheet": "team and staff",
    "staff.home": "signed-in",
    "staff.course": "staff",
    "staff.assignment": "staff",
    "staff.grades": "staff",
    "staff.confirm_release": "instructor",
    "staff.do_release": "instructor",
    "staff.rejudge": "staff",
    "several.act": "staff",
    "examine.page": "staff",
    "examine.source": "staff",
    "examine.download": "staff",
    "examine.note": "staff",
    "examine.remove_note": "staff",
    "jobs.page": "staff",
    "jobs.cancel": "staff",
    "jobs.first": "staff",
    "difficulty.page": "staff",
    "difficulty.sheet": "instructor",
    **_instructors("drafts", "page make edit one sheet save publish drop"),
    **_instructors("labels", "page picture decide decided show confirm drop publish"),
    "missing.page": "staff",
    "missing.remind": "staff",
    "rescore.page": "staff",
    "rescore.start": "staff",
    "agents.join": "agents",
    "agents.leave": "agents",
    "agents.lease": "agents",
    "agents.fetch": "agents",
    "agents.beat": "agents",
    "agents.result": "agents",
    "api.openapi": "everyone",
    "api.receipt_key": "everyone",
    "api.make_token": "everyone",
    "api.me": "signed-in",
    "api.erasure": "signed-in",
    "api.ask_erasure": "signed-in",
    "api.withdraw_erasure": "signed-in",
    "api.assignments": "enrolled",
    "api.assignment": "enrolled",
    "api.pack": "enrolled",
    "api.leaderboard": "enrolled",
    "api.quota": "teams",
    "api.hand_in": "teams",
    "api.commit_upload": "teams",
    "api.get_upload": "own upload",
    "api.send_part": "own upload",
    "api.withdraw_upload": "own upload",
    "api.team_submissions": "teams",
    "api.picks": "teams",
    "api.submission": "team and staff",
    "api.submission_events": "team and staff",
    "api.cancel": "team and staff",
    "api.staff_submissions": "staff",
    "api.rejudge": "staff",
    "api.course_overview": "staff",
    "api.judge_several_again": "staff",
    "api.cancel_several": "staff",
    "api.list_notes": "staff",
    "api.write_note": "staff",
    "api.submission_file": "staff",
    "api.course_jobs": "staff",
    "api.put_first": "staff",
    "api.list_missing": "staff",
    "api.assignment_difficulty": "instructor",
    "api.list_label_decisions": "instructor",
    "api.decide_label": "instructor",
    "api.show_label_moves": "instructor",
    "api.confirm_label": "instructor",
    "api.drop_label": "instructor",
    "api.publish_labels": "instructor",
    "api.remind_missing": "staff",
    "api.release_board": "instructor",
    "api.grades": "staff",
    "api.get_case": "own team",
    "api.reply_in_case": "own team",
    "api.list_cases": "instructor",
    "api.open_case": "instructor",
    "api.get_staff_case": "instructor",
    "api.give_notice": "instructor",
    "api.close_case": "instructor",
    "api.void_submission": "instructor",
    "api.restore_submission": "instructor",
    "api.own_grade": "enrolled",
    "api.list_grades": "staff",
    "api.decide_grade": "instructor",
    "api.revoke_decision": "instructor",
    "api.publish_grades": "instructor",
    "api.export_grades": "staff",
    "api.fill_gradebook": "staff",
    "api.get_regrade": "own team",
    "api.ask_regrade": "own team",
    "api.list_joint_grades": "staff",
    "api.list_regrades": "staff",
    "api.answer_regrade": "staff",
    "api.assign_regrade": "staff",
    "api.list_saved_replies": "staff",
    "api.save_reply": "staff",
    "api.forget_reply": "staff",
    "api.ask_lowering": "instructor",
    "api.sign_lowering": "instructor",
    "api.withdraw_lowering": "instructor",
    "api.list_extensions": "instructor",
    "api.grant_extension": "instructor",
    "api.revoke_extension": "instructor",
    "api.extend_all": "instructor",
}


ROLES = {
    "everyone": {"anonymous", "outsider", "other", "mate", "assistant", "instructor", "admin"},
    "signed-in": {"outsider", "other", "mate", "assistant", "instructor", "admin"},
    "nobody": set(),
    "agents": set(),
    "own token": {"mate"},
    "own upload": {"mate"},
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
