"""Heat maps of a submission: asked for by a page, made by a worker that has nothing else to do.

Of the public sample its team may have them. Of hidden images only staff may: a program can draw in
a map whatever it sees.
"""

from __future__ import annotations

import logging
import tempfile
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session, joinedload

import grader
import sandbox
from grader.evaluation import pixels_sha256
from grader.words.message import said
from leaderboard import audit
from leaderboard.db import outlast, utcnow, writing
from leaderboard.errors import NotAllowedNow
from leaderboard.evaluations import carrying, sample_answers
from leaderboard.models import Assignment, HeatMaps, Kind, Shown, Submission, User
from leaderboard.state import State
from sandbox import JobResult, Sandbox

log = logging.getLogger(__name__)

MOST_IMAGES: Final = 16
MOST_WAITING: Final = 2  # of a team
_OURS: Final = grader.Verdict.IE.value
_WAITING: Final = sa.select(HeatMaps).where(
    HeatMaps.id == sa.bindparam("heat"), HeatMaps.verdict.is_(None)
)
# with all that the run needs, so that no transaction stays open while it runs
_ASKED: Final = (
    sa.select(Submission)
    .options(
        joinedload(Submission.assignment, innerjoin=True).joinedload(
            Assignment.course, innerjoin=True
        ),
        joinedload(Submission.current_evaluation),
    )
    .where(Submission.id == sa.bindparam("submission"))
)


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """Images to explain: `rows` of all, and `images`, uint8, those."""

    rows: list[int]
    images: NDArray[np.uint8]


def may_ask(submission: Submission, made: HeatMaps | None) -> bool:
    """Whether heat maps can be asked for now: once, and again where ours was the fault."""
    return (
        submission.kind is Kind.CODE
        and submission.verdict == grader.Verdict.OK
        and submission.content_removed_at is None
        and (made is None or made.verdict == _OURS)
    )


def of(session: Session, submission: Submission, shown: Shown) -> HeatMaps | None:
    """What was made, or waits to be."""
    return session.scalars(
        sa.select(HeatMaps).filter_by(submission_id=submission.id, shown=shown)
    ).first()


def ask(
    session: Session, state: State, submission: Submission, shown: Shown, *, actor: User
) -> None:
    """Queue a run that explains. Opens its own write transaction.

    Raises:
        NotAllowedNow: it was made already, waits, or the team waits for others.
    """
    with writing(session):
        found = session.get_one(Submission, submission.id, with_for_update=True)
        made = of(session, found, shown)
        if not may_ask(found, made):
            raise NotAllowedNow(said("heat.once"))
        waiting = sa.select(sa.func.count()).where(
            HeatMaps.verdict.is_(None),
            HeatMaps.shown == shown,
            HeatMaps.submission_id == Submission.id,
            Submission.team_id == found.team_id,
        )
        if session.execute(waiting).scalar_one() >= MOST_WAITING:
            raise NotAllowedNow(said("heat.waiting", most=MOST_WAITING))
        if made is not None:
            session.delete(made)
            session.flush()
        made = HeatMaps(submission_id=found.id, shown=shown, asked_at=utcnow())
        session.add(made)
        session.flush()
        state.queue.enqueue_heat(session, found, made.id)
        audit.record(
            session,
            action="heat.ask",
            subject=found.public_id,
            course=found.assignment.course,
            actor=actor,
            details={"shown": shown.value},
        )


def make(
    state: State,
    runner: Sandbox | None,
    heat_id: int,
    turn: AbstractContextManager[None],
) -> None:
    """Carry out what was asked for; a failure of ours is noted, and may be asked for again."""
    with state.database.reading() as session:
        waiting = session.scalars(_WAITING, {"heat": heat_id}).first()
        if waiting is None:
            return
        shown = waiting.shown
        submission = session.scalars(_ASKED, {"submission": waiting.submission_id}).one()
        session.expunge_all()
    chosen = None
    try:
        if runner is None:
            raise grader.PlatformFault("there is no sandbox here")
        chosen = choose(state, submission, shown)
        with turn:
            result = _explain(state, runner, submission, chosen)
    except (grader.GraderError, OSError, ValueError, RuntimeError) as error:
        result = JobResult(verdict="IE", reason=f"{type(error).__name__}: {error}")
    if result.reason:
        log.warning("heat maps of %s: %s", submission.public_id, result.reason)
    outlast(lambda: _note(state, heat_id, chosen, result))


