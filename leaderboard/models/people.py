"""Courses, people, enrolments, teams."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column, relationship

from leaderboard.db import Base, UtcDateTime
from leaderboard.models.kinds import Role, enum_column, one_of


class Course(Base):
    """One run of a course in one term."""

    __tablename__ = "course"

    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(64), unique=True)
    title: Mapped[str] = mapped_column(String(200))
    term: Mapped[str] = mapped_column(String(64), default="")
    time_zone: Mapped[str] = mapped_column(String(64), default="UTC")
    late_days: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # what students type to join; None: nobody joins by code
    join_code: Mapped[str | None] = mapped_column(String(16))
    team_size: Mapped[int | None]  # most members of a team; None: no limit
    # the last moment at which students change teams; None: any time
    teams_until: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        sa.CheckConstraint("late_days >= 0", name="late_days_not_negative"),
        sa.Index("ix_course_join_code", "join_code", unique=True),
    )

    def __repr__(self) -> str:
        return f"Course({self.code!r})"


class User(Base):
    """One person, or the account of a program; may be in several courses in different roles."""

    __tablename__ = "user_account"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)  # lower case
    name: Mapped[str] = mapped_column(String(200))
    password_hash: Mapped[str] = mapped_column(String(200))
    locale: Mapped[str] = mapped_column(String(10), default="")  # "" = as the browser asks
    is_admin: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    # when staff vouched for the address or its owner followed a mailed link; single sign-on
    # opens no account whose address is anybody's claim
    email_verified_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    time_zone: Mapped[str | None] = mapped_column(String(64))  # None: the browser's
    # notices switched off, as "mail:scored" or "page:released"
    muted: Mapped[list[str] | None] = mapped_column(sa.JSON)
    erased_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (sa.CheckConstraint("email = lower(email)", name="email_lower_case"),)

    def __repr__(self) -> str:
        return f"User({self.id})"


class FormerAddress(Base):
    """An address that an account had, and nobody has now (auth/former_addresses.py)."""

    __tablename__ = "former_address"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)  # lower case
    left_at: Mapped[datetime] = mapped_column(UtcDateTime)

    user: Mapped[User] = relationship()

    __table_args__ = (sa.CheckConstraint("email = lower(email)", name="email_lower_case"),)

    def __repr__(self) -> str:
        return f"FormerAddress(user={self.user_id})"


class Identity(Base):
    """Who a person is to a provider of single sign-on."""

    __tablename__ = "identity"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    issuer: Mapped[str] = mapped_column(String(255))
    subject: Mapped[str] = mapped_column(String(255))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)

    user: Mapped[User] = relationship()

    __table_args__ = (UniqueConstraint("issuer", "subject"),)

    def __repr__(self) -> str:
        return f"Identity(user={self.user_id}, {self.issuer!r})"


class Enrolment(Base):
    """A person's role in a course."""

    __tablename__ = "enrolment"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    course_id: Mapped[int] = mapped_column(ForeignKey("course.id"), index=True)
    role: Mapped[Role] = mapped_column(enum_column(Role))
    section: Mapped[str] = mapped_column(String(64), default="")

    user: Mapped[User] = relationship()
    course: Mapped[Course] = relationship()

    __table_args__ = (
        UniqueConstraint("user_id", "course_id"),
        sa.CheckConstraint(one_of("role", Role), name="role_known"),
    )

    def __repr__(self) -> str:
        return f"Enrolment(user={self.user_id}, course={self.course_id}, {self.role})"


class Team(Base):
    """Who hands in together. A student without a team is a team of one, made at enrolment."""

    __tablename__ = "team"

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("course.id"))
    name: Mapped[str] = mapped_column(String(100))
    is_baseline: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    pseudonym: Mapped[str | None] = mapped_column(String(100))  # on boards in the name's place

    course: Mapped[Course] = relationship()
    members: Mapped[list[TeamMember]] = relationship(back_populates="team")

    __table_args__ = (UniqueConstraint("course_id", "name"),)

    @hybrid_property
    def shown_name(self) -> str:
        """The name that the whole course may see."""
        return self.pseudonym or self.name

    @shown_name.inplace.expression
    @classmethod
    def _shown_name(cls) -> sa.ColumnElement[str]:
        return sa.func.coalesce(cls.pseudonym, cls.name)

    def __repr__(self) -> str:
        return f"Team({self.id})"


class TeamMember(Base):
    """A person's place in a team; one team a course, held by the schema."""

    __tablename__ = "team_member"

    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    course_id: Mapped[int] = mapped_column(ForeignKey("course.id"))

    team: Mapped[Team] = relationship(back_populates="members")
    user: Mapped[User] = relationship()

    __table_args__ = (UniqueConstraint("user_id", "course_id"),)

    def __repr__(self) -> str:
        return f"TeamMember(team={self.team_id}, user={self.user_id})"


class Invitation(Base):
    """A link that lets people into a course, or into a team of it. The link is a signature of the
    id (auth/links.py): nothing here opens anything."""

    __tablename__ = "invitation"

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("course.id"), index=True)
    team_id: Mapped[int | None] = mapped_column(ForeignKey("team.id"), index=True)
    role: Mapped[Role] = mapped_column(enum_column(Role))
    section: Mapped[str] = mapped_column(String(64), default="")
    # only whoever reads this mailbox may use it; None: whoever has the link
    email: Mapped[str | None] = mapped_column(String(254))
    created_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    uses: Mapped[int] = mapped_column(default=0)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    course: Mapped[Course] = relationship()
    team: Mapped[Team | None] = relationship()

    __table_args__ = (
        sa.CheckConstraint(one_of("role", Role), name="role_known"),
        sa.CheckConstraint("uses >= 0", name="uses_not_negative"),
    )

    def __repr__(self) -> str:
        return f"Invitation({self.id}, course={self.course_id}, team={self.team_id})"
