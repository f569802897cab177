"""Cases: what instructors have to find out about a submission, and what was said of it."""

from __future__ import annotations

import enum
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import ForeignKey, Index, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from leaderboard.db import Base, UtcDateTime
from leaderboard.models.keeping import Erasure, Keeping
from leaderboard.models.kinds import SHA256, enum_column, one_of
from leaderboard.models.people import Course, User
from leaderboard.models.work import Evaluation, Submission


class CaseState(enum.StrEnum):
    """How far a case is. A change is made under its row's lock (leaderboard/cases)."""

    OPEN = "open"  # instructors alone know of it
    NOTICED = "noticed"  # the team was told, and may reply
    VOIDED = "voided"  # the submission counts no more
    CLOSED = "closed"  # the submission stands


class CaseCause(enum.StrEnum):
    """What opened a case."""

    MEM = "mem"  # the flag: answers lost on copies with noise
    STAFF = "staff"  # an instructor, in their own words


class Step(enum.StrEnum):
    """What was done in a case."""

    OPENED = "opened"
    NOTICE = "notice"
    REPLY = "reply"  # the team's
    CLOSED = "closed"
    VOIDED = "voided"
    RESTORED = "restored"  # a voided submission counts again, and the case is closed


class Case(Base):
    """A question about one submission, for instructors to decide when they have heard its team."""

    __tablename__ = "submission_case"
    keeping = Keeping(
        audited=("case",),
        told_as="cases",
        erasure=Erasure.NONE,
        verified="cases",
        guarded=(
            "course_id",
            "submission_id",
            "cause",
            "state",
            "evaluation_id",
            "opened_at",
            "reply_until",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("course.id"), index=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"), index=True)
    cause: Mapped[CaseCause] = mapped_column(enum_column(CaseCause))
    # the one that was flagged; None: staff opened it
    evaluation_id: Mapped[int | None] = mapped_column(ForeignKey("evaluation.id"))
    state: Mapped[CaseState] = mapped_column(enum_column(CaseState))
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # until then nothing is decided against a team that has not replied; None: it was not told
    reply_until: Mapped[datetime | None] = mapped_column(UtcDateTime)

    course: Mapped[Course] = relationship()
    submission: Mapped[Submission] = relationship()
    evaluation: Mapped[Evaluation | None] = relationship()
    entries: Mapped[list[CaseEntry]] = relationship(
        back_populates="case", order_by="CaseEntry.id", lazy="selectin"
    )

    __table_args__ = (
        sa.CheckConstraint(one_of("cause", CaseCause), name="cause_known"),
        sa.CheckConstraint(one_of("state", CaseState), name="state_known"),
    )

    def __repr__(self) -> str:
        return f"Case({self.id}, {self.submission_id}, {self.state})"


class CaseEntry(Base):
    """One step of a case, with what was written then."""

    __tablename__ = "case_entry"
    keeping = Keeping(
        audited=("case",),
        told_as="cases",
        erasure=Erasure.EMPTIED,
        verified="cases",
        guarded=("case_id", "step", "text_sha256", "at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("submission_case.id"))
    step: Mapped[Step] = mapped_column(enum_column(Step))
    # None: the server or its operator; or whoever it was is erased
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"), index=True)
    text: Mapped[str] = mapped_column(Text)  # "" too where it went with a person
    text_sha256: Mapped[str] = mapped_column(SHA256)
    at: Mapped[datetime] = mapped_column(UtcDateTime)

    case: Mapped[Case] = relationship(back_populates="entries")
    user: Mapped[User | None] = relationship(lazy="joined")

    __table_args__ = (
        Index("ix_case_entry_case", "case_id", "id"),
        sa.CheckConstraint(one_of("step", Step), name="step_known"),
    )

    def __repr__(self) -> str:
        return f"CaseEntry({self.case_id}, {self.step})"
