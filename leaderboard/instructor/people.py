"""Staff's page of a course's people: who is in it, ways in, teams and their rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from leaderboard import courses, invitations, people, roster, sentences, teams
from leaderboard.auth import policy
from leaderboard.auth.links import Links
from leaderboard.db import utcnow
from leaderboard.errors import BadRequest, NotFound
from leaderboard.models import Course, Role, Team
from leaderboard.state import current_state

people_pages = Blueprint("people", __name__, url_prefix="/staff/c/<course>/people")


@people_pages.get("/")
@policy.sign_in_required
def page(course: str) -> ResponseReturnValue:
    """Everybody in the course, and how others come in."""
    return _page(_staff(course, Role.ASSISTANT))


def _page(access: policy.Access, elsewhere: Sequence[roster.Listed] = ()) -> str:
    settings = current_state().settings
    links = Links(settings.secret_key)
    base = settings.public_url or request.host_url.rstrip("/")
    return render_template(
        "staff/people.html",
        access=access,
        people=people.of(g.session, access.course),
        teams=teams.all_of(g.session, access.course),
        sends_mail=settings.sends_mail,
        join_url=f"{base}/join",
        until=_local_text(access.course),
        elsewhere=elsewhere,
        invitations=[
            (each, f"{base}/join/{links.of_invitation(each)}")
            for each in invitations.live(g.session, access.course, utcnow())
        ],
    )


@people_pages.post("/invite")
@policy.sign_in_required
def invite(course: str) -> ResponseReturnValue:
    """Make a link, or mail one to each address given."""
    access = _staff(course)
    role = _role(request.form.get("role", ""))
    addresses = request.form.get("emails", "").replace(",", " ").replace(";", " ").split()
    try:
        people.invite(g.session, access.course, addresses, role=role, actor=access.user)
    except BadRequest as error:
        flash(sentences.in_words(error.detail), "bad")
        return _back(course, "invite")
    if addresses:
        count = len(addresses)
        flash(
            ngettext("%(num)s invitation was sent.", "%(num)s invitations were sent.", count),
            "good",
        )
    else:
        flash(_("The link is ready."), "good")
    return _back(course, "invite")


@people_pages.post("/invitations/<int:invitation_id>/revoke")
@policy.sign_in_required
def revoke(course: str, invitation_id: int) -> ResponseReturnValue:
    """End an invitation."""
    access = _staff(course)
    for found in invitations.live(g.session, access.course, utcnow()):
        if found.id == invitation_id:
            invitations.revoke(g.session, found, actor=access.user)
            flash(_("The invitation no longer works."), "good")
            return _back(course, "invite")
    raise NotFound


@people_pages.post("/code")
@policy.sign_in_required
def change_code(course: str) -> ResponseReturnValue:
    """Give the course a new code, or none."""
    access = _staff(course)
    if request.form.get("open") == "no":
        invitations.end_code(g.session, access.course, actor=access.user)
    else:
        invitations.renew_code(g.session, access.course, actor=access.user)
    return _back(course, "invite")


@people_pages.post("/roster")
@policy.sign_in_required
def import_roster(course: str) -> ResponseReturnValue:
    """Enrol a class list; new accounts get a mail with a link to choose a password by."""
    access = _staff(course)
    try:
        entries = roster.read(request.form.get("roster", ""))
    except BadRequest as error:
        flash(sentences.in_words(error.detail), "bad")
        return _back(course, "roster")
    listed = roster.enrol_by_mail(g.session, access.course, entries, actor=access.user)
    count = len({each.user.id for each in listed})
    flash(ngettext("%(num)s person is enrolled.", "%(num)s people are enrolled.", count), "good")
    elsewhere = [each for each in listed if each.is_under_another_address]
    # a list of any length is no message to carry in a cookie; sending the form again is harmless
    return _page(access, elsewhere) if elsewhere else _back(course)


@people_pages.post("/teams")
@policy.sign_in_required
def set_team_rules(course: str) -> ResponseReturnValue:
    """How large teams may be, and until when they may change."""
    access = _staff(course)
    try:
        people.set_team_rules(
            g.session,
            access.course,
            size=request.form.get("size", 0, type=int),
            until=_moment(request.form.get("until", ""), access.course),
            actor=access.user,
        )
    except BadRequest as error:
        flash(sentences.in_words(error.detail), "bad")
    else:
        flash(_("Saved."), "good")
    return _back(course, "teams")


@people_pages.post("/<int:user_id>/team")
@policy.sign_in_required
def move(course: str, user_id: int) -> ResponseReturnValue:
    """Move a student to another team."""
    access = _staff(course)
    student = people.student(g.session, access.course, user_id)
    team_id = request.form.get("team", 0, type=int)
    target = g.session.get(Team, team_id) if team_id else None
    if student is None or (team_id and target is None):
        raise NotFound
    teams.move(g.session, access.course, student, target, actor=access.user)
    flash(_("%(name)s is in another team now.", name=student.name), "good")
    return _back(course)


def _staff(course: str, at_least: Role = Role.INSTRUCTOR) -> policy.Access:
    return policy.course_access(g.session, policy.require_user(), course, at_least=at_least)


def _role(text: str) -> Role:
    """A role that people are invited in; the baselines' is for the command line."""
    known = (Role.STUDENT, Role.ASSISTANT, Role.INSTRUCTOR)
    return next((role for role in known if role.value == text), Role.STUDENT)


def _moment(text: str, course: Course) -> datetime | None:
    """A moment as browsers write it, meant in the course's time zone."""
    if not text.strip():
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=courses.zone_of(course))
    except ValueError:
        raise BadRequest("This is no date and time.") from None


def _local_text(course: Course) -> str:
    if course.teams_until is None:
        return ""
    return course.teams_until.astimezone(courses.zone_of(course)).strftime("%Y-%m-%dT%H:%M")


def _back(course: str, anchor: str = "") -> ResponseReturnValue:
    return redirect(url_for("people.page", course=course, _anchor=anchor or None), code=303)
