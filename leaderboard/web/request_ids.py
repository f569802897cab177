"""Each request has an id: on its answer, on the page of an error, and on every line of the log.

A proxy's own id is taken where proxies are trusted; else anybody could write into our log.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
import sys
import time
from datetime import UTC, datetime
from typing import Any, Final

from flask import Flask, Response, g, has_request_context, request

log = logging.getLogger(__name__)

HEADER: Final = "X-Request-Id"
# asked every few seconds by machines, or many a page
_UNTOLD: Final = frozenset({"static", "probes.alive", "probes.ready", "probes.numbers"})
_ONE_WORD: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
_FIT: Final = re.compile(r"[A-Za-z0-9._-]{8,64}")


def init_request_ids(app: Flask, *, is_proxy_trusted: bool) -> None:
    """Give each request its id before anything else is done for it."""

    def begin() -> None:
        came = request.headers.get(HEADER, "")
        is_taken = is_proxy_trusted and _FIT.fullmatch(came)
        g.request_id = came if is_taken else secrets.token_hex(8)
        g.came_at = time.perf_counter()

    def end(response: Response) -> Response:
        response.headers[HEADER] = request_id()
        if request.endpoint not in _UNTOLD:
            log.info("answered", extra={"facts": _facts(response)})
        return response

    app.before_request(begin)
    app.after_request(end)


def request_id() -> str:
    """The id of the request that is being answered; "" outside of any."""
    return str(g.get("request_id", "")) if has_request_context() else ""


def _facts(response: Response) -> dict[str, Any]:
    """What a request's line says. Never the address that was asked for: links hold secrets."""
    facts: dict[str, Any] = {
        "method": request.method,
        "status": response.status_code,
        "ms": round((time.perf_counter() - g.get("came_at", time.perf_counter())) * 1000, 1),
    }
    submission = str(g.get("submission") or (request.view_args or {}).get("public_id", ""))
    # what was asked for may be anything, and a line of the log is one
    return {**facts, "submission": submission} if _ONE_WORD.fullmatch(submission) else facts


class LogLine(logging.Formatter):
    """One line a record: JSON for programs, words on a terminal; with the request's id."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """The line; a traceback is part of it in JSON, and follows it in words."""
        if not self._as_json:
            return self._in_words(record)
        told: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if known := request_id():
            told["request"] = known
            told["route"] = request.endpoint or "none"
        if record.exc_info:
            told["error"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 -- the library's name
        """One line whatever it quotes: nothing in it moves a terminal's cursor or feigns a line."""
        said = super().formatMessage(record)
        return "".join(each if each.isprintable() else repr(each)[1:-1] for each in said)

    def _in_words(self, record: logging.LogRecord) -> str:
        facts = dict(getattr(record, "facts", {}))
        if known := request_id():
            facts |= {"route": request.endpoint or "none", "request": known}
        return " ".join([super().format(record), *(f"{key}={facts[key]}" for key in facts)])


def log_to_stderr() -> None:
    """Write the log of this process so, JSON where no terminal reads it; a line each request."""
    log.setLevel(logging.INFO)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LogLine(as_json=not sys.stderr.isatty()))
    logging.getLogger().addHandler(handler)
