"""Removing who a person was.

What the course's statistics rest on stays: the submissions' scores, by team. The audit chain holds
ids and hashes, so it stays as it is and still verifies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard import audit
from leaderboard.accounts import former_addresses, names
from leaderboard.boards import placing
from leaderboard.db import utcnow, writing
from leaderboard.errors import NotAllowedNow
from leaderboard.models import (
    Case,
    CaseEntry,
    Evaluation,
    Extension,
    Invitation,
    OutgoingMail,
    Reason,
    RegradeMessage,
    Step,
    Submission,
    SubmissionNote,
    Team,
    TeamMember,
    User,
)
from leaderboard.models.keeping import Erasure, models_where
from leaderboard.operations import named_files
from leaderboard.operations.privacy.obstacles import obstacles

if TYPE_CHECKING:
    from leaderboard.state import State


_GONE: Final = "erased"


def erase(session: Session, state: State, user: User) -> None:
    """Remove who a person was, for good; scores, standings and the audit chain stay.

    Their account becomes an empty shell that nobody can enter. What they wrote beside their files
    (names, messages, logs of their code) goes, and so do the files, unless they are a team's that
    has other members. The stored predictions stay: scores are computed from them.
    Opens its own write transaction. Repeatable.

    Raises:
        NotAllowedNow: it has to wait (obstacles.py); the first reason is told.
    """
    with writing(session):
        for obstacle in obstacles(session, user, utcnow()):
            raise NotAllowedNow(obstacle.said)
        contents = _erase_own_teams(session, user)
        _erase_words(session, user)
        _erase_rows(session, user)
        user.email = f"{_GONE}-{user.id}@invalid"  # RFC 2606: no mail goes there
        user.name, user.password_hash, user.locale = "", "", ""
        user.time_zone, user.muted, user.email_verified_at = None, None, None
        user.code_sha256, user.code_expires_at, user.is_admin = None, None, False
        user.erased_at = user.erased_at or utcnow()
        audit.record(session, action="user.erase", subject=f"user:{user.id}")
    for sha256 in contents:
        state.blobs.remove(sha256, min_age_seconds=0)


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
        team.name, team.pseudonym = f"{names.REMOVED} {team.id}", None
        placing.set_emptied(session, team, utcnow())
        _erase_reasons(session, Extension.team_id == team.id)
        _erase_said(session, team)
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
        .values(sample_log="", sample_answers=sa.null(), detail="", detail_said=None, problems=[])
    )
    session.execute(
        sa.update(Submission)
        .where(Submission.user_id == user.id)
        .values(message="", filename=_GONE, problems=[], claims={}, idempotency_key=None)
    )


def _erase_reasons(session: Session, which: sa.ColumnElement[bool]) -> None:
    """Take whom and why off extensions; how late a team was is still counted by their dates."""
    session.execute(
        sa.update(Extension).where(which).values(user_id=None, reason=Reason.OTHER, reference="")
    )


def _erase_said(session: Session, team: Team) -> None:
    """Take what was written off the cases of a team that is one person; their steps stay."""
    theirs = (
        sa.select(Case.id)
        .join(Submission, Submission.id == Case.submission_id)
        .where(Submission.team_id == team.id)
    )
    session.execute(sa.update(CaseEntry).where(CaseEntry.case_id.in_(theirs)).values(text=""))


def _erase_rows(session: Session, user: User) -> None:
    addresses = [user.email, *(each.email for each in former_addresses.of(session, user))]
    session.execute(sa.update(Invitation).where(Invitation.email.in_(addresses)).values(email=""))
    session.execute(sa.delete(OutgoingMail).where(OutgoingMail.address.in_(addresses)))
    for model in models_where(lambda keeping: keeping.erasure is Erasure.DELETED):
        session.execute(sa.delete(model).where(model.__table__.c.user_id == user.id))
    _erase_reasons(session, Extension.user_id == user.id)
    theirs = sa.update(CaseEntry).where(CaseEntry.user_id == user.id)
    session.execute(theirs.where(CaseEntry.step == Step.REPLY).values(text=""))
    session.execute(theirs.values(user_id=None))
    written = sa.update(RegradeMessage).where(RegradeMessage.user_id == user.id)
    session.execute(written.values(user_id=None, text=""))
    session.execute(
        sa.update(Invitation).where(Invitation.created_by == user.id).values(created_by=None)
    )
    session.execute(
        sa.update(SubmissionNote).where(SubmissionNote.author_id == user.id).values(author_id=None)
    )
