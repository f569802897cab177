"""The ranking: reads one row a team and split, which placing.py keeps.

Baselines stand between the teams by score and have no rank. Ties go to the earlier hand-in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

import grader
from leaderboard import catalog, declarations
from leaderboard.models import Assignment, Split, Standing, Submission, Team, Track

BEST_FIRST = (Standing.rank_key, Standing.achieved_at, Standing.team_id)
_Place = tuple[float, datetime, int]  # sorts as the board does


@dataclass(frozen=True, kw_only=True)
class BoardRow:
    """One line of a board. `rank` is None for baselines; a metric that the board's mode keeps back
    is None."""

    rank: int | None
    team_id: int
    team_name: str
    is_baseline: bool
    primary: float
    accuracy: float | None
    macro_f1: float | None
    interval: tuple[float, float] | None  # 95 %, of the ranking metric
    moved: int | None = None  # places up since the course's day began; of a public board only
    indistinguishable_from: tuple[int, ...] = ()  # ranks above; filled in by `views` (ties.py)
    entries: int
    achieved_at: datetime
    last_at: datetime
    submission_public_id: str
    is_mine: bool
    is_pretrained: bool  # it declares pretrained weights, where these have a track of their own
    efficiency: Mapping[str, float] = field(default_factory=dict)  # by `views` (efficiency.py)


@dataclass(frozen=True, kw_only=True)
class Board:
    """One page of a board; `mine` is the viewer's own row wherever it stands."""

    rows: tuple[BoardRow, ...]
    mine: BoardRow | None
    total: int  # ranked teams
    page: int
    per_page: int
    pages: int
    metric: str
    higher_is_better: bool
    split: Split
    track: Track
    efficiency: tuple[str, ...] = ()  # the columns of figures that the rows have


