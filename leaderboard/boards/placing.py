"""Which of a team's submissions stands where: keeps the rows that boards are read from.

They follow from the scores and from the rules of the assignment. So whoever keeps a row holds the
rules until the transaction ends, and publishing other rules brings every team's rows up to date in
its own: no board is ever half of the one and half of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import sqlalchemy as sa
from sqlalchemy.orm import Session, aliased

import grader
from leaderboard.accounts import courses
from leaderboard.boards import intervals
from leaderboard.boards.outdated import measured_alike, of_the_images
from leaderboard.boards.scores import shown_secondary
from leaderboard.boards.standings import higher_is_better, is_of_track, tracks_of
from leaderboard.models import (
    Assignment,
    Evaluation,
    Kind,
    Split,
    SplitScore,
    Standing,
    Submission,
    Team,
    Track,
)
from leaderboard.rules import catalog, lateness

# Made once: every result that is published asks these, and putting one together takes longer.
_PUBLIC, _PRIVATE = aliased(SplitScore), aliased(SplitScore)
# plain columns: the reports beside them are a thousand times as large
_SCORED = (
    sa.select(
        Submission.id.label("submission_id"),
        Submission.public_id,
        Submission.kind,
        Submission.is_final_pick,
        Submission.accepted_at,
        Submission.declared,
        Evaluation.id.label("evaluation_id"),
        Evaluation.flags,
        _PUBLIC.shown,
        _PRIVATE.primary.label("private"),
        sa.and_(measured_alike(), of_the_images()).label("is_current"),
    )
    .join(Assignment, Submission.assignment_id == Assignment.id)
    .join(Team, Submission.team_id == Team.id)
    .join(Evaluation, Submission.current_evaluation_id == Evaluation.id)
    .join(_PUBLIC, sa.and_(_PUBLIC.evaluation_id == Evaluation.id, _PUBLIC.split == Split.PUBLIC))
    .join(
        _PRIVATE, sa.and_(_PRIVATE.evaluation_id == Evaluation.id, _PRIVATE.split == Split.PRIVATE)
    )
    .where(
        Submission.assignment_id == sa.bindparam("assignment"),
        Evaluation.verdict == grader.Verdict.OK.value,
        Submission.voided_at.is_(None),
        # a team that nobody is in any more leaves the rank, unless results were out before
        sa.or_(Team.emptied_at.is_(None), Team.emptied_at > Assignment.released_at),
    )
    .order_by(Submission.id)
)
_ENTRIES = _SCORED.where(Submission.team_id == sa.bindparam("team"))
# as plain rows: for ten thousand teams at once, objects take 1.4 times as long
_ROW = Standing.__table__
_ROWS = sa.select(_ROW).where(_ROW.c.assignment_id == sa.bindparam("assignment"))
_KEPT = _ROWS.where(_ROW.c.team_id == sa.bindparam("team"))
_SCORES = sa.select(
    SplitScore.evaluation_id,
    SplitScore.split,
    SplitScore.shown,
    SplitScore.accuracy,
    SplitScore.macro_f1,
    SplitScore.intervals,
    SplitScore.right,
)
_SCORE = _SCORES.where(
    SplitScore.evaluation_id == sa.bindparam("evaluation"),
    SplitScore.split == sa.bindparam("split", type_=SplitScore.split.type),
)
_PIECE = 500  # teams

_Row: TypeAlias = "sa.Row[*tuple[Any, ...]]"  # of _ROWS
_Score: TypeAlias = "sa.Row[*tuple[Any, ...]]"  # of _SCORES
_Place = tuple[Track, Split]


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What a team's rows are made of: its entries and the rows that there are."""

    team: Team
    entries: Sequence[Entry]
    kept: dict[_Place, _Row]


@dataclass(frozen=True, kw_only=True)
class _Scores:
    """How the score of an entry is found, and its interval."""

    of_entry: Callable[[Entry, Split], _Score]
    interval: Callable[[_Score], Sequence[float] | None]


