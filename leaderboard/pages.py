"""What all pages share: the look of numbers and times, the frame's context, headers and errors."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from babel.numbers import format_decimal
from flask import Flask, Response, g, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import format_datetime, get_locale
from flask_babel import gettext as _
from flask_wtf.csrf import CSRFError
from markupsafe import Markup
from werkzeug.exceptions import HTTPException

from leaderboard import letters, notifications, sentences, words
from leaderboard.auth.policy import Access, current_user, my_courses
from leaderboard.errors import RequestError, SignInRequired
from leaderboard.language import LANGUAGES, language, language_tag, theme

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_STATIC: Final = Path(__file__).parent / "static"


def init_pages(app: Flask) -> None:
    """Register the pages of students and staff with everything they share."""
    from leaderboard.auth.account import account_pages
    from leaderboard.auth.routes import auth_pages
    from leaderboard.auth.sign_up import sign_up_pages
    from leaderboard.auth.sso import sso_pages
    from leaderboard.instructor.people import people_pages
    from leaderboard.instructor.rescore import rescore_pages
    from leaderboard.instructor.routes import staff_pages
    from leaderboard.student.board import board_pages
    from leaderboard.student.hand_in import hand_in_pages
    from leaderboard.student.report import report_pages
    from leaderboard.student.routes import student_pages
    from leaderboard.student.team import team_pages

    ours = (
        auth_pages,
        student_pages,
        board_pages,
        hand_in_pages,
        report_pages,
        staff_pages,
        sign_up_pages,
        sso_pages,
        account_pages,
        team_pages,
        people_pages,
        rescore_pages,
    )
    for blueprint in ours:
        app.register_blueprint(blueprint)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters |= {
        "score": score,
        "whole": whole,
        "size": size,
        "moment": moment,
        "duration": duration,
        "metric_title": words.metric_title,
        "rule_title": words.rule_title,
        "track_title": words.track_title,
        "kind_title": words.kind_title,
        "declared": words.declared,
        "role_title": words.role_title,
        "in_words": sentences.in_words,
        "of_run": sentences.of_run,
        "efficiency": efficiency,
        "ranges": ranges,
        "efficiency_title": words.efficiency_title,
        "retry_note": words.retry_note,
        "quota_reason": words.quota_reason,
        "state_words": words.state_words,
        "scope_title": words.scope_title,
        "notice": letters.sentence,
    }
    app.jinja_env.globals["asset"] = asset
    app.context_processor(_frame)
    app.after_request(_protect)


def score(value: float | None) -> str:
    """Return a score to four places; a dash where there is none."""
    return "–" if value is None else f"{value:.4f}"


def whole(value: float) -> str:
    """Return a whole number, grouped as the reader's language does."""
    return str(format_decimal(value, locale=get_locale()))


def efficiency(value: float, figure: str) -> str:
    """Return a figure of what a model costs, with its unit."""
    if figure == "parameters":
        return whole(value)
    return f"{value:.3g} {'MB' if figure == 'checkpoint_mb' else 's'}"


def ranges(ranks: Iterable[int]) -> str:
    """Return ascending whole numbers, runs of them shortened.

    >>> ranges([1, 2, 3, 5, 8, 9])
    '1–3, 5, 8–9'
    """
    runs = groupby(enumerate(ranks), key=lambda pair: pair[1] - pair[0])
    ends = [[rank for _, rank in run] for _, run in runs]
    return ", ".join(f"{run[0]}–{run[-1]}" if run[1:] else str(run[0]) for run in ends)


def size(bytes_: int) -> str:
    """Return a file's size in the unit that keeps it short (MB means MiB)."""
    value, units = float(bytes_), ["B", "KB", "MB", "GB"]
    while value >= 1024 and len(units) > 1:
        value, units = value / 1024, units[1:]
    number = f"{value:.0f}" if units[0] == "B" or value >= 100 else f"{value:.1f}"
    return f"{number} {units[0]}"


def duration(seconds: float) -> str:
    """Return a length of time, roughly: what a waiting reader wants to know."""
    if seconds < 1:
        return _("less than a second")
    if seconds < 90:
        return _("%(n)s s", n=round(seconds))
    if seconds < 5400:
        return _("%(n)s min", n=round(seconds / 60))
    return _("%(n)s h", n=round(seconds / 3600))


def moment(value: datetime | str, zone: str = "UTC") -> Markup:
    """Return a <time> in the course's zone; the script adds the reader's own time."""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    local = at.astimezone(ZoneInfo(zone))
    shown = format_datetime(local, "yyyy-MM-dd HH:mm", rebase=False)
    shown += " UTC" if zone == "UTC" else ""
    return Markup('<time datetime="{}" data-zone="{}">{}</time>').format(
        at.astimezone(ZoneInfo("UTC")).strftime("%Y-%m-%dT%H:%M:%SZ"), zone, shown
    )


def asset(name: str) -> str:
    """Return the address of a static file; it changes with the content, so browsers keep it."""
    return url_for("static", filename=name, v=_version(name))


@cache
def _version(name: str) -> str:
    return hashlib.sha256((_STATIC / name).read_bytes()).hexdigest()[:12]


def _frame() -> dict[str, Any]:
    """What base.html needs on every page."""
    # the page that says that the database is away must not ask it who reads
    user = None if g.get("without_user") else current_user()
    return {
        "user": user,
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


def _protect(response: Response) -> Response:
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
    detail = words.refusal(error.code, error.detail)
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
    g.without_user = status >= 500
    if wants_json():
        return {"detail": detail or words.error_title(status)}, status, headers
    page = render_template(
        "error.html",
        status=status,
        title=words.error_title(status),
        detail=detail or words.error_advice(status),
    )
    return page, status, headers
