"""Handing in: who, until when, how often, what; stored, receipted and queued in one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.orm import Session
from sqlalchemy.orm.attributes import set_committed_value

import grader
from grader.words.message import Message, said
from leaderboard import audit
from leaderboard.boards import placing
from leaderboard.db import insert_whole, utcnow, writing
from leaderboard.errors import (
    BadRequest,
    IdempotencyConflict,
    NotAllowedNow,
    NotFound,
)
from leaderboard.evaluations import parsed
from leaderboard.models import (
    Assignment,
    Cause,
    Evaluation,
    Kind,
    Submission,
    SubmissionStatus,
    Team,
    Upload,
    User,
    guarding,
)
from leaderboard.models.versions import code_version
from leaderboard.rules import catalog, declarations, lateness, quotas
from leaderboard.rules.quotas import Quota, quota
from leaderboard.rules.schedule import check_open
from leaderboard.submissions import deciding
from leaderboard.submissions.admission import (
    UploadedFile,
    check_file,
    check_sandbox,
    check_size,
    kind_of,
    max_upload_bytes,
)

if TYPE_CHECKING:
    from leaderboard.state import State

__all__ = [
    "Accepted",
    "Quota",
    "UploadedFile",
    "accept",
    "check_open",
    "max_upload_bytes",
    "pick_finals",
    "quota",
    "rejudge",
]

_ID_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's: nothing to confuse when read aloud
_ID_LENGTH = 10  # 50 bits
_LARGE_BYTES = 1 << 20
_LONGEST_KEY = 128  # characters of an Idempotency-Key


@dataclass(frozen=True, kw_only=True)
class Accepted:
    """The submission, and whether this call made it: a repeated key finds the earlier one."""

    submission: Submission
    created: bool
    warnings: tuple[Message, ...] = ()
    quota: Quota | None = None  # what is left, where the transaction knew of today


def accept(
    session: Session,
    state: State,
    *,
    assignment: Assignment,
    team: Team,
    user: User,
    upload: UploadedFile,
    started_at: datetime,
    message: str = "",
    idempotency_key: str | None = None,
    claims: Mapping[str, str] | None = None,
    declared: Sequence[str] | None = None,
    commitment: Upload | None = None,
) -> Accepted:
    """The one door for new submissions, of pages, API and the nightly rerun alike.

    An invalid file is accepted as a finished submission with verdict REJ and all its problems, free
    of quota: look at `accepted.submission.verdict`. `declared` is what the team says it used
    (declarations.py), None where it said nothing. A `commitment` is closed, and makes way for its
    submission in the day's limit. Opens its own write transaction.

    Raises:
        AcceptError: it is refused (errors.py); then nothing was stored.
    """
    earlier = _by_key(session, assignment, team, upload, idempotency_key)
    if earlier is not None:
        return Accepted(submission=earlier, created=False)
    check_open(assignment, team, started_at)
    check_size(state, assignment, upload.size)
    declarations.check(catalog.rules(assignment).rules, declared)
    kind = kind_of(upload, assignment)
    if kind is Kind.CODE:
        check_sandbox(session)
    checked = check_file(state, assignment, upload, kind)
    problems = checked.problems
    if upload.size >= _LARGE_BYTES and commitment is None:  # a small one is not worth asking twice
        spent = quotas.spent(session, assignment, team, user, started_at)
        quotas.check(assignment, team, started_at, spent, is_free=bool(problems))
    # on the disk before the row that names it; a file without a row is swept up later
    state.blobs.adopt(upload.path, upload.sha256)
    found = checked.predictions
    kept = parsed.keep(state.blobs, assignment, found, upload.sha256) if found else None
    involved = deciding.Involved(
        team=team.id, assignment=assignment.id, user=user.id, sha256=upload.sha256
    )
    with writing(session):
        twin = deciding.hold(session, involved)
        earlier = _by_key(session, assignment, team, upload, idempotency_key)
        if earlier is not None:
            return Accepted(submission=earlier, created=False)
        check_open(assignment, team, started_at)
        if commitment is not None:
            deciding.close(session, commitment.id)
        now = deciding.standing(session, assignment, team, user, kind, started_at)
        quotas.check(assignment, team, started_at, now.spent, is_free=bool(problems))
        submission = _new_submission(
            state, assignment, team, user, upload, kind, started_at, message
        )
        submission.idempotency_key = idempotency_key
        submission.claims = {**checked.claims, **(claims or {})}
        submission.declared = None if declared is None else list(declared)
        lateness.charge(session, assignment, submission, team)
        if problems:
            _reject(session, assignment, submission, problems)
        else:
            submission.evaluation_number = 1
            submission.counted = True
            state.queue.enqueue(
                session, submission, Cause.HAND_IN, parsed=kept, neighbours=now.neighbours
            )
            quotas.charge(session, assignment, submission)
        audit.record(
            session,
            action="submission.accept",
            subject=submission.public_id,
            course=assignment.course,
            actor=user,
            details={"sha256": upload.sha256, "verdict": submission.verdict},
        )
    warnings = (said("submission.same_file", earlier=twin),) if twin else ()
    left = quotas.left_today(assignment, team, started_at, now.spent, charged=submission.counted)
    return Accepted(submission=submission, created=True, warnings=warnings, quota=left)


def rejudge(
    session: Session, state: State, submission: Submission, *, cause: Cause, actor: User | None
) -> None:
    """Queue a finished submission again: RESCORE of stored predictions or RERUN of the code.

    The present result stands until the new one is published. One that was cancelled can be rerun,
    for a team that withdrew it by mistake; as every rejudge, that costs nothing. Opens its own
    write transaction.

    Raises:
        NotAllowedNow: it is not finished, or RESCORE has no stored predictions.
    """
    with writing(session):
        current = submission.current_evaluation
        if cause is Cause.HAND_IN:
            raise BadRequest(said("submission.rejudge_kind"))
        if submission.status is SubmissionStatus.CANCELLED and cause is Cause.RESCORE:
            raise NotAllowedNow(said("submission.cancelled"))
        if submission.status not in (SubmissionStatus.FINISHED, SubmissionStatus.CANCELLED):
            raise NotAllowedNow(said("submission.unfinished"))
        if cause is Cause.RESCORE and (current is None or not current.predictions_sha256):
            raise NotAllowedNow(said("submission.no_predictions"))
        if cause is Cause.RERUN and submission.content_removed_at is not None:
            raise NotAllowedNow(said("submission.file_gone"))
        submission.evaluation_number += 1
        submission.failed_attempts = 0
        state.queue.enqueue(session, submission, cause)
        lateness.settle(session, submission.assignment, submission.team)
        audit.record(
            session,
            action=f"submission.{cause.value}",
            subject=submission.public_id,
            course=submission.assignment.course,
            actor=actor,
            details={"evaluation": submission.evaluation_number},
        )


def set_claims(
    session: Session, submission: Submission, claims: Mapping[str, str], *, actor: User
) -> None:
    """Replace what the team's report claims of a submission. Opens its own write transaction."""
    with writing(session):
        submission.claims = dict(claims)
        submission.revision += 1
        audit.record(
            session,
            action="submission.claims",
            subject=submission.public_id,
            course=submission.assignment.course,
            actor=actor,
            details={"claims": dict(claims)},
        )


