"""The reader's account: language and time zone, password, devices, notices, their own data."""

from __future__ import annotations

from typing import Final
from zoneinfo import available_timezones

from flask import Blueprint, Response, flash, g, json, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from leaderboard import devices, notifications, privacy, retention, sentences, words
from leaderboard.auth import addresses, policy, service
from leaderboard.auth.links import Links
from leaderboard.auth.sign_up import sign_in
from leaderboard.db import utcnow, writing
from leaderboard.errors import BadRequest, NotFound, SignInRefused
from leaderboard.language import LANGUAGES, language
from leaderboard.models import Notice
from leaderboard.state import current_state

account_pages = Blueprint("account", __name__)

_ZONES: Final = (*sorted(each for each in available_timezones() if "/" in each), "UTC")


@account_pages.get("/account")
@policy.sign_in_required
def page() -> ResponseReturnValue:
    """Everything that the reader may set."""
    return _page()


@account_pages.post("/account")
@policy.sign_in_required
def save() -> ResponseReturnValue:
    """Keep language and time zone."""
    user, zone = policy.require_user(), request.form.get("time_zone", "")
    chosen = request.form.get("language", "")
    if chosen not in ("", *LANGUAGES) or zone not in ("", *_ZONES):
        raise BadRequest("There is no such language or time zone.")
    with writing(g.session):
        user.locale, user.time_zone = chosen, zone or None
    return _saved()


@account_pages.post("/account/notices")
@policy.sign_in_required
def save_notices() -> ResponseReturnValue:
    """Keep which notices and mails the reader wants."""
    notifications.choose(g.session, policy.require_user(), request.form.getlist("wanted"))
    return _saved("notices")


@account_pages.post("/account/password")
@policy.sign_in_required
def change_password() -> ResponseReturnValue:
    """Change the password; every device is signed out, and this one begins a fresh session."""
    user = policy.require_user()
    try:
        service.change_password(
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
    flash(_("The new password holds. Every other device was signed out."), "good")
    return redirect(url_for("account.page"), code=303)


@account_pages.post("/account/email")
@policy.sign_in_required
def ask_for_address() -> ResponseReturnValue:
    """Mail a link to the address that the reader wants to have."""
    if not current_state().settings.sends_mail:
        raise NotFound
    try:
        email = addresses.ask(
            g.session,
            policy.require_user(),
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


@account_pages.get("/account/email/<secret>")
@policy.sign_in_required
def confirm_address(secret: str) -> ResponseReturnValue:
    """Ask once more: the link alone changes nothing, since mail filters follow links too."""
    return render_template(
        "new_address.html", email=_links().address(policy.require_user(), secret)
    )


@account_pages.post("/account/email/<secret>")
@policy.sign_in_required
def change_address(secret: str) -> ResponseReturnValue:
    """Change it; every device is signed out, and this one begins a fresh session."""
    user = policy.require_user()
    addresses.change(g.session, _links(), user, secret, utcnow())
    sign_in(user)
    flash(_("The new address holds. Every other device was signed out."), "good")
    return redirect(url_for("account.page"), code=303)


@account_pages.post("/account/devices/<int:session_id>/sign-out")
@policy.sign_in_required
def sign_out_device(session_id: int) -> ResponseReturnValue:
    """Sign one device out."""
    service.revoke_session(g.session, policy.require_user(), session_id, utcnow())
    flash(_("The device was signed out."), "good")
    return redirect(url_for("account.page", _anchor="devices"), code=303)


@account_pages.post("/account/devices/sign-out")
@policy.sign_in_required
def sign_out_everywhere() -> ResponseReturnValue:
    """Sign every device out, this one included."""
    service.sign_out_everywhere(g.session, policy.require_user(), utcnow())
    policy.forget_cookie()
    flash(_("You are signed out on every device."), "good")
    return redirect(url_for("auth.sign_in"), code=303)


@account_pages.get("/account/data.json")
@policy.sign_in_required
def own_data() -> ResponseReturnValue:
    """All that is kept about the reader, as a file."""
    record = privacy.record_of(g.session, policy.require_user())
    headers = {"Content-Disposition": 'attachment; filename="my-data.json"'}
    text = json.dumps(record, ensure_ascii=False, indent=2)
    return Response(text + "\n", mimetype="application/json", headers=headers)


@account_pages.get("/privacy")
def about_privacy() -> ResponseReturnValue:
    """What is kept about a student, who sees it, for how long."""
    return render_template(
        "privacy.html", days=retention, session_days=current_state().settings.session_days
    )


@account_pages.get("/notifications")
@policy.sign_in_required
def notices() -> ResponseReturnValue:
    """What the reader was told."""
    found = notifications.recent(g.session, policy.require_user())
    return render_template("notifications.html", notices=found)


@account_pages.post("/notifications/read")
@policy.sign_in_required
def mark_read() -> ResponseReturnValue:
    """Mark all of it as read."""
    notifications.mark_read(g.session, policy.require_user())
    return redirect(url_for("account.notices"), code=303)


@account_pages.get("/notifications/<int:notice_id>")
@policy.sign_in_required
def follow(notice_id: int) -> ResponseReturnValue:
    """Go to what a notice is about; it counts as read then."""
    user = policy.require_user()
    notice = notifications.one(g.session, user, notice_id)
    if notice is None:
        raise NotFound
    path = notice.path
    notifications.mark_read(g.session, user, notice_id)
    return redirect(path, code=303)


def _refused(error: SignInRefused) -> ResponseReturnValue:
    """The page again, where the present password is wrong or was tried too often."""
    detail = words.refusal(error.code, error.detail)
    wrong = _("The present password is wrong.") if error.http_status == 401 else detail
    headers = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
    # not 401: the reader is signed in
    return _page(problem=wrong), max(error.http_status, 403), headers


def _links() -> Links:
    return Links(current_state().settings.secret_key)


def _page(problem: str = "") -> str:
    user = policy.require_user()
    return render_template(
        "account.html",
        problem=problem,
        sends_mail=current_state().settings.sends_mail,
        has_provider=bool(current_state().settings.oidc_issuer),
        zones=_ZONES,
        kinds=[(kind, words.notice_title(kind)) for kind in Notice],
        wants=notifications.wants,
        devices=devices.of(g.session, user, utcnow()),
        here_id=policy.session_id(),
    )


def _saved(anchor: str = "") -> ResponseReturnValue:
    flash(_("Saved."), "good")
    return redirect(url_for("account.page", _anchor=anchor or None), code=303)
