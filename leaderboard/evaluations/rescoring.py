"""The stored predictions of a whole assignment against its present answers and metric.

One workflow goes through the submissions by (team, id), a piece after another. A piece is scored
outside of any transaction and published in one, together with how far the rescore has come: whoever
carries on after a crash neither skips nor repeats one. What is being evaluated meanwhile is left
out, as it meets the present answers by itself.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

import grader
from grader.words.message import said
from leaderboard import audit
from leaderboard.boards import intervals, ladder, placing, standings
from leaderboard.boards.ladder import Shown
from leaderboard.db import outlast, utcnow, writing
from leaderboard.errors import NotAllowedNow
from leaderboard.evaluations import carrying, publishing, telling
from leaderboard.models import (
    Assignment,
    Cause,
    Evaluation,
    Rescore,
    Split,
    SplitScore,
    Submission,
    SubmissionStatus,
    Team,
    User,
    guarding,
)
from leaderboard.models.versions import code_version
from leaderboard.state import State

log = logging.getLogger(__name__)

_PIECE = 200

Progress = Callable[[int], None]
"""Called with how many more are done."""


@dataclass(frozen=True, kw_only=True)
class Move:
    """A team whose place or score a rescore would change; None: it has none."""

    team: str
    old_rank: int | None
    new_rank: int | None
    old_score: float
    new_score: float


@dataclass(frozen=True, kw_only=True)
class Unreadable:
    """A submission whose stored predictions can't be scored again, and why."""

    public_id: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class _Scored:
    """A submission with its stored predictions scored anew."""

    submission: Submission
    before: Evaluation
    carried: carrying.Carried
    scores: grader.Scores
    shown: Shown
    right: dict[Split, bytes]


def start(session: Session, state: State, assignment: Assignment, *, actor: User | None) -> Rescore:
    """Queue the rescore of everything scored so far. Opens its own write transaction.

    Raises:
        NotAllowedNow: another one of the assignment goes on.
    """
    with writing(session):
        if current(session, assignment) is not None:
            raise NotAllowedNow(said("assignment.rescoring"))
        newest = session.scalar(sa.select(sa.func.max(Submission.id))) or 0
        rescore = Rescore(
            assignment_id=assignment.id,
            actor_user_id=actor.id if actor else None,
            until_id=newest,
            total=covered(session, assignment),
            done=0,
            created_at=utcnow(),
        )
        session.add(rescore)
        session.flush()
        state.queue.enqueue_rescore(session, rescore.id)
        _note(session, assignment, "assignment.rescore", {"rescore": rescore.id}, actor)
    return rescore


def current(session: Session, assignment: Assignment) -> Rescore | None:
    """The rescore of an assignment that goes on, if there is one."""
    return session.scalars(
        sa.select(Rescore)
        .where(Rescore.assignment_id == assignment.id, Rescore.finished_at.is_(None))
        .order_by(Rescore.id.desc())
    ).first()


def latest(session: Session, assignment: Assignment) -> Rescore | None:
    """The rescore of an assignment that was started last, finished or not."""
    return session.scalars(
        sa.select(Rescore)
        .where(Rescore.assignment_id == assignment.id)
        .order_by(Rescore.id.desc())
        .limit(1)
    ).first()


def carry_on(state: State, rescore_id: int) -> None:
    """Do what is left of a rescore. Two that do it at once publish each piece once."""
    while outlast(lambda: _next_piece(state, rescore_id)):
        pass


def preview(
    session: Session,
    state: State,
    assignment: Assignment,
    split: Split,
    progress: Progress,
    *,
    edition: grader.Assignment | None = None,
) -> list[Move]:
    """Who would move, and where to, if everything were rescored now. Changes nothing.

    `progress` hears of each team; what it raises ends the preview and is passed on. `edition`: one
    that is not published yet, in place of the present one.
    """
    key = edition or state.catalog.load(assignment)
    after: list[tuple[float, Any, int, str, float]] = []
    teams = session.scalars(
        sa.select(Team).where(Team.course_id == assignment.course_id).order_by(Team.id)
    ).all()
    for team in teams:
        entries = [
            _rescored_entry(session, state, assignment, key, entry)
            for entry in placing.entries_of(session, assignment, team)
        ]
        progress(len(entries))
        best = placing.best_entries(assignment, entries)[split]
        if best is not None and best.is_current and not team.is_baseline:
            score = best.shown if split is Split.PUBLIC else best.private
            sign = -1 if standings.higher_is_better(assignment.metric) else 1
            after.append((sign * score, best.accepted_at, team.id, team.name, score))
    after.sort()
    return _moves(session, assignment, split, after)


