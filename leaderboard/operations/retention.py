"""How long things about people are kept that nothing needs any more. /privacy tells students."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard.models import ApiToken, Invitation, LoginSession, Notification, OutgoingMail
from leaderboard.models.keeping import lifetime_of, registry

SESSIONS_DAYS: Final = lifetime_of(LoginSession).days  # after their end
TOKENS_DAYS: Final = lifetime_of(ApiToken).days
MAILS_DAYS: Final = lifetime_of(OutgoingMail).days
NOTICES_DAYS: Final = lifetime_of(Notification).days


def forget(session: Session, now: datetime) -> None:
    """Delete what is past its time, within the caller's write transaction. Repeatable."""
    for model, keeping in registry().items():
        if keeping.forgotten is not None:
            columns = model.__table__.columns
            since = now - keeping.forgotten.lifetime
            ended = [columns[name] < since for name in keeping.forgotten.after]
            session.execute(sa.delete(model).where(sa.or_(*ended)))
    # whom an invitation was for matters until it is used or too old
    session.execute(
        sa.update(Invitation)
        .where(
            Invitation.email.is_not(None),
            sa.or_(Invitation.expires_at < now, Invitation.uses > 0),
        )
        .values(email="")
    )
