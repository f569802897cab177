"""Pages of the enrolled: courses, assignment, public pack, a team's own submissions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from markupsafe import Markup

from leaderboard.accounts import access as policy
from leaderboard.accounts import courses
from leaderboard.assignments import downloads, markdown, notebooks, samples
from leaderboard.assignments import pictures as readme_pictures
from leaderboard.boards import standings
from leaderboard.boards.place import Place, place_of
from leaderboard.boards.standings import Board
from leaderboard.cases import reading
from leaderboard.db import utcnow
from leaderboard.errors import BadRequest, NotAllowedNow, NotFound
from leaderboard.messages import sentences, words
from leaderboard.models import Assignment, Split
from leaderboard.rules import catalog, declarations, entrance, quota_ledger, schedule
from leaderboard.rules.entrance import Entrance
from leaderboard.rules.schedule import Phase
from leaderboard.state import current_state
from leaderboard.submissions import accept
from leaderboard.views import handed_in, history
from leaderboard.views.board import student_board
from leaderboard.web import charts, formats, pictures
from leaderboard.web.student.board import images_of, split_that_counts

student_pages = Blueprint("student", __name__)

_LIST_LENGTH: Final = 100


@dataclass(frozen=True, kw_only=True)
class AssignmentCard:
    """An assignment in a list, with its state and where the reader's team stands."""

    access: policy.Access
    assignment: Assignment
    entrance: Entrance
    board: Board | None  # with the team's own row; None for those who have no team
    place: Place | None
    images: int
    gain: float | None = None  # since Monday, of the one that is next


_SOON: Final = (Phase.OPEN, Phase.LATE)


@dataclass(frozen=True, kw_only=True)
class CourseEntry:
    """A course in a list, with its assignments."""

    access: policy.Access
    assignments: tuple[AssignmentCard, ...]


@student_pages.get("/")
@policy.sign_in_required
def home() -> ResponseReturnValue:
    """Every course of the reader with its assignments."""
    user = policy.require_user()
    courses = [_entry(access) for access in policy.my_courses(g.session, user)]
    cards = [card for entry in courses if entry.access.team for card in entry.assignments]
    return render_template(
        "home.html",
        courses=courses,
        next=_next(cards),
        cases=reading.awaiting(g.session, user),
    )


def _next(cards: list[AssignmentCard]) -> AssignmentCard | None:
    """What is due first of what can be handed in, with what is left and what was gained."""
    found = [card for card in cards if card.entrance.phase in _SOON]
    if not found:
        return None
    card = min(found, key=lambda each: (each.entrance.terms.end is None, each.entrance.terms.end))
    team = card.access.team
    assert team is not None
    monday = schedule.week_began(utcnow(), schedule.zone_of(card.access.course))
    return replace(
        card,
        entrance=entrance.of(g.session, card.assignment, team, utcnow()),
        gain=history.gain(g.session, card.assignment, team, monday) if card.place else None,
    )


@student_pages.get("/c/<course>/")
@policy.sign_in_required
def course(course: str) -> ResponseReturnValue:
    """One course."""
    access = policy.course_access(g.session, policy.require_user(), course)
    return render_template("course.html", entry=_entry(access))


def _entry(access: policy.Access) -> CourseEntry:
    # an external examiner reads elsewhere, and nothing of this
    is_open = access.may("student.assignment")
    found = courses.assignments(g.session, access.course) if is_open else ()
    return CourseEntry(access=access, assignments=tuple(_card(access, each) for each in found))


def _card(access: policy.Access, found: Assignment) -> AssignmentCard:
    split = split_that_counts(found)
    board = (
        student_board(g.session, found, access, split=split, per_page=1) if access.team else None
    )
    at_the_door = Entrance(
        phase=schedule.phase(found, access.team, utcnow()),
        terms=schedule.terms(found, access.team),
        quota=None,
    )
    return AssignmentCard(
        access=access,
        assignment=found,
        entrance=at_the_door,
        board=board,
        place=place_of(board) if board else None,
        images=images_of(found, split),
    )


@student_pages.get("/c/<course>/a/<slug>/")
@policy.sign_in_required
def assignment(course: str, slug: str) -> ResponseReturnValue:
    """Description, data, rules, limits, dates."""
    access, found = policy.assignment_access(g.session, policy.require_user(), course, slug)
    split = split_that_counts(found)
    board = student_board(g.session, found, access, split=split, per_page=1)
    rules = catalog.rules(found)
    return render_template(
        "assignment.html",
        access=access,
        assignment=found,
        board=board,
        place=place_of(board),
        images=images_of(found, split),
        pictures=_pictures(access, found),
        baselines=_baselines(found, board),
        rules=rules,
        board_words=words.board_title(rules.scoring.public_board),
        asks_declaration=declarations.is_asked(rules.rules),
        description=markdown.render(
            found.readme,
            title=found.title,
            picture_url=url_for("student.assignment", course=course, slug=slug) + "pictures/",
        ),
        entrance=entrance_of(access, found),
        server_url=_server_url(),
    )


def entrance_of(access: policy.Access, found: Assignment) -> Entrance:
    """Return whether the reader's team can hand something in now."""
    return entrance.of(g.session, found, access.team, utcnow())


