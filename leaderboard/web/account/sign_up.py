"""Pages that lead into a course: invitation links, course codes, new accounts, new passwords."""

from __future__ import annotations

from datetime import timedelta

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from grader.words.message import said
from leaderboard import audit
from leaderboard.accounts import access, accounts, names, throttle
from leaderboard.accounts.links import RESET_LASTS, Links
from leaderboard.accounts.throttle import Key
from leaderboard.db import utcnow, writing
from leaderboard.errors import (
    AccountExists,
    BadRequest,
    LinkInvalid,
    NotAllowedNow,
    NotFound,
    SignInRefused,
)
from leaderboard.messages import mail, sentences
from leaderboard.messages.language import language
from leaderboard.models import Invitation, Letter, Role, User
from leaderboard.state import current_state
from leaderboard.teams import invitations, membership, sign_in_codes

sign_up_pages = Blueprint("sign_up", __name__)


@sign_up_pages.get("/join")
def code() -> ResponseReturnValue:
    """Ask for a course's code."""
    return render_template("join_code.html", code="")


@sign_up_pages.post("/join")
def use_code() -> ResponseReturnValue:
    """Go on to the course that has the code; wrong ones are counted."""
    now, typed = utcnow(), request.form.get("code", "")
    keys = [Key(rule=throttle.WRONG_CODE_ADDRESS, who=throttle.source(request.remote_addr or ""))]
    with writing(g.session):
        taken = throttle.take(g.session, keys, now)
    try:
        found = invitations.by_code(g.session, typed, now)
    except NotFound as error:
        problem = sentences.in_words(error.detail)
        return render_template("join_code.html", code=typed[:32], problem=problem), 404
    with writing(g.session):
        throttle.give_back(g.session, taken)
    return redirect(url_for("sign_up.invitation", secret=_links().of_invitation(found)), code=303)


@sign_up_pages.get("/join/<secret>")
def invitation(secret: str) -> ResponseReturnValue:
    """What the invitation is to, and how to take it up."""
    return _invitation_page(secret, _valid(secret))


@sign_up_pages.post("/join/<secret>")
@access.sign_in_required
def join(secret: str) -> ResponseReturnValue:
    """Take up an invitation with the account of who is signed in."""
    found, user = _valid(secret), access.require_user()
    try:
        return _enter(found, user, whole_team=bool(request.form.get("whole_team")))
    except (NotAllowedNow, LinkInvalid) as error:
        problem = sentences.in_words(error.detail)
        return _invitation_page(secret, found, problem=problem), error.http_status


@sign_up_pages.post("/join/<secret>/account")
def ask_for_account(secret: str) -> ResponseReturnValue:
    """Make the account where the address is proved by the link itself; else mail to it first."""
    found = _valid(secret)
    try:
        membership.check_way_in(g.session, found, is_enrolled=False)
    except NotAllowedNow as error:
        problem = sentences.in_words(error.detail)
        return _invitation_page(secret, found, problem=problem), error.http_status
    if found.email is not None or not current_state().settings.sends_mail:
        return _make_account(
            secret,
            found,
            email=found.email or request.form.get("email", ""),
            is_verified=found.email is not None,
        )
    try:
        email = accounts.email_address(request.form.get("email", ""))
    except BadRequest as error:
        problem = sentences.in_words(error.detail)
        return _invitation_page(secret, found, problem=problem), error.http_status
    _mail_confirmation(found, email)
    return render_template("mail_sent.html", email=email)


@sign_up_pages.get("/sign-up/<secret>")
def confirmed(secret: str) -> ResponseReturnValue:
    """The form of a new account whose address is proved."""
    proved = _links().sign_up(g.session, secret)
    return _account_page(proved.invitation, proved.email)


@sign_up_pages.post("/sign-up/<secret>")
def sign_up(secret: str) -> ResponseReturnValue:
    """Make the account."""
    proved = _links().sign_up(g.session, secret)
    if proved.invitation.revoked_at is not None:
        raise LinkInvalid(said("invitation.invalid"))
    membership.check_way_in(g.session, proved.invitation, is_enrolled=False)
    return _make_account(secret, proved.invitation, email=proved.email, is_verified=True)


@sign_up_pages.get("/code")
def ask_for_code() -> ResponseReturnValue:
    """Ask whoever has no password yet for the code that staff handed them."""
    return render_template("code.html", login="")


@sign_up_pages.post("/code")
def use_sign_in_code() -> ResponseReturnValue:
    """Go on to choosing a password; wrong codes are counted as wrong passwords are."""
    login = request.form.get("login", "")[:254]
    try:
        user = sign_in_codes.redeem(
            g.session,
            current_state().settings.secret_key,
            login=login,
            code=request.form.get("code", ""),
            address=request.remote_addr or "",
            now=utcnow(),
        )
    except SignInRefused as error:
        page = render_template("code.html", login=login, problem=sentences.in_words(error.detail))
        headers = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
        return page, error.http_status, headers
    secret = _links().of_password(user, RESET_LASTS, by_code=True)
    return redirect(url_for("sign_up.choose_password", secret=secret), code=303)


@sign_up_pages.get("/password")
def forgotten() -> ResponseReturnValue:
    """Ask for the address to send a link to."""
    return render_template("forgotten.html")


