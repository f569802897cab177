"""Signing in and out, API tokens, and the reader's choice of language and theme."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Final

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from leaderboard.accounts import access, accounts, courses, scopes
from leaderboard.db import utcnow, writing
from leaderboard.errors import SignInRefused, TooManyTries
from leaderboard.messages import sentences
from leaderboard.messages.language import LANGUAGE_COOKIE, LANGUAGES, THEME_COOKIE, THEMES
from leaderboard.state import current_state
from leaderboard.web.reading import local, whole

auth_pages = Blueprint("auth", __name__)

_A_YEAR: Final = timedelta(days=365)
_TOKEN_DAYS: Final = range(1, 181)


@auth_pages.get("/sign-in")
def sign_in() -> ResponseReturnValue:
    """The sign-in form; whoever is signed in already goes on."""
    if access.current_user() is not None:
        return redirect(local(request.args.get("next")), code=303)
    return _sign_in_page(next=request.args.get("next", ""), email="")


@auth_pages.post("/sign-in")
def sign_in_with_password() -> ResponseReturnValue:
    """Start a browser session for whoever knows the password."""
    settings = current_state().settings
    email = request.form.get("email", "")
    try:
        signed_in = accounts.sign_in(
            g.session,
            email=courses.address_of_login(g.session, email),
            password=request.form.get("password", ""),
            address=request.remote_addr or "",
            user_agent=request.user_agent.string,
            now=utcnow(),
            lifetime=timedelta(days=settings.session_days),
        )
    except SignInRefused as error:
        page = _sign_in_page(
            next=request.form.get("next", ""),
            email=email,
            problem=sentences.in_words(error.detail),
            is_locked=isinstance(error, TooManyTries),
        )
        headers = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
        return page, error.http_status, headers
    access.begin_session(signed_in)
    return redirect(local(request.form.get("next")), code=303)


def _sign_in_page(**values: str | bool) -> str:
    settings = current_state().settings
    provider = (settings.oidc_name or _("single sign-on")) if settings.oidc_issuer else ""
    return render_template(
        "sign_in.html", provider=provider, sends_mail=settings.sends_mail, **values
    )


@auth_pages.post("/sign-out")
def sign_out() -> ResponseReturnValue:
    """End this browser's session."""
    access.end_session(g.session)
    return redirect(url_for("auth.sign_in"), code=303)


@auth_pages.get("/tokens")
@access.sign_in_required
def tokens() -> ResponseReturnValue:
    """The reader's API tokens."""
    return _tokens_page()


@auth_pages.post("/tokens")
@access.sign_in_required
def make_token() -> ResponseReturnValue:
    """Make a token and show it, this once."""
    days = request.form.get("days", 90, type=whole)
    user = access.require_user()
    issued = accounts.issue_token(
        g.session,
        user,
        name=request.form.get("name", "").strip()[:100] or _("token"),
        scopes=_scopes(),
        now=utcnow(),
        lifetime=timedelta(days=days if days in _TOKEN_DAYS else 90),
    )
    return _tokens_page(secret=issued.secret), {"Cache-Control": "no-store"}


def _scopes() -> tuple[str, ...]:
    """What the form asks for: reading, mostly handing in, staff work where it is wished; or to
    hand in to one assignment alone."""
    chosen = request.form.get("scope", "submit")
    if scopes.place_of(chosen):
        return (chosen,)
    wanted = {"read"}
    if chosen == "submit":
        wanted.add("submit")
    if request.form.get("staff"):
        wanted.add("staff")
    return tuple(scope for scope in scopes.SCOPES if scope in wanted)


@auth_pages.post("/tokens/<int:token_id>/revoke")
@access.sign_in_required
def revoke_token(token_id: int) -> ResponseReturnValue:
    """End a token."""
    accounts.revoke_token(g.session, access.require_user(), token_id, utcnow())
    flash(_("The token was revoked."), "good")
    return redirect(url_for("auth.tokens"), code=303)


def _tokens_page(secret: str = "") -> str:
    user = access.require_user()
    found = accounts.tokens(g.session, user, utcnow())
    places = [
        scopes.submit_to(place.course.code, each.slug)
        for place in access.my_courses(g.session, user)
        if place.team is not None
        for each in courses.assignments(g.session, place.course)
    ]
    return render_template("tokens.html", tokens=found, secret=secret, narrow_scopes=places)


@auth_pages.post("/language")
def choose_language() -> ResponseReturnValue:
    """Keep the reader's choice of language: in their account, or in a cookie."""
    chosen = request.form.get("language", "")
    user = access.current_user()
    if user is not None and chosen in LANGUAGES:
        with writing(g.session):
            user.locale = chosen
    return _keep(LANGUAGE_COOKIE, chosen, LANGUAGES)


@auth_pages.post("/theme")
def choose_theme() -> ResponseReturnValue:
    """Keep the reader's choice of light or dark (the script does it without a request)."""
    return _keep(THEME_COOKIE, request.form.get("theme", ""), THEMES)


def _keep(name: str, value: str, known: Iterable[str]) -> Response:
    response = redirect(local(request.form.get("next")), code=303)
    if value in known:
        secure = current_state().settings.secure_cookies
        response.set_cookie(name, value, max_age=_A_YEAR, samesite="Lax", secure=secure)
    return response
