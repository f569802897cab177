"""The Flask application, put together."""

from __future__ import annotations

import logging
import time
from datetime import timedelta

from flask import Flask, Response, g, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFProtect
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from grader.words.message import said
from leaderboard import api
from leaderboard.accounts import access, scopes, signing, token_uses
from leaderboard.accounts.rights import reading_as
from leaderboard.api.agents import door
from leaderboard.config import Settings, load_settings
from leaderboard.db import utcnow
from leaderboard.errors import RequestError
from leaderboard.messages import grading, language, letters, sentences, words
from leaderboard.messages.alarms import alarm_words
from leaderboard.state import State, current_state, open_state
from leaderboard.submissions import arriving, uploads
from leaderboard.web import compression, floods, frame, outages, probes, reading, request_ids
from leaderboard.web.account import sso
from leaderboard.web.formats import (
    duration,
    efficiency,
    gap,
    interval,
    moment,
    ranges,
    rank,
    score,
    size,
    team_name,
    whole,
)

log = logging.getLogger(__name__)

_CHUNK = 1 << 20
_FOR_PROGRAMS = (api.PREFIX, door.PREFIX)  # where refusals are JSON
_DRAIN_SECONDS = 10.0


def build_app(settings: Settings | None = None, state: State | None = None) -> Flask:
    """Wire the application (see `leaderboard.create_app`)."""
    if state is None:
        state = open_state(settings or load_settings())
    settings = state.settings
    app = Flask("leaderboard")
    app.config.update(
        SECRET_KEY=settings.secret_key,
        SESSION_COOKIE_NAME="leaderboard",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=settings.secure_cookies,
        SESSION_REFRESH_EACH_REQUEST=False,  # a page without a new cookie can be cached
        PERMANENT_SESSION_LIFETIME=timedelta(days=settings.session_days),
        # uploads.py decides when a form's token is checked
        WTF_CSRF_CHECK_DEFAULT=False,
        WTF_CSRF_TIME_LIMIT=24 * 3600,
        WTF_CSRF_SSL_STRICT=False,  # the token decides; Referer is withheld by our own policy
    )
    app.extensions["leaderboard"] = state
    state.database.ask_for_time()
    signing.use_shared_time()
    CSRFProtect(app)
    request_ids.init_request_ids(app, is_proxy_trusted=settings.trusted_proxies > 0)
    probes.init_probes(app, settings)
    floods.init_floods(app, settings)
    app.before_request(_open_request)
    app.before_request(_check_csrf)
    app.before_request(_check_reading)
    app.after_request(_read_to_the_end)
    app.teardown_request(_close_request)
    uploads.init_uploads(app)
    reading.init_reading(app)
    token_uses.init_token_uses(app, state.database)
    sso.init_sso(app, settings)
    language.init_languages(app, settings.default_locale, _account_language)
    app.register_blueprint(api.blueprint)
    app.register_blueprint(door.blueprint)
    init_pages(app)
    compression.init_compression(app)
    app.register_error_handler(RequestError, _refused)
    app.register_error_handler(HTTPException, _http_error)
    for outage in outages.OUTAGES:
        app.register_error_handler(outage, _outage)
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign] # Flask documents this assignment
            app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops, x_prefix=hops
        )
    arriving.init_arriving(app, most=None if settings.trusted_proxies else _bodies(settings))
    return app


