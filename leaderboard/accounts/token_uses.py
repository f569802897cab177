"""When API tokens were used last: gathered in memory and written down beside the requests.

A write for every student's first hand-in of an evening would be one more for each when the server
has least time for it. What a process that is killed has gathered is lost; nothing rests on it.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime
from typing import Final

from flask import Flask, Response, current_app, g
from sqlalchemy.exc import SQLAlchemyError

from leaderboard.accounts import accounts
from leaderboard.db import Database
from leaderboard.models import ApiToken

log = logging.getLogger(__name__)

_PAUSE_SECONDS: Final = 10.0
_NAME: Final = "token_uses"


class TokenUses:
    """The uses that one web process has seen and not yet written."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._seen: dict[int, datetime] = {}
        self._wrote_at = -_PAUSE_SECONDS

    def add(self, token: ApiToken, now: datetime) -> None:
        """Keep a use in mind."""
        with self._lock:
            self._seen[token.id] = now

    def write(self) -> None:
        """Write everything seen down, in one transaction, unless that was done just now."""
        with self._lock:
            if not self._seen or time.monotonic() - self._wrote_at < _PAUSE_SECONDS:
                return
            seen, self._seen = self._seen, {}
            self._wrote_at = time.monotonic()
        try:
            with self._database.write() as session:
                accounts.note_uses(session, seen)
        except SQLAlchemyError as error:  # the request was answered, and the next use is noted
            log.warning("uses of tokens were not noted: %s", error)


def init_token_uses(app: Flask, database: Database) -> None:
    """Let an application note the uses of its tokens, after it has answered."""
    app.extensions[_NAME] = TokenUses(database)
    app.after_request(_write_when_answered)


def note(token: ApiToken, now: datetime) -> None:
    """Note that this request was made with a token."""
    if accounts.wants_note(token, now):
        uses: TokenUses = current_app.extensions[_NAME]
        uses.add(token, now)
        g.token_uses = uses


def _write_when_answered(response: Response) -> Response:
    uses: TokenUses | None = g.pop("token_uses", None)
    if uses is not None:
        response.call_on_close(uses.write)
    return response
