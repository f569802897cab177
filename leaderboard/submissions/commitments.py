"""Handing in by commitment: hash and size first, which fixes the moment, then the bytes at leisure.

A slow line is no reason to be late, and a file that is still being made is no hand-in: exactly the
bytes that were committed to may follow, in parts, each from where the last one ended.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import IO, TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session
from werkzeug.exceptions import ClientDisconnected

from grader.words.message import said
from leaderboard import audit, receipts
from leaderboard.accounts import courses
from leaderboard.blobs import Staging
from leaderboard.db import utcnow, writing
from leaderboard.errors import (
    AcceptError,
    BadRequest,
    NotAllowedNow,
    NotFound,
    SandboxMissing,
)
from leaderboard.models import Assignment, Submission, Team, Upload, User
from leaderboard.rules import catalog, declarations, quotas
from leaderboard.submissions import accept, admission, claims
from leaderboard.submissions.accept import Accepted, UploadedFile
from leaderboard.submissions.uploads import suffix_of

if TYPE_CHECKING:
    from leaderboard.state import State

HOURS: Final = 12
MOST_OPEN: Final = 3
PART_BYTES: Final = 16 * 2**20
_MOST_PARTS: Final = 10_000
_PIECE: Final = 1 << 16
_MOST_STRAYS: Final = 10  # times the largest file, a day: what came and was not handed in


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What somebody commits to. sha256: of the file, hexadecimal; size: its bytes."""

    sha256: str
    size: int
    filename: str
    message: str = ""
    claims: str = ""
    declared: str = ""
    idempotency_key: str | None = None


def commit(
    session: Session,
    state: State,
    *,
    assignment: Assignment,
    team: Team,
    user: User,
    wanted: Wanted,
    now: datetime,
) -> Upload:
    """Fix the moment that counts for a file: this one. Repeatable while it is open.

    Takes one of the day's submissions at once. Opens its own write transaction.

    Raises:
        AcceptError: it would be refused (errors.py).
        NotAllowedNow: as many as may be are open.
        BadRequest: the hash or the size is none.
    """
    if not re.fullmatch("[0-9a-f]{64}", wanted.sha256) or wanted.size < 1:
        raise BadRequest(said("upload.no_hash"))
    accept.check_open(assignment, team, now)
    admission.check_size(state, assignment, wanted.size)
    declarations.check(catalog.rules(assignment).rules, declarations.read(wanted.declared))
    claims.read(wanted.claims)
    with writing(session):
        courses.hold_team(session, team.id)
        session.refresh(team)
        accept.check_open(assignment, team, now)
        theirs = [each for each in _open(session, now) if each.user_id == user.id]
        for each in theirs:
            if (each.assignment_id, each.content_sha256) == (assignment.id, wanted.sha256):
                return each
        if len(theirs) >= MOST_OPEN:
            raise NotAllowedNow(said("upload.too_many_open", most=MOST_OPEN))
        coming = sum(each.size_bytes - each.received_bytes for each in _open(session, now))
        admission.check_room(state, coming + wanted.size)
        _check_strays(session, state, assignment, user, wanted, now)
        spent = quotas.spent(session, assignment, team, user, now)
        quotas.check(assignment, team, now, spent, is_free=False)
        made = _made(state, assignment, team, user, wanted, now)
        session.add(made)
        audit.record(
            session,
            action="upload.commit",
            subject=made.public_id,
            course=assignment.course,
            actor=user,
            details={"sha256": made.content_sha256, "size_bytes": made.size_bytes},
        )
    return made


def one(session: Session, user: User, public_id: str) -> Upload:
    """An upload of this person that is open.

    Raises:
        NotFound: there is none of that name, or it is someone else's.
        NotAllowedNow: it is closed, its time is over, or they hand in for its team no more.
    """
    found = session.scalars(
        sa.select(Upload).filter_by(public_id=public_id, user_id=user.id)
    ).first()
    if found is None:
        raise NotFound
    is_over = found.closed_at is not None or found.expires_at <= utcnow()
    if is_over or not courses.hands_in(session, user, found.team):
        raise NotAllowedNow(said("upload.closed"))
    return found


def take_part(
    session: Session, state: State, upload: Upload, offset: int, body: IO[bytes]
) -> Accepted | None:
    """Keep a part of a file; with its last byte, hand it in.

    Raises:
        AcceptError, BadRequest, NotAllowedNow: as `receive` and `finish` say.
    """
    receive(session, state, upload, offset, body)
    session.refresh(upload)
    return finish(session, state, upload) if upload.received_bytes == upload.size_bytes else None


def receive(session: Session, state: State, upload: Upload, offset: int, body: IO[bytes]) -> None:
    """Keep what comes of a file from a byte on; what came before the line broke is kept too.

    Opens its own write transaction, after the bytes are on the disk.

    Raises:
        NotAllowedNow: the next byte is another one: `received_bytes`.
    """
    if offset != upload.received_bytes or len(upload.parts) >= _MOST_PARTS:
        raise NotAllowedNow(said("upload.next_byte", number=upload.received_bytes))
    admission.check_room(state, PART_BYTES)
    left, upload_id = min(PART_BYTES, upload.size_bytes - offset), upload.id
    session.commit()  # a slow part holds no connection to the database
    staging = state.blobs.stage("")
    try:
        _copy(body, staging, left)
        staging.finish()
        if staging.size:
            state.blobs.adopt(staging.path, staging.sha256)
            _add(session, upload_id, offset, staging)
    finally:
        staging.discard()


