"""The page of an assignment's results: scores, classes, confusions, and, for instructors, the
pictures whose label somebody should look at."""

from __future__ import annotations

from flask import Blueprint, Response, g, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from markupsafe import Markup

from leaderboard.accounts import access as policy
from leaderboard.errors import NotFound
from leaderboard.models import Assignment, Role
from leaderboard.state import current_state
from leaderboard.views.staff import difficulty
from leaderboard.views.staff.difficulty import Difficulty, Examined
from leaderboard.web import charts, pictures

difficulty_pages = Blueprint(
    "difficulty", __name__, url_prefix="/staff/c/<course>/a/<slug>/difficulty"
)


@difficulty_pages.get("/")
@policy.sign_in_required
def page(course: str, slug: str) -> ResponseReturnValue:
    """How the scores lie and what is hard. The answers are for instructors."""
    access, found, examined = _examined(course, slug, Role.ASSISTANT)
    shown = examined.found
    url = url_for("difficulty.sheet", course=course, slug=slug, v=found.folder_sha256[:12])
    return render_template(
        "staff/difficulty.html",
        access=access,
        assignment=found,
        found=shown,
        strips=_strips(shown),
        images=_images(examined, url) if access.is_instructor else (),
    )


@difficulty_pages.get("/pictures")
@policy.sign_in_required
def sheet(course: str, slug: str) -> ResponseReturnValue:
    """The pictures on one sheet, for instructors: they are of the hidden test set."""
    _access, _found, examined = _examined(course, slug, Role.INSTRUCTOR)
    if examined.sheet is None:
        raise NotFound
    response = Response(examined.sheet.sheet, mimetype=examined.sheet.mimetype)
    response.headers["Cache-Control"] = "no-store"
    return response


def _examined(course: str, slug: str, at_least: Role) -> tuple[policy.Access, Assignment, Examined]:
    user = policy.require_user()
    access, found = policy.assignment_access(g.session, user, course, slug, at_least=at_least)
    return access, found, difficulty.examine(g.session, current_state(), found)


def _strips(found: Difficulty) -> list[tuple[str, Markup]]:
    """Both scores of all teams, with the baselines, on one scale."""
    if not found.entries:
        return []
    both = [value for each in found.entries for value in (each.public, each.private)]
    scale = charts.axis(both)
    drawn = []
    for title, name in ((_("Public score"), "public"), (_("Final score"), "private")):
        teams = [getattr(each, name) for each in found.teams]
        baselines = [(each.team, getattr(each, name)) for each in found.entries if each.is_baseline]
        picture = charts.strip(scale, teams=teams, baselines=baselines, mine=None, title=title)
        drawn.append((title, picture))
    return drawn


def _images(examined: Examined, url: str) -> list[tuple[difficulty.HardImage, Markup | None]]:
    sheet = examined.sheet
    return [
        (each, pictures.one(sheet, url, place, title=each.id) if sheet else None)
        for place, each in enumerate(examined.found.images)
    ]
