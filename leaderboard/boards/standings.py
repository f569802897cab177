"""The ranking: reads one row a team and split, which placing.py keeps.

Baselines stand between the teams by score and have no rank. Equal scores share a rank; the earlier
hand-in stands first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload

import grader
from leaderboard.models import Assignment, Split, Standing, Submission, Team, Track
from leaderboard.rules import catalog, declarations

IS_RANKED = (Standing.is_baseline.is_(False), Standing.is_outdated.is_(False))
BEST_FIRST = (Standing.rank_key, Standing.achieved_at, Standing.team_id)
_Place = tuple[float, datetime, int]  # sorts as the board does


@dataclass(frozen=True, kw_only=True)
class BoardRow:
    """One line of a board. `rank` is None for baselines; a metric that the board's mode keeps back
    is None."""

    rank: int | None
    is_shared: bool = False  # whether another team has the same rank
    team_id: int
    team_name: str
    is_baseline: bool
    is_outdated: bool  # its score awaits rescoring: the answers, images or metric changed
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
    """A page of the board, best first; equal scores share a rank; baselines have none.

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
    if page == pages and not search:
        outdated = session.scalars(outdated_of(assignment, split, track))
        rows += [_row(each, None, my_team) for each in outdated]
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


def ranks(keys: Iterable[float], first: int = 1) -> Iterator[int]:
    """The ranks of ascending rank keys, of which the first has rank `first`: equal ones share one,
    and as many ranks are left out below.

    >>> list(ranks([-0.9, -0.8, -0.8, -0.7]))
    [1, 2, 2, 4]
    """
    rank, last = first, None
    for place, key in enumerate(keys, start=first):
        rank = rank if key == last else place
        last = key
        yield rank


@dataclass(frozen=True, kw_only=True)
class Rank:
    """One more than the teams that are better; `is_shared`: others have the same score."""

    number: int
    is_shared: bool


def rank_of(session: Session, standing: Standing) -> Rank:
    """The rank of a team's row, counted in the index."""
    key = sa.literal(standing.rank_key, Standing.rank_key.type)
    of_board = (
        Standing.assignment_id == standing.assignment_id,
        Standing.split == standing.split,
        Standing.track == standing.track,
    )
    before, equal = session.execute(
        sa.select(
            sa.func.count().filter(Standing.rank_key < key),
            sa.func.count().filter(Standing.rank_key == key),
        )
        .select_from(Standing)
        .where(*of_board, *IS_RANKED, Standing.rank_key <= key)
    ).one()
    return Rank(number=before + 1, is_shared=equal > 1)


def ranked(assignment: Assignment, split: Split, track: Track = Track.ALL) -> sa.Select[Standing]:
    """Every team's row, best first; baselines left out."""
    return _all(assignment, split, track, is_baseline=False).order_by(*BEST_FIRST)


def baselines(
    assignment: Assignment, split: Split, track: Track = Track.ALL
) -> sa.Select[Standing]:
    """Every baseline's row, best first."""
    return _all(assignment, split, track, is_baseline=True).order_by(*BEST_FIRST)


def outdated_of(
    assignment: Assignment, split: Split, track: Track = Track.ALL
) -> sa.Select[Standing]:
    """The rows whose scores await rescoring, by the time they were handed in; at a board's end."""
    return (
        sa.select(Standing)
        .where(*_of_board(assignment, split, track), Standing.is_outdated)
        .options(joinedload(Standing.team), joinedload(Standing.submission))
        .order_by(Standing.achieved_at, Standing.team_id)
    )


def is_of_track(declared: Sequence[str] | None, track: Track) -> bool:
    """Whether a track ranks a hand-in that declares this; what says nothing is from scratch."""
    return track is Track.ALL or _declares_weights(declared) == (track is Track.PRETRAINED)


def tracks_of(assignment: Assignment) -> tuple[Track, ...]:
    """The boards that an assignment has: one, but where pretrained weights have their own track."""
    has_own_track = declarations.is_own_track(catalog.rules(assignment).rules)
    return tuple(Track) if has_own_track else (Track.ALL,)


def higher_is_better(metric: str) -> bool:
    """The declared direction of a metric."""
    return grader.METRICS[metric].higher_is_better


def _declares_weights(declared: Sequence[str] | None) -> bool:
    return declared is not None and declarations.PRETRAINED in declared


def _all(
    assignment: Assignment, split: Split, track: Track, *, is_baseline: bool
) -> sa.Select[Standing]:
    return (
        sa.select(Standing)
        .where(
            *_of_board(assignment, split, track),
            *(IS_RANKED if not is_baseline else (Standing.is_baseline, ~Standing.is_outdated)),
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
    # with the rows before and after the page: a baseline may stand between, a rank be shared
    before = 1 if first else 0
    # found in the index first: what is skipped is joined with nothing
    places = (
        sa.select(Standing.id)
        .where(*_of_board(assignment, split, track), *IS_RANKED)
        .order_by(*BEST_FIRST)
        .offset(first - before)
        .limit(before + length + 1)
        .subquery()
    )
    found = session.scalars(
        ranked(assignment, split, track).where(Standing.id.in_(sa.select(places)))
    ).all()
    on_page = found[before : before + length]
    numbered = _ranks_of(session, found, first - before + 1)
    placed = [
        (_place(standing), _row(standing, rank, my_team))
        for rank, standing in zip(numbered[before:], on_page, strict=False)
    ]
    after = _place(found[0]) if before and found else None
    until = placed[-1][0] if placed and not is_last else None
    placed += _baselines(session, assignment, split, track, after, until)
    return [row for _, row in sorted(placed, key=lambda pair: pair[0])]


def _ranks_of(session: Session, found: Sequence[Standing], position: int) -> list[Rank]:
    """The ranks of rows that follow each other, the first of which stands at a position."""
    places = list(ranks((each.rank_key for each in found), position))
    # whoever stands just before may share the first one's
    first = rank_of(session, found[0]).number if found and position > 1 else position
    many = Counter(places)
    return [
        Rank(
            number=first if place == position else place,
            is_shared=many[place] > 1 or (place == position and first < position),
        )
        for place in places
    ]


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
        .where(*_of_board(assignment, split, track), *IS_RANKED)
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
    is_ranked = not (standing.is_baseline or standing.is_outdated)
    return _row(standing, rank_of(session, standing) if is_ranked else None, my_team)


def _row(standing: Standing, rank: Rank | None, my_team: Team | None) -> BoardRow:
    return BoardRow(
        rank=rank.number if rank else None,
        is_shared=rank is not None and rank.is_shared,
        team_id=standing.team_id,
        team_name=standing.team.shown_name,
        is_baseline=standing.is_baseline,
        is_outdated=standing.is_outdated,
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
        moved=standing.rank_before - rank.number if rank and standing.rank_before else None,
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
