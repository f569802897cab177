"""Courses, people, enrolments, teams."""

from __future__ import annotations

from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column, relationship

from leaderboard.db import Base, UtcDateTime
from leaderboard.models.keeping import Erasure, Forgotten, Keeping
from leaderboard.models.kinds import Reason, Role, enum_column, one_of


class Course(Base):
    """One run of a course in one term."""

    __tablename__ = "course"
    keeping = Keeping(
        audited=("course",),
        told_as="",
        erasure=Erasure.NONE,
        guarded=(
            "code",
            "time_zone",
            "late_days",
            "join_code",
            "team_size",
            "teams_until",
            "team_links_enrol",
            "records_until",
        ),
    )

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
    # whether a team's link lets people into the course who are not in it
    team_links_enrol: Mapped[bool] = mapped_column(default=False)
    # examination records are kept until then, and nobody is erased before; None: no such rule
    records_until: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        sa.CheckConstraint("late_days >= 0", name="late_days_not_negative"),
        sa.Index("ix_course_join_code", "join_code", unique=True),
    )

    def __repr__(self) -> str:
        return f"Course({self.code!r})"


def leads_to_a_mailbox(email: str) -> bool:
    """Whether mail to it can arrive: whoever has no address has one of RFC 2606's `.invalid`.

    >>> leads_to_a_mailbox("mei@example.edu"), leads_to_a_mailbox("8c1f@none.invalid")
    (True, False)
    """
    return not email.endswith(("@invalid", ".invalid"))


