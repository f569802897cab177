"""Assignments as they are published, their groups, and what they were called before."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from leaderboard.db import Base, UtcDateTime
from leaderboard.models.keeping import Erasure, Keeping
from leaderboard.models.kinds import SHA256
from leaderboard.models.people import Course


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
