"""Grades: scales, what staff decide about a person, what was published, what is asked about it."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from leaderboard.db import Base, UtcDateTime
from leaderboard.models.assignments import Assignment
from leaderboard.models.keeping import Erasure, Keeping
from leaderboard.models.kinds import enum_column, one_of
from leaderboard.models.people import Course, User
from leaderboard.models.work import Submission


class GradeState(enum.StrEnum):
    """What a person's grade in an assignment is, beside its value."""

    READY = "ready"  # there is a grade
    PENDING = "pending"  # a case is open, or an evaluation outstanding
    MISSING = "missing"  # nothing that counts was submitted
    EXCUSED = "excused"
    WITHDRAWN = "withdrawn"  # from the course
    AUDITING = "auditing"  # takes part without a grade


class MarkKind(enum.StrEnum):
    """What staff decide about one person's grade."""

    OVERRIDE = "override"  # this grade, whatever was submitted
    FACTOR = "factor"  # what the person's part in the team's work was worth
    EXCUSED = "excused"
    WITHDRAWN = "withdrawn"
    AUDITING = "auditing"


class GradingScale(Base):
    """A version of an assignment's scale: its anchors' runs, and which grades are given."""

    __tablename__ = "grading_scale"
    keeping = Keeping(
        audited=("grade",),
        told_as="",
        erasure=Erasure.NONE,
        guarded=("assignment_id", "number", "content", "made_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    assignment_id: Mapped[int] = mapped_column(ForeignKey("assignment.id"))
    number: Mapped[int]
    # metric, anchors (grade, scores, test_error by name) and the table [grading] (grades/scales.py)
    content: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (UniqueConstraint("assignment_id", "number"),)

    def __repr__(self) -> str:
        return f"GradingScale({self.assignment_id}, {self.number})"


class GradeMark(Base):
    """A decision about one person's grade, with its reason, which the person reads."""

    __tablename__ = "grade_mark"
    keeping = Keeping(
        audited=("grade",),
        told_as="grades",
        erasure=Erasure.DELETED,
        guarded=(
            "course_id",
            "assignment_id",
            "user_id",
            "kind",
            "value",
            "reason",
            "made_by",
            "made_at",
            "revoked_at",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("course.id"), index=True)
    # None: every assignment of the course
    assignment_id: Mapped[int | None] = mapped_column(ForeignKey("assignment.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    kind: Mapped[MarkKind] = mapped_column(enum_column(MarkKind))
    value: Mapped[float | None] = mapped_column(sa.Double)  # of an override or a factor
    reason: Mapped[str] = mapped_column(Text)
    made_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    user: Mapped[User] = relationship(foreign_keys=[user_id])
    assignment: Mapped[Assignment | None] = relationship()

    __table_args__ = (
        sa.CheckConstraint(one_of("kind", MarkKind), name="kind_known"),
        sa.CheckConstraint(
            "(value IS NOT NULL) = (kind IN ('override', 'factor'))", name="value_where_needed"
        ),
    )

    def __repr__(self) -> str:
        return f"GradeMark({self.id}, {self.kind}, user={self.user_id})"


class PublishedGrade(Base):
    """The grade that a person was told; a later publication changes the row."""

    __tablename__ = "published_grade"
    keeping = Keeping(
        audited=("grade",),
        told_as="grades",
        erasure=Erasure.DELETED,
        guarded=(
            "assignment_id",
            "user_id",
            "submission_id",
            "state",
            "score",
            "given",
            "written",
            "number",
            "passed",
            "published_at",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    assignment_id: Mapped[int] = mapped_column(ForeignKey("assignment.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    submission_id: Mapped[int | None] = mapped_column(ForeignKey("submission.id"), index=True)
    state: Mapped[GradeState] = mapped_column(enum_column(GradeState))
    score: Mapped[float | None] = mapped_column(sa.Double)
    given: Mapped[float | None] = mapped_column(sa.Double)
    written: Mapped[str] = mapped_column(String(32), default="")
    passed: Mapped[bool | None]
    # why, in sentences: text, code and values each (grader.Message)
    explanation: Mapped[list[dict[str, Any]]] = mapped_column(sa.JSON)
    number: Mapped[int] = mapped_column(default=1)  # how often it was published or changed
    published_at: Mapped[datetime] = mapped_column(UtcDateTime)

    user: Mapped[User] = relationship()

    __table_args__ = (
        UniqueConstraint("assignment_id", "user_id"),
        sa.CheckConstraint(one_of("state", GradeState), name="state_known"),
    )

    def __repr__(self) -> str:
        return f"PublishedGrade({self.assignment_id}, user={self.user_id}, {self.state})"


class GradeLowering(Base):
    """That published grades of an assignment may fall: asked by one, signed by another."""

    __tablename__ = "grade_lowering"
    keeping = Keeping(
        audited=("grade",),
        told_as="",
        erasure=Erasure.NONE,
        guarded=(
            "assignment_id",
            "scale_number",
            "reason",
            "asked_by",
            "asked_at",
            "signed_by",
            "signed_at",
            "withdrawn_at",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    assignment_id: Mapped[int] = mapped_column(ForeignKey("assignment.id"))
    scale_number: Mapped[int | None]  # the version that alone counts from then on
    reason: Mapped[str] = mapped_column(Text)
    asked_by: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    signed_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    signed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_grade_lowering_assignment", "assignment_id", "id"),)

    def __repr__(self) -> str:
        return f"GradeLowering({self.id}, {self.assignment_id})"


class Outcome(enum.StrEnum):
    """How a question about a grade ended."""

    CHANGED = "changed"  # the grade was looked at and is another one
    UNCHANGED = "unchanged"


class Regrade(Base):
    """A question about the grade that a submission got; its team and staff read it."""

    __tablename__ = "regrade"
    keeping = Keeping(
        audited=("regrade",),
        told_as="regrades",
        erasure=Erasure.NONE,
        guarded=("course_id", "submission_id", "owner_id", "due_at", "outcome", "closed_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("course.id"))
    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"), unique=True)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))  # who answers
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)  # of the answer
    outcome: Mapped[Outcome | None] = mapped_column(enum_column(Outcome))  # None: it is open
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    course: Mapped[Course] = relationship()
    submission: Mapped[Submission] = relationship()
    owner: Mapped[User | None] = relationship()
    messages: Mapped[list[RegradeMessage]] = relationship(
        back_populates="regrade", order_by="RegradeMessage.id", lazy="selectin"
    )

    __table_args__ = (
        Index("ix_regrade_course", "course_id", "closed_at", "due_at"),
        sa.CheckConstraint(one_of("outcome", Outcome), name="outcome_known"),
        sa.CheckConstraint("(outcome IS NULL) = (closed_at IS NULL)", name="closed_with_outcome"),
    )

    def __repr__(self) -> str:
        return f"Regrade({self.id}, {self.submission_id})"


class RegradeMessage(Base):
    """What somebody wrote in such a thread."""

    __tablename__ = "regrade_message"
    keeping = Keeping(audited=("regrade",), told_as="regrades", erasure=Erasure.EMPTIED)

    id: Mapped[int] = mapped_column(primary_key=True)
    regrade_id: Mapped[int] = mapped_column(ForeignKey("regrade.id"), index=True)
    # None: an operator; or whoever it was is erased
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"), index=True)
    is_staff: Mapped[bool]
    text: Mapped[str] = mapped_column(Text)  # "" too where it went with a person
    at: Mapped[datetime] = mapped_column(UtcDateTime)

    regrade: Mapped[Regrade] = relationship(back_populates="messages")
    user: Mapped[User | None] = relationship(lazy="joined")

    def __repr__(self) -> str:
        return f"RegradeMessage({self.regrade_id}, {self.id})"


class SavedReply(Base):
    """An answer that staff of a course give again and again."""

    __tablename__ = "saved_reply"
    keeping = Keeping(audited=("regrade",), told_as="", erasure=Erasure.NONE)

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("course.id"), index=True)
    title: Mapped[str] = mapped_column(String(100))
    text: Mapped[str] = mapped_column(Text)

    def __repr__(self) -> str:
        return f"SavedReply({self.id})"
