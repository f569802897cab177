"""Courses, people, enrolments, teams."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy import ForeignKey, String, UniqueConstraint
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

    __table_args__ = (sa.CheckConstraint("late_days >= 0", name="late_days_not_negative"),)

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

    __table_args__ = (sa.CheckConstraint("email = lower(email)", name="email_lower_case"),)

    def __repr__(self) -> str:
        return f"User({self.id})"


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

    course: Mapped[Course] = relationship()
    members: Mapped[list[TeamMember]] = relationship(back_populates="team")

    __table_args__ = (UniqueConstraint("course_id", "name"),)

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
