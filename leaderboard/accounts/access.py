"""Who may do what. Whatever is not theirs is NotFound, the same as what does not exist."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Final, ParamSpec, TypeVar

import sqlalchemy as sa
from flask import abort, g, redirect, request, url_for
from flask import session as cookie
from sqlalchemy.orm import Session, contains_eager

from grader.words.message import said
from leaderboard.accounts import accounts, courses, scopes, token_uses
from leaderboard.accounts.rights import matrix, reading_as, sections
from leaderboard.accounts.rights.matrix import Who
from leaderboard.db import utcnow
from leaderboard.errors import Forbidden, NotFound, SignInRequired
from leaderboard.models import (
    ApiToken,
    Assignment,
    Course,
    Enrolment,
    Role,
    Submission,
    Team,
    TeamMember,
    User,
)

P = ParamSpec("P")
R = TypeVar("R")

_COOKIE_KEY = "login"  # of the signed cookie's dictionary
_RANK = {
    Role.STUDENT: 0,
    Role.AUDITOR: 0,
    Role.BASELINE: 0,
    Role.EXAMINER: 0,
    Role.ASSISTANT: 1,
    Role.INSTRUCTOR: 2,
}
_TEACHING: Final = (Role.ASSISTANT, Role.INSTRUCTOR)
_WHO: Final = {
    Role.STUDENT: Who.STUDENT,
    Role.AUDITOR: Who.AUDITOR,
    Role.BASELINE: Who.BASELINE,
    Role.EXAMINER: Who.EXAMINER,
    Role.ASSISTANT: Who.ASSISTANT,
    Role.INSTRUCTOR: Who.INSTRUCTOR,
}
# made once: putting a statement together takes as long as asking it
# a person may have a team and no enrolment, or neither: from the one row that is there
_PLACE = (
    sa.select(Course, Enrolment, Team)
    .select_from(Course)
    .outerjoin(
        Enrolment,
        sa.and_(Enrolment.course_id == Course.id, Enrolment.user_id == sa.bindparam("user")),
    )
    .outerjoin(
        TeamMember,
        sa.and_(TeamMember.course_id == Course.id, TeamMember.user_id == sa.bindparam("user")),
    )
    .outerjoin(Team, Team.id == TeamMember.team_id)
)
_BY_CODE = _PLACE.where(Course.code == sa.bindparam("code"))
_BY_ID = _PLACE.where(Course.id == sa.bindparam("course"))
# with what decides about dates and limits there; several rows where a team has several extensions
_ASSIGNMENT = (
    _BY_CODE.join(Assignment, Assignment.course_id == Course.id)
    .outerjoin(Team.extensions)
    .add_columns(Assignment)
    .options(contains_eager(Assignment.course), contains_eager(Team.extensions))
    .where(Assignment.slug == sa.bindparam("slug"))
)


@dataclass(frozen=True, kw_only=True)
class Access:
    """A user in a course: the role they have there, and their team if they have one."""

    user: User
    course: Course
    role: Role
    team: Team | None
    # False where an API token without the scope `staff` asks: a lost one opens less
    as_staff: bool = True
    # True where they are in the course no more, and are let in for what is about them alone
    has_left: bool = False
    # what an assistant is confined to; none: they see everybody
    sections: tuple[str, ...] = ()

    @property
    def is_staff(self) -> bool:
        """Reads what is of the course, or of their sections (assistant or instructor)."""
        return self.as_staff and self.role in _TEACHING

    @property
    def sees_everyone(self) -> bool:
        """Staff of the whole course, and not of some sections."""
        return self.is_staff and not self.sections

    @property
    def who(self) -> Who:
        """What they are to the course, for the table of rights."""
        return Who.TUTOR if self.sections and self.is_staff else _WHO[self.role]

    def may(self, endpoint: str) -> bool:
        """Whether a page is theirs to open, as far as it does not hang on whose it is."""
        return matrix.may(endpoint, self.who)

    @property
    def is_instructor(self) -> bool:
        return self.as_staff and self.role is Role.INSTRUCTOR


def begin_session(signed_in: accounts.SignedIn) -> None:
    """Put a new sign-in into the cookie; whatever the cookie held before is dropped."""
    cookie.clear()
    cookie[_COOKIE_KEY] = signed_in.secret
    cookie.permanent = True
    g.pop("_user", None)


def end_session(session: Session) -> None:
    """Sign this browser out, on both sides. Opens its own write transaction."""
    secret = cookie.get(_COOKIE_KEY)
    if secret:
        accounts.sign_out(session, secret, utcnow())
    cookie.clear()
    g.pop("_user", None)


def forget_cookie() -> None:
    """Empty this browser's cookie, whose session has ended already."""
    cookie.clear()
    g.pop("_user", None)


