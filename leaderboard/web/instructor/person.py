"""Staff's page of one person in a course: corrections, another team, a code, taking them out."""

from __future__ import annotations

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from leaderboard.accounts import access as policy
from leaderboard.errors import BadRequest, NotAllowedNow, NotFound
from leaderboard.messages import sentences
from leaderboard.models import Role
from leaderboard.rules import schedule
from leaderboard.teams import leaving, membership, people
from leaderboard.teams.rights import giving
from leaderboard.views.staff import listing

person_pages = Blueprint("person", __name__, url_prefix="/staff/c/<course>/people/<int:user_id>")


@person_pages.get("/")
@policy.sign_in_required
def page(course: str, user_id: int) -> ResponseReturnValue:
    """One person, and what can be done about them."""
    access, person = _person(course, user_id)
    return _page(access, person)


@person_pages.post("/")
@policy.sign_in_required
def correct(course: str, user_id: int) -> ResponseReturnValue:
    """Give them another name, student number or section."""
    access, person = _person(course, user_id)
    fields = {name: request.form.get(name, "") for name in ("name", "number", "section")}
    try:
        people.correct(g.session, access.course, person, **fields, actor=access.user)
    except (BadRequest, NotAllowedNow) as error:
        problem = sentences.in_words(error.detail)
        return _page(access, person, problem=problem, **fields), error.http_status
    flash(_("Saved."), "good")
    return redirect(url_for("person.page", course=course, user_id=user_id), code=303)


@person_pages.post("/unenrol")
@policy.sign_in_required
def unenrol(course: str, user_id: int) -> ResponseReturnValue:
    """Take them out of the course."""
    access, person = _person(course, user_id)
    if person.user.id == access.user.id:
        raise NotFound  # nobody locks themself out
    name = person.user.name
    leaving.unenrol(g.session, access.course, person.user, actor=access.user)
    flash(_("%(name)s is no longer in the course.", name=name), "good")
    return redirect(url_for("people.page", course=course), code=303)


def _person(course: str, user_id: int) -> tuple[policy.Access, people.Person]:
    access = policy.course_access(
        g.session, policy.require_user(), course, at_least=Role.INSTRUCTOR
    )
    found = people.one(g.session, access.course, user_id)
    if found is None:
        raise NotFound
    return access, found


def _page(access: policy.Access, person: people.Person, *, problem: str = "", **typed: str) -> str:
    kept = {"name": person.user.name, "number": person.number, "section": person.section}
    return render_template(
        "staff/person.html",
        access=access,
        person=person,
        typed={**kept, **typed},
        problem=problem,
        teams=membership.all_of(g.session, access.course),
        roles=giving.ROLES,
        until=schedule.local_text(person.ends_at, access.course),
        all_sections=listing.sections(g.session, access.course),
    )
