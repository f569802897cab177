"""The leaderboard: a page to read, and the same rows as CSV and JSON."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, g, jsonify, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from markupsafe import Markup

from leaderboard import catalog, charts, curves, dashboard, gradebook, history, standings, views
from leaderboard.auth import policy
from leaderboard.db import utcnow
from leaderboard.models import Assignment, Split, Track
from leaderboard.standings import Board, BoardRow

board_pages = Blueprint("board", __name__)

_PER_PAGE = 100
_DOWNLOAD_ROWS = 100_000


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
    board = views.student_board(
        g.session,
        found,
        access,
        split=_split(),
        track=_track(),
        page=max(1, request.args.get("page", 1, type=int)),
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
        shake_up = dashboard.movements(g.session, found, board.track, ranks)
    return render_template(
        "leaderboard.html",
        access=access,
        assignment=found,
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


def _climbs(assignment: Assignment, access: policy.Access, board: Board) -> Markup | None:
    """How the leaders and the reader's team got to where they are, in the course's time; of a
    public board only."""
    if board.split is not Split.PUBLIC:
        return None
    zone = ZoneInfo(access.course.time_zone)
    lines = [
        (climb.name, climb.is_mine, [(at.astimezone(zone), score) for at, score in climb.steps])
        for climb in history.climbs(g.session, assignment, access.team, board.track)
    ]
    if not lines:
        return None
    scores = [score for _name, _mine, steps in lines for _at, score in steps]
    last = max(steps[-1][0] for _name, _mine, steps in lines)
    closes = catalog.rules(assignment).schedule.closes or utcnow()
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
        rows=_lines(found, board),
    )


@board_pages.get("/c/<course>/a/<slug>/leaderboard.csv")
@policy.sign_in_required
def leaderboard_csv(course: str, slug: str) -> ResponseReturnValue:
    """The whole board for a spreadsheet."""
    found, board = _whole_board(course, slug)
    track = "" if board.track is Track.ALL else f"-{board.track.value}"
    name = f"{found.slug}-{board.split.value}{track}.csv"
    return Response(
        gradebook.table_csv(_lines(found, board)),
        mimetype="text/csv",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _whole_board(course: str, slug: str) -> tuple[Assignment, Board]:
    access, found = policy.assignment_access(g.session, policy.require_user(), course, slug)
    board = views.student_board(
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


def _lines(assignment: Assignment, board: Board) -> list[dict[str, Any]]:
    lines = [_line(row) for row in board.rows]
    if Track.PRETRAINED in standings.tracks_of(assignment):
        for line, row in zip(lines, board.rows, strict=True):
            line["pretrained"] = row.is_pretrained
    return lines


def _line(row: BoardRow) -> dict[str, Any]:
    return {
        "rank": row.rank,
        "team": row.team_name,
        "baseline": row.is_baseline,
        "score": row.primary,
        "interval_low": row.interval[0] if row.interval else None,
        "interval_high": row.interval[1] if row.interval else None,
        "moved": row.moved,
        "indistinguishable_from": " ".join(map(str, row.indistinguishable_from)),
        "accuracy": row.accuracy,
        "macro_f1": row.macro_f1,
        "entries": row.entries,
        "last_at": row.last_at.isoformat(),
    }