def current_user() -> User | None:
    """Who made this request, by the session cookie; on the API by a bearer token only, so that
    no other site's form can act there. None for nobody."""
    if "_user" not in g:
        g._token = None
        g._user = _bearer_user() if request.blueprint == "api" else _cookie_user()
    user: User | None = g._user
    return user


def reads_as() -> reading_as.Reading | None:
    """Whom the reader of this page reads as; None: they are themself."""
    reading: reading_as.Reading | None = g.get("_reading") if current_user() else None
    return reading


def check_reading() -> None:
    """Refuse what whoever reads as a student may not.

    Raises:
        Forbidden: it is more than reading the course's pages.
    """
    if request.blueprint != "api" and reads_as() is not None:
        reading_as.check()


def require_user() -> User:
    """Who made this request.

    Raises:
        SignInRequired: nobody signed in (a page redirects to /sign-in?next=…).
    """
    user = current_user()
    if user is None and request.blueprint == "api" and request.authorization is not None:
        raise SignInRequired(said("access.bad_token"))
    if user is None:
        raise SignInRequired
    return user


def require_scope(scope: str, *, narrow: Assignment | None = None) -> User:
    """Who made this API request with a token that may do `scope`, or do it for `narrow` alone.

    Raises:
        SignInRequired: there is no token, or it is not valid.
        Forbidden: the token may not do that.
    """
    user = require_user()
    token: ApiToken | None = g._token
    if token is not None and not scopes.allows(token, scope, narrow):
        raise Forbidden(said("access.no_scope", scope=repr(scope)))
    return user


def narrowed_to() -> Assignment | None:
    """The one assignment that this request's token hands in to, if it is such a token."""
    token: ApiToken | None = g.get("_token")
    return token.assignment if token is not None else None


def sign_in_required(view: Callable[P, R]) -> Callable[P, R]:
    """A view for the signed-in only."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        require_user()
        return view(*args, **kwargs)

    return guarded


def my_courses(session: Session, user: User) -> tuple[Access, ...]:
    """The user's courses with their role in each, newest first; all courses for an admin."""
    query = sa.select(Course).order_by(Course.id.desc())
    reading: reading_as.Reading | None = g.get("_reading")
    if reading is not None:
        query = query.where(Course.id == reading.course_id)
    if not user.is_admin:
        query = query.join(Enrolment).where(
            Enrolment.user_id == user.id,
            sa.or_(Enrolment.ends_at.is_(None), Enrolment.ends_at > utcnow()),
        )
    return tuple(_access_by_id(session, user, course.id) for course in session.scalars(query))


def course_access(
    session: Session, user: User, code: str, *, at_least: Role = Role.STUDENT
) -> Access:
    """The user's place in a course. STUDENT: any enrolment; ASSISTANT; INSTRUCTOR.

    Raises:
        NotFound: they have none, or less than `at_least`.
    """
    found = session.execute(_BY_CODE, {"code": code, "user": user.id}).first()
    if found is None:
        raise NotFound
    return _at_least(_access(user, *found), at_least)


def place_in(session: Session, user: User, code: str) -> Access:
    """The same, and for whoever is not or no more in the course a place that opens nothing.

    What is about a person stays theirs to read: the caller lets them no further than that.

    Raises:
        NotFound: there is no such course.
    """
    found = session.execute(_BY_CODE, {"code": code, "user": user.id}).first()
    if found is None:
        raise NotFound
    return _place_of(user, *found)


def assignment_access(
    session: Session, user: User, code: str, slug: str, *, at_least: Role = Role.STUDENT
) -> tuple[Access, Assignment]:
    """The same for an assignment of the course.

    One that was renamed is found by its former slug too; a reader's browser is led to the new one.
    """
    asked = {"code": code, "slug": slug, "user": user.id}
    found = session.execute(_ASSIGNMENT, asked).unique().first()
    if found is not None:
        *place, assignment = found
        return _at_least(_access(user, *place), at_least), assignment
    access = course_access(session, user, code, at_least=at_least)
    renamed = courses.formerly(session, access.course, slug)
    if renamed is None:
        raise NotFound
    if request.method == "GET" and request.blueprint != "api":
        asked_for = {**(request.view_args or {}), **request.args, "slug": renamed.slug}
        abort(redirect(url_for(request.endpoint or "", **asked_for)))
    return access, renamed


