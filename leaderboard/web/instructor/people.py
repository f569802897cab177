"""Staff's page of a course's people: who is in it, ways in, teams and their rules."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import ngettext

from leaderboard.accounts import access as policy
from leaderboard.accounts import accounts, courses
from leaderboard.accounts.links import WELCOME_LASTS, Links
from leaderboard.db import utcnow
from leaderboard.errors import BadRequest, NotFound
from leaderboard.messages import sentences
from leaderboard.models import Course, Role, Team
from leaderboard.rules import schedule
from leaderboard.state import current_state
from leaderboard.submissions import uploads
from leaderboard.teams import class_list, invitations, membership, people, proofs, roster
from leaderboard.web.reading import whole

people_pages = Blueprint("people", __name__, url_prefix="/staff/c/<course>/people")


@people_pages.get("/")
@policy.sign_in_required
def page(course: str) -> ResponseReturnValue:
    """Everybody in the course, and how others come in."""
    return _page(_staff(course, Role.ASSISTANT))


def _page(access: policy.Access, told: Sequence[roster.Listed] = ()) -> str:
    settings = current_state().settings
    links = Links(settings.secret_key)
    base = settings.public_url or request.host_url.rstrip("/")
    return render_template(
        "staff/people.html",
        access=access,
        people=people.of(g.session, access.course, access.sections),
        teams=membership.all_of(g.session, access.course) if access.is_instructor else (),
        sends_mail=settings.sends_mail,
        join_url=f"{base}/join",
        until=schedule.local_text(access.course.teams_until, access.course),
        elsewhere=[each for each in told if each.is_under_another_address],
        unproved=[each for each in told if each.is_unproved],
        code_of=partial(proofs.code_of, settings.secret_key),
        welcome_days=WELCOME_LASTS.days,
        welcomes=[
            (each.entry, f"{base}/password/{links.of_password(each.user, WELCOME_LASTS)}")
            for each in told
            if _needs_link(each)
        ],
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


@people_pages.post("/roster/preview")
@policy.sign_in_required
def preview_roster(course: str) -> ResponseReturnValue:
    """What was understood of a class list, and what enrolling it would do. Nothing is written."""
    access = _staff(course)
    try:
        content = uploads.small_file() or request.form.get("roster", "")
        found = class_list.read(content, domain=request.form.get("domain", ""))
        preview = roster.preview(g.session, access.course, found.entries)
    except BadRequest as error:
        flash(sentences.in_words(error.detail), "bad")
        return _back(course, "roster")
    return render_template(
        "staff/roster.html",
        access=access,
        found=found,
        preview=preview,
        text=class_list.written(found.entries),
        sends_mail=current_state().settings.sends_mail,
    )


@people_pages.post("/roster")
@policy.sign_in_required
def import_roster(course: str) -> ResponseReturnValue:
    """Enrol a class list: everybody, or nobody where a line is wrong.

    New accounts get a mail with a link to choose a password by; without a mail server, staff see
    the links and hand them out.
    """
    access = _staff(course)
    settings = current_state().settings
    try:
        entries = class_list.read(request.form.get("roster", "")).entries
        enrol = roster.enrol_by_mail if settings.sends_mail else roster.enrol_without_passwords
        listed = enrol(g.session, access.course, entries, actor=access.user)
    except BadRequest as error:
        flash(sentences.in_words(error.detail), "bad")
        return _back(course, "roster")
    count = len({each.user.id for each in listed if not each.is_unproved})
    flash(ngettext("%(num)s person is enrolled.", "%(num)s people are enrolled.", count), "good")
    told = [
        each
        for each in listed
        if each.is_under_another_address or each.is_unproved or _needs_link(each)
    ]
    # a list of any length is no message to carry in a cookie; sending the form again is harmless
    return _page(access, told) if told else _back(course)


@people_pages.post("/confirm")
@policy.sign_in_required
def confirm(course: str) -> ResponseReturnValue:
    """Vouch for the address of an account, and enrol it where the class list asked for that."""
    access = _staff(course)
    user = accounts.user_of_email(g.session, request.form.get("email", ""))
    if user is None:
        raise NotFound
    proofs.confirm(g.session, user, actor=access.user)
    if request.form.get("role"):
        role, section = _role(request.form["role"]), request.form.get("section", "")[:64]
        courses.enrol(g.session, access.course, user, role, section=section, actor=access.user)
    flash(_("The address of %(name)s is confirmed.", name=user.name), "good")
    return _back(course)


@people_pages.post("/teams")
@policy.sign_in_required
def set_team_rules(course: str) -> ResponseReturnValue:
    """How large teams may be, and until when they may change."""
    access = _staff(course)
    try:
        people.set_team_rules(
            g.session,
            access.course,
            size=request.form.get("size", 0, type=whole),
            until=_moment(request.form.get("until", ""), access.course),
            links_enrol=request.form.get("links_enrol") == "yes",
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
    team_id = request.form.get("team", 0, type=whole)
    target = g.session.get(Team, team_id) if team_id else None
    if student is None or (team_id and target is None):
        raise NotFound
    membership.move(g.session, access.course, student, target, actor=access.user)
    flash(_("%(name)s is in another team now.", name=student.name), "good")
    return _back(course)


def _staff(course: str, at_least: Role = Role.INSTRUCTOR) -> policy.Access:
    return policy.course_access(g.session, policy.require_user(), course, at_least=at_least)


def _needs_link(listed: roster.Listed) -> bool:
    """Whether staff have to hand out the link of a new account, which nobody mails."""
    return listed.is_new and not (current_state().settings.sends_mail and listed.user.address)


def _role(text: str) -> Role:
    """A role that people are invited in; the baselines' is for the command line."""
    known = (Role.STUDENT, Role.ASSISTANT, Role.INSTRUCTOR)
    return next((role for role in known if role.value == text), Role.STUDENT)


def _moment(text: str, course: Course) -> datetime | None:
    """A moment as browsers write it, meant in the course's time zone."""
    return schedule.moment_of(text, course.time_zone) if text.strip() else None


def _back(course: str, anchor: str = "") -> ResponseReturnValue:
    return redirect(url_for("people.page", course=course, _anchor=anchor or None), code=303)
