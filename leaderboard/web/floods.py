"""Too many requests in a short time, counted in memory: a write for each would be the flood.

Every web process counts for itself, with its share of the limit. What must be held to the number
(sign-ins, resets, sign-ups, the daily limit of hand-ins) is counted in the database.
"""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Final

from flask import Flask, Response, g, request
from sqlalchemy import inspect

from grader.words.message import said
from leaderboard.config import Settings
from leaderboard.errors import TooManyRequests
from leaderboard.submissions.uploads import UPLOAD_ENDPOINTS

_PEOPLE_BEHIND_ADDRESS: Final = 50  # a class in one room
_WINDOW_SECONDS: Final = 60.0
_MOST_CREDENTIALS: Final = 50_000


class Windows:
    """How often each of many keys came within a minute, give or take what is known of the last.

    The sliding window counter: the present minute's count, and of the one before the share that the
    window still covers. Two tables of whole minutes, so that old keys go by themselves.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._minute = 0
        self._before: Counter[str] = Counter()
        self._now: Counter[str] = Counter()

    def hit(self, key: str, limit: int) -> float:
        """Count a key and give 0; where it came too often, the seconds until it may come again."""
        with self._lock:
            passed = self._turn()
            before, now = self._before.get(key, 0), self._now.get(key, 0)
            if before * (1 - passed / _WINDOW_SECONDS) + now + 1 <= limit:
                self._now[key] += 1
                return 0.0
        if now >= limit:  # even of the next minute, as much must pass as lets these count less
            return _WINDOW_SECONDS * (2 - (limit - 1) / now) - passed
        return _WINDOW_SECONDS * (1 - (limit - now - 1) / before) - passed

    @property
    def size(self) -> int:
        """How many counts are held."""
        return len(self._before) + len(self._now)

    def _turn(self) -> float:
        """Seconds since the present minute began; begins the next one when it is time."""
        minute, passed = divmod(self._clock(), _WINDOW_SECONDS)
        if minute != self._minute:
            self._before = self._now if minute == self._minute + 1 else Counter()
            self._now, self._minute = Counter(), int(minute)
        return passed


class Floods:
    """The counters of one web process."""

    def __init__(self, settings: Settings) -> None:
        share = settings.web_processes
        self._api = math.ceil(settings.api_requests_per_minute / share)
        self._uploads = math.ceil(settings.uploads_per_minute / share)
        self._address = self._api * _PEOPLE_BEHIND_ADDRESS
        self._windows = Windows()
        self._people: dict[str, int] = {}

    def check(self) -> None:
        """Count this request.

        Raises:
            TooManyRequests: with the seconds to wait.
        """
        address = request.remote_addr or ""
        credential = _credential()
        # of a person, however many tokens they make and browsers they use
        person = self._people.get(credential)
        who = f"person {person}" if person is not None else credential or address
        if request.blueprint == "api":
            # a made-up credential for each request is no way around
            self._count(f"address {address}", self._address)
        for kind, limit in self._limits():
            self._count(f"{kind} {who}", limit)

    def learn(self, response: Response) -> Response:
        """Keep whose credential this request came with, now that it has been looked up."""
        user, credential = g.get("_user"), _credential()
        if user is not None and credential and credential not in self._people:
            if len(self._people) >= _MOST_CREDENTIALS:
                self._people = {}  # each is learnt anew with its next request
            (person,) = inspect(user).identity  # without asking the database, which may be away
            self._people[credential] = person
            for kind, limit in self._limits():  # a new token's first request is theirs as well
                self._windows.hit(f"{kind} person {person}", limit)
        return response

    def _limits(self) -> Iterator[tuple[str, int]]:
        """What this request is counted as, with the limits."""
        if request.endpoint in UPLOAD_ENDPOINTS and request.method == "POST":
            yield "upload", self._uploads
        if request.blueprint == "api":
            yield "api", self._api

    def _count(self, key: str, limit: int) -> None:
        wait = self._windows.hit(key, limit)
        if wait > 0:
            raise TooManyRequests(
                said("server.too_many_requests"),
                retry_after=max(1, math.ceil(wait)),
            )


def init_floods(app: Flask, settings: Settings) -> None:
    """Count the application's requests, before anything is read for them."""
    floods = Floods(settings)
    app.before_request(floods.check)
    app.after_request(floods.learn)


def _credential() -> str:
    """What whoever asks signs in with, told without the database; "" for nothing."""
    credential = request.headers.get("Authorization") or request.cookies.get("leaderboard")
    return hashlib.sha256(credential.encode()).hexdigest() if credential else ""
