"""What the teaching team notes about a submission, for itself."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from leaderboard.db import Base, UtcDateTime
from leaderboard.models.keeping import Erasure, Keeping
from leaderboard.models.people import User
from leaderboard.models.work import Submission


class SubmissionNote(Base):
    """A note of the teaching team about a submission; it goes with whoever handed that in."""

    __tablename__ = "submission_note"
    keeping = Keeping(audited=("note",), told_as="notes", erasure=Erasure.DELETED)

    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"), index=True)
    # who handed the submission in: it is about them, and in their record
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    # None: whoever wrote it is erased
    author_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"), index=True)
    text: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    submission: Mapped[Submission] = relationship()
    author: Mapped[User | None] = relationship(foreign_keys=[author_id])

    def __repr__(self) -> str:
        return f"SubmissionNote({self.id}, {self.submission_id})"
