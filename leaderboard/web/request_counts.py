"""Requests of one web process, counted by route and status, with the time until the answer began.

Several processes add up: each has a number of its own, which is the label `process`, and Prometheus
sums the rates. A scrape is answered by whichever process takes it.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from flask import Flask, Response, g, request

from leaderboard.config import Settings
from leaderboard.operations.monitoring.exposition import Family, Histogram, family, histograms

_SECONDS: Final = (0.01, 0.05, 0.2, 1.0, 5.0, 30.0)


class RequestCounts:
    """The counts of one process. Routes are those of the program: there are no more labels."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.state_dir / "web"
        self._processes = settings.web_processes
        self._number: int | None = None
        self._lock = threading.Lock()
        self._answers: Counter[tuple[str, int]] = Counter()
        self._seconds: dict[str, Histogram] = {}

    def count(self, route: str, status: int, seconds: float) -> None:
        """Count one answer."""
        with self._lock:
            self._answers[route, status] += 1
            if route not in self._seconds:
                self._seconds[route] = Histogram(_SECONDS)
            self._seconds[route].observe(seconds)

    def families(self) -> Iterator[Family]:
        """The numbers; none where this process can't be told from the others."""
        with self._lock:
            if self._number is None:
                self._number = _free_number(self._folder, self._processes)
            if self._number is None:
                return
            own = {"process": str(self._number)}
            yield family(
                "leaderboard_http_requests_total",
                "counter",
                "Answers of this web process, by route and status.",
                [
                    ({**own, "route": route, "status": str(status)}, count)
                    for (route, status), count in sorted(self._answers.items())
                ],
            )
            yield histograms(
                "leaderboard_http_request_seconds",
                "Seconds until this web process began its answer, by route.",
                [({**own, "route": route}, one) for route, one in sorted(self._seconds.items())],
            )


def init_request_counts(app: Flask, settings: Settings) -> RequestCounts:
    """Count the application's requests, those that are refused early as well."""
    counts = RequestCounts(settings)

    def begin() -> None:
        g.counted_from = time.perf_counter()

    def end(response: Response) -> Response:
        began = g.get("counted_from", time.perf_counter())
        route = request.endpoint or "none"
        counts.count(route, response.status_code, time.perf_counter() - began)
        return response

    app.before_request(begin)
    app.after_request(end)
    return counts


def _free_number(folder: Path, processes: int) -> int | None:
    """The first number that no other process here has, held until this one ends.

    A process that is replaced may live a while beside its successor.
    """
    with suppress(OSError):  # the disk is full, perhaps: the other numbers say so
        folder.mkdir(exist_ok=True)
        for number in range(2 * processes):
            held = os.open(folder / f"{number}.lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(held)
            else:
                return number
    return None