def refresh(session: Session, assignment: Assignment, team: Team) -> None:
    """Bring a team's rows up to date, two a track, and what its late days pay for.

    Within the caller's write transaction.
    Public: the team's best shown score. Private: the better private score of the final picks, or
    of the best public submission where nothing was picked. A track's rows are of its hand-ins.
    """
    hold_rules(session, assignment)
    # of two results of a team that are published at once the second must see the first
    courses.hold_team(session, team.id)
    kept = session.execute(_KEPT, {"assignment": assignment.id, "team": team.id})
    found = _Found(
        team=team,
        entries=entries_of(session, assignment, team),
        kept={(row.track, row.split): row for row in kept},
    )
    scores = _Scores(
        of_entry=lambda entry, split: session.execute(
            _SCORE, {"evaluation": entry.evaluation_id, "split": split}
        ).one(),
        interval=lambda score: _interval_of(session, score, assignment.metric),
    )
    _keep(session, assignment, [found], scores)
    # late days are spent by what stands
    lateness.settle(session, assignment, team)


def refresh_all(session: Session, assignment: Assignment) -> None:
    """The same for every team of an assignment whose rules changed, and no score.

    Within the caller's write transaction, which holds the assignment's row.
    """
    handed_in = sa.select(Submission.team_id).where(Submission.assignment_id == assignment.id)
    teams = session.scalars(sa.select(Team).where(Team.id.in_(handed_in)).order_by(Team.id)).all()
    for first in range(0, len(teams), _PIECE):
        _refresh_piece(session, assignment, teams[first : first + _PIECE])


def differing(session: Session, assignment: Assignment) -> Iterator[tuple[int, str]]:
    """The teams of an assignment, with what of their rows is not what follows from their scores.

    "" where all is. Intervals, which take long to draw and decide nothing, are not looked at.
    Reads only.
    """
    there = sa.union(
        sa.select(Submission.team_id).where(Submission.assignment_id == assignment.id),
        sa.select(Standing.team_id).where(Standing.assignment_id == assignment.id),
    )
    teams = session.scalars(sa.select(Team).where(Team.id.in_(there)).order_by(Team.id)).all()
    for first in range(0, len(teams), _PIECE):
        found = list(_found_of(session, assignment, teams[first : first + _PIECE]))
        scores = _scores_of(session, assignment, found, lambda _: None)
        for each in found:
            yield each.team.id, _difference(dict(each.kept), _wanted(assignment, each, scores))


def _difference(kept: dict[_Place, _Row], wanted: Iterable[tuple[_Place, dict[str, Any]]]) -> str:
    for (track, split), told in wanted:
        row = kept.pop((track, split), None)
        if row is None:
            return f"has no row on the {split.value} board"
        for name in told.keys() - {"interval_low", "interval_high"}:
            if getattr(row, name) != told[name]:
                return f"its {name} on the {split.value} board does not follow from its scores"
    return "has a row on a board that no score of it is for" if kept else ""


def set_emptied(session: Session, team: Team, at: datetime | None) -> None:
    """Let a team that nobody is in leave the rank, or (None) come back to it.

    Within the caller's write transaction.
    """
    team.emptied_at = at
    session.flush()
    handed_in = sa.select(Submission.assignment_id).where(Submission.team_id == team.id)
    query = sa.select(Assignment).where(Assignment.id.in_(handed_in)).order_by(Assignment.id)
    for assignment in session.scalars(query).all():
        refresh(session, assignment, team)


def refresh_emptied(session: Session, assignment: Assignment) -> None:
    """The same for the teams that nobody is in, once results are out or taken back."""
    emptied = sa.select(Team).where(
        Team.course_id == assignment.course_id, Team.emptied_at.is_not(None)
    )
    for team in session.scalars(emptied.order_by(Team.id)).all():
        refresh(session, assignment, team)


def hold_rules(session: Session, assignment: Assignment) -> None:
    """Read the rules as they are now, and keep them so until the caller's transaction ends.

    On PostgreSQL others may publish new ones while this transaction goes on; they wait, or are
    waited for. SQLite has one writer, who read them inside.
    """
    if session.get_bind().dialect.name != "sqlite":
        session.refresh(assignment, ("settings_toml", "metric"), with_for_update={"read": True})