def pick_finals(
    session: Session,
    assignment: Assignment,
    team: Team,
    public_ids: Sequence[str],
    *,
    actor: User,
    now: datetime,
) -> tuple[Submission, ...]:
    """Set a team's final picks to exactly these submissions. Opens its own write transaction.

    Raises:
        BadRequest: they are too many, not scored, or flagged ND.
        NotFound: one is not the team's.
        NotAllowedNow: after release.
    """
    limit = catalog.rules(assignment).submission.final_picks
    wanted = list(dict.fromkeys(public_ids))
    if len(wanted) > limit:
        raise BadRequest(said("picks.too_many", most=limit))
    with writing(session):
        if assignment.released_at is not None:
            raise NotAllowedNow(said("picks.released"))
        entries = {
            entry.public_id: entry for entry in placing.entries_of(session, assignment, team)
        }
        for public_id in wanted:
            _check_pickable(session, assignment, team, public_id, entries)
        session.execute(
            sa.update(Submission)
            .where(Submission.assignment_id == assignment.id, Submission.team_id == team.id)
            .values(is_final_pick=Submission.public_id.in_(wanted))
        )
        session.expire_all()
        placing.refresh(session, assignment, team)
        audit.record(
            session,
            action="submission.pick",
            subject=f"team:{team.id}",
            course=assignment.course,
            actor=actor,
            details={"picks": sorted(wanted)},
        )
    ids = (entries[public_id].submission_id for public_id in wanted)
    return tuple(session.get_one(Submission, submission_id) for submission_id in ids)


def _by_key(
    session: Session, assignment: Assignment, team: Team, upload: UploadedFile, key: str | None
) -> Submission | None:
    """The submission made under this key.

    Raises:
        IdempotencyConflict: it was another file.
    """
    if key is None:
        return None
    if not 1 <= len(key) <= _LONGEST_KEY or not key.isprintable():
        raise BadRequest(said("upload.key_length", most=_LONGEST_KEY))
    earlier = session.scalars(
        sa.select(Submission).filter_by(
            assignment_id=assignment.id, team_id=team.id, idempotency_key=key
        )
    ).first()
    if earlier is not None and earlier.content_sha256 != upload.sha256:
        raise IdempotencyConflict(said("upload.key_used", earlier=earlier.public_id))
    return earlier


