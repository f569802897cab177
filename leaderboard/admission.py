"""What may come in: when, how large, of which kind, and is the file valid. Stores nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

import grader
from leaderboard import catalog, claims, workers
from leaderboard.courses import zone_of
from leaderboard.errors import (
    AssignmentClosed,
    DiskFull,
    EmptyUpload,
    KindNotAllowed,
    SandboxMissing,
    TooLarge,
)
from leaderboard.models import Assignment, Kind, Team

if TYPE_CHECKING:
    from leaderboard.state import State

_MIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class UploadedFile:
    """A complete upload on disk (uploads.py): hashed while it was written, never in memory.

    It lies in the blob store's staging folder; `accept` moves it under its hash.
    """

    path: Path
    filename: str
    sha256: str
    size: int


def check_open(assignment: Assignment, team: Team, started_at: datetime) -> None:
    """Refuse a hand-in whose upload started out of time; the second that is named is still in time.

    Raises: AssignmentClosed.
    """
    if team.is_baseline:
        return
    schedule = catalog.rules(assignment).schedule
    moment = started_at.replace(microsecond=0)
    if schedule.opens is not None and moment < schedule.opens:
        raise AssignmentClosed(f"This assignment opens at {_local(schedule.opens, assignment)}.")
    end = schedule.closes or schedule.due
    if end is not None and moment > end:
        raise AssignmentClosed(f"This assignment closed at {_local(end, assignment)}.")
    if assignment.released_at is not None:
        raise AssignmentClosed("The private board is out: nothing more can be handed in.")


def check_size(state: State, assignment: Assignment, size: int) -> None:
    """Refuse what is too large, empty, or would fill the disk. Raises: AcceptError."""
    limit = max_upload_bytes(state, assignment)
    if size > limit:
        raise TooLarge(f"The file has {size / _MIB:.1f} MB; the limit is {limit // _MIB} MB.")
    if size == 0:
        raise EmptyUpload("The file is empty.")
    check_room(state, 0)


def check_room(state: State, coming: int) -> None:
    """Refuse an upload of so many bytes that would leave too little room. Raises: DiskFull."""
    if state.blobs.free_bytes() - coming < state.settings.min_free_mb * _MIB:
        raise DiskFull


def max_upload_bytes(state: State, assignment: Assignment) -> int:
    """The largest file that this assignment takes here."""
    own = catalog.rules(assignment).submission.max_upload_mb
    return min(own, state.settings.max_upload_mb) * _MIB


def kind_of(upload: UploadedFile, assignment: Assignment) -> Kind:
    kind = Kind(grader.Submission.detect(upload.path).kind)
    kinds = catalog.rules(assignment).submission.kinds
    if kind.value not in kinds:
        taken = {"csv": "a CSV of predictions", "code": "a code bundle (.zip, .tar.gz, .tar)"}
        raise KindNotAllowed(
            f"This assignment takes {' or '.join(taken[each] for each in kinds)}, "
            f"and this is {taken[kind.value]}."
        )
    return kind


def check_sandbox(session: Session) -> None:
    refusal = workers.sandbox_refusal(session)
    if refusal:
        raise SandboxMissing(refusal)


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What was found in an upload: problems, or none; a bundle's claims, as printed, by metric."""

    problems: tuple[grader.Problem, ...] = ()
    claims: Mapping[str, str] = field(default_factory=dict)


def check_file(state: State, assignment: Assignment, upload: UploadedFile, kind: Kind) -> Checked:
    """Everything that is wrong with the file, found by the same code that students run offline."""
    try:
        if kind is Kind.CODE:
            return Checked(claims=_claims(grader.inspect_bundle(upload.path).claims or {}))
        with upload.path.open("rb") as file:
            found = grader.parse_predictions(file, state.catalog.expected_rows(assignment))
    except grader.InvalidSubmission as error:
        return Checked(problems=tuple(error.problems))
    metric = grader.METRICS[assignment.metric]
    if metric.needs_scores and found.scores is None:
        message = f"{metric.title} needs {metric.needs}: one column a class"
        problem = grader.Problem(kind="metric_unavailable", message=message, line=1)
        return Checked(problems=(problem,))
    return Checked()


def _claims(table: Mapping[str, object]) -> dict[str, str]:
    """A `claims.toml` that names no metric of ours is no reason to refuse the code beside it."""
    try:
        return claims.of_table(table)
    except ValueError:
        return {}


def _local(moment: datetime, assignment: Assignment) -> str:
    zone = zone_of(assignment.course)
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S} ({zone.key})"
