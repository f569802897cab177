"""The web server's worker: a request gets a thread once its headers are there, and not before.

gunicorn's own threaded worker reads headers in a thread, without a limit of time: some hundred
half-sent requests, from one address, and nobody else is answered.
"""

from __future__ import annotations

import selectors
import time
from collections import Counter, deque
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from socket import SHUT_WR, socket
from typing import Any, Final

from gunicorn.workers.gthread import TConn, ThreadWorker

from leaderboard.submissions.arriving import DEADLINES

HEADER_SECONDS: Final = 10.0
_LINGER_SECONDS: Final = 2.0
_REST_SECONDS: Final = 0.05  # what has arrived of a body that nobody read is dropped meanwhile
_HEAD_BYTES: Final = 1 << 16  # the parser refuses what is as long
_MOST_OF_ONE_ADDRESS: Final = 64


class HeadersFirst(ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    """A threaded worker that a slow sender costs a socket, and no thread."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._half_open: Counter[str] = Counter()
        self._ending: deque[TConn] = deque()

    def accept(self, listener: socket) -> None:
        """Take a connection and wait for its first request's headers."""
        try:
            sock, client = listener.accept()
        except OSError:
            return  # gone again, or another process took it
        self.nr_conns += 1
        conn = TConn(self.cfg, sock, client, listener.getsockname())
        if self._half_open[_address(conn)] >= _MOST_OF_ONE_ADDRESS:
            # the one that has waited longest: whoever sends whole headers does not wait
            self._drop(next(each for each in self.pending_conns if _same(each, conn)))
        self._await_headers(conn)

    def finish_request(self, conn: TConn, answered: Future[Any]) -> None:
        """Keep the connection, or say that nothing more comes and wait until that was read.

        gunicorn waits for the client to close its side in the loop that serves all others.
        """
        if answered.cancelled() or answered.exception() or answered.result():
            super().finish_request(conn, answered)
            return
        conn.timeout = time.monotonic() + _LINGER_SECONDS
        with suppress(OSError):
            conn.sock.setblocking(False)
            conn.sock.shutdown(SHUT_WR)
            read = partial(self._on_last_words, conn)
            self.poller.register(conn.sock, selectors.EVENT_READ, read)
            self._ending.append(conn)
            if len(self._ending) > _MOST_OF_ONE_ADDRESS:
                self._end(self._ending[0])
            return
        super().finish_request(conn, answered)

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        """Keep the connection where nothing of the body is left: gunicorn waits for the rest of one
        that was refused, for seconds, in the thread."""
        return bool(
            keepalive and conn.parser.finish_body(deadline=time.monotonic() + _REST_SECONDS)
        )

    def on_client_socket_readable(self, conn: TConn, client: socket) -> None:
        """Wait for the headers of a kept connection's next request."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._await_headers(conn)

    def murder_pending(self) -> None:
        """Close what has not sent its headers in time, and end bodies that do not come."""
        now = time.monotonic()
        while self.pending_conns and self.pending_conns[0].timeout <= now:
            self._drop(self.pending_conns[0])
        while self._ending and self._ending[0].timeout <= now:
            self._end(self._ending[0])
        DEADLINES.sweep()

    def _await_headers(self, conn: TConn) -> None:
        conn.head = b""
        conn.timeout = time.monotonic() + HEADER_SECONDS
        conn.sock.setblocking(False)
        self.pending_conns.append(conn)
        self._half_open[_address(conn)] += 1
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._on_headers, conn))

    def _on_headers(self, conn: TConn, sock: socket) -> None:
        try:
            piece = sock.recv(_HEAD_BYTES)
        except BlockingIOError:
            return
        except OSError:
            piece = b""
        conn.head += piece
        if piece and b"\r\n\r\n" not in conn.head and len(conn.head) < _HEAD_BYTES:
            return
        if not conn.head:
            self._drop(conn)
            return
        self._no_longer_awaited(conn)
        conn.init()
        conn.parser.unreader.unread(conn.head)
        conn.data_ready = True
        self.enqueue_req(conn)

    def _no_longer_awaited(self, conn: TConn) -> None:
        self.poller.unregister(conn.sock)
        self.pending_conns.remove(conn)
        address = _address(conn)
        self._half_open[address] -= 1
        if not self._half_open[address]:
            del self._half_open[address]

    def _drop(self, conn: TConn) -> None:
        self._no_longer_awaited(conn)
        self.nr_conns -= 1
        conn.close()

    def _on_last_words(self, conn: TConn, sock: socket) -> None:
        with suppress(BlockingIOError):
            try:
                if sock.recv(_HEAD_BYTES):
                    return
            except ConnectionError:
                pass
            self._end(conn)

    def _end(self, conn: TConn) -> None:
        self.poller.unregister(conn.sock)
        self._ending.remove(conn)
        self.nr_conns -= 1
        conn.close()


def _same(one: TConn, other: TConn) -> bool:
    return _address(one) == _address(other)


def _address(conn: TConn) -> str:
    """Whose connection it is; a proxy's are its own, and it sends whole headers at once."""
    return str(conn.client[0]) if isinstance(conn.client, tuple) else ""
