"""Answers that may be a moment old: estimates which every page shows and no decision rests on."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar

from sqlalchemy.orm import Session

T = TypeVar("T")
RECENT: Final = "leaderboard_recent"  # in a session's info
_MOST: Final = 256


class Recent:
    """What one process asked its database within the last seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._answers: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()

    def get(self, key: Hashable, ask: Callable[[], T], *, seconds: float) -> T:
        """The answer under this key if it is younger than that, else what `ask` gives.

        Of threads that ask at one moment each asks for itself: none waits for another's connection.
        """
        now = self._clock()
        with self._lock:
            held = self._answers.get(key)
        if held is not None and now - held[0] < seconds:
            known: T = held[1]
            return known
        answer = ask()
        with self._lock:
            self._answers[key] = now, answer
            self._answers.move_to_end(key)
            while len(self._answers) > _MOST:
                self._answers.popitem(last=False)
        return answer


def recently(session: Session, key: Hashable, ask: Callable[[], T], *, seconds: float) -> T:
    """The same for the database of a session."""
    recent: Recent = session.info[RECENT]
    return recent.get(key, ask, seconds=seconds)