def _moves(
    session: Session,
    assignment: Assignment,
    split: Split,
    after: Sequence[tuple[float, Any, int, str, float]],
) -> list[Move]:
    ranked = session.scalars(standings.ranked(assignment, split)).all()
    before: dict[int, tuple[int | None, float]] = {
        row.team_id: (rank, row.primary)
        for rank, row in zip(standings.ranks(row.rank_key for row in ranked), ranked, strict=True)
    }
    for row in session.scalars(standings.outdated_of(assignment, split)):
        before[row.team_id] = (None, row.primary)
    moves = []
    new_ranks = standings.ranks(key for key, *_ in after)
    for rank, (_, _, team_id, name, score) in zip(new_ranks, after, strict=True):
        old_rank, old_score = before.get(team_id, (None, score))
        if (old_rank, old_score) != (rank, score):
            moves.append(
                Move(
                    team=name,
                    old_rank=old_rank,
                    new_rank=rank,
                    old_score=old_score,
                    new_score=score,
                )
            )
    return moves


def _rescored_entry(
    session: Session,
    state: State,
    assignment: Assignment,
    loaded: grader.Assignment,
    entry: placing.Entry,
) -> placing.Entry:
    submission = session.get_one(Submission, entry.submission_id)
    evaluation = session.get_one(Evaluation, entry.evaluation_id)
    scored = _score(session, state, assignment, loaded, submission, evaluation)
    if isinstance(scored, Unreadable):
        return entry
    private = scored.scores.private.metric(assignment.metric)
    return replace(entry, shown=scored.shown.score, private=private, is_current=True)


def _next_piece(state: State, rescore_id: int) -> bool:
    """Score and publish the next piece; False when nothing is left."""
    with state.database.reading() as session:
        rescore = session.get_one(Rescore, rescore_id)
        if rescore.finished_at is not None:
            return False
        assignment = rescore.assignment
        place = (rescore.at_team_id, rescore.at_submission_id)
        piece = session.execute(_piece(rescore)).all()
        try:
            loaded = state.catalog.load(assignment)
        except grader.GraderError as error:
            return _give_up(state, rescore_id, str(error))
        scored = [
            _score(session, state, assignment, loaded, submission, evaluation)
            for submission, evaluation in piece
        ]
        folder_sha256 = assignment.folder_sha256
    with state.database.write() as session:
        rescore = session.get_one(Rescore, rescore_id, with_for_update=True)
        if (rescore.at_team_id, rescore.at_submission_id) != place:
            return True  # another one published this piece
        if rescore.assignment.folder_sha256 != folder_sha256:
            return True  # published anew meanwhile: score the piece against the newest answers
        if not piece:
            _finish(session, rescore)
            telling.tell_of_rescore(session, state, rescore)
            return False
        _publish(session, rescore, loaded, [each for each in scored if isinstance(each, _Scored)])
        failed = [[e.public_id, e.reason] for e in scored if isinstance(e, Unreadable)]
        rescore.problems = [*(rescore.problems or []), *failed]
        last = piece[-1][0]
        rescore.at_team_id, rescore.at_submission_id = last.team_id, last.id
        rescore.done += len(piece)
    return True


def _covered(assignment_id: int) -> sa.Select[Submission, Evaluation]:
    """What can be scored again: finished, with stored predictions."""
    return (
        sa.select(Submission, Evaluation)
        .join(Evaluation, Evaluation.id == Submission.current_evaluation_id)
        .where(
            Submission.assignment_id == assignment_id,
            Submission.status == SubmissionStatus.FINISHED,
            Evaluation.verdict == grader.Verdict.OK.value,
            Evaluation.predictions_sha256.is_not(None),
        )
    )


def covered(session: Session, assignment: Assignment) -> int:
    """How many submissions a rescore covers."""
    counted = _covered(assignment.id).with_only_columns(sa.func.count())
    return session.scalar(counted) or 0


def _piece(rescore: Rescore) -> sa.Select[Submission, Evaluation]:
    after = sa.tuple_(Submission.team_id, Submission.id) > sa.tuple_(
        sa.literal(rescore.at_team_id), sa.literal(rescore.at_submission_id)
    )
    return (
        _covered(rescore.assignment_id)
        .where(after, Submission.id <= rescore.until_id)
        .order_by(Submission.team_id, Submission.id)
        .limit(_PIECE)
    )


def _score(
    session: Session,
    state: State,
    assignment: Assignment,
    loaded: grader.Assignment,
    submission: Submission,
    before: Evaluation,
) -> _Scored | Unreadable:
    """The stored predictions scored anew, if they are there and fit."""
    key = loaded.answer_key()
    try:
        carried = carrying.carry(state, before, loaded)
        predictions = carried.predictions
        scores = grader.score(predictions, key)
        exact = float(scores.public.metric(assignment.metric))
        scores.private.metric(assignment.metric)
    except (grader.PlatformFault, grader.MetricUnavailable, ValueError) as error:
        log.error("%s keeps its score: %s", submission.public_id, error)
        return Unreadable(public_id=submission.public_id, reason=str(error))
    right = grader.right_images(predictions, key)
    return _Scored(
        submission=submission,
        before=before,
        carried=carried,
        scores=scores,
        shown=ladder.shown(session, state, submission, assignment, predictions, exact, key=key),
        right={Split.PUBLIC: right[0], Split.PRIVATE: right[1]},
    )


