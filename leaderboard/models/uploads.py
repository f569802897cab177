"""Uploads that were committed to: the hash is known, the bytes are on their way."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from leaderboard.db import Base, UtcDateTime
from leaderboard.models.assignments import Assignment
from leaderboard.models.keeping import Erasure, Forgotten, Keeping
from leaderboard.models.kinds import SHA256
from leaderboard.models.people import Team, User


class Upload(Base):
    """A file whose SHA-256 and size somebody committed to, which fixes the moment that counts.

    Open until `closed_at` (handed in, withdrawn or refused) or `expires_at`.
    """

    __tablename__ = "upload"
    keeping = Keeping(
        audited=("upload",),
        told_as="uploads",
        erasure=Erasure.DELETED,
        verified="uploads",
        # the submission that came of it stays
        forgotten=Forgotten(after=("expires_at",), lifetime=timedelta(days=7)),
        # the files' parts lie on no backup; the signed commitment proves the moment to staff
        backed_up=False,
        guarded=(
            "public_id",
            "assignment_id",
            "team_id",
            "user_id",
            "content_sha256",
            "size_bytes",
            "fields",
            "commitment",
            "committed_at",
            "expires_at",
            "closed_at",
        ),
        personal=("fields",),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(16), unique=True)
    assignment_id: Mapped[int] = mapped_column(ForeignKey("assignment.id"))
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    content_sha256: Mapped[str] = mapped_column(SHA256)
    size_bytes: Mapped[int] = mapped_column(sa.BigInteger)
    filename: Mapped[str] = mapped_column(String(255))
    # what comes with a form's file: message, claims, declared, idempotency_key
    fields: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    # the hash of each part that is in the store, in order
    parts: Mapped[list[str]] = mapped_column(sa.JSON, default=list)
    received_bytes: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    commitment: Mapped[dict[str, Any]] = mapped_column(sa.JSON)  # signed
    committed_at: Mapped[datetime] = mapped_column(UtcDateTime)  # decides about deadlines
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    assignment: Mapped[Assignment] = relationship()
    team: Mapped[Team] = relationship()
    user: Mapped[User] = relationship()

    __table_args__ = (
        Index("ix_upload_team", "assignment_id", "team_id"),
        sa.CheckConstraint("size_bytes > 0", name="size_positive"),
        sa.CheckConstraint(
            "received_bytes >= 0 AND received_bytes <= size_bytes", name="received_within_size"
        ),
    )

    def __repr__(self) -> str:
        return f"Upload({self.public_id!r}, {self.received_bytes} of {self.size_bytes})"
