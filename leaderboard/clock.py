"""The one clock that all machines of a server go by: the database's.

Deadlines, signs of life, leases and windows of tries are moments that one machine writes and
another compares with its own present. So a process that uses PostgreSQL asks for its time, now and
then, and counts on from there by its machine's steady clock, which nobody sets. An SQLite file lies
on one machine, whose clock it is.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

_AGAIN_SECONDS = 30.0
# differences below it are of the way there and back; time that went back by them would be worse
_TOLERATED_SECONDS = 0.25
_LONGEST_ANSWER_SECONDS = 2.0  # of a slower one nobody knows to which moment it belongs
# the steady clock that goes on while the machine sleeps, where there is one
_STEADY = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def steady_seconds() -> float:
    """Seconds since some moment of this machine's; never set, never back."""
    return time.clock_gettime(_STEADY)


class Clock:
    """A process's idea of the database's time; the machine's own until it was told."""

    def __init__(self) -> None:
        self._start: float | None = None  # the database's time minus ours, in seconds
        self._told_at = float("-inf")

    def now(self) -> datetime:
        """The present moment, aware, in UTC."""
        if self._start is None:
            return datetime.now(UTC)
        return datetime.fromtimestamp(self._start + steady_seconds(), UTC)

    def ahead_seconds(self) -> float:
        """By how much this machine's clock is ahead of the database's; negative: behind."""
        if self._start is None:
            return 0.0
        return time.time() - self._start - steady_seconds()

    @property
    def wants_to_know(self) -> bool:
        """Whether it is some time since it was told."""
        return steady_seconds() - self._told_at > _AGAIN_SECONDS

    def tell(self, theirs: datetime, *, asked_at: float) -> None:
        """The database said `theirs` just now; it was asked at `asked_at` (steady seconds)."""
        now = steady_seconds()
        self._told_at = now
        start = theirs.timestamp() - (asked_at + now) / 2
        is_first = self._start is None
        is_clear = now - asked_at < _LONGEST_ANSWER_SECONDS
        if is_first or (is_clear and abs(start - (self._start or 0.0)) > _TOLERATED_SECONDS):
            self._start = start


CLOCK = Clock()
