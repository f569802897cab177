"""Too many requests in a short time, counted in memory: a write for each would be the flood.

Every web process counts for itself, with its share of the limit. What must be held to the number
(sign-ins, resets, sign-ups, the daily limit of hand-ins) is counted in the database.
"""

from __future__ import annotations

import hashlib
import math
import time
from typing import Final

from flask import Flask, request
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from leaderboard.config import Settings
from leaderboard.errors import TooManyRequests
from leaderboard.uploads import UPLOAD_ENDPOINTS

_PEOPLE_BEHIND_ADDRESS: Final = 50  # a class in one room


class Floods:
    """The counters of one web process."""

    def __init__(self, settings: Settings) -> None:
        share = settings.web_processes
        self._api = RateLimitItemPerMinute(math.ceil(settings.api_requests_per_minute / share))
        self._uploads = RateLimitItemPerMinute(math.ceil(settings.uploads_per_minute / share))
        self._address = RateLimitItemPerMinute(self._api.amount * _PEOPLE_BEHIND_ADDRESS)
        self._windows = SlidingWindowCounterRateLimiter(MemoryStorage())

    def check(self) -> None:
        """Count this request. Raises: TooManyRequests, with the seconds to wait."""
        address = request.remote_addr or ""
        credential = _credential() or address
        if request.endpoint in UPLOAD_ENDPOINTS and request.method == "POST":
            self._count(self._uploads, "upload", credential)
        if request.blueprint == "api":
            # a made-up credential for each request is no way around
            self._count(self._address, "address", address)
            self._count(self._api, "api", credential)

    def _count(self, limit: RateLimitItemPerMinute, what: str, who: str) -> None:
        if self._windows.hit(limit, what, who):
            return
        resets_at = self._windows.get_window_stats(limit, what, who).reset_time
        raise TooManyRequests(
            "Too many requests. Please wait a moment.",
            retry_after=max(1, math.ceil(resets_at - time.time())),
        )


def init_floods(app: Flask, settings: Settings) -> None:
    """Count the application's requests, before anything is read for them."""
    app.before_request(Floods(settings).check)


def _credential() -> str:
    """What whoever asks signs in with, told without the database; "" for nothing."""
    credential = request.headers.get("Authorization") or request.cookies.get("leaderboard")
    return hashlib.sha256(credential.encode()).hexdigest() if credential else ""
