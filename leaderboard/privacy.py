"""A person's own data: all of it as a file, and its removal.

Erasing keeps what the course's statistics rest on: the submissions' scores, by team. It removes who
they were of. The audit chain holds ids and hashes, so it stays as it is and still verifies.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard import audit, letters, named_files, views
from leaderboard.auth import former_addresses
from leaderboard.db import utcnow, writing
from leaderboard.errors import NotAllowedNow
from leaderboard.models import (
    ApiToken,
    AuditEvent,
    Enrolment,
    Evaluation,
    FormerAddress,
    Identity,
    Invitation,
    LoginSession,
    Notification,
    OutgoingMail,
    Submission,
    SubmissionStatus,
    Team,
    TeamMember,
    User,
)

if TYPE_CHECKING:
    from leaderboard.state import State

_GONE: Final = "erased"


def record_of(session: Session, user: User) -> dict[str, Any]:
    """All that is kept about a person, JSON-ready; files apart. Reads only.

    Scores are those that the person may see now: a private one before its release is not theirs.
    """
    return {
        "account": _account(user),
        "former_addresses": [
            {"email": each.email, "until": each.left_at.isoformat()}
            for each in former_addresses.of(session, user)
        ],
        "single_sign_on": [
            {"issuer": each.issuer, "subject": each.subject, "since": each.created_at.isoformat()}
            for each in _theirs(session, Identity, user)
        ],
        "courses": [
            {"course": each.course.code, "role": each.role.value, "section": each.section}
            for each in _theirs(session, Enrolment, user)
        ],
        "teams": [_team(each) for each in _theirs(session, TeamMember, user)],
        "submissions": [
            views.student_report(session, each) for each in _submissions(session, user)
        ],
        "tokens": [
            _times(each, "name", "prefix", "scopes") for each in _theirs(session, ApiToken, user)
        ],
        "devices": [_times(each, "user_agent") for each in _theirs(session, LoginSession, user)],
        "notices": [
            {"at": each.created_at.isoformat(), "said": letters.sentence(each.kind, each.details)}
            for each in _theirs(session, Notification, user)
        ],
        "mails": [_times(each, "kind") for each in _theirs(session, OutgoingMail, user)],
        "log": [
            {"at": each.at.isoformat(), "action": each.action, "subject": each.subject}
            for each in session.scalars(
                sa.select(AuditEvent)
                .where(
                    sa.or_(
                        AuditEvent.actor_user_id == user.id,
                        AuditEvent.subject == f"user:{user.id}",
                    )
                )
                .order_by(AuditEvent.id)
            )
        ],
    }


def export(session: Session, state: State, user: User, target: Path) -> None:
    """Write a zip with the record (person.json) and every file the person handed in."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        text = json.dumps(record_of(session, user), ensure_ascii=False, indent=2)
        archive.writestr("person.json", text + "\n")
        for submission in _submissions(session, user):
            if submission.content_removed_at is not None:
                continue
            name = f"files/{submission.public_id}/{Path(submission.filename).name}"
            with archive.open(name, "w", force_zip64=True) as file:
                for chunk in state.blobs.chunks(submission.content_sha256):
                    file.write(chunk)


def erase(session: Session, state: State, user: User) -> None:
    """Remove who a person was, for good; scores, standings and the audit chain stay.

    Their account becomes an empty shell that nobody can enter. What they wrote beside their files
    (names, messages, logs of their code) goes, and so do the files, unless they are a team's that
    has other members. The stored predictions stay: scores are computed from them.
    Opens its own write transaction. Repeatable. Raises: NotAllowedNow while one of their
    submissions is being evaluated, which needs its file.
    """
    with writing(session):
        _refuse_while_evaluated(session, user)
        contents = _erase_own_teams(session, user)
        _erase_words(session, user)
        _erase_rows(session, user)
        user.email = f"{_GONE}-{user.id}@invalid"  # RFC 2606: no mail goes there
        user.name, user.password_hash, user.locale = "", "", ""
        user.time_zone, user.muted, user.email_verified_at = None, None, None
        user.is_admin = False
        user.erased_at = user.erased_at or utcnow()
        audit.record(session, action="user.erase", subject=f"user:{user.id}")
    for sha256 in contents:
        state.blobs.remove(sha256, min_age_seconds=0)


