"""Assignments as they are published, their groups, what they were called before, and what was
decided about their labels."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from leaderboard.db import Base, UtcDateTime
from leaderboard.models.keeping import Erasure, Keeping
from leaderboard.models.kinds import SHA256, enum_column, one_of
from leaderboard.models.people import Course, User


class AssignmentGroup(Base):
    """Assignments that are parts of one piece of work and share a page."""

    __tablename__ = "assignment_group"
    keeping = Keeping(audited=(), told_as="", erasure=Erasure.NONE)

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("course.id"))
    slug: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(String(200))

    __table_args__ = (UniqueConstraint("course_id", "slug"),)

    def __repr__(self) -> str:
        return f"AssignmentGroup({self.slug!r})"


class Assignment(Base):
    """A published assignment. Its folder, public pack and expected rows are blobs."""

    __tablename__ = "assignment"
    keeping = Keeping(
        audited=("assignment",),
        told_as="",
        erasure=Erasure.NONE,
        files=("folder_sha256", "pack_sha256", "rows_sha256"),
        guarded=(
            "course_id",
            "slug",
            "settings_toml",
            "folder_sha256",
            "pack_sha256",
            "rows_sha256",
            "answers_sha256",
            "measure_sha256",
            "images_sha256",
            "num_classes",
            "metric",
            "released_at",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("course.id"))
    group_id: Mapped[int | None] = mapped_column(ForeignKey("assignment_group.id"), index=True)
    slug: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(String(200))
    settings_toml: Mapped[str] = mapped_column(Text)
    readme: Mapped[str] = mapped_column(Text, default="")  # Markdown, as students read it
    folder_sha256: Mapped[str] = mapped_column(SHA256)  # a tar, answers included: staff only
    pack_sha256: Mapped[str] = mapped_column(SHA256)  # a zip, holds no answer
    pack_bytes: Mapped[int] = mapped_column(sa.BigInteger)
    rows_sha256: Mapped[str] = mapped_column(SHA256)  # JSON of ExpectedRows, holds no answer
    answers_sha256: Mapped[str] = mapped_column(SHA256)
    # what scores are measured by, and the hidden images (assignments/measure.py); None: of old
    measure_sha256: Mapped[str | None] = mapped_column(SHA256)
    images_sha256: Mapped[str | None] = mapped_column(SHA256)
    num_classes: Mapped[int]
    metric: Mapped[str] = mapped_column(String(32))
    public_data_note: Mapped[str] = mapped_column(String(200), default="")  # staff: a known set
    published_at: Mapped[datetime] = mapped_column(UtcDateTime)
    released_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # the course's day, YYYY-MM-DD, whose first ranks its standings hold (movement.py)
    ranks_kept_on: Mapped[str | None] = mapped_column(String(10))

    course: Mapped[Course] = relationship()
    group: Mapped[AssignmentGroup | None] = relationship()

    __table_args__ = (
        UniqueConstraint("course_id", "slug"),
        sa.CheckConstraint("num_classes >= 2", name="at_least_two_classes"),
    )

    def __repr__(self) -> str:
        return f"Assignment({self.slug!r})"


class FormerSlug(Base):
    """A slug that an assignment had, and none of its course has now: it still leads there."""

    __tablename__ = "former_slug"
    keeping = Keeping(
        audited=("assignment",),
        told_as="",
        erasure=Erasure.NONE,
        guarded=("course_id", "assignment_id", "slug"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("course.id"))
    assignment_id: Mapped[int] = mapped_column(ForeignKey("assignment.id"), index=True)
    slug: Mapped[str] = mapped_column(String(64))

    __table_args__ = (UniqueConstraint("course_id", "slug"),)

    def __repr__(self) -> str:
        return f"FormerSlug({self.slug!r})"


class AssignmentDraft(Base):
    """An assignment that is being made or changed, and not published as it is."""

    __tablename__ = "assignment_draft"
    keeping = Keeping(
        audited=("draft",), told_as="", erasure=Erasure.NONE, files=("folder_sha256",)
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("course.id"), index=True)
    folder_sha256: Mapped[str] = mapped_column(SHA256)  # a tar, answers included: staff only
    # what was noticed when it was made: text, code and values each (grader.Message)
    notices: Mapped[list[dict[str, Any]]] = mapped_column(sa.JSON)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)

    course: Mapped[Course] = relationship()

    def __repr__(self) -> str:
        return f"AssignmentDraft({self.id}, {self.course_id})"


class LabelChoice(enum.StrEnum):
    """What an instructor decides about an image's label when they have looked at it."""

    KEEP = "keep"
    RELABEL = "relabel"
    WITHDRAW = "withdraw"  # the image counts in nobody's score


class LabelDecision(Base):
    """A decision about one image of the hidden test set; what it changes waits for an edition."""

    __tablename__ = "label_decision"
    keeping = Keeping(
        audited=("label",),
        told_as="",
        erasure=Erasure.NONE,
        guarded=(
            "assignment_id",
            "image",
            "choice",
            "label_before",
            "label",
            "reason",
            "decided_by",
            "decided_at",
            "shown_at",
            "confirmed_by",
            "confirmed_at",
            "dropped_by",
            "dropped_at",
            "published_at",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    assignment_id: Mapped[int] = mapped_column(ForeignKey("assignment.id"))
    image: Mapped[str] = mapped_column(Text)  # its id in the answers
    choice: Mapped[LabelChoice] = mapped_column(enum_column(LabelChoice))
    label_before: Mapped[str] = mapped_column(Text)  # the class that the answers name till then
    label: Mapped[str | None] = mapped_column(Text)  # of RELABEL: the class that it shows
    reason: Mapped[str] = mapped_column(Text)
    decided_by: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    decided_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # when somebody first looked at who would move by it
    shown_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    confirmed_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    dropped_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    dropped_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    published_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    assignment: Mapped[Assignment] = relationship()
    decider: Mapped[User] = relationship(foreign_keys=[decided_by], lazy="joined")

    __table_args__ = (
        Index("ix_label_decision_assignment", "assignment_id", "id"),
        sa.CheckConstraint(one_of("choice", LabelChoice), name="choice_known"),
        sa.CheckConstraint("(label IS NOT NULL) = (choice = 'relabel')", name="label_where_needed"),
    )

    def __repr__(self) -> str:
        return f"LabelDecision({self.id}, {self.assignment_id}, {self.choice})"
