"""What people are told: notices in the page, and mails waiting to be sent (the outbox)."""

from __future__ import annotations

import enum
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from leaderboard.db import Base, UtcDateTime
from leaderboard.models.keeping import Erasure, Forgotten, Keeping
from leaderboard.models.kinds import enum_column, one_of
from leaderboard.models.people import User


class Notice(enum.StrEnum):
    """What a person is told about; each can be switched off, in the page and by mail."""

    SCORED = "scored"
    FAILED = "failed"  # a verdict that is no score
    DEADLINE = "deadline"  # a day before
    RELEASED = "released"  # the private board is out
    TEAM = "team"  # somebody joined or left


class Letter(enum.StrEnum):
    """Mails that are asked for or owed, and therefore cannot be switched off."""

    RESET = "reset"
    WELCOME = "welcome"  # to an account that staff made: choose a password
    INVITATION = "invitation"
    SIGN_UP = "sign_up"  # confirm the address, then make the account
    NEW_ADDRESS = "new_address"  # to the address that an account is to have: confirm it
    ADDRESS_TAKEN = "address_taken"  # to whoever has the account of that address already
    ADDRESS_CHANGED = "address_changed"  # to the address that an account had
    ALARM = "alarm"  # to staff: something is wrong with the server, or no more (models/alarms.py)
    CASE = "case"  # a step of a case (models/cases.py)
    WORDS = "words"  # what the teaching team wrote to some people


class Notification(Base):
    """One thing that one person is told. Only facts are kept; words are made when it is read."""

    __tablename__ = "notification"
    keeping = Keeping(
        audited=(),
        told_as="notices",
        erasure=Erasure.DELETED,
        forgotten=Forgotten(after=("created_at",), lifetime=timedelta(days=365)),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    kind: Mapped[Notice] = mapped_column(enum_column(Notice))
    # the same thing is told once, whatever is tried twice
    dedupe_key: Mapped[str] = mapped_column(String(200), unique=True)
    details: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)
    path: Mapped[str] = mapped_column(String(300))  # of the page that has more
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    user: Mapped[User] = relationship()

    __table_args__ = (
        Index("ix_notification_unread", "user_id", "read_at"),
        sa.CheckConstraint(one_of("kind", Notice), name="kind_known"),
    )

    def __repr__(self) -> str:
        return f"Notification({self.id}, {self.kind}, user={self.user_id})"


class OutgoingMail(Base):
    """A mail to be sent, written in the transaction of what it tells about (mail.py sends it).

    It holds no secret and, where there is an account, no address: links are signed and addresses
    read when it is sent.
    """

    __tablename__ = "outgoing_mail"
    keeping = Keeping(
        audited=(),
        told_as="mails",
        erasure=Erasure.DELETED,
        forgotten=Forgotten(after=("created_at",), lifetime=timedelta(days=30)),
        # the server signs the link of whatever stands here, and mails it to whom it says
        guarded=("user_id", "address", "kind", "details"),
        personal=("address", "details"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    dedupe_key: Mapped[str] = mapped_column(String(200), unique=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"), index=True)
    address: Mapped[str | None] = mapped_column(String(254))  # until it is sent
    kind: Mapped[str] = mapped_column(String(20))  # a Notice or a Letter
    locale: Mapped[str] = mapped_column(String(10), default="")
    details: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)
    path: Mapped[str] = mapped_column(String(300), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)  # of the next try
    attempts: Mapped[int] = mapped_column(default=0)
    claimed_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sent_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    gave_up_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    error: Mapped[str] = mapped_column(String(200), default="")

    user: Mapped[User | None] = relationship()

    __table_args__ = (Index("ix_outgoing_mail_due", "sent_at", "gave_up_at", "due_at"),)

    def __repr__(self) -> str:
        return f"OutgoingMail({self.id}, {self.kind})"