def submission_access(
    session: Session, user: User, public_id: str, *, at_least: Role = Role.STUDENT
) -> tuple[Access, Submission]:
    """The same for a submission: of their own team, or of a course they are staff of."""
    submission = session.scalars(
        sa.select(Submission).where(Submission.public_id == public_id)
    ).first()
    if submission is None:
        raise NotFound
    course_id = submission.assignment.course_id
    access = _at_least(_access_by_id(session, user, course_id), at_least)
    is_mine = access.team is not None and access.team.id == submission.team_id
    if not is_mine and not (access.is_staff and sees_team(session, access, submission.team_id)):
        raise NotFound
    return access, submission


def sees_team(session: Session, access: Access, team_id: int) -> bool:
    """Whether a team is of the sections that one of the staff is confined to, if they are."""
    if not access.sections:
        return True
    theirs = sections.teams(access.course.id, access.sections).where(TeamMember.team_id == team_id)
    return session.scalars(theirs).first() is not None


def author_access(session: Session, user: User, public_id: str) -> tuple[Access, Submission]:
    """A submission with the place of whoever asks, whatever it is: the caller lets in whom it is
    about.

    Raises:
        NotFound: there is no such submission.
    """
    found = session.scalars(sa.select(Submission).filter_by(public_id=public_id)).first()
    if found is None:
        raise NotFound
    asked = {"course": found.assignment.course_id, "user": user.id}
    return _place_of(user, *session.execute(_BY_ID, asked).one()), found


def team_of(session: Session, course: Course, user: User) -> Team | None:
    """The user's team in a course, which they need not be enrolled in."""
    return courses.team_of(session, course, user)


def session_id() -> int | None:
    """Which of the user's browser sessions this request belongs to."""
    secret = cookie.get(_COOKIE_KEY)
    found = accounts.session_of(g.session, secret, utcnow()) if secret else None
    return found.id if found else None


def _access_by_id(session: Session, user: User, course_id: int) -> Access:
    asked = {"course": course_id, "user": user.id}
    return _access(user, *session.execute(_BY_ID, asked).one())


def _access(user: User, course: Course, enrolment: Enrolment | None, team: Team | None) -> Access:
    reading: reading_as.Reading | None = g.get("_reading")
    if reading is not None and course.id != reading.course_id:
        raise NotFound
    if not user.is_admin and not _holds(enrolment):
        raise NotFound
    role = Role.INSTRUCTOR if user.is_admin or enrolment is None else enrolment.role
    token: ApiToken | None = g.get("_token")
    return Access(
        user=user,
        course=course,
        role=role,
        # whoever grades hands nothing in for a team of students, though they were put into one
        team=None if role in (*_TEACHING, Role.EXAMINER) and enrolment else team,
        as_staff=token is None or "staff" in token.scopes,
        sections=tuple(enrolment.sees or ()) if enrolment and role is Role.ASSISTANT else (),
    )


def _holds(enrolment: Enrolment | None) -> bool:
    """Whether somebody is in a course, and no date has ended it."""
    return enrolment is not None and (enrolment.ends_at is None or enrolment.ends_at > utcnow())


def _place_of(user: User, course: Course, enrolment: Enrolment | None, team: Team | None) -> Access:
    if not user.is_admin and not _holds(enrolment):
        return Access(user=user, course=course, role=Role.STUDENT, team=None, has_left=True)
    return _access(user, course, enrolment, team)


def _at_least(access: Access, role: Role) -> Access:
    if _RANK[access.role] < _RANK[role] or (_RANK[role] > 0 and not access.as_staff):
        raise NotFound
    if not access.may(request.endpoint or ""):
        raise NotFound
    return access


def _cookie_user() -> User | None:
    secret = cookie.get(_COOKIE_KEY)
    found = accounts.user_of_session(g.session, secret, utcnow()) if secret else None
    g._reading = reading_as.of(g.session, found) if found else None
    if g._reading is not None and not reading_as.is_of_the_reader():
        student: User = g._reading.student
        return student
    return found


def _bearer_user() -> User | None:
    authorization = request.authorization
    if authorization is None or authorization.type != "bearer" or not authorization.token:
        return None
    now = utcnow()
    token = accounts.token_of(g.session, authorization.token, now)
    if token is None:
        return None
    token_uses.note(token, now)
    g._token = token
    return token.user
