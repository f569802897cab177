"""How long things about people are kept that nothing needs any more. /privacy tells students."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard import throttle
from leaderboard.models import (
    ApiToken,
    Invitation,
    LoginSession,
    Notification,
    OutgoingMail,
)

SESSIONS_DAYS: Final = 30  # after their end: long enough to look into a stolen one
TOKENS_DAYS: Final = 90
MAILS_DAYS: Final = 30
NOTICES_DAYS: Final = 365


def forget(session: Session, now: datetime) -> None:
    """Delete what is past its time, within the caller's write transaction. Repeatable."""
    throttle.forget(session, now)
    ended = now - timedelta(days=SESSIONS_DAYS)
    session.execute(
        sa.delete(LoginSession).where(
            sa.or_(LoginSession.expires_at < ended, LoginSession.revoked_at < ended)
        )
    )
    ended = now - timedelta(days=TOKENS_DAYS)
    session.execute(
        sa.delete(ApiToken).where(sa.or_(ApiToken.expires_at < ended, ApiToken.revoked_at < ended))
    )
    session.execute(
        sa.delete(OutgoingMail).where(OutgoingMail.created_at < now - timedelta(days=MAILS_DAYS))
    )
    session.execute(
        sa.delete(Notification).where(Notification.created_at < now - timedelta(days=NOTICES_DAYS))
    )
    # whom an invitation was for matters until it is used or too old
    session.execute(
        sa.update(Invitation)
        .where(
            Invitation.email.is_not(None),
            sa.or_(Invitation.expires_at < now, Invitation.uses > 0),
        )
        .values(email="")
    )
