"""The leaderboard: a page to read, and the same rows as CSV and JSON."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from flask import Blueprint, Response, g, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from markupsafe import Markup

from leaderboard.accounts import access as policy
from leaderboard.boards import movement, place, standings
from leaderboard.boards.standings import Board, BoardRow
from leaderboard.db import utcnow
from leaderboard.messages import words
from leaderboard.models import Assignment, Split, Track
from leaderboard.rules import catalog, entrance, schedule
from leaderboard.state import current_state
from leaderboard.views import history, tables
from leaderboard.views.board import student_board, table_of
from leaderboard.views.shapes import as_json
from leaderboard.web import charts, curves, formats
from leaderboard.web.reading import whole

board_pages = Blueprint("board", __name__)

_PER_PAGE = 100
_DOWNLOAD_ROWS = 100_000
_FEWEST_STEPS = 3  # of a chart over time


@board_pages.get("/c/<course>/a/<slug>/leaderboard")
@policy.sign_in_required
def leaderboard(course: str, slug: str) -> ResponseReturnValue:
    """One page of the public or, once released, the private board."""
    access, found = policy.assignment_access(g.session, policy.require_user(), course, slug)
    query = {
        "q": request.args.get("q", "").strip()[:100],
        "baselines": request.args.get("baselines", "1"),
        "split": _split().value,
        **({"track": _track().value} if _track() is not Track.ALL else {}),
    }
    board = student_board(
        g.session,
        found,
        access,
        split=_split(),
        track=_track(),
        page=max(1, request.args.get("page", 1, type=whole)),
        per_page=_PER_PAGE,
        include_baselines=query["baselines"] != "0",
        search=query["q"],
        compare=True,
    )
    rows = [*board.rows, *([board.mine] if board.mine else [])]
    bounds = [bound for row in rows for bound in row.interval or ()]
    scale = charts.axis([*bounds, *(row.primary for row in rows)])
    marks = [row.primary for row in board.rows if row.is_baseline]

    def dot(row: BoardRow) -> Markup:
        kind = "mine" if row.is_mine else "baseline" if row.is_baseline else "team"
        return charts.dot(scale, row.primary, kind=kind, interval=row.interval)

    shake_up = {}
    if board.split is Split.PRIVATE:
        ranks = {row.team_id: row.rank for row in rows if row.rank is not None}
        shake_up = movement.movements(g.session, found, board.track, ranks)
    return render_template(
        "leaderboard.html",
        access=access,
        assignment=found,
        images=images_of(found, board.split),
        place=place.place_of(board),
        track_note=words.track_note(board.track),
        entrance=entrance.of(g.session, found, access.team, utcnow()),
        board=board,
        tracks=standings.tracks_of(found),
        query=query,
        dot=dot,
        scale_head=charts.axis_labels(scale, marks),
        second="accuracy" if board.metric == "macro_f1" else "macro_f1",
        shake_up=shake_up,
        mine_shown=any(row.is_mine for row in board.rows),
        climbs=_climbs(found, access, board) if not query["q"] else None,
    )


def split_that_counts(assignment: Assignment) -> Split:
    """Whose places and scores are said first: those of the final results once they are out."""
    return Split.PUBLIC if assignment.released_at is None else Split.PRIVATE


def images_of(assignment: Assignment, split: Split | str) -> int:
    """About how many images a split has: as many places as that carries are shown of its scores."""
    ids = len(current_state().catalog.expected_rows(assignment).ids)
    share = catalog.rules(assignment).split.public_fraction
    return round(ids * (share if split is Split.PUBLIC else 1 - share))


def _climbs(assignment: Assignment, access: policy.Access, board: Board) -> Markup | None:
    """How the leaders and the reader's team got to where they are, in the course's time; of a
    public board only."""
    if board.split is not Split.PUBLIC:
        return None
    zone = ZoneInfo(access.course.time_zone)
    lines = [
        (
            formats.team_name(climb.name),
            climb.is_mine,
            [(at.astimezone(zone), score) for at, score in climb.steps],
        )
        for climb in history.climbs(g.session, assignment, access.team, board.track)
    ]
    if sum(len(steps) for _name, _mine, steps in lines) < _FEWEST_STEPS:
        return None
    scores = [score for _name, _mine, steps in lines for _at, score in steps]
    last = max(steps[-1][0] for _name, _mine, steps in lines)
    closes = schedule.terms(assignment, access.team).closes or utcnow()
    return curves.climbs(
        lines,
        charts.axis(scores),
        until=max(last, min(utcnow(), closes)).astimezone(zone),
        title=_("Best public score of the leading teams over time"),
    )


@board_pages.get("/c/<course>/a/<slug>/leaderboard.json")
@policy.sign_in_required
def leaderboard_json(course: str, slug: str) -> ResponseReturnValue:
    """The whole board for a program."""
    found, board = _whole_board(course, slug)
    return jsonify(
        assignment=found.slug,
        split=board.split.value,
        track=board.track.value,
        metric=board.metric,
        rows=as_json(table_of(found, board)),
    )


@board_pages.get("/c/<course>/a/<slug>/leaderboard.csv")
@policy.sign_in_required
def leaderboard_csv(course: str, slug: str) -> ResponseReturnValue:
    """The whole board for a spreadsheet."""
    found, board = _whole_board(course, slug)
    track = "" if board.track is Track.ALL else f"-{board.track.value}"
    name = f"{found.slug}-{board.split.value}{track}.csv"
    return Response(
        tables.table_csv(as_json(table_of(found, board))),
        mimetype="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _whole_board(course: str, slug: str) -> tuple[Assignment, Board]:
    access, found = policy.assignment_access(g.session, policy.require_user(), course, slug)
    board = student_board(
        g.session,
        found,
        access,
        split=_split(),
        track=_track(),
        per_page=_DOWNLOAD_ROWS,
        compare=True,
    )
    return found, board


def _split() -> Split:
    return Split.PRIVATE if request.args.get("split") == Split.PRIVATE.value else Split.PUBLIC


def _track() -> Track:
    wanted = request.args.get("track", "")
    return Track(wanted) if wanted in set(Track) else Track.ALL
