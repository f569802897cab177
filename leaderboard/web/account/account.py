"""The reader's account: language and time zone, password, devices, notices, their own data."""

from __future__ import annotations

from typing import Final
from zoneinfo import available_timezones

from flask import Blueprint, Response, flash, g, json, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from grader.words.message import said
from leaderboard.accounts import access, accounts, devices
from leaderboard.accounts.links import Links
from leaderboard.db import utcnow, writing
from leaderboard.errors import BadRequest, NotAllowedNow, NotFound, SignInRefused, TooManyRequests
from leaderboard.messages import notifications, sentences, words
from leaderboard.messages.language import LANGUAGES, language
from leaderboard.models import Notice
from leaderboard.operations import privacy, retention
from leaderboard.state import current_state
from leaderboard.teams import addresses, proofs
from leaderboard.web.account.sign_up import sign_in

account_pages = Blueprint("account", __name__)

_ZONES: Final = (*sorted(each for each in available_timezones() if "/" in each), "UTC")


@account_pages.get("/account")
@access.sign_in_required
def page() -> ResponseReturnValue:
    """Everything that the reader may set."""
    return _page()


@account_pages.post("/account")
@access.sign_in_required
def save() -> ResponseReturnValue:
    """Keep language and time zone."""
    user, zone = access.require_user(), request.form.get("time_zone", "")
    chosen = request.form.get("language", "")
    if chosen not in ("", *LANGUAGES) or zone not in ("", *_ZONES):
        raise BadRequest(said("account.no_such_choice"))
    with writing(g.session):
        user.locale, user.time_zone = chosen, zone or None
    return _saved()


@account_pages.post("/account/notices")
@access.sign_in_required
def save_notices() -> ResponseReturnValue:
    """Keep which notices and mails the reader wants."""
    notifications.choose(g.session, access.require_user(), request.form.getlist("wanted"))
    return _saved("notices")


@account_pages.post("/account/password")
@access.sign_in_required
def change_password() -> ResponseReturnValue:
    """Change the password; every device is signed out, and this one begins a fresh session."""
    user = access.require_user()
    try:
        accounts.change_password(
            g.session,
            user,
            old=request.form.get("old", ""),
            new=request.form.get("new", ""),
            address=request.remote_addr or "",
            now=utcnow(),
        )
    except SignInRefused as error:
        return _refused(error)
    except BadRequest as error:
        return _page(problem=sentences.in_words(error.detail)), error.http_status
    sign_in(user)
    flash(
        _("The new password holds. Every other device is signed out, and API tokens ended."), "good"
    )
    return redirect(url_for("account.page"), code=303)


@account_pages.post("/account/email")
@access.sign_in_required
def ask_for_address() -> ResponseReturnValue:
    """Mail a link to the address that the reader wants to have."""
    if not current_state().settings.sends_mail:
        raise NotFound
    try:
        email = addresses.ask(
            g.session,
            access.require_user(),
            email=request.form.get("email", ""),
            password=request.form.get("password", ""),
            address=request.remote_addr or "",
            locale=language(),
            now=utcnow(),
        )
    except SignInRefused as error:
        return _refused(error)
    except BadRequest as error:
        return _page(problem=sentences.in_words(error.detail)), error.http_status
    return render_template("mail_sent.html", email=email)


@account_pages.post("/account/address-code")
@access.sign_in_required
def prove_address() -> ResponseReturnValue:
    """Prove the address by the code that staff gave."""
    secret_key, typed = current_state().settings.secret_key, request.form.get("code", "")
    try:
        proofs.prove(g.session, secret_key, access.require_user(), typed, utcnow())
    except (BadRequest, TooManyRequests) as error:
        headers = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
        return _page(problem=sentences.in_words(error.detail)), error.http_status, headers
    return _saved("address")


@account_pages.get("/account/email/<secret>")
@access.sign_in_required
def confirm_address(secret: str) -> ResponseReturnValue:
    """Ask once more: the link alone changes nothing, since mail filters follow links too."""
    return render_template(
        "new_address.html", email=_links().address(access.require_user(), secret)
    )


@account_pages.post("/account/email/<secret>")
@access.sign_in_required
def change_address(secret: str) -> ResponseReturnValue:
    """Change it; every device is signed out, and this one begins a fresh session."""
    user = access.require_user()
    addresses.change(g.session, _links(), user, secret, utcnow())
    sign_in(user)
    flash(_("The new address holds. Every other device was signed out."), "good")
    return redirect(url_for("account.page"), code=303)


@account_pages.post("/account/devices/<int:session_id>/sign-out")
@access.sign_in_required
def sign_out_device(session_id: int) -> ResponseReturnValue:
    """Sign one device out."""
    accounts.revoke_session(g.session, access.require_user(), session_id, utcnow())
    flash(_("The device was signed out."), "good")
    return redirect(url_for("account.page", _anchor="devices"), code=303)