def board(
    session: Session,
    assignment: Assignment,
    split: Split,
    *,
    track: Track = Track.ALL,
    page: int = 1,
    per_page: int = 100,
    include_baselines: bool = True,
    my_team: Team | None = None,
    search: str = "",
) -> Board:
    """A page of the board, best first; ties go to the earlier; baselines stand without a rank.

    `track` ranks its hand-ins among themselves; `search` keeps the teams whose name holds it, with
    the rank they have among all.

    Staff only for the private split before release: students' pages go through
    `views.student_board`.
    """
    total = _count(session, assignment, split, track)
    matching = _count(session, assignment, split, track, search) if search else total
    pages = max(1, -(-matching // per_page))
    page = min(max(page, 1), pages)
    first = (page - 1) * per_page
    if search:
        rows = _searched(session, assignment, split, track, search, first, per_page, my_team)
    else:
        # a last page has no lower bound: the baselines below everyone stand there
        is_last = page == pages
        rows = _page(session, assignment, split, track, first, per_page, my_team, is_last=is_last)
    if not include_baselines:
        rows = [row for row in rows if not row.is_baseline]
    return Board(
        rows=tuple(rows),
        mine=_my_row(session, assignment, split, track, my_team),
        total=total,
        page=page,
        per_page=per_page,
        pages=pages,
        metric=assignment.metric,
        higher_is_better=higher_is_better(assignment.metric),
        split=split,
        track=track,
    )


def rank_of(session: Session, standing: Standing) -> int:
    """The rank of a team's row: one more than the teams before it, counted in the index."""
    before = session.scalar(
        sa.select(sa.func.count())
        .select_from(Standing)
        .where(
            Standing.assignment_id == standing.assignment_id,
            Standing.split == standing.split,
            Standing.track == standing.track,
            Standing.is_baseline.is_(False),
            sa.tuple_(*BEST_FIRST)
            < sa.tuple_(
                sa.literal(standing.rank_key, Standing.rank_key.type),
                sa.literal(standing.achieved_at, Standing.achieved_at.type),
                sa.literal(standing.team_id, Standing.team_id.type),
            ),
        )
    )
    assert before is not None
    return before + 1


def ranked(assignment: Assignment, split: Split, track: Track = Track.ALL) -> sa.Select[Standing]:
    """Every team's row, best first; baselines left out."""
    return _all(assignment, split, track, is_baseline=False).order_by(*BEST_FIRST)


def baselines(
    assignment: Assignment, split: Split, track: Track = Track.ALL
) -> sa.Select[Standing]:
    """Every baseline's row, best first."""
    return _all(assignment, split, track, is_baseline=True).order_by(*BEST_FIRST)


def is_of_track(declared: Sequence[str] | None, track: Track) -> bool:
    """Whether a track ranks a hand-in that declares this; what says nothing is from scratch."""
    return track is Track.ALL or _declares_weights(declared) == (track is Track.PRETRAINED)


def tracks_of(assignment: Assignment) -> tuple[Track, ...]:
    """The boards that an assignment has: one, but where pretrained weights have their own track."""
    has_own_track = declarations.is_own_track(catalog.rules(assignment).rules)
    return tuple(Track) if has_own_track else (Track.ALL,)


def higher_is_better(metric: str) -> bool:
    """The declared direction of a metric."""
    return bool(grader.METRICS[metric].direction == "higher")


def _declares_weights(declared: Sequence[str] | None) -> bool:
    return declared is not None and declarations.PRETRAINED in declared


def _all(
    assignment: Assignment, split: Split, track: Track, *, is_baseline: bool
) -> sa.Select[Standing]:
    return (
        sa.select(Standing)
        .where(
            *_of_board(assignment, split, track),
            Standing.is_baseline.is_(is_baseline),
        )
        .options(
            joinedload(Standing.team),
            joinedload(Standing.submission).load_only(Submission.public_id, Submission.declared),
        )
    )


def _of_board(
    assignment: Assignment, split: Split, track: Track
) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        Standing.assignment_id == assignment.id,
        Standing.split == split,
        Standing.track == track,
    )


def _page(
    session: Session,
    assignment: Assignment,
    split: Split,
    track: Track,
    first: int,
    length: int,
    my_team: Team | None,
    *,
    is_last: bool,
) -> list[BoardRow]:
    # with the row before the page: a baseline may stand between the two
    before = 1 if first else 0
    # found in the index first: what is skipped is joined with nothing
    places = (
        sa.select(Standing.id)
        .where(*_of_board(assignment, split, track), Standing.is_baseline.is_(False))
        .order_by(*BEST_FIRST)
        .offset(first - before)
        .limit(length + before)
        .subquery()
    )
    found = session.scalars(
        ranked(assignment, split, track).where(Standing.id.in_(sa.select(places)))
    ).all()
    placed = [
        (_place(standing), _row(standing, rank, my_team))
        for rank, standing in enumerate(found[before:], start=first + 1)
    ]
    after = _place(found[0]) if before and found else None
    until = placed[-1][0] if placed and not is_last else None
    placed += _baselines(session, assignment, split, track, after, until)
    return [row for _, row in sorted(placed, key=lambda pair: pair[0])]


def _searched(
    session: Session,
    assignment: Assignment,
    split: Split,
    track: Track,
    search: str,
    first: int,
    length: int,
    my_team: Team | None,
) -> list[BoardRow]:
    """Rows by team name, with their rank among all; baselines that match stand by their score."""
    matching = Standing.team.has(Team.shown_name.icontains(search, autoescape=True))
    teams = ranked(assignment, split, track).where(matching).offset(first).limit(length)
    found = session.scalars(teams)
    placed = [(_place(each), _row(each, rank_of(session, each), my_team)) for each in found]
    if first == 0:
        unranked = baselines(assignment, split, track).where(matching)
        placed += [(_place(each), _row(each, None, my_team)) for each in session.scalars(unranked)]
    return [row for _, row in sorted(placed, key=lambda pair: pair[0])]


def _count(
    session: Session, assignment: Assignment, split: Split, track: Track, search: str = ""
) -> int:
    """How many teams have a rank (and a name with the searched text)."""
    query = (
        sa.select(sa.func.count())
        .select_from(Standing)
        .where(*_of_board(assignment, split, track), Standing.is_baseline.is_(False))
    )
    if search:
        query = query.where(Standing.team.has(Team.shown_name.icontains(search, autoescape=True)))
    return session.scalar(query) or 0


def _my_row(
    session: Session, assignment: Assignment, split: Split, track: Track, my_team: Team | None
) -> BoardRow | None:
    if my_team is None:
        return None
    standing = session.scalars(
        sa.select(Standing).where(
            *_of_board(assignment, split, track), Standing.team_id == my_team.id
        )
    ).first()
    if standing is None:
        return None
    return _row(standing, None if standing.is_baseline else rank_of(session, standing), my_team)


def _row(standing: Standing, rank: int | None, my_team: Team | None) -> BoardRow:
    return BoardRow(
        rank=rank,
        team_id=standing.team_id,
        team_name=standing.team.shown_name,
        is_baseline=standing.is_baseline,
        primary=standing.primary,
        accuracy=standing.accuracy,
        macro_f1=standing.macro_f1,
        interval=_interval(standing),
        entries=standing.entries,
        achieved_at=standing.achieved_at,
        last_at=standing.last_at,
        submission_public_id=standing.submission.public_id,
        is_mine=my_team is not None and standing.team_id == my_team.id,
        is_pretrained=_declares_weights(standing.submission.declared),
        moved=standing.rank_before - rank if rank and standing.rank_before else None,
    )


def _interval(standing: Standing) -> tuple[float, float] | None:
    if standing.interval_low is None or standing.interval_high is None:
        return None
    return (standing.interval_low, standing.interval_high)


def _place(standing: Standing) -> _Place:
    return (standing.rank_key, standing.achieved_at, standing.team_id)


def _baselines(
    session: Session,
    assignment: Assignment,
    split: Split,
    track: Track,
    after: _Place | None,
    until: _Place | None,
) -> list[tuple[_Place, BoardRow]]:
    """The baselines that stand after one place and before another; None: no bound."""
    found = session.scalars(baselines(assignment, split, track))
    return [
        (_place(each), _row(each, None, None))
        for each in found
        if (after is None or _place(each) > after) and (until is None or _place(each) < until)
    ]