def _pictures(access: policy.Access, found: Assignment) -> Markup | None:
    """Some pictures of each class, once students may have them."""
    phase = schedule.phase(found, access.team, utcnow())
    sample = None
    if access.is_staff or phase is not Phase.UPCOMING:
        sample = samples.of(current_state().blobs, found)
    if sample is None:
        return None
    return pictures.strip(
        sample,
        sheet_url(found),
        catalog.rules(found).classes,
        title=_("Pictures of each class, from the public sample"),
    )


def sheet_url(found: Assignment) -> str:
    """Return where a sample's sheet is; it changes with the content, so browsers keep it."""
    return url_for(
        "student.sample", course=found.course.code, slug=found.slug, v=found.pack_sha256[:12]
    )


def _baselines(found: Assignment, board: Board) -> Markup | None:
    """The baselines to beat on one axis, with the reader's best."""
    marks = [
        (each.team.shown_name, each.primary)
        for each in g.session.scalars(standings.baselines(found, board.split))
    ]
    if not marks:
        return None
    mine = board.mine.primary if board.mine else None
    values = [score for _name, score in marks] + ([] if mine is None else [mine])
    return charts.strip(
        charts.axis(values),
        teams=[],
        baselines=marks,
        mine=mine,
        title=_("The baselines on one scale"),
        notes={
            name: formats.duration(60 * minutes)
            for name, minutes in catalog.rules(found).scoring.baseline_minutes.items()
        },
    )


@student_pages.get("/c/<course>/a/<slug>/pictures/<name>")
@policy.sign_in_required
def picture(course: str, slug: str, name: str) -> ResponseReturnValue:
    """A picture that the assignment's README names."""
    _access, found = policy.assignment_access(g.session, policy.require_user(), course, slug)
    content = readme_pictures.read(current_state().blobs, found, name)
    if content is None:
        raise NotFound
    return Response(content, mimetype=readme_pictures.mimetype(content))


@student_pages.get("/c/<course>/a/<slug>/sample-sheet")
@policy.sign_in_required
def sample(course: str, slug: str) -> ResponseReturnValue:
    """The public sample's pictures on one sheet."""
    access, found = policy.assignment_access(g.session, policy.require_user(), course, slug)
    if not access.is_staff:
        schedule.check_opened(found, access.team, utcnow())
    drawn = samples.of(current_state().blobs, found)
    if drawn is None:
        raise NotFound
    response = Response(drawn.sheet, mimetype=drawn.mimetype)
    response.headers["Cache-Control"] = "private, max-age=86400"
    return response


@student_pages.get("/c/<course>/a/<slug>/pack.zip")
@policy.sign_in_required
def pack(course: str, slug: str) -> ResponseReturnValue:
    """The public pack, streamed."""
    access, found = policy.assignment_access(g.session, policy.require_user(), course, slug)
    if not access.is_staff:
        schedule.check_opened(found, access.team, utcnow())
    return downloads.pack(found)


@student_pages.get("/c/<course>/a/<slug>/notebook.ipynb")
@policy.sign_in_required
def notebook(course: str, slug: str) -> ResponseReturnValue:
    """A notebook that gets this assignment's data, trains and hands in."""
    access, found = policy.assignment_access(g.session, policy.require_user(), course, slug)
    if "csv" not in catalog.rules(found).submission.kinds:
        raise NotFound  # it hands predictions in
    if not access.is_staff:
        schedule.check_opened(found, access.team, utcnow())
    response = Response(
        notebooks.made_for(found, _server_url()), mimetype="application/x-ipynb+json"
    )
    response.headers["Content-Disposition"] = f'attachment; filename="{found.slug}.ipynb"'
    return response


def _server_url() -> str:
    return current_state().settings.public_url or request.host_url.rstrip("/")


@student_pages.get("/c/<course>/a/<slug>/submissions")
@policy.sign_in_required
def team_submissions(course: str, slug: str) -> ResponseReturnValue:
    """Everything that the reader's team handed in, newest first."""
    access, found = policy.assignment_access(g.session, policy.require_user(), course, slug)
    if access.team is None:
        raise NotFound
    team, now = access.team, utcnow()
    shown = entrance.of(g.session, found, team, now)
    used = shown.quota.used if shown.quota else 0
    return render_template(
        "submissions.html",
        access=access,
        assignment=found,
        rules=catalog.rules(found),
        entrance=shown,
        images=images_of(found, Split.PUBLIC),
        ledger=quota_ledger.of_day(g.session, found, team, now, used=used),
        submissions=handed_in.of_team(g.session, found, team, limit=_LIST_LENGTH),
    )


@student_pages.post("/c/<course>/a/<slug>/picks")
@policy.sign_in_required
def pick(course: str, slug: str) -> ResponseReturnValue:
    """Set the team's final picks."""
    access, found = policy.assignment_access(g.session, policy.require_user(), course, slug)
    if access.team is None:
        raise NotFound
    try:
        accept.pick_finals(
            g.session,
            found,
            access.team,
            request.form.getlist("pick"),
            actor=access.user,
            now=utcnow(),
        )
        flash(_("The final submissions were saved."), "good")
    except (BadRequest, NotAllowedNow) as error:
        flash(sentences.in_words(error.detail), "bad")
    return redirect(url_for("student.team_submissions", course=course, slug=slug), code=303)