@sign_up_pages.post("/password")
def send_reset() -> ResponseReturnValue:
    """Mail a link, if there is such an account; the answer is the same if there is none."""
    email, now = request.form.get("email", "").strip().lower()[:254], utcnow()
    keys = [
        Key(rule=throttle.RESET_ACCOUNT, who=email),
        Key(rule=throttle.RESET_ADDRESS, who=throttle.source(request.remote_addr or "")),
    ]
    with writing(g.session):
        throttle.take(g.session, keys, now)
        user = accounts.user_of_email(g.session, email)
        # where there is no account, a mail to nobody: the same work, and nothing is sent
        mail.post(
            g.session,
            Letter.RESET,
            dedupe_key=f"reset:{now.timestamp()}:{user.id if user else 0}",
            user=user,
            locale=language(),
        )
    return render_template("mail_sent.html", email=email)


@sign_up_pages.get("/password/<secret>")
def choose_password(secret: str) -> ResponseReturnValue:
    """The form that a mailed link leads to."""
    return render_template("new_password.html", person=_links().password(g.session, secret))


@sign_up_pages.post("/password/<secret>")
def set_password(secret: str) -> ResponseReturnValue:
    """Set it, end every session of the account, and sign this browser in."""
    user = _links().password(g.session, secret)
    try:
        accounts.set_password(
            g.session, user, request.form.get("password", ""), proves_address=True
        )
    except BadRequest as error:
        problem = sentences.in_words(error.detail)
        page = render_template("new_password.html", person=user, problem=problem)
        return page, error.http_status
    sign_in(user)
    flash(
        _("The new password holds. Every other device is signed out, and API tokens ended."), "good"
    )
    return redirect(url_for("student.home"), code=303)


def sign_in(user: User) -> None:
    """Begin a fresh session of this browser for a user who has proved who they are."""
    settings = current_state().settings
    access.begin_session(
        accounts.begin(
            g.session,
            user,
            user_agent=request.user_agent.string,
            now=utcnow(),
            lifetime=timedelta(days=settings.session_days),
        )
    )


def _links() -> Links:
    return Links(current_state().settings.secret_key)


def _valid(secret: str) -> Invitation:
    found = _links().invitation(g.session, secret)
    invitations.check(found, utcnow())
    return found


def _invitation_page(secret: str, found: Invitation, *, problem: str = "") -> str:
    settings = current_state().settings
    user = access.current_user()
    return render_template(
        "invitation.html",
        invitation=found,
        secret=secret,
        problem=problem,
        takes_new=found.team is None or found.course.team_links_enrol,
        asks_mail_first=found.email is None and settings.sends_mail,
        has_account=bool(found.email and accounts.user_of_email(g.session, found.email)),
        provider=(settings.oidc_name or _("single sign-on")) if settings.oidc_issuer else "",
        brings=_brings(found, user),
    )


def _brings(found: Invitation, user: User | None) -> membership.Roster | None:
    """The reader's present team, where taking up the invitation means leaving it."""
    if user is None or found.team is None:
        return None
    present = access.team_of(g.session, found.course, user)
    if present is None or present.id == found.team.id:
        return None
    return membership.roster(g.session, present, utcnow())


def _account_page(
    found: Invitation,
    email: str,
    *,
    problem: str = "",
    name: str = "",
    is_open: bool = False,
    sign_in: str = "",
) -> str:
    return render_template(
        "sign_up.html",
        invitation=found,
        email=email,
        problem=problem,
        name=name,
        is_open=is_open,
        sign_in=sign_in,
    )


def _sign_in_to(found: Invitation) -> str:
    """Where whoever has an account signs in, to come back to the invitation."""
    back = url_for("sign_up.invitation", secret=_links().of_invitation(found))
    return url_for("auth.sign_in", next=back)


def _make_account(
    secret: str, found: Invitation, *, email: str, is_verified: bool
) -> ResponseReturnValue:
    name = request.form.get("name", "").strip()
    try:
        name = names.clean(name, longest=names.LONGEST_OF_PERSON)
        user = accounts.create_user(
            g.session,
            email=email,
            name=name,
            password=request.form.get("password", ""),
            is_verified=is_verified,
        )
    except BadRequest as error:
        page = _account_page(
            found,
            email,
            problem=sentences.in_words(error.detail),
            name=name,
            is_open=not is_verified,
            sign_in=_sign_in_to(found) if isinstance(error, AccountExists) else "",
        )
        return page, error.http_status
    with writing(g.session):
        user.locale = language()
        audit.record(
            g.session, action="user.sign_up", subject=f"user:{user.id}", course=found.course
        )
    sign_in(user)
    return _enter(found, user)


def _enter(found: Invitation, user: User, *, whole_team: bool = False) -> ResponseReturnValue:
    course = found.course
    present = invitations.enrolment_of(g.session, course, user)
    if found.team is not None and (present is None or present.role is Role.STUDENT):
        invitations.check_person(found, user)
        change = membership.merge if whole_team else membership.join
        team = change(g.session, found, user)
        flash(_("You are in the team %(team)s now.", team=team.name), "good")
        return redirect(url_for("team.page", course=course.code), code=303)
    invitations.accept(g.session, found, user)
    flash(_("Welcome to %(course)s.", course=course.title), "good")
    return redirect(url_for("student.course", course=course.code), code=303)


def _mail_confirmation(found: Invitation, email: str) -> None:
    now = utcnow()
    keys = [
        Key(rule=throttle.SIGN_UP_EMAIL, who=email),
        Key(rule=throttle.SIGN_UP_ADDRESS, who=throttle.source(request.remote_addr or "")),
    ]
    with writing(g.session):
        throttle.take(g.session, keys, now)
        # whoever has an account is sent to its password, and told so by mail alone
        user = accounts.user_of_email(g.session, email)
        mail.post(
            g.session,
            Letter.RESET if user else Letter.SIGN_UP,
            dedupe_key=f"sign-up:{found.id}:{now.timestamp()}:{user.id if user else 0}",
            user=user,
            address=email,
            locale=language(),
            details={"invitation": found.id},
        )
