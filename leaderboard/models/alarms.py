"""What is wrong with the server itself, from when to when; staff are told of both."""

from __future__ import annotations

import enum
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from leaderboard.db import Base, UtcDateTime
from leaderboard.models.keeping import Erasure, Keeping
from leaderboard.models.kinds import enum_column, one_of


class Condition(enum.StrEnum):
    """What is wrong with the server, whatever students do."""

    INTERNAL_ERRORS = "internal_errors"  # an evaluation failed three times, lately
    QUEUE_OLD = "queue_old"  # a hand-in waits for long
    NO_WORKER = "no_worker"  # submissions wait that nobody takes
    BACKUP = "backup"  # the last failed, or is old
    DISK = "disk"  # less than twice the room below which uploads are refused
    DRIFT = "drift"  # a baseline's score moved at night, or the rerun failed


class Alarm(Base):
    """One occurrence of a condition: it goes on until `ended_at` is set."""

    __tablename__ = "alarm"
    keeping = Keeping(audited=("alarm",), told_as="", erasure=Erasure.NONE)

    id: Mapped[int] = mapped_column(primary_key=True)
    condition: Mapped[Condition] = mapped_column(enum_column(Condition))
    place: Mapped[str] = mapped_column(String(100), default="")  # a lane, or a machine's name
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    # condition and place until it is over: two workers that look at one moment begin it once
    going_on: Mapped[str | None] = mapped_column(String(121), unique=True)

    __table_args__ = (
        sa.CheckConstraint(one_of("condition", Condition), name="condition_known"),
        sa.CheckConstraint("(going_on IS NULL) = (ended_at IS NOT NULL)", name="ended_or_going_on"),
    )

    def __repr__(self) -> str:
        return f"Alarm({self.id}, {self.condition}, {self.place!r})"