class User(Base):
    """One person, or the account of a program; may be in several courses in different roles."""

    __tablename__ = "user_account"
    keeping = Keeping(
        audited=("user",),
        told_as="account",
        erasure=Erasure.EMPTIED,
        # hashes of secrets too: whoever plants one has the account
        guarded=(
            "email",
            "name",
            "is_admin",
            "email_verified_at",
            "erased_at",
            "erasure_asked_at",
            "password_hash",
            "code_sha256",
            "code_expires_at",
        ),
        personal=("email", "name"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)  # lower case; shown: `address`
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
    # when they asked to be erased; it is done once nothing is in the way (privacy/)
    erasure_asked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    # of the one code that staff last printed for them; a new password ends it (sign_in_codes.py)
    code_sha256: Mapped[str | None] = mapped_column(String(64))
    code_expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (sa.CheckConstraint("email = lower(email)", name="email_lower_case"),)

    @property
    def address(self) -> str:
        """Their e-mail address; "" of who has none: they sign in by their student number."""
        return self.email if leads_to_a_mailbox(self.email) else ""

    def __repr__(self) -> str:
        return f"User({self.id})"


class FormerAddress(Base):
    """An address that an account had, and nobody has now (auth/former_addresses.py)."""

    __tablename__ = "former_address"
    keeping = Keeping(
        audited=("user",),
        told_as="former_addresses",
        erasure=Erasure.DELETED,
        guarded=("user_id", "email"),
        personal=("email",),
    )

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
    keeping = Keeping(
        audited=("user",),
        told_as="single_sign_on",
        erasure=Erasure.DELETED,
        guarded=("user_id", "issuer", "subject", "created_at"),
        personal=("subject",),
    )

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
    keeping = Keeping(
        audited=("course",),
        told_as="courses",
        erasure=Erasure.DELETED,
        guarded=("user_id", "course_id", "role", "section", "number", "sees", "ends_at"),
        personal=("number",),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    course_id: Mapped[int] = mapped_column(ForeignKey("course.id"), index=True)
    role: Mapped[Role] = mapped_column(enum_column(Role))
    section: Mapped[str] = mapped_column(String(64), default="")
    # the institution's, with its leading zeros: for staff's pages and exports, and to sign in by
    number: Mapped[str | None] = mapped_column(String(64))
    # the sections that an assistant is confined to; None: they see everybody
    sees: Mapped[list[str] | None] = mapped_column(sa.JSON)
    ends_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # their rights; None: never

    user: Mapped[User] = relationship()
    course: Mapped[Course] = relationship()

    __table_args__ = (
        UniqueConstraint("user_id", "course_id"),
        sa.Index("ix_enrolment_course_id_number", "course_id", "number", unique=True),
        sa.CheckConstraint(one_of("role", Role), name="role_known"),
    )

    def __repr__(self) -> str:
        return f"Enrolment(user={self.user_id}, course={self.course_id}, {self.role})"


class Team(Base):
    """Who hands in together. A student without a team is a team of one, made at enrolment."""

    __tablename__ = "team"
    keeping = Keeping(
        audited=("team",),
        told_as="teams",
        erasure=Erasure.EMPTIED,
        guarded=("course_id", "name", "pseudonym", "is_baseline", "is_auditing", "emptied_at"),
        personal=("name", "pseudonym"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("course.id"))
    name: Mapped[str] = mapped_column(String(100))
    is_baseline: Mapped[bool] = mapped_column(default=False)
    is_auditing: Mapped[bool] = mapped_column(default=False)  # an auditor's: on no board
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    pseudonym: Mapped[str | None] = mapped_column(String(100))  # on boards in the name's place
    # when its last member went: it has no rank where results were not out by then
    emptied_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    course: Mapped[Course] = relationship()
    members: Mapped[list[TeamMember]] = relationship(back_populates="team")
    # read through rules/schedule.py; written as rows, so that no flush of a team touches them
    extensions: Mapped[list[Extension]] = relationship(viewonly=True)

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
    keeping = Keeping(
        audited=("team",),
        told_as="teams",
        erasure=Erasure.DELETED,
        guarded=("team_id", "user_id", "course_id", "joined_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"))
    course_id: Mapped[int] = mapped_column(ForeignKey("course.id"))
    # what the team handed in from then on is theirs too; None: all of it
    joined_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    team: Mapped[Team] = relationship(back_populates="members")
    user: Mapped[User] = relationship()

    __table_args__ = (UniqueConstraint("user_id", "course_id"),)

    def __repr__(self) -> str:
        return f"TeamMember(team={self.team_id}, user={self.user_id})"


class FormerMember(Base):
    """A person's place in a team that they left or were moved out of: whoever changes teams keeps
    what they used of the daily limit (rules/quotas.py)."""

    __tablename__ = "former_member"
    keeping = Keeping(
        audited=("team",),
        told_as="teams",
        erasure=Erasure.DELETED,
        forgotten=Forgotten(after=("left_at",), lifetime=timedelta(days=7)),
        guarded=("team_id", "user_id", "joined_at", "left_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"), index=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    joined_at: Mapped[datetime | None] = mapped_column(UtcDateTime)  # as TeamMember's
    left_at: Mapped[datetime] = mapped_column(UtcDateTime)

    team: Mapped[Team] = relationship()

    def __repr__(self) -> str:
        return f"FormerMember(team={self.team_id}, user={self.user_id})"


class Invitation(Base):
    """A link that lets people into a course, or into a team of it. The link is a signature of the
    id (auth/links.py): nothing here opens anything."""

    __tablename__ = "invitation"
    keeping = Keeping(
        audited=("invitation",),
        told_as="",
        erasure=Erasure.EMPTIED,
        guarded=(
            "course_id",
            "team_id",
            "role",
            "section",
            "email",
            "created_by",
            "expires_at",
            "revoked_at",
        ),
        personal=("email",),
    )

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


class Extension(Base):
    """A later date, more late days or more submissions a day, for one team; schedule.py reads it.

    One that was given to a person moves the team that the person was in then, and no later one. A
    merge takes it along.
    """

    __tablename__ = "extension"
    keeping = Keeping(
        audited=("extension",),
        told_as="extensions",
        erasure=Erasure.EMPTIED,
        verified="lateness",
        guarded=(
            "course_id",
            "team_id",
            "user_id",
            "assignment_id",
            "due",
            "closes",
            "hours",
            "late_days",
            "daily_limit",
            "granted_by",
            "granted_at",
            "revoked_at",
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    course_id: Mapped[int] = mapped_column(ForeignKey("course.id"), index=True)
    team_id: Mapped[int] = mapped_column(ForeignKey("team.id"), index=True)
    # whom it is about; None: the whole team, or somebody who was erased since
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"), index=True)
    # None: every assignment of the course that was not over when it was given
    assignment_id: Mapped[int | None] = mapped_column(ForeignKey("assignment.id"), index=True)
    due: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closes: Mapped[datetime | None] = mapped_column(UtcDateTime)
    hours: Mapped[int] = mapped_column(default=0)  # after the usual dates, where none is named
    late_days: Mapped[int] = mapped_column(default=0)  # more than the course gives
    daily_limit: Mapped[int] = mapped_column(default=0)  # more submissions a day
    reason: Mapped[Reason] = mapped_column(enum_column(Reason))
    reference: Mapped[str] = mapped_column(String(200), default="")  # of the office that vouches
    granted_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    granted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    course: Mapped[Course] = relationship()
    team: Mapped[Team] = relationship()
    user: Mapped[User | None] = relationship(foreign_keys=[user_id])

    __table_args__ = (
        sa.CheckConstraint(one_of("reason", Reason), name="reason_known"),
        sa.CheckConstraint("hours >= 0 AND late_days >= 0 AND daily_limit >= 0", name="only_more"),
        sa.CheckConstraint(
            "assignment_id IS NOT NULL OR (due IS NULL AND closes IS NULL)", name="dates_of_one"
        ),
    )

    def __repr__(self) -> str:
        return f"Extension({self.id}, team={self.team_id}, assignment={self.assignment_id})"
