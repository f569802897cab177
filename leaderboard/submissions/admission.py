"""What may come in: when, how large, of which kind, and is the file valid. Stores nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.orm import Session

import grader
from grader.words.message import said
from leaderboard.errors import (
    DiskFull,
    EmptyUpload,
    KindNotAllowed,
    SandboxMissing,
    TooLarge,
)
from leaderboard.models import Assignment, Kind
from leaderboard.queue import workers
from leaderboard.rules import catalog
from leaderboard.submissions import claims

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


def check_size(state: State, assignment: Assignment, size: int) -> None:
    """Refuse what is too large, empty, or would fill the disk.

    Raises:
        AcceptError: it is one of these.
    """
    try:
        requirements(state, assignment).check_size(size)
    except grader.InvalidSubmission as error:
        raise TooLarge(error.problems[0].message) from None
    if size == 0:
        raise EmptyUpload(said("upload.empty"))
    check_room(state, 0)


def check_room(state: State, coming: int) -> None:
    """Refuse an upload of so many bytes that would leave too little room.

    Raises:
        DiskFull: it would.
    """
    if state.blobs.free_bytes() - coming < state.settings.min_free_mb * _MIB:
        raise DiskFull


def requirements(state: State, assignment: Assignment) -> grader.Requirements:
    """What a file must be to be taken here: the assignment's word, and at most what the server
    takes."""
    own = grader.Requirements.of(catalog.rules(assignment))
    return replace(own, max_upload_mb=min(own.max_upload_mb, state.settings.max_upload_mb))


def max_upload_bytes(state: State, assignment: Assignment) -> int:
    """The largest file that this assignment takes here."""
    return requirements(state, assignment).max_upload_mb * _MIB


def kind_of(upload: UploadedFile, assignment: Assignment) -> Kind:
    """What it is.

    Raises:
        KindNotAllowed: the assignment does not take it; with what to hand in instead.
    """
    required = grader.Requirements.of(catalog.rules(assignment))
    try:
        return Kind(required.check_kind(upload.path, name=upload.filename))
    except grader.InvalidSubmission as error:
        raise KindNotAllowed(error.problems[0].message) from None


def check_sandbox(session: Session) -> None:
    """Refuse code where no worker has a sandbox.

    Raises:
        SandboxMissing: it has not. What is wrong is for staff: their pages and `doctor` say it.
    """
    if workers.sandbox_refusal(session):
        raise SandboxMissing(said("upload.no_sandbox"))


@dataclass(frozen=True, kw_only=True)
class Checked:
    """What was found in an upload: problems, or a CSV's predictions or a bundle's claims, as
    printed, by metric."""

    problems: tuple[grader.Problem, ...] = ()
    predictions: grader.Predictions | None = None
    claims: Mapping[str, str] = field(default_factory=dict)


def check_file(state: State, assignment: Assignment, upload: UploadedFile, kind: Kind) -> Checked:
    """Everything that is wrong with the file, found by the same code that students run offline."""
    # unpacked, a bundle may have what the worker allows it
    required = grader.Requirements.of(catalog.rules(assignment))
    try:
        if kind is Kind.CODE:
            return Checked(claims=_claims(required.read_bundle(upload.path).claims or {}))
        with upload.path.open("rb") as file:
            found = required.read_csv(file, state.catalog.expected_rows(assignment))
    except grader.InvalidSubmission as error:
        return Checked(problems=tuple(error.problems))
    return Checked(predictions=found)


def _claims(table: Mapping[str, object]) -> dict[str, str]:
    """A `claims.toml` that names no metric of ours is no reason to refuse the code beside it."""
    try:
        return claims.of_table(table)
    except ValueError:
        return {}