def decided_by(assignment: Assignment) -> tuple[object, ...]:
    """The rules that decide which rows there are and what they show."""
    settings = catalog.rules(assignment)
    needs_code = settings.rules.final_requires == "code"
    return tracks_of(assignment), needs_code, settings.scoring.public_board


def _refresh_piece(session: Session, assignment: Assignment, teams: Sequence[Team]) -> None:
    """Some teams' rows, by a few statements for all of them."""
    found = list(_found_of(session, assignment, teams))
    drawn = dict(_intervals_kept(found))

    def interval(score: _Score) -> Sequence[float] | None:
        kept = drawn.get((score.evaluation_id, score.split))
        return kept or _interval_of(session, score, assignment.metric)

    _keep(session, assignment, found, _scores_of(session, assignment, found, interval))


def _scores_of(
    session: Session,
    assignment: Assignment,
    found: Sequence[_Found],
    interval: Callable[[_Score], Sequence[float] | None],
) -> _Scores:
    """The scores of all entries that stand on a board, read by one statement."""
    chosen = {
        entry.evaluation_id
        for each in found
        for track in tracks_of(assignment)
        for entry in best_entries(assignment, each.entries, track).values()
        if entry is not None
    }
    rows = session.execute(_SCORES.where(SplitScore.evaluation_id.in_(chosen)))
    by_place = {(score.evaluation_id, score.split): score for score in rows}
    return _Scores(
        of_entry=lambda entry, split: by_place[entry.evaluation_id, split], interval=interval
    )


def _found_of(session: Session, assignment: Assignment, teams: Sequence[Team]) -> Iterator[_Found]:
    entries: dict[int, list[Entry]] = {team.id: [] for team in teams}
    kept: dict[int, dict[_Place, _Row]] = {team.id: {} for team in teams}
    of_these = {"assignment": assignment.id}
    scored = _SCORED.add_columns(Submission.team_id).where(Submission.team_id.in_(entries))
    for fields in map(dict, session.execute(scored, of_these).mappings()):
        entries[fields.pop("team_id")].append(Entry(**fields))
    for row in session.execute(_ROWS.where(_ROW.c.team_id.in_(entries)), of_these):
        kept[row.team_id][row.track, row.split] = row
    for team in teams:
        yield _Found(team=team, entries=entries[team.id], kept=kept[team.id])


def _intervals_kept(
    found: Sequence[_Found],
) -> Iterator[tuple[tuple[int, Split], tuple[float, float]]]:
    """The intervals that rows have, by evaluation: drawing one takes milliseconds."""
    for each in found:
        evaluations = {entry.submission_id: entry.evaluation_id for entry in each.entries}
        for row in each.kept.values():
            evaluation = evaluations.get(row.submission_id)
            if evaluation is not None and row.interval_low is not None:
                yield (evaluation, row.split), (row.interval_low, row.interval_high)


def _keep(
    session: Session, assignment: Assignment, found: Iterable[_Found], scores: _Scores
) -> None:
    """Insert, change and delete what must be for some teams' rows to be right."""
    new: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    gone: list[int] = []
    for each in found:
        kept = dict(each.kept)
        for (track, split), told in _wanted(assignment, each, scores):
            row = kept.pop((track, split), None)
            if row is None:
                of = {"assignment_id": assignment.id, "team_id": each.team.id}
                new.append({**of, "track": track, "split": split, **told})
            elif any(getattr(row, name) != value for name, value in told.items()):
                changed.append({"row": row.id, **told})
        # nothing stands there any more, or the rules have no such track
        gone += [row.id for row in kept.values()]
    connection = session.connection()
    if new:
        connection.execute(sa.insert(_ROW), new)
    if changed:
        connection.execute(sa.update(_ROW).where(_ROW.c.id == sa.bindparam("row")), changed)
    if gone:
        connection.execute(sa.delete(_ROW).where(_ROW.c.id.in_(gone)))


def _wanted(
    assignment: Assignment, found: _Found, scores: _Scores
) -> Iterator[tuple[_Place, dict[str, Any]]]:
    """The rows that a team should have, by place: what they hold."""
    if found.team.is_auditing:
        return
    for track in tracks_of(assignment):
        there = _of_track(found.entries, track)
        for split, entry in best_entries(assignment, found.entries, track).items():
            if entry is not None:
                yield (
                    (track, split),
                    {
                        **_columns(assignment, split, entry, scores),
                        "is_baseline": found.team.is_baseline,
                        "entries": len(there),
                        "last_at": max(each.accepted_at for each in there),
                    },
                )


