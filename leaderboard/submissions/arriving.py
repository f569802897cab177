"""A request's body on its way in: bounded in time, and known to flow or not.

Whoever stops sending holds a thread of the server, and whoever sends a byte now and then would
hold a deadline open. A large file on a slow line goes by a commitment instead (commitments.py).
"""

from __future__ import annotations

import socket
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Any, Final

from flask import Flask

from leaderboard.db import utcnow

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

STALL_SECONDS: Final = 15.0
LEAST_BYTES_PER_SECOND: Final = 1024
GRACE: Final = timedelta(minutes=2)
BODY: Final = "leaderboard.body"
_PIECE: Final = 1 << 16


class Deadlines:
    """Sockets that must have sent something by a moment; `sweep` ends the reading of the others."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: dict[int, tuple[socket.socket, float]] = {}

    @contextmanager
    def held(self, sock: socket.socket, moment: float) -> Iterator[None]:
        """Hold a socket to a moment of the monotonic clock while the block reads from it."""
        with self._lock:
            self._held[id(sock)] = (sock, moment)
        sock.settimeout(STALL_SECONDS)
        try:
            yield
        finally:
            with self._lock:
                self._held.pop(id(sock), None)
            sock.settimeout(None)

    def sweep(self) -> None:
        """End what is past its moment: its reader finds the end of the stream."""
        now = time.monotonic()
        with self._lock:
            late = [sock for sock, moment in self._held.values() if moment < now]
        for sock in late:
            try:
                sock.shutdown(socket.SHUT_RD)
            except OSError:
                continue  # gone by itself


DEADLINES: Final = Deadlines()
"""Those of this process; its web worker sweeps them every second."""


@dataclass
class Arriving:
    """A body that is read as it comes. `longest_wait`: seconds in which next to nothing came."""

    body: IO[bytes]
    sock: socket.socket | None
    longest_wait: float = 0.0
    received: int = 0
    has_stopped: bool = False
    begun: float = field(default_factory=time.monotonic)

    def read(self, size: int = -1) -> bytes:
        """Read what comes next, at most 64 KB.

        Raises:
            OSError: nothing came for a while.
        """
        if self.has_stopped:
            return b""
        size = _PIECE if size < 0 else min(size, _PIECE)
        begun = time.monotonic()
        if self.sock is None:
            piece = self.body.read(size)
        else:
            sent_by = (self.received + size) / LEAST_BYTES_PER_SECOND
            self.has_stopped = True  # should it raise: nobody waits for the rest once more
            with DEADLINES.held(self.sock, self.begun + STALL_SECONDS + sent_by):
                piece = self.body.read(size)
            self.has_stopped = False
        waited = time.monotonic() - begun
        if len(piece) < waited * LEAST_BYTES_PER_SECOND:  # else it flowed, if slowly
            self.longest_wait = max(self.longest_wait, waited)
        self.received += len(piece)
        return piece

    def counts_from(self, started_at: datetime) -> datetime:
        """The moment that counts for a form's file that is here now: its request's first byte, if
        the file flowed in after it within two minutes, else its last."""
        arrived_at = utcnow()
        flowed = self.longest_wait <= STALL_SECONDS and arrived_at - started_at <= GRACE
        return started_at if flowed else arrived_at


class BoundedBodies:
    """Watches every body as it arrives, and how many of one address are on their way at once."""

    def __init__(self, app: WSGIApplication, *, most: int | None) -> None:
        self._app, self._most = app, most
        self._lock = threading.Lock()
        self._coming: Counter[str] = Counter()

    def __call__(self, environ: WSGIEnvironment, start: StartResponse, /) -> Iterable[bytes]:
        body = Arriving(environ["wsgi.input"], environ.get("gunicorn.socket"))
        environ["wsgi.input"] = environ[BODY] = body
        if self._most is None or not _has_body(environ):
            return self._app(environ, start)
        address = str(environ.get("REMOTE_ADDR", ""))
        with self._lock:
            if self._coming[address] >= self._most:
                return _too_many(start)
            self._coming[address] += 1
        try:
            return self._app(environ, start)
        finally:
            self._gone(address)

    def _gone(self, address: str) -> None:
        with self._lock:
            self._coming[address] -= 1
            if not self._coming[address]:
                del self._coming[address]


def init_arriving(app: Flask, *, most: int | None) -> None:
    """Watch the application's bodies; `most` unfinished ones of one address (None: a proxy sends
    all). Call it after every other wrapper: it needs the address that the server saw."""
    bounded: Any = BoundedBodies(app.wsgi_app, most=most)
    app.wsgi_app = bounded  # type: ignore[method-assign] # Flask documents this assignment


def _has_body(environ: WSGIEnvironment) -> bool:
    length = environ.get("CONTENT_LENGTH") or "0"
    return length != "0" or "HTTP_TRANSFER_ENCODING" in environ


def _too_many(start: StartResponse) -> Iterable[bytes]:
    status = HTTPStatus.TOO_MANY_REQUESTS
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Retry-After", "5")]
    start(f"{status.value} {status.phrase}", [*headers, ("Connection", "close")])
    return [b"Too many unfinished requests come from your address. Please wait a moment.\n"]
