"""What a program prints, kept in bounded memory."""

from __future__ import annotations

import time
from collections.abc import Callable

from sandbox.inside.sentences import printable

HEAD_BYTES = 48 << 10
TAIL_BYTES = 16 << 10
TELL_SECONDS = 0.5  # between two looks at a log that grows


class CappedLog:
    """Counts everything, keeps the beginning and the end."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._total = 0
        self._head = bytearray()
        self._tail = bytearray()

    def add(self, received: bytes) -> None:
        """Take some more output."""
        self._total += len(received)
        room = HEAD_BYTES - len(self._head)
        self._head += received[: max(room, 0)]
        self._tail += received[max(room, 0) :]
        del self._tail[:-TAIL_BYTES]

    @property
    def total(self) -> int:
        """How many bytes were printed."""
        return self._total

    @property
    def over(self) -> bool:
        """Whether more than is allowed was printed."""
        return self._total > self._most

    def text(self) -> str:
        """The kept output as text, with a line that says what was left out."""
        left_out = self._total - len(self._head) - len(self._tail)
        middle = b"\n... %d bytes left out ...\n" % left_out if left_out else b""
        return plain_text(bytes(self._head) + middle + bytes(self._tail))


class LogTeller:
    """Tells of a log while it grows, at most every `TELL_SECONDS`."""

    def __init__(self, log: CappedLog, tell: Callable[[str], None] | None) -> None:
        self._log = log
        self._tell = tell
        self._told = 0  # bytes
        self._next = 0.0

    @property
    def due_in(self) -> float | None:
        """Seconds until there is something to tell; None while there is nothing."""
        if self._tell is None or self._log.total == self._told:
            return None
        return max(0.0, self._next - time.monotonic())

    def tell_if_due(self) -> None:
        """Tell what was printed so far, if it is time to."""
        if self._tell is not None and self.due_in == 0.0:
            self._told = self._log.total
            self._next = time.monotonic() + TELL_SECONDS
            self._tell(self._log.text())


def plain_text(raw: bytes) -> str:
    """What was printed, as text that steers no terminal and no page."""
    return printable(raw.decode("utf-8", "replace"))
