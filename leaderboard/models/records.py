"""The audit log, tokens and sessions, workers and what they say, nightly runs."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from leaderboard.db import Base, UtcDateTime
from leaderboard.models.assignments import Assignment
from leaderboard.models.keeping import Erasure, Forgotten, Keeping
from leaderboard.models.kinds import SHA256, Lane, enum_column, one_of
from leaderboard.models.people import User


class AuditEvent(Base):
    """Who did what. One hash chain a course (and one, number 0, for what is above courses)."""

    __tablename__ = "audit_event"
    keeping = Keeping(audited=(), told_as="log", erasure=Erasure.NONE, append_only=True)

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int | None] = mapped_column(ForeignKey("course.id"))
    chain: Mapped[int]  # course_id, or 0
    number: Mapped[int]
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    actor_user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(128))
    details: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)
    previous_hash: Mapped[str] = mapped_column(SHA256)
    hash: Mapped[str] = mapped_column(SHA256, unique=True)

    __table_args__ = (
        UniqueConstraint("chain", "number"),
        sa.CheckConstraint("chain = coalesce(course_id, 0)", name="chain_of_course"),
    )

    def __repr__(self) -> str:
        return f"AuditEvent({self.chain}, {self.number}, {self.action!r})"


class AuditHead(Base):
    """The last event of a chain, signed by the server: without its key no shorter chain can be
    made to look whole."""

    __tablename__ = "audit_head"
    keeping = Keeping(audited=(), told_as="", erasure=Erasure.NONE)

    chain: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int]
    hash: Mapped[str] = mapped_column(SHA256)
    key_id: Mapped[str] = mapped_column(String(16))
    signature: Mapped[str] = mapped_column(String(88))  # Ed25519, base64

    def __repr__(self) -> str:
        return f"AuditHead({self.chain}, {self.number})"


class ApiToken(Base):
    """A bearer token; only its SHA-256 is kept."""

    __tablename__ = "api_token"
    keeping = Keeping(
        audited=("token",),
        told_as="tokens",
        erasure=Erasure.DELETED,
        forgotten=Forgotten(after=("expires_at", "revoked_at"), lifetime=timedelta(days=90)),
        guarded=(
            "user_id",
            "token_sha256",
            "scopes",
            "assignment_id",
            "expires_at",
            "revoked_at",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    token_sha256: Mapped[str] = mapped_column(SHA256, unique=True)
    prefix: Mapped[str] = mapped_column(String(16))  # what people recognise it by
    scopes: Mapped[list[str]] = mapped_column(sa.JSON, default=list)  # scopes.py
    # in place of scopes: it hands in here alone, whatever the assignment is called by now
    assignment_id: Mapped[int | None] = mapped_column(ForeignKey("assignment.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    user: Mapped[User] = relationship()
    assignment: Mapped[Assignment | None] = relationship()

    def __repr__(self) -> str:
        return f"ApiToken({self.prefix!r})"


class LoginSession(Base):
    """A browser that is signed in. The cookie holds a secret; only its SHA-256 is kept."""

    __tablename__ = "login_session"
    keeping = Keeping(
        audited=("session",),
        told_as="devices",
        erasure=Erasure.DELETED,
        # long enough to look into a stolen one
        forgotten=Forgotten(after=("expires_at", "revoked_at"), lifetime=timedelta(days=30)),
        guarded=("user_id", "secret_sha256", "expires_at", "revoked_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    secret_sha256: Mapped[str] = mapped_column(SHA256, unique=True)
    user_agent: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    user: Mapped[User] = relationship()

    def __repr__(self) -> str:
        return f"LoginSession({self.id})"


class Attempt(Base):
    """Something that may be done only so often, by the keyed hash of who did it; for throttling
    only (throttle.py), and forgotten within hours."""

    __tablename__ = "attempt"
    keeping = Keeping(
        audited=(),
        told_as="",
        erasure=Erasure.NONE,
        forgotten=Forgotten(after=("at",), lifetime=timedelta(hours=1)),
        backed_up=False,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    key_sha256: Mapped[str] = mapped_column(SHA256)
    at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_attempt_key", "key_sha256", "at"),)

    def __repr__(self) -> str:
        return f"Attempt({self.key_sha256[:8]})"


class Worker(Base):
    """A worker process and its last sign of life (workers.py)."""

    __tablename__ = "worker"
    keeping = Keeping(audited=(), told_as="", erasure=Erasure.NONE)

    id: Mapped[int] = mapped_column(primary_key=True)
    executor_id: Mapped[str] = mapped_column(String(100), unique=True)  # the same at every start
    incarnation: Mapped[str] = mapped_column(String(64))  # new at every start
    concurrency: Mapped[int] = mapped_column(default=1)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    beat_at: Mapped[datetime] = mapped_column(UtcDateTime)
    stopped_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    facts: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)  # sandbox, pid, host

    def __repr__(self) -> str:
        return f"Worker({self.executor_id!r})"


class Agent(Base):
    """A machine that runs students' code for the server and has nothing of it but a token."""

    __tablename__ = "agent"
    keeping = Keeping(
        audited=("agent",),
        told_as="",
        erasure=Erasure.NONE,
        guarded=("name", "token_sha256", "lanes", "course_ids", "banned_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(32), unique=True)
    token_sha256: Mapped[str] = mapped_column(SHA256, unique=True)
    lanes: Mapped[list[str]] = mapped_column(sa.JSON, default=list)
    course_ids: Mapped[list[int]] = mapped_column(sa.JSON, default=list)  # none: every course
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    banned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # for good
    is_draining: Mapped[bool] = mapped_column(default=False)  # ends what it runs, gets no more
    beat_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    left_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # it said goodbye
    facts: Mapped[dict[str, Any]] = mapped_column(sa.JSON, default=dict)  # host, version, sandbox
    faults: Mapped[int] = mapped_column(default=0)  # leases lost, results refused or of our verdict

    def __repr__(self) -> str:
        return f"Agent({self.name!r})"


class AgentRun(Base):
    """A run that a worker offers to agents, for as long as it waits for the result."""

    __tablename__ = "agent_run"
    keeping = Keeping(
        audited=(),
        told_as="",
        erasure=Erasure.NONE,
        forgotten=Forgotten(after=("wanted_until",), lifetime=timedelta(hours=1)),
        backed_up=False,
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    public_id: Mapped[str] = mapped_column(String(32), unique=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submission.id"))
    course_id: Mapped[int] = mapped_column(ForeignKey("course.id"))
    lane: Mapped[Lane] = mapped_column(enum_column(Lane))
    job: Mapped[bytes] = mapped_column(sa.LargeBinary)  # sandbox.Job
    folder_sha256: Mapped[str] = mapped_column(SHA256)  # of the edition whose images these are
    wanted_until: Mapped[datetime] = mapped_column(UtcDateTime)  # put off while the worker waits
    agent_id: Mapped[int | None] = mapped_column(ForeignKey("agent.id"))  # has it, or had it last
    lease_sha256: Mapped[str | None] = mapped_column(SHA256)  # None: it waits for an agent
    leased_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    leases: Mapped[int] = mapped_column(default=0)
    log: Mapped[str] = mapped_column(Text, default="")
    result: Mapped[bytes | None] = mapped_column(sa.LargeBinary)  # sandbox.JobResult

    __table_args__ = (sa.CheckConstraint(one_of("lane", Lane), name="lane_known"),)

    def __repr__(self) -> str:
        return f"AgentRun({self.public_id!r})"


class LiveLog(Base):
    """The end of what a sample run has printed so far; there while the run goes on."""

    __tablename__ = "live_log"
    keeping = Keeping(audited=(), told_as="", erasure=Erasure.NONE, backed_up=False)

    submission_id: Mapped[int] = mapped_column(
        ForeignKey("submission.id"), primary_key=True, autoincrement=False
    )
    text: Mapped[str] = mapped_column(Text)

    def __repr__(self) -> str:
        return f"LiveLog({self.submission_id}, {len(self.text)} characters)"


class NightlyRun(Base):
    """One run of the nightly rerun of the baselines, and how it ended."""

    __tablename__ = "nightly_run"
    keeping = Keeping(audited=("alert",), told_as="", erasure=Erasure.NONE)

    id: Mapped[int] = mapped_column(primary_key=True)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    finished_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    exit_code: Mapped[int | None]
    output: Mapped[str] = mapped_column(Text, default="")  # the last lines

    def __repr__(self) -> str:
        return f"NightlyRun({self.started_at:%Y-%m-%d}, exit={self.exit_code})"
