"""What all pages share: the look of numbers and times, the frame's context, headers and errors."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any, Final

from flask import Response, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from leaderboard.accounts.access import Access, current_user, my_courses, reads_as
from leaderboard.errors import RequestError, SignInRequired
from leaderboard.messages import notifications, sentences, words
from leaderboard.messages.language import LANGUAGES, language, language_tag, theme
from leaderboard.web.request_ids import request_id

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_STATIC: Final = Path(__file__).parents[1] / "static"


def asset(name: str) -> str:
    """Return the address of a static file; it changes with the content, so browsers keep it."""
    return url_for("static", filename=name, v=_version(name))


@cache
def _version(name: str) -> str:
    return hashlib.sha256((_STATIC / name).read_bytes()).hexdigest()[:12]


def on_every_page() -> dict[str, Any]:
    """What base.html needs on every page."""
    # the page that says that the database is away must not ask it who reads
    user = None if g.get("without_user") else current_user()
    return {
        "user": user,
        "reads_as": reads_as() if user else None,
        "languages": LANGUAGES,
        "language": language(),
        "language_tag": language_tag(),
        "theme": theme(),
        "staff_courses": _staff_courses() if user else [],
        "unread": notifications.unread(g.session, user) if user else 0,
        "here": request.full_path.rstrip("?") if request.method == "GET" else "/",
    }


def _staff_courses() -> list[Access]:
    user = current_user()
    return [] if user is None else [c for c in my_courses(g.session, user) if c.is_staff]


def protect(response: Response) -> Response:
    """Add the headers that limit what a page may do."""
    headers = response.headers
    headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
    if request.endpoint != "static":
        headers.setdefault("Cache-Control", "private, no-cache")
        headers.add("Vary", "Cookie, Accept-Language")
    elif "v" in request.args:
        headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


def wants_json() -> bool:
    """Whether a script of ours asks; it shows the answer in the page."""
    best = request.accept_mimetypes.best_match(["text/html", "application/json"])
    return best == "application/json"


def refused(error: RequestError) -> ResponseReturnValue:
    """Return the page (or JSON, to a script) that says why something was refused."""
    if isinstance(error, SignInRequired) and not wants_json():
        target = request.full_path.rstrip("?") if request.method == "GET" else None
        return redirect(url_for("auth.sign_in", next=target), code=303)
    detail = sentences.in_words(error.detail)
    return _error_page(error.http_status, detail, retry_after=error.retry_after)


def http_error(error: HTTPException) -> ResponseReturnValue:
    """Return the page of an error that no service raised: unknown address, too large, a bug."""
    if error.code is None or error.code < 400:
        return error
    if isinstance(error, CSRFError):
        return _error_page(400, _("This form was too old. Go back, reload the page and try again."))
    return _error_page(error.code, "")


def _error_page(status: int, detail: str, *, retry_after: int | None = None) -> ResponseReturnValue:
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    if status >= 500:
        g.without_user = True
    if wants_json():
        return {"detail": detail or words.error_title(status)}, status, headers
    page = render_template(
        "error.html",
        status=status,
        title=words.error_title(status),
        detail=detail or words.error_advice(status),
        request_id=request_id() if status >= 500 else "",
    )
    return page, status, headers