def _columns(assignment: Assignment, split: Split, entry: Entry, scores: _Scores) -> dict[str, Any]:
    """What a row tells of the entry that stands there."""
    score = scores.of_entry(entry, split)
    mode = catalog.rules(assignment).scoring.public_board if split is Split.PUBLIC else "exact"
    low, high = (scores.interval(score) if mode == "exact" and entry.is_current else None) or (
        None,
        None,
    )
    return {
        "submission_id": entry.submission_id,
        "primary_score": score.shown,
        "rank_key": -score.shown if higher_is_better(assignment.metric) else score.shown,
        "achieved_at": entry.accepted_at,
        "accuracy": shown_secondary(mode, score.accuracy),
        "macro_f1": shown_secondary(mode, score.macro_f1),
        "is_outdated": not entry.is_current,
        "interval_low": low,
        "interval_high": high,
        # nothing is compared image by image with other answers
        "right": score.right if mode == "exact" and entry.is_current else b"",
    }


def _interval_of(session: Session, score: _Score, metric: str) -> Sequence[float] | None:
    kept: Sequence[float] | None = score.intervals.get(metric)
    if kept is not None:
        return kept
    of_score = {"evaluation_id": score.evaluation_id, "split": score.split}
    whole = session.scalars(sa.select(SplitScore).filter_by(**of_score)).one()
    return intervals.of_row(session, whole).get(metric)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One scored submission with the two scores that decide about its team's place."""

    submission_id: int
    public_id: str
    kind: Kind
    is_final_pick: bool
    accepted_at: datetime
    declared: Sequence[str] | None
    evaluation_id: int
    flags: Sequence[str]
    shown: float  # of the public split, as the board shows it
    private: float
    is_current: bool  # of the present answers, images and metric


def best_entries(
    assignment: Assignment, entries: Sequence[Entry], track: Track = Track.ALL
) -> Mapping[Split, Entry | None]:
    """Which of a team's entries stands on each board of a track.

    Who has picked stands on the private board of the picks' tracks only.
    """
    has_picked = any(entry.is_final_pick for entry in entries)
    there = _of_track(entries, track)
    picked = [entry for entry in there if entry.is_final_pick]
    eligible = [entry for entry in there if may_be_final(assignment, entry)]
    return {
        Split.PUBLIC: _best(there, assignment, lambda entry: entry.shown),
        Split.PRIVATE: (
            _best(picked, assignment, lambda entry: entry.private)
            if has_picked
            else _best(eligible, assignment, lambda entry: entry.shown)
        ),
    }


def _of_track(entries: Sequence[Entry], track: Track) -> Sequence[Entry]:
    return [entry for entry in entries if is_of_track(entry.declared, track)]


def may_be_final(assignment: Assignment, entry: Entry) -> bool:
    """Whether an entry may decide the private score: not flagged ND, and code where required."""
    needs_code = catalog.rules(assignment).rules.final_requires == "code"
    return "ND" not in entry.flags and (not needs_code or entry.kind is Kind.CODE)


def entries_of(session: Session, assignment: Assignment, team: Team) -> Sequence[Entry]:
    """A team's scored submissions in the order of hand-in."""
    rows = session.execute(_ENTRIES, {"assignment": assignment.id, "team": team.id})
    return [Entry(**row) for row in rows.mappings()]


def _best(
    entries: Sequence[Entry], assignment: Assignment, score: Callable[[Entry], float]
) -> Entry | None:
    """The entry with the best score; of equal ones the earliest. The newest if all are outdated."""
    sign = 1 if higher_is_better(assignment.metric) else -1
    # what is out of date is compared with nothing, and stands only where there is nothing else
    current = [entry for entry in entries if entry.is_current]
    if not current and entries:
        return entries[-1]
    return max(current, key=lambda entry: (sign * score(entry), -entry.submission_id), default=None)