def finish(session: Session, state: State, upload: Upload) -> Accepted:
    """Hand in an upload of which every byte is here, as of the moment of its commitment.

    Raises:
        AcceptError: it is refused; where the reason is the file itself, the upload is closed.
        BadRequest: the bytes are not those that were committed to; the upload is closed.
        NotAllowedNow: the row was changed past the server since it was signed.
    """
    if not is_as_signed(upload, state.receipts.public_key):
        raise NotAllowedNow(said("upload.not_as_signed"))
    file = _whole(state, upload)
    try:
        if file.sha256 != upload.content_sha256:
            raise BadRequest(said("upload.other_bytes"))
        accepted = accept.accept(
            session,
            state,
            assignment=upload.assignment,
            team=upload.team,
            user=upload.user,
            upload=file,
            started_at=upload.committed_at,
            message=upload.fields["message"],
            claims=claims.read(upload.fields["claims"]),
            declared=declarations.read(upload.fields["declared"]),
            idempotency_key=upload.fields["idempotency_key"] or f"upload:{upload.public_id}",
            commitment=upload,
        )
        if not accepted.created:  # a repetition under its key: nothing takes this one's place
            withdraw(session, upload)
        return accepted
    except SandboxMissing:
        raise  # ours: it can be finished when the sandbox is back
    except (AcceptError, BadRequest):
        withdraw(session, upload)
        raise
    finally:
        file.path.unlink(missing_ok=True)


def is_as_signed(upload: Upload, public_key: str) -> bool:
    """Whether what decides about an upload is what the server's key (base64) signed of it."""
    told = upload.commitment
    as_signed = (upload.public_id, upload.content_sha256, upload.size_bytes) == (
        told.get("id"),
        told.get("sha256"),
        told.get("size_bytes"),
    )
    moments = ("committed_at", "expires_at")
    return (
        as_signed
        and all(getattr(upload, name).isoformat() == told.get(name) for name in moments)
        and receipts.verify(told, public_key)
    )


def withdraw(session: Session, upload: Upload) -> None:
    """Close an upload; what it took of the day's limit is free again. Repeatable."""
    with writing(session):
        found = session.get_one(Upload, upload.id)
        if found.closed_at is None:
            found.closed_at = utcnow()


def _open(session: Session, now: datetime) -> list[Upload]:
    found = sa.select(Upload).where(Upload.closed_at.is_(None), Upload.expires_at > now)
    return list(session.scalars(found))


def _check_strays(
    session: Session,
    state: State,
    assignment: Assignment,
    user: User,
    wanted: Wanted,
    now: datetime,
) -> None:
    """Refuse a person who fills the disk with what is then withdrawn: it stays there for a day.

    Raises:
        NotAllowedNow: that was much already.
    """
    handed_in = sa.select(Submission.id).where(
        Submission.user_id == Upload.user_id,
        Submission.upload_started_at == Upload.committed_at,
    )
    came = sa.select(sa.func.coalesce(sa.func.sum(Upload.received_bytes), 0)).where(
        Upload.user_id == user.id,
        Upload.committed_at > now - timedelta(days=1),
        ~handed_in.exists(),
    )
    most = _MOST_STRAYS * accept.max_upload_bytes(state, assignment)
    if int(session.scalar(came) or 0) + wanted.size > most:
        raise NotAllowedNow(said("upload.too_much_withdrawn"))


def _made(
    state: State, assignment: Assignment, team: Team, user: User, wanted: Wanted, now: datetime
) -> Upload:
    public_id, expires_at = f"u_{secrets.token_hex(6)}", now + timedelta(hours=HOURS)
    commitment = {
        "id": public_id,
        "course": assignment.course.code,
        "assignment": assignment.slug,
        "sha256": wanted.sha256,
        "size_bytes": wanted.size,
        "committed_at": now.isoformat(),
        "expires_at": expires_at.isoformat(),
    }
    fields: dict[str, Any] = {
        "message": wanted.message,
        "claims": wanted.claims,
        "declared": wanted.declared,
        "idempotency_key": wanted.idempotency_key,
    }
    return Upload(
        public_id=public_id,
        assignment_id=assignment.id,
        team_id=team.id,
        user_id=user.id,
        content_sha256=wanted.sha256,
        size_bytes=wanted.size,
        filename=wanted.filename.replace("\\", "/").rpartition("/")[2][:255],
        fields=fields,
        parts=[],
        received_bytes=0,
        commitment=state.receipts.sign(commitment),
        committed_at=now,
        expires_at=expires_at,
    )


def _copy(body: IO[bytes], staging: Staging, left: int) -> None:
    """Write what comes, up to its end, to where it breaks off, or to what is left to come."""
    while left:
        try:
            piece = body.read(min(_PIECE, left))
        except (OSError, ClientDisconnected):
            return
        if not piece:
            return
        staging.write(piece)
        left -= len(piece)


def _add(session: Session, upload_id: int, offset: int, staging: Staging) -> None:
    with writing(session):
        found = session.get_one(Upload, upload_id, with_for_update=True, populate_existing=True)
        if found.received_bytes != offset or found.closed_at is not None:
            raise NotAllowedNow(said("upload.next_byte", number=found.received_bytes))
        found.parts = [*found.parts, staging.sha256]
        found.received_bytes = offset + staging.size


def _whole(state: State, upload: Upload) -> UploadedFile:
    """The parts put together, in the staging folder."""
    staging = state.blobs.stage(suffix_of(upload.filename))
    try:
        for part in upload.parts:
            for chunk in state.blobs.chunks(part):
                staging.write(chunk)
        staging.finish()
    except BaseException:
        staging.discard()
        raise
    return UploadedFile(
        path=staging.path, filename=upload.filename, sha256=staging.sha256, size=staging.size
    )
