"""The Flask application, put together."""

from __future__ import annotations

import logging
from datetime import timedelta

from flask import Flask, Response, g, request
from flask.json.provider import DefaultJSONProvider
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFProtect
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix

from leaderboard import api, compression, floods, language, outages, pages, uploads
from leaderboard.auth import policy, sso, token_uses
from leaderboard.config import Settings, load_settings
from leaderboard.db import utcnow
from leaderboard.errors import RequestError
from leaderboard.state import State, current_state, open_state

log = logging.getLogger(__name__)

_CHUNK = 1 << 20


class _JsonAsWritten(DefaultJSONProvider):
    """Members in the order the code gives them, which is the order people read them in."""

    sort_keys = False


def build_app(settings: Settings | None = None, state: State | None = None) -> Flask:
    """Wire the application (see `leaderboard.create_app`)."""
    if state is None:
        state = open_state(settings or load_settings())
    settings = state.settings
    app = Flask("leaderboard")
    app.json = _JsonAsWritten(app)
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
    CSRFProtect(app)
    floods.init_floods(app, settings)
    app.before_request(_open_request)
    app.before_request(_check_csrf)
    app.after_request(_read_to_the_end)
    app.teardown_request(_close_request)
    uploads.init_uploads(app)
    token_uses.init_token_uses(app, state.database)
    sso.init_sso(app, settings)
    language.init_languages(app, settings.default_locale, _account_language)
    app.register_blueprint(api.blueprint)
    pages.init_pages(app)
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
    return app


def _open_request() -> None:
    """The moment of the request's first byte decides about deadlines, not that of its last."""
    g.started_at = utcnow()
    g.session = current_state().database.session()


def _check_csrf() -> None:
    if request.endpoint is None or request.endpoint in uploads.UPLOAD_ENDPOINTS:
        return
    # the API takes bearer tokens only, which no other site's form can send
    if request.blueprint != "api":
        uploads.check_form_token()


def _read_to_the_end(response: Response) -> Response:
    """Drop what a request that was refused early still sends: a client that is cut off while it
    uploads sees a broken connection, and never the reason."""
    left = current_state().settings.max_upload_mb << 20
    body = request.environ["wsgi.input"]
    while left > 0 and (chunk := body.read(min(left, _CHUNK))):
        left -= len(chunk)
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
    user = policy.current_user()
    return user.locale if user else ""


def _refused(error: RequestError) -> ResponseReturnValue:
    return api.refused(error) if request.path.startswith(api.PREFIX) else pages.refused(error)


def _http_error(error: HTTPException) -> ResponseReturnValue:
    if request.path.startswith(api.PREFIX):
        return api.http_error(error)
    return pages.http_error(error)


def _outage(error: Exception) -> ResponseReturnValue:
    """What the server needs is away: the client is told to come back. A bug stays a bug."""
    g.without_user = True
    return _refused(outages.refusal(error, current_state().database))