def _publish(
    session: Session, rescore: Rescore, loaded: grader.Assignment, scored: Sequence[_Scored]
) -> None:
    """A piece's evaluations, scores and standings, within the caller's write transaction."""
    assignment = rescore.assignment
    unchanged = set(
        session.scalars(
            sa.select(Submission.current_evaluation_id)
            .where(
                Submission.id.in_([each.submission.id for each in scored]),
                Submission.status == SubmissionStatus.FINISHED,
            )
            .with_for_update(key_share=True)
        )
    )
    valid = [each for each in scored if each.before.id in unchanged]
    if not valid:
        return
    made = _insert_evaluations(session, assignment, loaded, valid)
    session.execute(sa.insert(SplitScore), list(_split_rows(assignment.metric, made)))
    session.connection().execute(
        sa.update(Submission)
        .where(Submission.id == sa.bindparam("submission"))
        .values(
            current_evaluation_id=sa.bindparam("evaluation"),
            evaluation_number=sa.bindparam("number"),
            evaluation_cause=Cause.RESCORE,
            failed_attempts=0,
            revision=Submission.revision + 1,
        ),
        [
            {
                "submission": each.submission.id,
                "evaluation": evaluation_id,
                "number": each.submission.evaluation_number + 1,
            }
            for evaluation_id, each in made
        ],
    )
    guarding.touch(session, Evaluation, *(evaluation_id for evaluation_id, _ in made))
    guarding.touch(session, Submission, *(each.submission.id for each in valid))
    for team_id in dict.fromkeys(each.submission.team_id for each in valid):
        team = session.get_one(Team, team_id)
        placing.refresh(session, assignment, team)
    digest = hashlib.sha256("".join(each.carried.seed.hex() for each in valid).encode()).hexdigest()
    details = {"rescore": rescore.id, "evaluations": len(valid), "predictions": digest}
    _note(session, assignment, "evaluation.publish_many", details)


def _insert_evaluations(
    session: Session,
    assignment: Assignment,
    loaded: grader.Assignment,
    scored: Sequence[_Scored],
) -> list[tuple[int, _Scored]]:
    """Insert the new evaluations; their ids, each with what it is of."""
    now, version = utcnow(), code_version()
    rows = [
        {
            "submission_id": each.submission.id,
            "number": each.submission.evaluation_number + 1,
            "cause": Cause.RESCORE,
            "verdict": grader.Verdict.OK.value,
            "detail": each.before.detail,
            "detail_said": each.before.detail_said,
            "problems": [],
            "flags": list(each.before.flags),
            "sample_log": each.before.sample_log,
            "sample_answers": each.before.sample_answers,
            "predictions_sha256": each.carried.file_sha256,
            "labels_sha256": each.carried.seed.hex(),
            "content_sha256": each.submission.content_sha256,
            "answers_sha256": loaded.answer_key().sha256,
            "folder_sha256": assignment.folder_sha256,
            "measure_sha256": assignment.measure_sha256,
            # of the run: other images since then ask for another run
            "images_sha256": each.before.images_sha256,
            "code_version": version,
            "environment": {},
            "timing": dict(each.before.timing),
            "facts": {**each.before.facts, **each.shown.facts},
            "created_at": now,
        }
        for each in scored
    ]
    ids = session.scalars(
        sa.insert(Evaluation).returning(Evaluation.id, sort_by_parameter_order=True), rows
    )
    return list(zip(ids, scored, strict=True))


def _split_rows(metric: str, made: Sequence[tuple[int, _Scored]]) -> Iterator[dict[str, Any]]:
    for evaluation_id, each in made:
        for split in Split:
            score = getattr(each.scores, split.value)
            yield {
                "evaluation_id": evaluation_id,
                **publishing.split_columns(split, score, metric, each.shown.score),
                "intervals": intervals.at_once(score),
                "right": each.right[split],
            }


def _give_up(state: State, rescore_id: int, reason: str) -> bool:
    """End a rescore that can't go on, so that another can be started; False: nothing is left."""
    with state.database.write() as session:
        rescore = session.get_one(Rescore, rescore_id, with_for_update=True)
        rescore.problems = [*(rescore.problems or []), ["", reason]]
        _finish(session, rescore)
    return False


def _finish(session: Session, rescore: Rescore) -> None:
    rescore.finished_at = utcnow()
    failed = len(rescore.problems or [])
    details = {"rescore": rescore.id, "submissions": rescore.done - failed, "failed": failed}
    _note(session, rescore.assignment, "assignment.rescored", details)


def _note(
    session: Session,
    assignment: Assignment,
    action: str,
    details: dict[str, Any],
    actor: User | None = None,
) -> None:
    audit.record(
        session,
        action=action,
        subject=f"assignment:{assignment.id}",
        course=assignment.course,
        actor=actor,
        details=details,
    )
