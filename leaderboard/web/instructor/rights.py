"""The page of who may do what in a course, and the form that gives somebody a role."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from leaderboard.accounts import access as policy
from leaderboard.accounts.rights.matrix import Who, may
from leaderboard.errors import BadRequest, NotAllowedNow, NotFound
from leaderboard.messages import sentences
from leaderboard.models import Role
from leaderboard.rules import schedule
from leaderboard.teams import people
from leaderboard.teams.rights import giving

rights_pages = Blueprint("rights", __name__, url_prefix="/staff/c/<course>/rights")

# an admin may what an instructor may, in every course
SHOWN: Final = (
    Who.STUDENT,
    Who.AUDITOR,
    Who.TUTOR,
    Who.ASSISTANT,
    Who.EXAMINER,
    Who.INSTRUCTOR,
    Who.OUTSIDER,
)


@dataclass(frozen=True, kw_only=True)
class Line:
    """What may be done, by whom; `own`: by whom with what is theirs alone."""

    title: str
    allowed: frozenset[Who]
    own: frozenset[Who]


@rights_pages.get("/")
@policy.sign_in_required
def page(course: str) -> ResponseReturnValue:
    """Who may do what, and who is what beside a student."""
    access = policy.course_access(g.session, policy.require_user(), course, at_least=Role.ASSISTANT)
    team = [each for each in people.of(g.session, access.course) if each.role is not Role.STUDENT]
    return render_template(
        "staff/rights.html",
        access=access,
        columns=[(who, _title(who)) for who in SHOWN],
        lines=_lines(),
        people=team if access.sees_everyone else (),
    )


@rights_pages.post("/<int:user_id>")
@policy.sign_in_required
def set_rights(course: str, user_id: int) -> ResponseReturnValue:
    """Make a person what they are to be, for their sections, until a date."""
    access = policy.course_access(
        g.session, policy.require_user(), course, at_least=Role.INSTRUCTOR
    )
    person = people.one(g.session, access.course, user_id)
    if person is None or user_id == access.user.id or person.role not in giving.ROLES:
        raise NotFound
    try:
        until = request.form.get("until", "").strip()
        giving.give(
            g.session,
            access.course,
            person.user,
            _role(request.form.get("role", ""), person.role),
            sections=giving.split(request.form.get("sees", "")),
            until=schedule.moment_of(until, access.course.time_zone) if until else None,
            actor=access.user,
        )
    except (BadRequest, NotAllowedNow) as error:
        flash(sentences.in_words(error.detail), "bad")
    else:
        flash(_("Saved."), "good")
    return redirect(url_for("person.page", course=course, user_id=user_id), code=303)


def _role(text: str, otherwise: Role) -> Role:
    return next((each for each in giving.ROLES if each.value == text), otherwise)


def _title(who: Who) -> str:
    titles = {
        Who.STUDENT: _("Student"),
        Who.AUDITOR: _("Auditing student"),
        Who.TUTOR: _("Assistant with sections"),
        Who.ASSISTANT: _("Assistant"),
        Who.EXAMINER: _("External examiner"),
        Who.INSTRUCTOR: _("Instructor"),
        Who.OUTSIDER: _("Staff of another course"),
    }
    return titles[who]


def _lines() -> Sequence[Line]:
    """What the page tells, each read off the routes that do it."""
    students = frozenset({Who.STUDENT, Who.AUDITOR})
    tutors = frozenset({Who.TUTOR})
    told = (
        (_("Read the assignment, its data and the public leaderboard"), "board.leaderboard", ()),
        (_("Submit"), "hand_in.send", ()),
        (_("Have a place on the leaderboard, and others in the team"), "team.invite", ()),
        (_("Have a grade, and ask about it"), "own_regrade.write", ()),
        (_("Read a submission and its public score"), "report.submission", students | tutors),
        (_("Read private scores, files and notes"), "examine.page", tutors),
        (_("Evaluate a submission again"), "staff.rejudge", tutors),
        (_("See who is in the course and who has not submitted"), "missing.page", tutors),
        (_("Read grades"), "grades.page", tutors),
        (_("Answer questions about grades"), "regrades.reply", tutors),
        (_("Read grades by pseudonym"), "examination.grades", ()),
        (_("Export grades"), "exports.download", ()),
        (_("See scores and difficulty over all teams"), "difficulty.page", ()),
        (_("Rescore, act on several submissions, order the queue"), "several.act", ()),
        (_("See answers of the hidden images"), "difficulty.sheet", ()),
        (_("Decide about grades and publish them"), "grades.decide", ()),
        (_("Publish the final results"), "staff.do_release", ()),
        (_("Extend, enrol, give roles"), "extensions.grant", ()),
        (_("Open and decide cases"), "cases.void", ()),
    )
    return [
        Line(
            title=title,
            allowed=frozenset(who for who in SHOWN if may(endpoint, who)),
            own=frozenset(own),
        )
        for title, endpoint, own in told
    ]