def _new_submission(
    state: State,
    assignment: Assignment,
    team: Team,
    user: User,
    upload: UploadedFile,
    kind: Kind,
    started_at: datetime,
    message: str,
) -> Submission:
    now = utcnow()
    submission = Submission(
        public_id=_new_public_id(),
        assignment_id=assignment.id,
        team_id=team.id,
        user_id=user.id,
        kind=kind,
        filename=_clean(upload.filename, 255) or "upload",
        content_sha256=upload.sha256,
        size_bytes=upload.size,
        message=_clean(message, 500),
        status=SubmissionStatus.QUEUED,
        upload_started_at=started_at,
        accepted_at=now,
        # as they are inserted: a default would be read back for the answer
        phase="",
        problems=[],
        days_late=0,
        late_days_spent=0,
        counted=False,
        finished_at=None,
        verdict=None,
        is_final_pick=False,
        voided_at=None,
        content_removed_at=None,
        failed_attempts=0,
        current_evaluation_id=None,
    )
    submission.receipt = state.receipts.sign(
        {
            "id": submission.public_id,
            "course": assignment.course.code,
            "assignment": assignment.slug,
            "sha256": upload.sha256,
            "size_bytes": upload.size,
            "upload_started_at": started_at.isoformat(),
            "accepted_at": now.isoformat(),
        }
    )
    # it is inserted by its ids (db.insert_whole); these need not be asked for again
    set_committed_value(submission, "assignment", assignment)
    set_committed_value(submission, "team", team)
    set_committed_value(submission, "user", user)
    return submission


def _reject(
    session: Session,
    assignment: Assignment,
    submission: Submission,
    problems: Sequence[grader.Problem],
) -> None:
    """Record the finished rejection: visible, free of quota."""
    found = [problem.as_dict() for problem in problems]
    insert_whole(session, submission)
    guarding.touch_object(session, submission)
    evaluation = Evaluation(
        submission_id=submission.id,
        number=1,
        cause=Cause.HAND_IN,
        verdict=grader.Verdict.REJ.value,
        failed_in="upload",
        problems=found,
        content_sha256=submission.content_sha256,
        answers_sha256=assignment.answers_sha256,
        folder_sha256=assignment.folder_sha256,
        measure_sha256=assignment.measure_sha256,
        images_sha256=assignment.images_sha256,
        code_version=code_version(),
        created_at=submission.accepted_at,
    )
    session.add(evaluation)
    session.flush()
    submission.status = SubmissionStatus.FINISHED
    submission.verdict = evaluation.verdict
    submission.problems = found
    submission.finished_at = submission.accepted_at
    submission.evaluation_number = 1
    submission.current_evaluation_id = evaluation.id


def _check_pickable(
    session: Session,
    assignment: Assignment,
    team: Team,
    public_id: str,
    entries: dict[str, placing.Entry],
) -> None:
    if public_id in entries:
        if not placing.may_be_final(assignment, entries[public_id]):
            raise BadRequest(said("picks.not_allowed", submission=public_id))
        return
    known = session.scalars(
        sa.select(Submission).filter_by(
            public_id=public_id, assignment_id=assignment.id, team_id=team.id
        )
    ).first()
    if known is None:
        raise NotFound(said("submission.not_yours", submission=public_id))
    if known.voided_at is not None:
        raise BadRequest(said("picks.voided", submission=public_id))
    raise BadRequest(said("submission.no_score", submission=public_id))


def _new_public_id() -> str:
    """Unlike any other: of a million, one meets another with a chance of 1 in 10⁹; the schema would
    refuse it, and the client's retry gets the next."""
    drawn = secrets.token_bytes(_ID_LENGTH)  # each letter by five bits of a byte
    return "s_" + "".join(_ID_ALPHABET[each % len(_ID_ALPHABET)] for each in drawn)


def _clean(text: str, length: int) -> str:
    """One line of printable text; what a terminal or a page could misread is dropped."""
    return "".join(each for each in text if each.isprintable()).strip()[:length]


def submissions_of_team(
    session: Session,
    assignment: Assignment,
    team: Team,
    *,
    before_id: int | None = None,
    limit: int = 200,
) -> Sequence[Submission]:
    """A team's submissions to an assignment, newest first; `before_id` continues a page."""
    query = sa.select(Submission).where(
        Submission.assignment_id == assignment.id, Submission.team_id == team.id
    )
    if before_id is not None:
        query = query.where(Submission.id < before_id)
    return session.scalars(query.order_by(Submission.id.desc()).limit(limit)).all()
