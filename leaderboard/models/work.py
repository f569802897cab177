"""Submissions, evaluations, scores, standings, the quota's ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from leaderboard.db import Base, UtcDateTime
from leaderboard.models.assignments import Assignment
from leaderboard.models.keeping import Erasure, Keeping
from leaderboard.models.kinds import (
    SHA256,
    Cause,
    Kind,
    Lane,
    Shown,
    Split,
    SubmissionStatus,
    Track,
    enum_column,
    one_of,
)
from leaderboard.models.people import Team, User


class Submission(Base):
    """One hand-in: what came, when its upload began, where it is, which evaluation stands."""

    __tablename__ = "submission"
    keeping = Keeping(
        audited=("submission", "content"),
        told_as="submissions",
        erasure=Erasure.EMPTIED,
        verified="receipts",
        files=("content_sha256",),
        files_removed_at="content_removed_at",
        guarded=(
            "public_id",
            "assignment_id",
            "team_id",
            "user_id",
            "kind",
            "content_sha256",
            "verdict",
            "claims",
            "declared",
            "upload_started_at",
            "days_late",
            "late_days_spent",
            "accepted_at",
            "counted",
            "is_final_pick",
            "current_evaluation_id",
            "voided_at",
            "content_removed_at",
        ),
        personal=("claims",),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(16), unique=True)
    assignment_id: Mapped[int] = mapped_column(ForeignKey("assignment.id"))
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    kind: Mapped[Kind] = mapped_column(enum_column(Kind))
    lane: Mapped[Lane | None] = mapped_column(enum_column(Lane))  # set whenever it is queued
    filename: Mapped[str] = mapped_column(String(255))
    content_sha256: Mapped[str] = mapped_column(SHA256)
    size_bytes: Mapped[int] = mapped_column(sa.BigInteger)
    message: Mapped[str] = mapped_column(String(500), default="")
    idempotency_key: Mapped[str | None] = mapped_column(String(128))
    status: Mapped[SubmissionStatus] = mapped_column(enum_column(SubmissionStatus))
    phase: Mapped[str] = mapped_column(String(16), default="")  # checking|sample|hidden|scoring
    verdict: Mapped[str | None] = mapped_column(String(4))
    problems: Mapped[list[dict[str, Any]]] = mapped_column(sa.JSON, default=list)
    # metric → figure as the team's report prints it (claims.py)
    claims: Mapped[dict[str, str]] = mapped_column(sa.JSON, default=dict)
    # what the team says it used of what the rules speak of; None: it said nothing (declarations.py)
    declared: Mapped[list[str] | None] = mapped_column(sa.JSON(none_as_null=True))
    upload_started_at: Mapped[datetime] = mapped_column(UtcDateTime)  # decides about deadlines
    # begun days after it was due, and how many of them the team's late days pay for (lateness.py)
    days_late: Mapped[int] = mapped_column(default=0)
    late_days_spent: Mapped[int] = mapped_column(default=0)
    accepted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # a worker took it
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    counted: Mapped[bool] = mapped_column(default=False)  # against the quota, after refunds
    receipt: Mapped[dict[str, Any]] = mapped_column(sa.JSON)
    # the file is no longer kept (retention.py); its hash, predictions and scores are
    content_removed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    is_final_pick: Mapped[bool] = mapped_column(default=False)
    voided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # counts no more (cases)
    # the number of the evaluation asked for last; only that one may publish
    evaluation_number: Mapped[int] = mapped_column(default=0)
    evaluation_cause: Mapped[Cause] = mapped_column(enum_column(Cause), default=Cause.HAND_IN)
    failed_attempts: Mapped[int] = mapped_column(default=0)  # of that evaluation, faults of ours
    priority: Mapped[int] = mapped_column(default=1)  # smaller goes first (queue.py, fair share)
    # the incarnation of the worker that has it; another one's result is refused
    claimed_by: Mapped[str | None] = mapped_column(String(64))
    # goes up with every visible change: what event streams watch
    revision: Mapped[int] = mapped_column(default=0)
    current_evaluation_id: Mapped[int | None] = mapped_column(
        ForeignKey("evaluation.id", use_alter=True)
    )

    assignment: Mapped[Assignment] = relationship()
    team: Mapped[Team] = relationship()
    user: Mapped[User] = relationship()
    current_evaluation: Mapped[Evaluation | None] = relationship(
        foreign_keys=[current_evaluation_id], post_update=True
    )

    __table_args__ = (
        UniqueConstraint("team_id", "assignment_id", "idempotency_key"),
        Index("ix_submission_queue", "status", "lane", "priority", "id"),
        Index("ix_submission_team_queue", "team_id", "status"),
        Index("ix_submission_team", "assignment_id", "team_id", "id"),
        Index("ix_submission_person", "assignment_id", "user_id", "id"),
        # counts of a whole assignment read this alone, not the rows
        Index("ix_submission_state", "assignment_id", "status", "verdict", "team_id"),
        sa.CheckConstraint(one_of("status", SubmissionStatus), name="status_known"),
        sa.CheckConstraint(one_of("kind", Kind), name="kind_known"),
        sa.CheckConstraint(one_of("evaluation_cause", Cause), name="cause_known"),
        sa.CheckConstraint(
            "status != 'finished' OR (verdict IS NOT NULL AND finished_at IS NOT NULL)",
            name="finished_has_verdict",
        ),
        sa.CheckConstraint("size_bytes >= 0", name="size_not_negative"),
    )

    def __repr__(self) -> str:
        return f"Submission({self.public_id!r}, {self.status}, {self.verdict})"


class HeatMaps(Base):
    """What one submission looked at in a few images; it waits until `verdict` is set."""

    __tablename__ = "heat_maps"
    # can be made again from the submission; numbers of a program, and nothing of a person
    keeping = Keeping(audited=("heat",), told_as="", erasure=Erasure.NONE, backed_up=False)

    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"))
    shown: Mapped[Shown] = mapped_column(enum_column(Shown))
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    verdict: Mapped[str | None] = mapped_column(String(4))
    detail: Mapped[str] = mapped_column(sa.Text, default="")
    detail_said: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    # of the images that were explained
    images_sha256: Mapped[str | None] = mapped_column(SHA256)
    # the images by row, what was answered, and a square of grey levels each, one after the other
    image_rows: Mapped[list[int]] = mapped_column(sa.JSON, default=list)
    labels: Mapped[list[int]] = mapped_column(sa.JSON, default=list)
    squares: Mapped[bytes] = mapped_column(sa.LargeBinary, default=b"")

    __table_args__ = (
        UniqueConstraint("submission_id", "shown"),
        sa.CheckConstraint(one_of("shown", Shown), name="shown_known"),
    )

    def __repr__(self) -> str:
        return f"HeatMaps({self.id}, {self.submission_id}, {self.shown}, {self.verdict})"


class Evaluation(Base):
    """One complete evaluation of a submission, with everything needed to make it again."""

    __tablename__ = "evaluation"
    keeping = Keeping(
        audited=("evaluation",),
        told_as="submissions",
        erasure=Erasure.EMPTIED,
        verified="scores",
        files=("folder_sha256", "predictions_sha256"),
        append_only=True,
        guarded=(
            "submission_id",
            "number",
            "cause",
            "verdict",
            "failed_in",
            "flags",
            "predictions_sha256",
            "labels_sha256",
            "content_sha256",
            "answers_sha256",
            "folder_sha256",
            "measure_sha256",
            "images_sha256",
            "facts",
            "created_at",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"))
    number: Mapped[int]  # 1 is the hand-in's
    cause: Mapped[Cause] = mapped_column(enum_column(Cause))
    verdict: Mapped[str] = mapped_column(String(4))
    detail: Mapped[str] = mapped_column(Text, default="")  # safe for the student's eyes
    # its code and values (grader.Message.as_data); rows of before 0007 may have none
    detail_said: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    failed_in: Mapped[str | None] = mapped_column(String(16))  # upload | sample | hidden
    problems: Mapped[list[dict[str, Any]]] = mapped_column(sa.JSON, default=list)
    flags: Mapped[list[str]] = mapped_column(sa.JSON, default=list)
    sample_log: Mapped[str] = mapped_column(Text, default="")
    sample_answers: Mapped[dict[str, Any] | None] = mapped_column(sa.JSON(none_as_null=True))
    predictions_sha256: Mapped[str | None] = mapped_column(SHA256)
    labels_sha256: Mapped[str | None] = mapped_column(SHA256)  # grader.Predictions.seed
    content_sha256: Mapped[str] = mapped_column(SHA256)
    answers_sha256: Mapped[str] = mapped_column(SHA256)
    folder_sha256: Mapped[str] = mapped_column(SHA256)
    measure_sha256: Mapped[str | None] = mapped_column(SHA256)  # the assignment's of then
    images_sha256: Mapped[str | None] = mapped_column(SHA256)
    code_version: Mapped[str] = mapped_column(String(64))
    environment: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)
    timing: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)
    facts: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    submission: Mapped[Submission] = relationship(foreign_keys=[submission_id])
    splits: Mapped[list[SplitScore]] = relationship(back_populates="evaluation")

    __table_args__ = (
        # the second of two workers that finish the same evaluation cannot publish
        UniqueConstraint("submission_id", "number"),
        sa.CheckConstraint(one_of("cause", Cause), name="cause_known"),
    )

    def __repr__(self) -> str:
        return f"Evaluation({self.submission_id}, {self.number}, {self.verdict})"


class SplitScore(Base):
    """The score of one evaluation on one split. `report` is the JSON form of `grader.Score`."""

    __tablename__ = "split_score"
    keeping = Keeping(
        audited=("evaluation",),
        told_as="submissions",
        erasure=Erasure.NONE,
        verified="scores",
        append_only=True,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    evaluation_id: Mapped[int] = mapped_column(ForeignKey("evaluation.id"))
    split: Mapped[Split] = mapped_column(enum_column(Split))
    n: Mapped[int]
    primary: Mapped[float] = mapped_column("primary_score", sa.Double)  # the assignment's metric
    # what the board may show of it: exact, rounded, or what the Ladder shows after this entry
    shown: Mapped[float] = mapped_column(sa.Double)
    accuracy: Mapped[float] = mapped_column(sa.Double)
    macro_precision: Mapped[float] = mapped_column(sa.Double)
    macro_recall: Mapped[float] = mapped_column(sa.Double)
    macro_f1: Mapped[float] = mapped_column(sa.Double)
    # metric → [low, high], 95 %
    intervals: Mapped[dict[str, list[float]]] = mapped_column(sa.JSON, default=dict)
    # a bit an image of the split, in the key's order: 1 where the prediction is right. Kept so that
    # boards can compare entries image by image without the answers at hand
    right: Mapped[bytes] = mapped_column(sa.LargeBinary, default=b"", deferred=True)
    report: Mapped[dict[str, Any]] = mapped_column(sa.JSON)

    evaluation: Mapped[Evaluation] = relationship(back_populates="splits")

    __table_args__ = (
        UniqueConstraint("evaluation_id", "split"),
        sa.CheckConstraint(one_of("split", Split), name="split_known"),
        sa.CheckConstraint("n >= 0", name="n_not_negative"),
    )

    def __repr__(self) -> str:
        return f"SplitScore({self.evaluation_id}, {self.split})"


class Rescore(Base):
    """The stored predictions of a whole assignment scored again, a piece after another.

    It goes through the submissions by (team, id); where it is, is kept in the transaction that
    publishes a piece, so that whoever carries on after a crash neither skips nor repeats one.
    """

    __tablename__ = "rescore"
    keeping = Keeping(audited=("submission",), told_as="", erasure=Erasure.NONE)

    id: Mapped[int] = mapped_column(primary_key=True)
    assignment_id: Mapped[int] = mapped_column(ForeignKey("assignment.id"), index=True)
    actor_user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    until_id: Mapped[int]  # the newest submission it covers
    at_team_id: Mapped[int] = mapped_column(default=0)  # the last one done
    at_submission_id: Mapped[int] = mapped_column(default=0)
    total: Mapped[int]
    done: Mapped[int] = mapped_column(default=0)
    # what could not be scored again: [public id, why]
    problems: Mapped[list[list[str]] | None] = mapped_column(sa.JSON)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    assignment: Mapped[Assignment] = relationship()

    def __repr__(self) -> str:
        return f"Rescore({self.assignment_id}, {self.done} of {self.total})"


class Standing(Base):
    """A team's place on one board: one row a team, split and track, kept in the publishing
    transaction."""

    __tablename__ = "standing"
    keeping = Keeping(audited=(), told_as="", erasure=Erasure.NONE, verified="standings")

    id: Mapped[int] = mapped_column(primary_key=True)
    assignment_id: Mapped[int] = mapped_column(ForeignKey("assignment.id"))
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"))
    split: Mapped[Split] = mapped_column(enum_column(Split))
    track: Mapped[Track] = mapped_column(enum_column(Track), default=Track.ALL)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"))
    is_baseline: Mapped[bool]
    # the score is of earlier answers, images or metric: shown, and not ranked among the others
    is_outdated: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    primary: Mapped[float] = mapped_column("primary_score", sa.Double)  # SplitScore.shown
    # the same, signed so that smaller is better for every metric: boards sort upwards by plain
    # columns, which both databases index alike
    rank_key: Mapped[float] = mapped_column(sa.Double)
    achieved_at: Mapped[datetime] = mapped_column(UtcDateTime)  # ties go to the earlier
    # None where the board's mode gives the ranking metric away only
    accuracy: Mapped[float | None] = mapped_column(sa.Double)
    macro_f1: Mapped[float | None] = mapped_column(sa.Double)
    # the 95 % interval of the ranking metric, likewise; None too where the metric has none
    interval_low: Mapped[float | None] = mapped_column(sa.Double)
    interval_high: Mapped[float | None] = mapped_column(sa.Double)
    # SplitScore.right where the board may compare entries, else empty
    right: Mapped[bytes] = mapped_column(sa.LargeBinary, default=b"", deferred=True)
    entries: Mapped[int]
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)
    rank_before: Mapped[int | None]  # on the public board when the course's day began

    team: Mapped[Team] = relationship()
    submission: Mapped[Submission] = relationship()

    __table_args__ = (
        UniqueConstraint("assignment_id", "team_id", "split", "track"),
        Index(
            "ix_standing_rank",
            "assignment_id",
            "split",
            "track",
            "is_baseline",
            "rank_key",
            "achieved_at",
            "team_id",
        ),
        sa.CheckConstraint(one_of("split", Split), name="split_known"),
        sa.CheckConstraint(one_of("track", Track), name="track_known"),
    )

    def __repr__(self) -> str:
        return f"Standing({self.assignment_id}, {self.team_id}, {self.split}, {self.track})"


class QuotaEntry(Base):
    """The ledger of the daily limit: +1 when a hand-in is accepted, -1 when it is refunded."""

    __tablename__ = "quota_entry"
    keeping = Keeping(
        audited=("submission", "evaluation"),
        told_as="",
        erasure=Erasure.NONE,
        verified="quota",
        append_only=True,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    assignment_id: Mapped[int] = mapped_column(ForeignKey("assignment.id"))
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"))
    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"))
    day: Mapped[str] = mapped_column(String(10))  # the course's calendar day, YYYY-MM-DD
    amount: Mapped[int]
    reason: Mapped[str] = mapped_column(String(100))
    at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (
        # one charge and one refund at most, whatever is tried twice
        UniqueConstraint("submission_id", "amount"),
        Index("ix_quota_entry_day", "team_id", "assignment_id", "day"),
        sa.CheckConstraint("amount IN (-1, 1)", name="amount_one"),
    )

    def __repr__(self) -> str:
        return f"QuotaEntry({self.submission_id}, {self.amount:+d}, {self.day})"
