"""What machines ask: whether the process lives, whether the server is ready, its numbers.

Balancers may ask the first two from anywhere, and learn nothing but names of parts. Numbers are for
who shows the token or, where none is set, for this machine.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
from typing import Final

from flask import Blueprint, Flask, Response, current_app, g, request
from sqlalchemy.exc import SQLAlchemyError

from grader import PlatformFault
from leaderboard import migrations
from leaderboard.config import Settings
from leaderboard.operations.monitoring import exposition, facts, metrics
from leaderboard.operations.monitoring.history import History
from leaderboard.recent import Recent
from leaderboard.state import State, current_state
from leaderboard.web import outages
from leaderboard.web.request_counts import RequestCounts, init_request_counts

log = logging.getLogger(__name__)

probe_pages = Blueprint("probes", __name__)
_KEPT: Final = "leaderboard_probes"
_READY_SECONDS: Final = 2.0  # however often it is asked
_FORWARDED: Final = ("X-Forwarded-For", "X-Real-IP", "Forwarded", "Via")


class _Probes:
    """What a process keeps for those who ask."""

    def __init__(self, counts: RequestCounts) -> None:
        self.counts = counts
        self.history = History()
        self.recent = Recent()


def init_probes(app: Flask, settings: Settings) -> None:
    """Answer probes, and count requests from here on."""
    app.extensions[_KEPT] = _Probes(init_request_counts(app, settings))
    app.register_blueprint(probe_pages)


@probe_pages.get("/healthz")
def alive() -> Response:
    """This process answers; nothing else is asked."""
    return _plain("alive\n")


@probe_pages.get("/readyz")
def ready() -> Response:
    """Whether all that answers need is there; 503 and the names of what is not."""
    state = current_state()
    missing = _kept().recent.get("ready", lambda: _missing(state), seconds=_READY_SECONDS)
    if not missing:
        return _plain("ready\n")
    return _plain(f"not ready: {', '.join(missing)}\n", 503)


@probe_pages.get("/metrics")
def numbers() -> Response:
    """Prometheus' text format."""
    state = current_state()
    if not _may_read(state.settings):
        return _plain("this machine alone, or with the token (LEADERBOARD_METRICS_TOKEN)\n", 403)
    kept = _kept()
    families = metrics.families(facts.look(g.session, state), kept.history.totals(g.session))
    page = exposition.text([*families, *kept.counts.families()])
    return Response(page, content_type=exposition.CONTENT_TYPE)


def _missing(state: State) -> tuple[str, ...]:
    missing = []
    try:
        if migrations.mismatch(state.database):
            missing.append("tables of this version")
    except SQLAlchemyError as error:
        log.error("not ready: %s", error)
        missing.append("database")
    try:
        state.blobs.probe()
    except (PlatformFault, OSError) as error:
        # where the disk is full uploads are refused, and everything else goes on
        if getattr(error, "errno", None) not in outages.DISK_FULL_ERRORS:
            log.error("not ready: %s", error)
            missing.append("file store")
    return tuple(missing)


def _may_read(settings: Settings) -> bool:
    """Whoever shows the token; without one, a program of this machine that no proxy speaks for.

    A proxy that says nothing of itself looks like such a program: so where users come by an address
    of their own, and no proxy is known, the token is the only way.
    """
    if settings.metrics_token:
        shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
        return hmac.compare_digest(shown.encode(), settings.metrics_token.encode())
    if settings.public_url and not settings.trusted_proxies:
        return False
    if any(name in request.headers for name in _FORWARDED):
        return False
    # of the connection, whatever the request claims
    claimed = request.environ.get("werkzeug.proxy_fix.orig", request.environ)
    try:
        return ipaddress.ip_address(claimed.get("REMOTE_ADDR") or "").is_loopback
    except ValueError:
        return False


def _kept() -> _Probes:
    kept: _Probes = current_app.extensions[_KEPT]
    return kept


def _plain(text: str, status: int = 200) -> Response:
    return Response(text, status, mimetype="text/plain", headers={"Cache-Control": "no-store"})