@account_pages.post("/account/devices/sign-out")
@access.sign_in_required
def sign_out_everywhere() -> ResponseReturnValue:
    """Sign every device out, this one included, and end every API token."""
    accounts.sign_out_everywhere(g.session, access.require_user(), utcnow())
    access.forget_cookie()
    flash(_("You are signed out on every device, and your API tokens ended."), "good")
    return redirect(url_for("auth.sign_in"), code=303)


@account_pages.get("/account/data.json")
@access.sign_in_required
def own_data() -> ResponseReturnValue:
    """All that is kept about the reader, as a file."""
    record = privacy.record_of(g.session, access.require_user())
    headers = {"Content-Disposition": 'attachment; filename="my-data.json"'}
    text = json.dumps(record, ensure_ascii=False, indent=2)
    return Response(text + "\n", mimetype="application/json", headers=headers)


@account_pages.post("/account/erase")
@access.sign_in_required
def ask_erasure() -> ResponseReturnValue:
    """Erase the reader, now or once nothing is in the way; the page says what is."""
    try:
        waits_for = privacy.ask_oneself(
            g.session,
            current_state(),
            access.require_user(),
            confirmation=request.form.get("confirmation", ""),
            address=request.remote_addr or "",
        )
    except SignInRefused as error:
        return _refused(error)
    except (BadRequest, NotAllowedNow) as error:
        return _page(problem=sentences.in_words(error.detail)), error.http_status
    if waits_for:
        return redirect(url_for("account.page", _anchor="own-data"), code=303)
    access.forget_cookie()
    flash(_("You are erased."), "good")
    return redirect(url_for("auth.sign_in"), code=303)


@account_pages.post("/account/erase/withdraw")
@access.sign_in_required
def withdraw_erasure() -> ResponseReturnValue:
    """Stay after all."""
    user = access.require_user()
    privacy.withdraw(g.session, user, actor=user)
    flash(_("You are not erased."), "good")
    return redirect(url_for("account.page", _anchor="own-data"), code=303)


@account_pages.get("/privacy")
def about_privacy() -> ResponseReturnValue:
    """What is kept about a student, who sees it, for how long."""
    return render_template(
        "privacy.html", days=retention, session_days=current_state().settings.session_days
    )


@account_pages.get("/notifications")
@access.sign_in_required
def notices() -> ResponseReturnValue:
    """What the reader was told."""
    found = notifications.recent(g.session, access.require_user())
    return render_template("notifications.html", notices=found)


@account_pages.post("/notifications/read")
@access.sign_in_required
def mark_read() -> ResponseReturnValue:
    """Mark all of it as read."""
    notifications.mark_read(g.session, access.require_user())
    return redirect(url_for("account.notices"), code=303)


@account_pages.get("/notifications/<int:notice_id>")
@access.sign_in_required
def follow(notice_id: int) -> ResponseReturnValue:
    """Go to what a notice is about; it counts as read then."""
    user = access.require_user()
    notice = notifications.one(g.session, user, notice_id)
    if notice is None:
        raise NotFound
    path = notice.path
    notifications.mark_read(g.session, user, notice_id)
    return redirect(path, code=303)


def _refused(error: SignInRefused) -> ResponseReturnValue:
    """The page again, where the present password is wrong or was tried too often."""
    detail = sentences.in_words(error.detail)
    wrong = _("The present password is wrong.") if error.http_status == 401 else detail
    headers = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
    # not 401: the reader is signed in
    return _page(problem=wrong), max(error.http_status, 403), headers


def _links() -> Links:
    return Links(current_state().settings.secret_key)


def _page(problem: str = "") -> str:
    user, settings = access.require_user(), current_state().settings
    base = settings.public_url or request.host_url.rstrip("/")
    return render_template(
        "account.html",
        problem=problem,
        calendar_link=f"{base}/calendar/{Links(settings.secret_key).of_calendar(user)}.ics",
        sends_mail=settings.sends_mail,
        has_provider=bool(settings.oidc_issuer),
        zones=_ZONES,
        kinds=[(kind, words.notice_title(kind)) for kind in Notice],
        wants=notifications.wants,
        devices=devices.of(g.session, user, utcnow()),
        here_id=access.session_id(),
        waits_for=(privacy.obstacles(g.session, user, utcnow()) if user.erasure_asked_at else ()),
    )


def _saved(anchor: str = "") -> ResponseReturnValue:
    flash(_("Saved."), "good")
    return redirect(url_for("account.page", _anchor=anchor or None), code=303)
