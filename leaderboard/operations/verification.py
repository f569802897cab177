"""Is what was promised still true: receipts verify, files are whole, scores come out the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

import grader
from leaderboard import receipts
from leaderboard.blobs import BlobDamaged, BlobMissing
from leaderboard.models import Case, Evaluation, Standing, Submission, Upload
from leaderboard.operations import named_files
from leaderboard.operations.backup import Progress
from leaderboard.operations.verifying import cases, late, quota, rows, scores, standings
from leaderboard.operations.verifying.difference import Difference
from leaderboard.state import State
from leaderboard.submissions import commitments

# what somebody planted may be anything, and is found by another step: none ends the others
MANGLED = (
    AssertionError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    grader.GraderError,
    sa.exc.NoResultFound,
)


@dataclass(frozen=True, kw_only=True)
class Verified:
    """How much was looked at, and what is wrong."""

    receipts: int
    files: int
    rows: int
    scores: int
    differences: tuple[Difference, ...]


def verify(state: State, *, progress: Progress) -> Verified:
    """Verify every receipt, read every file, compare every row that decides with the audit log, and
    compute quotas, days late, scores of stored predictions, boards and what is voided anew."""
    found: list[Difference] = []
    with state.database.reading() as session:
        counts = [
            _each(name, look(session, state), total, found, progress)
            for name, look, total in (
                ("receipts", look_at_receipts, _count(session, Submission.id)),
                ("uploads", _uploads, _count(session, Upload.id)),
                ("files", _files, _count_files(session)),
                ("rows", rows.look, rows.count(session)),
                ("quota", quota.look, _count(session, Submission.id)),
                ("lateness", late.look, _count(session, Submission.id)),
                ("scores", scores.look, _count(session, Evaluation.predictions_sha256)),
                ("standings", standings.look, _count(session, Standing.id)),
                ("cases", cases.look, _count(session, Case.id)),
            )
        ]
    return Verified(
        receipts=counts[0],
        files=counts[2],
        rows=counts[3],
        scores=counts[6],
        differences=tuple(found),
    )


def _each(
    name: str,
    looked_at: Iterator[Difference | None],
    total: int,
    found: list[Difference],
    progress: Progress,
) -> int:
    number = 0
    progress(name, 0, total)
    try:
        for number, difference in enumerate(looked_at, 1):
            if difference is not None:
                found.append(difference)
            progress(name, number, total)
    except MANGLED as error:
        reason = f"could not be looked at to the end: {type(error).__name__}: {error}"
        found.append(Difference(subject=name, reason=reason))
    return number


def look_at_receipts(session: Session, state: State) -> Iterator[Difference | None]:
    """One step a hand-in: its receipt, against the server's key and what stands beside it."""
    query = sa.select(
        Submission.public_id,
        Submission.content_sha256,
        Submission.size_bytes,
        Submission.upload_started_at,
        Submission.accepted_at,
        Submission.receipt,
    )
    for row in session.execute(query.execution_options(yield_per=1000)):
        reason = ""
        told = tuple(row.receipt.get(name) for name in ("id", "sha256", "size_bytes"))
        if told != (row.public_id, row.content_sha256, row.size_bytes):
            reason = "the receipt is of something else"
        elif not receipts.verify(row.receipt, state.receipts.public_key):
            reason = "the receipt is not signed by this server's key"
        elif not all(_is_moment_of(row, name) for name in ("upload_started_at", "accepted_at")):
            reason = "the receipt tells of another time"
        yield Difference(subject=row.public_id, reason=reason) if reason else None


def _is_moment_of(row: Any, name: str) -> bool:
    told = row.receipt.get(name)
    return told is None or datetime.fromisoformat(told) == getattr(row, name)


def _uploads(session: Session, state: State) -> Iterator[Difference | None]:
    for upload in session.scalars(sa.select(Upload).order_by(Upload.id)):
        is_right = commitments.is_as_signed(upload, state.receipts.public_key)
        reason = "is not as its signed commitment says"
        yield None if is_right else Difference(subject=upload.public_id, reason=reason)


def _files(session: Session, state: State) -> Iterator[Difference | None]:
    for sha256 in session.scalars(named_files.all_named()).all():
        try:
            state.blobs.verify(sha256)
        except (BlobMissing, BlobDamaged) as error:
            yield Difference(subject=sha256, reason=str(error))
        else:
            yield None


def _count(session: Session, column: sa.orm.InstrumentedAttribute[Any]) -> int:
    return int(session.scalar(sa.select(sa.func.count(column))) or 0)


def _count_files(session: Session) -> int:
    named = named_files.all_named().subquery()
    return int(session.scalar(sa.select(sa.func.count()).select_from(named)) or 0)
