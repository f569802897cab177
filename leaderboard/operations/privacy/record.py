"""All that is kept about a person, as one file with what they handed in."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard.accounts import former_addresses, scopes
from leaderboard.cases import reading, telling
from leaderboard.messages import letters
from leaderboard.models import (
    ApiToken,
    AuditEvent,
    Case,
    CaseEntry,
    Enrolment,
    Extension,
    FormerMember,
    GradeMark,
    Identity,
    LoginSession,
    Notification,
    OutgoingMail,
    PublishedGrade,
    RegradeMessage,
    Step,
    Submission,
    SubmissionNote,
    Team,
    TeamMember,
    Upload,
    User,
)
from leaderboard.views import report
from leaderboard.views.shapes import as_json

if TYPE_CHECKING:
    from leaderboard.state import State


def record_of(session: Session, user: User) -> dict[str, Any]:
    """All that is kept about a person, JSON-ready; files apart. Reads only.

    Scores are those that the person may see now: a private one before its release is not theirs;
    nor is a case that their team was not told of.
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
            {
                "course": each.course.code,
                "role": each.role.value,
                "section": each.section,
                "student_number": each.number,
            }
            for each in _theirs(session, Enrolment, user)
        ],
        "teams": [
            *(_team(each.team, each.joined_at) for each in _theirs(session, TeamMember, user)),
            *(
                _team(each.team, each.joined_at, each.left_at)
                for each in _theirs(session, FormerMember, user)
            ),
        ],
        "extensions": [_extension(each) for each in _theirs(session, Extension, user)],
        "submissions": as_json(report.student_reports(session, _submissions(session, user))),
        # what the teaching team wrote for itself, without the name of whoever did
        "notes": [
            {"submission": each.submission.public_id, **_times(each, "text")}
            for each in _theirs(session, SubmissionNote, user)
        ],
        "cases": as_json(tuple(reading.report(each) for each in _cases(session, user))),
        "grades": [
            *(_mark(each) for each in _theirs(session, GradeMark, user)),
            *(_published(each) for each in _theirs(session, PublishedGrade, user)),
        ],
        "regrades": [
            {"at": each.at.isoformat(), "submission": each.regrade.submission.public_id}
            | {"text": each.text}
            for each in _theirs(session, RegradeMessage, user)
        ],
        "uploads": [
            _times(each, "filename", "content_sha256", "size_bytes", "fields")
            for each in _theirs(session, Upload, user)
        ],
        "tokens": [
            {**_times(each, "name", "prefix"), "scopes": list(scopes.of(each))}
            for each in _theirs(session, ApiToken, user)
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


def _account(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "email": user.address,
        "name": user.name,
        "language": user.locale,
        "time_zone": user.time_zone,
        "switched_off": user.muted or [],
        "made_at": user.created_at.isoformat(),
        "address_confirmed_at": _moment(user.email_verified_at),
        "erasure_asked_at": _moment(user.erasure_asked_at),
    }


def _team(
    team: Team, joined_at: datetime | None, left_at: datetime | None = None
) -> dict[str, Any]:
    return {
        "course": team.course.code,
        "name": team.name,
        "pseudonym": team.pseudonym,
        "joined_at": _moment(joined_at),
        "left_at": _moment(left_at),
    }


def _extension(given: Extension) -> dict[str, Any]:
    return {
        "course": given.course.code,
        "due": _moment(given.due),
        "closes": _moment(given.closes),
        **_times(given, "hours", "late_days", "daily_limit", "reason", "reference"),
        "granted_at": _moment(given.granted_at),
    }


def _mark(made: GradeMark) -> dict[str, Any]:
    return {
        "assignment_id": made.assignment_id,
        "made_at": _moment(made.made_at),
        **_times(made, "kind", "value", "reason"),
    }


def _published(grade: PublishedGrade) -> dict[str, Any]:
    """What they were told; a grade that is taken back with the final results is told too."""
    return {
        "assignment_id": grade.assignment_id,
        "published_at": _moment(grade.published_at),
        "explanation": [each["text"] for each in grade.explanation],
        **_times(grade, "state", "score", "given", "written"),
    }


def _times(row: Any, *names: str) -> dict[str, Any]:
    """Some columns of a row, with its times."""
    moments = (
        *("created_at", "committed_at", "expires_at", "last_used_at", "last_seen_at", "sent_at"),
        *("closed_at", "revoked_at"),
    )
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


def _cases(session: Session, user: User) -> Sequence[Case]:
    """Those about what they or their team handed in, or in which they wrote a reply, that they were
    told of."""
    replied = sa.select(CaseEntry.case_id).where(
        CaseEntry.user_id == user.id, CaseEntry.step == Step.REPLY
    )
    return session.scalars(
        sa.select(Case)
        .join(Submission, Submission.id == Case.submission_id)
        .where(
            Case.reply_until.is_not(None),
            sa.or_(telling.concerns(user.id), Case.id.in_(replied)),
        )
        .order_by(Case.id)
    ).all()


def _submissions(session: Session, user: User) -> Sequence[Submission]:
    return session.scalars(
        sa.select(Submission).where(Submission.user_id == user.id).order_by(Submission.id)
    ).all()
