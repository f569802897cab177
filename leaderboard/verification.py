"""Is what was promised still true: receipts verify, files are whole, scores come out the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.orm import Session, joinedload, selectinload

import grader
from leaderboard import named_files, receipts
from leaderboard.backup import Progress
from leaderboard.blobs import BlobDamaged, BlobMissing
from leaderboard.models import Evaluation, Split, SplitScore, Submission
from leaderboard.state import State

_BATCH = 200


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Something that is not as it was promised."""

    subject: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class Verified:
    """How much was looked at, and what is wrong."""

    receipts: int
    files: int
    scores: int
    differences: tuple[Difference, ...]


def verify(state: State, *, progress: Progress) -> Verified:
    """Verify every receipt, read every file, and compute every score of stored predictions anew."""
    found: list[Difference] = []
    with state.database.reading() as session:
        counts = [
            _each(name, look(session, state), total, found, progress)
            for name, look, total in (
                ("receipts", _receipts, _count(session, Submission.id)),
                ("files", _files, _count_files(session)),
                ("scores", _scores, _count(session, Evaluation.predictions_sha256)),
            )
        ]
    return Verified(receipts=counts[0], files=counts[1], scores=counts[2], differences=tuple(found))


def _each(
    name: str,
    looked_at: Iterator[Difference | None],
    total: int,
    found: list[Difference],
    progress: Progress,
) -> int:
    number = 0
    progress(name, 0, total)
    for number, difference in enumerate(looked_at, 1):
        if difference is not None:
            found.append(difference)
        progress(name, number, total)
    return number


def _receipts(session: Session, state: State) -> Iterator[Difference | None]:
    query = sa.select(Submission.public_id, Submission.content_sha256, Submission.receipt)
    for public_id, sha256, receipt in session.execute(query.execution_options(yield_per=1000)):
        reason = ""
        if (receipt.get("id"), receipt.get("sha256")) != (public_id, sha256):
            reason = "the receipt is of something else"
        elif not receipts.verify(receipt, state.receipts.public_key):
            reason = "the receipt is not signed by this server's key"
        yield Difference(subject=public_id, reason=reason) if reason else None


def _files(session: Session, state: State) -> Iterator[Difference | None]:
    for sha256 in session.scalars(named_files.all_named()).all():
        try:
            state.blobs.verify(sha256)
        except (BlobMissing, BlobDamaged) as error:
            yield Difference(subject=sha256, reason=str(error))
        else:
            yield None


def _scores(session: Session, state: State) -> Iterator[Difference | None]:
    """By batches of ids: a long transaction would keep SQLite's log from being folded in."""
    last = 0
    while True:
        batch = session.scalars(
            sa.select(Evaluation)
            .where(Evaluation.id > last, Evaluation.predictions_sha256.is_not(None))
            .options(
                joinedload(Evaluation.submission),
                selectinload(Evaluation.splits).undefer(SplitScore.right),
            )
            .order_by(Evaluation.id)
            .limit(_BATCH)
        ).all()
        if not batch:
            return
        for evaluation in batch:
            reason = _score_again(state, evaluation)
            subject = f"{evaluation.submission.public_id}.{evaluation.number}"
            yield Difference(subject=subject, reason=reason) if reason else None
        last = batch[-1].id
        session.rollback()
        session.expunge_all()


def _score_again(state: State, evaluation: Evaluation) -> str:
    """What differs from the stored scores when they are computed anew; "" if nothing does."""
    try:
        assert evaluation.predictions_sha256 is not None
        stored = state.blobs.read(evaluation.predictions_sha256)
        assignment = state.catalog.load_version(evaluation.folder_sha256)
    except (BlobMissing, BlobDamaged) as error:
        return str(error)
    key = assignment.answer_key()
    if key.sha256 != evaluation.answers_sha256:
        return "the answers of its assignment are not those that it was scored with"
    predictions = grader.Predictions.from_bytes(stored)
    scores = grader.score(predictions, key)
    right = predictions.labels == key.labels
    for kept in evaluation.splits:
        is_public = kept.split is Split.PUBLIC
        score = scores.public if is_public else scores.private
        if _differs(kept.report, score.as_dict()):
            return f"its {kept.split.value} score comes out differently"
        if kept.primary != float(score.metric(assignment.scoring.metric)):
            return f"its {kept.split.value} ranking score comes out differently"
        chosen = right[key.public if is_public else ~key.public]
        if kept.right != np.packbits(chosen).tobytes():
            return f"which images of its {kept.split.value} split are right comes out differently"
    return "" if evaluation.splits else "it has predictions, but no scores"


def _differs(stored: dict[str, Any], anew: dict[str, Any]) -> bool:
    """Whether a figure changed; a later version may know more figures, but not others."""
    return any(name not in anew or anew[name] != value for name, value in stored.items())


def _count(session: Session, column: sa.orm.InstrumentedAttribute[Any]) -> int:
    return int(session.scalar(sa.select(sa.func.count(column))) or 0)


def _count_files(session: Session) -> int:
    named = named_files.all_named().subquery()
    return int(session.scalar(sa.select(sa.func.count()).select_from(named)) or 0)