def choose(state: State, submission: Submission, shown: Shown) -> Chosen:
    """A few images: the surest mistakes first, then what was right.

    Raises:
        GraderError: the images, or the predictions, can't be had.
        ValueError: the predictions do not fit the assignment of now.
    """
    loaded = state.catalog.load(submission.assignment)
    labels = labels_of(loaded, shown)
    if shown is Shown.SAMPLE:
        answers = _of_sample(submission, loaded.sample()[0])
    else:
        answers = _of_hidden(state, submission, loaded)
    rows = np.arange(len(labels))
    if answers is not None:
        answered, sure = answers
        rows = np.lexsort((-sure, answered == labels[: len(answered)]))
    taken = np.sort(rows[:MOST_IMAGES]).tolist()
    return Chosen(rows=taken, images=images_of(loaded, shown, taken))


def labels_of(loaded: grader.Assignment, shown: Shown) -> NDArray[np.int64]:
    """The true classes, int64 (N,): of the sample in its order, of hidden images in the key's."""
    return loaded.sample()[1] if shown is Shown.SAMPLE else loaded.answer_key().labels


def images_of(loaded: grader.Assignment, shown: Shown, rows: list[int]) -> NDArray[np.uint8]:
    """Some images, uint8, by their rows in `labels_of`.

    Raises:
        GraderError: the images can't be had.
    """
    if shown is Shown.SAMPLE:
        return np.array(loaded.sample()[0][rows])
    return np.array(loaded.test_images()[loaded.rows_in_answers_order()[rows]])


Answers = tuple[NDArray[np.int64], NDArray[np.float64]]


def _of_sample(submission: Submission, images: NDArray[np.uint8]) -> Answers | None:
    """What it answered to the sample, and how sure it was; None where that is not known."""
    evaluation = submission.current_evaluation
    kept = sample_answers.read(evaluation.sample_answers) if evaluation else None
    if kept is None or kept.images_sha256 != pixels_sha256(images):
        return None
    answered = np.array(kept.labels, dtype=np.int64)
    sure = np.array(kept.sure, dtype=np.float64) if kept.sure else np.zeros(len(answered))
    return answered, sure


def _of_hidden(state: State, submission: Submission, loaded: grader.Assignment) -> Answers | None:
    """What it answered to the hidden images, in the order of the key."""
    if submission.current_evaluation is None:
        return None
    made = carrying.carry(state, submission.current_evaluation, loaded).predictions
    if made.scores is None:
        return made.labels, np.zeros(len(made.labels))
    sorted_scores = np.sort(made.scores, axis=1)
    return made.labels, sorted_scores[:, -1] - sorted_scores[:, :-1].max(axis=1, initial=-np.inf)


def _explain(state: State, runner: Sandbox, submission: Submission, chosen: Chosen) -> JobResult:
    loaded = state.catalog.load(submission.assignment)
    with (
        state.blobs.local(submission.content_sha256) as path,
        tempfile.TemporaryDirectory() as folder,
    ):
        bundle = Path(folder) / "bundle"
        grader.unpack_bundle(path, bundle, max_mb=loaded.submission.max_upload_mb)
        return runner.run(
            bundle,
            chosen.images,
            num_classes=loaded.num_classes,
            limits=sandbox.of_explaining(loaded.limits),
            explain=True,
        )


def _note(state: State, heat_id: int, chosen: Chosen | None, result: JobResult) -> None:
    """Keep what came, unless it was kept before."""
    values: dict[str, object] = {"verdict": result.verdict, "detail": result.detail}
    values["detail_said"] = result.said
    if chosen is not None and result.labels is not None and result.heat_maps is not None:
        values |= {
            "images_sha256": pixels_sha256(chosen.images),
            "image_rows": chosen.rows,
            "labels": result.labels.tolist(),
            "squares": result.heat_maps.tobytes(),
        }
    with state.database.write() as session:
        session.execute(
            sa.update(HeatMaps)
            .where(HeatMaps.id == heat_id, HeatMaps.verdict.is_(None))
            .values(**values)
        )
