"""The board as a student sees it: its rows, and their shapes in the API and in downloads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated

from sqlalchemy.orm import Session

from grader.words.message import said
from leaderboard.accounts.access import Access
from leaderboard.boards import efficiency, standings, ties
from leaderboard.boards.standings import Board, BoardRow
from leaderboard.errors import NotFound
from leaderboard.models import Assignment, Split, Track
from leaderboard.views.shapes import OMITTED


@dataclass(frozen=True, kw_only=True)
class BoardLine:
    """A team's place; a baseline has no rank. A metric that the board's mode keeps back is None."""

    rank: int | None
    is_shared: bool  # whether another team has the same rank
    team_name: str
    is_baseline: bool
    is_outdated: bool  # its score is of earlier answers, images or metric: it awaits rescoring
    is_mine: bool
    # what a team declares is told to others only where it decides about its place
    is_pretrained: Annotated[bool | None, OMITTED]
    primary: float
    accuracy: float | None
    macro_f1: float | None
    interval: tuple[float, float] | None  # 95 %, of the ranking metric
    moved: int | None  # places up since the course's day began
    indistinguishable_from: tuple[int, ...]  # ranks above
    efficiency: Mapping[str, float]
    entries: int
    achieved_at: datetime
    last_at: datetime


@dataclass(frozen=True, kw_only=True)
class BoardPage:
    """One page of a board; `mine` is the reader's own row, wherever it stands."""

    course: str
    time_zone: str
    assignment: str
    split: Split
    track: Track
    tracks: tuple[Track, ...]
    metric: str
    higher_is_better: bool
    rows: tuple[BoardLine, ...]
    mine: BoardLine | None
    total: int  # ranked teams
    page: int
    per_page: int
    pages: int


@dataclass(frozen=True, kw_only=True)
class TableRow:
    """A row of the whole board as spreadsheets take it: one figure a cell."""

    rank: int | None
    team: str
    baseline: bool
    score: float
    interval_low: float | None
    interval_high: float | None
    moved: int | None
    indistinguishable_from: str  # ranks, separated by spaces
    accuracy: float | None
    macro_f1: float | None
    entries: int
    last_at: datetime
    pretrained: Annotated[bool | None, OMITTED]


def student_board(
    session: Session,
    assignment: Assignment,
    viewer: Access,
    *,
    split: Split = Split.PUBLIC,
    track: Track = Track.ALL,
    page: int = 1,
    per_page: int = 100,
    include_baselines: bool = True,
    search: str = "",
    compare: bool = False,
) -> Board:
    """A board as the enrolled see it; `search` keeps teams whose name holds it; `compare` adds to
    each row the ranks that it can't be told apart from.

    Raises:
        NotFound: it is the private split before release, for students; or a track that the
            assignment does not have.
    """
    if track not in standings.tracks_of(assignment):
        raise NotFound(said("board.one_track"))
    if split is Split.PRIVATE and assignment.released_at is None and not viewer.sees_everyone:
        raise NotFound
    board = standings.board(
        session,
        assignment,
        split,
        track=track,
        page=page,
        per_page=per_page,
        include_baselines=include_baselines,
        my_team=viewer.team,
        search=search,
    )
    board = efficiency.with_columns(session, assignment, board)
    return board if search or not compare else _with_ties(session, assignment, board)


def page_of(assignment: Assignment, board: Board) -> BoardPage:
    """The page as programs read it."""
    tracks = standings.tracks_of(assignment)
    return BoardPage(
        course=assignment.course.code,
        time_zone=assignment.course.time_zone,
        assignment=assignment.slug,
        split=board.split,
        track=board.track,
        tracks=tracks,
        metric=board.metric,
        higher_is_better=board.higher_is_better,
        rows=tuple(_line(row, tracks) for row in board.rows),
        mine=_line(board.mine, tracks) if board.mine else None,
        total=board.total,
        page=board.page,
        per_page=board.per_page,
        pages=board.pages,
    )


def table_of(assignment: Assignment, board: Board) -> tuple[TableRow, ...]:
    """The rows as spreadsheets take them."""
    tracks = standings.tracks_of(assignment)
    return tuple(
        TableRow(
            rank=row.rank,
            team=row.team_name,
            baseline=row.is_baseline,
            score=row.primary,
            interval_low=row.interval[0] if row.interval else None,
            interval_high=row.interval[1] if row.interval else None,
            moved=row.moved,
            indistinguishable_from=" ".join(map(str, row.indistinguishable_from)),
            accuracy=row.accuracy,
            macro_f1=row.macro_f1,
            entries=row.entries,
            last_at=row.last_at,
            pretrained=_pretrained(row, tracks),
        )
        for row in board.rows
    )


def _line(row: BoardRow, tracks: tuple[Track, ...]) -> BoardLine:
    return BoardLine(
        rank=row.rank,
        is_shared=row.is_shared,
        team_name=row.team_name,
        is_baseline=row.is_baseline,
        is_outdated=row.is_outdated,
        is_mine=row.is_mine,
        is_pretrained=_pretrained(row, tracks),
        primary=row.primary,
        accuracy=row.accuracy,
        macro_f1=row.macro_f1,
        interval=row.interval,
        moved=row.moved,
        indistinguishable_from=row.indistinguishable_from,
        efficiency=row.efficiency,
        entries=row.entries,
        achieved_at=row.achieved_at,
        last_at=row.last_at,
    )


def _pretrained(row: BoardRow, tracks: tuple[Track, ...]) -> bool | None:
    return row.is_pretrained if Track.PRETRAINED in tracks else None


def _with_ties(session: Session, assignment: Assignment, board: Board) -> Board:
    """The board with, for each row of the page, the ranks it can't be told apart from."""
    first = (board.page - 1) * board.per_page
    page = range(first, first + sum(row.rank is not None for row in board.rows))
    same = ties.indistinguishable_from(session, assignment, board.split, board.track, page)
    rows = (replace(row, indistinguishable_from=same.get(row.team_id, ())) for row in board.rows)
    return replace(board, rows=tuple(rows))