def _refuse_while_evaluated(session: Session, user: User) -> None:
    unfinished = session.scalars(
        sa.select(Submission.public_id).where(
            Submission.user_id == user.id,
            Submission.status.in_((SubmissionStatus.QUEUED, SubmissionStatus.RUNNING)),
        )
    ).first()
    if unfinished is not None:
        raise NotAllowedNow(f"{unfinished} is being evaluated. Try again when it is finished.")


def _erase_own_teams(session: Session, user: User) -> set[str]:
    """Take the names off the teams that are theirs alone; which files nobody else handed in."""
    alone = [
        team
        for team in session.scalars(
            sa.select(Team).join(TeamMember).where(TeamMember.user_id == user.id)
        )
        if len(team.members) == 1
    ]
    for team in alone:
        team.name, team.pseudonym = f"{_GONE} {team.id}", None
    own = sa.and_(
        Submission.user_id == user.id, Submission.team_id.in_([team.id for team in alone])
    )
    contents = set(session.scalars(sa.select(Submission.content_sha256).where(own)))
    session.execute(sa.update(Submission).where(own).values(content_removed_at=utcnow()))
    session.flush()
    named = named_files.all_named().subquery().c[0]
    return contents - set(session.scalars(sa.select(named).where(named.in_(contents))))


def _erase_words(session: Session, user: User) -> None:
    theirs = sa.select(Submission.id).where(Submission.user_id == user.id)
    session.execute(
        sa.update(Evaluation)
        .where(Evaluation.submission_id.in_(theirs))
        .values(sample_log="", detail="", problems=[])
    )
    session.execute(
        sa.update(Submission)
        .where(Submission.user_id == user.id)
        .values(message="", filename=_GONE, problems=[], claims={}, idempotency_key=None)
    )


def _erase_rows(session: Session, user: User) -> None:
    addresses = [user.email, *(each.email for each in former_addresses.of(session, user))]
    session.execute(sa.update(Invitation).where(Invitation.email.in_(addresses)).values(email=""))
    session.execute(sa.delete(OutgoingMail).where(OutgoingMail.address.in_(addresses)))
    for model in (
        ApiToken,
        Enrolment,
        FormerAddress,
        Identity,
        LoginSession,
        Notification,
        OutgoingMail,
        TeamMember,
    ):
        session.execute(sa.delete(model).where(model.user_id == user.id))
    session.execute(
        sa.update(Invitation).where(Invitation.created_by == user.id).values(created_by=None)
    )


def _account(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "language": user.locale,
        "time_zone": user.time_zone,
        "switched_off": user.muted or [],
        "made_at": user.created_at.isoformat(),
        "address_confirmed_at": _moment(user.email_verified_at),
    }


def _team(membership: TeamMember) -> dict[str, Any]:
    team = membership.team
    return {"course": team.course.code, "name": team.name, "pseudonym": team.pseudonym}


def _times(row: Any, *names: str) -> dict[str, Any]:
    """Some columns of a row, with its times."""
    moments = ("created_at", "expires_at", "last_used_at", "last_seen_at", "sent_at", "revoked_at")
    found = {name: getattr(row, name) for name in names}
    return found | {
        name: _moment(getattr(row, name)) for name in moments if getattr(row, name, None)
    }


def _moment(value: Any) -> str | None:
    return value.isoformat() if value is not None else None


def _theirs(session: Session, model: Any, user: User) -> Sequence[Any]:
    return session.scalars(
        sa.select(model).where(model.user_id == user.id).order_by(model.id)
    ).all()


def _submissions(session: Session, user: User) -> Sequence[Submission]:
    return session.scalars(
        sa.select(Submission).where(Submission.user_id == user.id).order_by(Submission.id)
    ).all()