def _bodies(settings: Settings) -> int:
    """How many unfinished bodies of one address hold a thread, so that others find one."""
    return max(8, (settings.web_threads + settings.web_streams) // 3)


def _open_request() -> None:
    """When the request began: that moment counts for a file that flows in after it, and for what is
    committed to."""
    g.started_at = utcnow()
    g.session = current_state().database.session()


def _check_csrf() -> None:
    own_check = uploads.UPLOAD_ENDPOINTS | uploads.PART_ENDPOINTS
    if request.endpoint is None or request.endpoint in own_check:
        return
    # the API takes bearer tokens only, which no other site's form can send
    if request.blueprint not in ("api", door.blueprint.name):
        uploads.check_form_token()


def _check_reading() -> None:
    """Whoever reads as a student changes nothing; others are asked nothing here."""
    if reading_as.is_begun():
        access.check_reading()


def _read_to_the_end(response: Response) -> Response:
    """Drop what a request that was refused early still sends: a client that is cut off while it
    uploads sees a broken connection, and never the reason."""
    body = request.environ["wsgi.input"]
    left = current_state().settings.max_upload_mb << 20
    if not request.environ.get("wsgi.input_terminated"):
        left = min(left, (request.content_length or 0) - body.received)
    end = time.monotonic() + _DRAIN_SECONDS
    try:
        while left > 0 and time.monotonic() < end and (chunk := body.read(min(left, _CHUNK))):
            left -= len(chunk)
    except OSError as error:
        log.info("the rest of a request did not come: %s", error)
    return response


def _close_request(_: BaseException | None) -> None:
    session = g.pop("session", None)
    if session is None:
        return
    try:
        session.close()
    except SQLAlchemyError as error:
        # the answer stands: it was made, and what it says was committed, before the database went
        log.warning("a connection was lost at the end of a request: %s", error)
        session.invalidate()


def _account_language() -> str:
    # the page that says that the database is away must not ask it who reads
    if g.get("without_user") or request.blueprint == "api":
        return ""
    user = access.current_user()
    return user.locale if user else ""


def _refused(error: RequestError) -> ResponseReturnValue:
    _read_by_nobody_yet()
    return api.refused(error) if request.path.startswith(_FOR_PROGRAMS) else frame.refused(error)


def _http_error(error: HTTPException) -> ResponseReturnValue:
    _read_by_nobody_yet()
    if request.path.startswith(_FOR_PROGRAMS):
        return api.http_error(error)
    return frame.http_error(error)


def _read_by_nobody_yet() -> None:
    """What is refused before the database can be asked who reads is told without asking it."""
    if "session" not in g:
        g.without_user = True


def _outage(error: Exception) -> ResponseReturnValue:
    """What the server needs is away: the client is told to come back. A bug stays a bug."""
    g.without_user = True
    return _refused(outages.refusal(error, current_state().database))


def init_pages(app: Flask) -> None:
    """Register the pages of students and staff with everything they share."""
    from leaderboard.web.account.account import account_pages
    from leaderboard.web.account.calendar import calendar_pages
    from leaderboard.web.account.sign_in import auth_pages
    from leaderboard.web.account.sign_up import sign_up_pages
    from leaderboard.web.account.sso import sso_pages
    from leaderboard.web.instructor.cases import case_pages
    from leaderboard.web.instructor.codes import code_pages
    from leaderboard.web.instructor.course import staff_pages
    from leaderboard.web.instructor.difficulty import difficulty_pages
    from leaderboard.web.instructor.drafts import draft_pages
    from leaderboard.web.instructor.extensions import extension_pages
    from leaderboard.web.instructor.grading.examination import examination_pages
    from leaderboard.web.instructor.grading.exports import export_pages
    from leaderboard.web.instructor.grading.grades import grade_pages
    from leaderboard.web.instructor.grading.joint import joint_pages
    from leaderboard.web.instructor.grading.regrades import regrade_pages
    from leaderboard.web.instructor.labels import label_pages
    from leaderboard.web.instructor.missing import missing_pages
    from leaderboard.web.instructor.people import people_pages
    from leaderboard.web.instructor.person import person_pages
    from leaderboard.web.instructor.published import published_pages
    from leaderboard.web.instructor.reading import reading_pages
    from leaderboard.web.instructor.rescore import rescore_pages
    from leaderboard.web.instructor.rights import rights_pages
    from leaderboard.web.instructor.work.examine import examine_pages
    from leaderboard.web.instructor.work.jobs import job_pages
    from leaderboard.web.instructor.work.several import several_pages
    from leaderboard.web.student.board import board_pages, images_of
    from leaderboard.web.student.case import own_case_pages
    from leaderboard.web.student.course import student_pages
    from leaderboard.web.student.grade import own_grade_pages
    from leaderboard.web.student.hand_in import hand_in_pages
    from leaderboard.web.student.heat import heat_pages
    from leaderboard.web.student.regrade import own_regrade_pages
    from leaderboard.web.student.report import report_pages
    from leaderboard.web.student.team import team_pages

    ours = (
        auth_pages,
        student_pages,
        board_pages,
        hand_in_pages,
        heat_pages,
        report_pages,
        staff_pages,
        job_pages,
        several_pages,
        examine_pages,
        missing_pages,
        difficulty_pages,
        label_pages,
        draft_pages,
        sign_up_pages,
        sso_pages,
        account_pages,
        calendar_pages,
        team_pages,
        code_pages,
        people_pages,
        person_pages,
        rights_pages,
        reading_pages,
        examination_pages,
        published_pages,
        extension_pages,
        rescore_pages,
        case_pages,
        own_case_pages,
        grade_pages,
        export_pages,
        regrade_pages,
        joint_pages,
        own_regrade_pages,
        own_grade_pages,
    )
    for blueprint in ours:
        app.register_blueprint(blueprint)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters |= {
        "score": score,
        "gap": gap,
        "interval": interval,
        "rank": rank,
        "whole": whole,
        "size": size,
        "team_name": team_name,
        "moment": moment,
        "duration": duration,
        "phase_words": words.phase_words,
        "alarm_words": alarm_words,
        "metric_title": words.metric_title,
        "rule_title": words.rule_title,
        "track_title": words.track_title,
        "kind_title": words.kind_title,
        "declared": words.declared,
        "role_title": words.role_title,
        "reason_title": words.reason_title,
        "case_state": words.case_state,
        "case_step": words.case_step,
        "grade_state": grading.grade_state,
        "mark_title": grading.mark_title,
        "mark_hint": grading.mark_hint,
        "in_words": sentences.in_words,
        "efficiency": efficiency,
        "ranges": ranges,
        "efficiency_title": words.efficiency_title,
        "retry_note": words.retry_note,
        "quota_reason": words.quota_reason,
        "state_words": words.state_words,
        "scopes": scopes.of,
        "scope_title": words.scope_title,
        "notice": letters.sentence,
    }
    app.jinja_env.globals["asset"] = frame.asset
    app.jinja_env.globals["images_of"] = images_of
    app.jinja_env.globals["said"] = said
    app.context_processor(frame.on_every_page)
    app.after_request(frame.protect)
