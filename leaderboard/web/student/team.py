"""The reader's team in a course: its people and names, invitations, leaving."""

from __future__ import annotations

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from leaderboard.accounts import access as policy
from leaderboard.accounts import throttle
from leaderboard.accounts.links import Links
from leaderboard.accounts.throttle import Key
from leaderboard.db import utcnow, writing
from leaderboard.errors import BadRequest, NotAllowedNow, NotFound
from leaderboard.messages import sentences
from leaderboard.models import Team
from leaderboard.state import current_state
from leaderboard.teams import invitations, membership

team_pages = Blueprint("team", __name__)


@team_pages.get("/c/<course>/team")
@policy.sign_in_required
def page(course: str) -> ResponseReturnValue:
    """Who is in the team, what it is called, how others join."""
    access, team = _mine(course)
    return _page(access, team)


@team_pages.post("/c/<course>/team")
@policy.sign_in_required
def rename(course: str) -> ResponseReturnValue:
    """Give the team its names."""
    access, team = _mine(course)
    name, pseudonym = request.form.get("name", ""), request.form.get("pseudonym", "")
    try:
        membership.rename(g.session, team, name=name, pseudonym=pseudonym, actor=access.user)
    except (BadRequest, NotAllowedNow) as error:
        problem = sentences.in_words(error.detail)
        return _page(access, team, problem=problem, name=name, pseudonym=pseudonym), 400
    flash(_("Saved."), "good")
    return redirect(url_for("team.page", course=course), code=303)


@team_pages.post("/c/<course>/team/invite")
@policy.sign_in_required
def invite(course: str) -> ResponseReturnValue:
    """Make a link for others, or send one to a mailbox."""
    access, team = _mine(course)
    email = request.form.get("email", "").strip()
    try:
        if email:
            _count_mail(access)
        invitations.invite(
            g.session,
            access.course,
            team=team,
            email=email or None,
            actor=access.user,
            lasts=invitations.TEAM_LASTS,
        )
    except BadRequest as error:
        flash(sentences.in_words(error.detail), "bad")
    else:
        flash(_("The invitation was sent.") if email else _("The link is ready."), "good")
    return redirect(url_for("team.page", course=course, _anchor="invite"), code=303)


@team_pages.post("/c/<course>/team/invitations/<int:invitation_id>/revoke")
@policy.sign_in_required
def revoke(course: str, invitation_id: int) -> ResponseReturnValue:
    """End an invitation of the team."""
    access, team = _mine(course)
    for found in invitations.of_team(g.session, team, utcnow()):
        if found.id == invitation_id:
            invitations.revoke(g.session, found, actor=access.user)
            flash(_("The invitation no longer works."), "good")
            return redirect(url_for("team.page", course=course, _anchor="invite"), code=303)
    raise NotFound


@team_pages.post("/c/<course>/team/leave")
@policy.sign_in_required
def leave(course: str) -> ResponseReturnValue:
    """Leave for a team of one's own."""
    access, team = _mine(course)
    try:
        membership.leave(g.session, team, access.user)
    except NotAllowedNow as error:
        flash(sentences.in_words(error.detail), "bad")
    else:
        flash(_("You left the team, and have one of your own now."), "good")
    return redirect(url_for("team.page", course=course), code=303)


def _mine(course: str) -> tuple[policy.Access, Team]:
    access = policy.course_access(g.session, policy.require_user(), course)
    if access.team is None or access.team.is_baseline:
        raise NotFound
    return access, access.team


def _count_mail(access: policy.Access) -> None:
    """A student's mails to others are few: the server must not be a way to send spam."""
    now = utcnow()
    keys = [Key(rule=throttle.TEAM_MAIL, who=str(access.user.id))]
    with writing(g.session):
        throttle.take(g.session, keys, now)


def _page(access: policy.Access, team: Team, *, problem: str = "", **typed: str) -> str:
    settings = current_state().settings
    links = Links(settings.secret_key)
    base = settings.public_url or request.host_url.rstrip("/")
    return render_template(
        "team.html",
        access=access,
        roster=membership.roster(g.session, team, utcnow()),
        problem=problem,
        typed={"name": team.name, "pseudonym": team.pseudonym or "", **typed},
        sends_mail=settings.sends_mail,
        invitations=[
            (each, f"{base}/join/{links.of_invitation(each)}")
            for each in invitations.of_team(g.session, team, utcnow())
        ],
    )
