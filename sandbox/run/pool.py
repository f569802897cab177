"""Warm sandboxes: started before they are asked for, each used once, refilled in the background.

A sandbox is confined when it starts, so a warm one fits only the limits it was started for; what
is kept is kept by them. How many are kept follows the load: as many as were lately taken within
the time it takes to start one, the limits used last first, up to `warm` in all.

Every sandbox starts from a thread that lives as long as the pool and all it lent: the kernel ties
a bwrap sandbox's life to the thread that started it.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from sandbox.limits import MIB, Confinement, Limits, StartFailed
from sandbox.names import run_name
from sandbox.run.backend import Backend
from sandbox.run.warm import WarmSandbox

log = logging.getLogger(__name__)

WARM_MB = 256  # of memory, what one that waits takes (measured 165 to 230)
MEMORY_SHARE = 0.25  # of the machine's memory, for those that wait
IDLE_SECONDS = 900.0  # limits that nobody asked for this long are kept warm no more
PAUSE_SECONDS = 5.0  # after a start in the background failed
# A run that has just begun is not to share the processors' caches with an import of torch: on two
# hardware threads of one core it made a small model's run 1.4 times as long.
HEAD_START_SECONDS = 0.75
LOOK_SECONDS = 1.0  # between two looks at those that wait
TAKES = 64  # how many takes are remembered for each set of limits


class PoolClosed(StartFailed):
    """The pool was closed: no sandbox is to be had."""


@dataclass(kw_only=True)
class _Demand:
    """How one set of limits is asked for, and the sandboxes there are for it."""

    limits: Limits
    wanted_at: float
    taken_at: deque[float] = field(default_factory=lambda: deque(maxlen=TAKES))
    waiting: deque[_Ticket] = field(default_factory=deque)  # who takes the next one
    warm: deque[WarmSandbox] = field(default_factory=deque)
    starting: int = 0
    paused_until: float = 0.0

    def target(self, now: float, start_seconds: float) -> int:
        """How many should wait: the most that were lately taken within the time of a start."""
        while self.taken_at and now - self.taken_at[0] > IDLE_SECONDS:
            self.taken_at.popleft()
        # a GPU is lent when it is asked for, not before
        if now - self.wanted_at > IDLE_SECONDS or self.limits.gpu_memory_mb:
            return 0
        most, first = 1, 0
        for last, taken in enumerate(self.taken_at):
            while taken - self.taken_at[first] > start_seconds:
                first += 1
            most = max(most, last - first + 1)
        return most


class _Ticket:
    """Somebody waits for a sandbox."""

    def __init__(self) -> None:
        self.sandbox: WarmSandbox | None = None
        self.error: StartFailed | None = None
        self.served = threading.Event()

    def serve(self, sandbox: WarmSandbox | None, error: StartFailed | None = None) -> None:
        self.sandbox, self.error = sandbox, error
        self.served.set()


class Pool:
    """Lends single-use sandboxes; safe to share between threads."""

    def __init__(self, backend: Backend, warm: int = 0, starters: int = 0) -> None:
        """`warm`: how many may wait at once, within the machine's memory; 0: none, each is started
        when it is asked for. `starters`: how many may be started at the same time.
        """
        self._backend = backend
        self._most = min(warm, _memory_allows())
        self._start_seconds = 2.0  # a guess until the first was started
        self._demands: dict[Confinement, _Demand] = {}
        self._changed = threading.Condition()
        self._closed = False
        self._lent = 0
        self._taken_at = 0.0  # when the last one was
        self._in_progress = 0  # sandboxes that are being started or destroyed
        self._dead: list[WarmSandbox] = []  # to be destroyed
        self.names: set[str] = set()  # of all that live
        self._starters = starters or min(8, max(2, os.cpu_count() or 1))
        self._threads: list[threading.Thread] = []

    def describe(self) -> dict[str, str]:
        """How many are kept warm at most."""
        return {"warm": str(self._most)}

    @contextmanager
    def lend(self, limits: Limits) -> Iterator[WarmSandbox]:
        """A sandbox that has served nobody; whatever happens, it is destroyed afterwards.

        Raises:
            StartFailed: none could be started.
        """
        sandbox = self._take(limits)
        try:
            yield sandbox
        finally:
            try:
                if not sandbox.closed:
                    sandbox.close()
            finally:
                self._give_back(sandbox)

    def expect(self, limits: Limits) -> None:
        """Somebody is about to take one with these limits."""
        with self._changed:
            if self._most and not self._closed:
                self._demand(limits)
                self._changed.notify_all()

    @property
    def ready(self) -> int:
        """How many wait to be lent."""
        with self._changed:
            return sum(len(demand.warm) for demand in self._demands.values())

    def is_settled(self) -> bool:
        """Whether some wait, as many as should, and none is being started or destroyed."""
        with self._changed:
            now = time.monotonic()
            targets = [demand.target(now, self._start_seconds) for demand in self._demands.values()]
            there = sum(len(demand.warm) for demand in self._demands.values())
            return not self._in_progress and there == min(self._most, sum(targets)) > 0

    def close(self) -> None:
        """End every sandbox that waits or starts. Those that are lent go on to their end."""
        with self._changed:
            self._closed = True
            left = [sandbox for each in self._demands.values() for sandbox in each.warm]
            left += self._dead
            self._dead = []
            tickets = [ticket for each in self._demands.values() for ticket in each.waiting]
            for demand in self._demands.values():
                demand.warm.clear()
                demand.waiting.clear()
            self._changed.notify_all()
        for ticket in tickets:
            ticket.serve(None, PoolClosed("the sandboxes are being closed"))
        for sandbox in left:
            self._destroy(sandbox)
        with self._changed:
            while self._in_progress:
                self._changed.wait()

    # Taking one

    def _take(self, limits: Limits) -> WarmSandbox:
        ticket = _Ticket()
        with self._changed:
            if self._closed:
                raise PoolClosed("the sandboxes are closed")
            demand = self._demand(limits)
            demand.taken_at.append(demand.wanted_at)
            self._taken_at = demand.wanted_at
            sandbox = self._first_fit(demand.warm)
            self._lent += 1
            if sandbox is None:
                demand.waiting.append(ticket)
            self._changed.notify_all()
        if sandbox is not None:
            return sandbox
        ticket.served.wait()
        if ticket.sandbox is None:
            with self._changed:
                self._lent -= 1
                self._changed.notify_all()
            assert ticket.error is not None
            raise ticket.error
        return ticket.sandbox

    def _first_fit(self, warm: deque[WarmSandbox]) -> WarmSandbox | None:
        """Take the first that still waits; the dead ones before it are noted."""
        while warm:
            sandbox = warm.popleft()
            if sandbox.is_fit():
                return sandbox
            self._dead.append(sandbox)
        return None

    def _demand(self, limits: Limits) -> _Demand:
        """Note that these limits are wanted now; the first time, begin to work."""
        while len(self._threads) < self._starters:
            # daemons: an owner that forgets `close` can still end, and the sandboxes with it
            self._threads.append(threading.Thread(target=self._work, daemon=True))
            self._threads[-1].start()
        key = Confinement.of(limits)
        now = time.monotonic()
        demand = self._demands.setdefault(key, _Demand(limits=limits, wanted_at=now))
        demand.wanted_at = now
        return demand

    def _give_back(self, sandbox: WarmSandbox) -> None:
        self.names.discard(sandbox.name)
        with self._changed:
            self._lent -= 1
            self._changed.notify_all()

    def _destroy(self, sandbox: WarmSandbox) -> None:
        """Destroy one that waited; what can't be removed now is, with the orphans, later."""
        try:
            sandbox.close()
        except OSError as error:
            log.warning("%s left something behind: %s", sandbox.name, error)
        self.names.discard(sandbox.name)

    # Starting some

    def _work(self) -> None:
        """What each starting thread does until the pool and all it lent are done."""
        while (work := self._next_work()) is not None:
            try:
                work()
            finally:
                with self._changed:
                    self._in_progress -= 1
                    self._changed.notify_all()

    def _next_work(self) -> Callable[[], None] | None:
        """Wait for something to do; None: nothing will ever be."""
        with self._changed:
            while not (self._closed and not self._lent):
                now = time.monotonic()
                work = None if self._closed else self._urgent() or self._refill(now)
                if work is not None:
                    self._in_progress += 1
                    return work
                watching = self._lent > 0 or any(
                    demand.warm or demand.paused_until for demand in self._demands.values()
                )
                self._changed.wait(LOOK_SECONDS if watching and not self._closed else None)
        return None

    def _urgent(self) -> Callable[[], None] | None:
        """Start one that somebody waits for."""
        for demand in self._demands.values():
            if len(demand.waiting) > demand.starting:
                return self._starting(demand)
        return None

    def _refill(self, now: float) -> Callable[[], None] | None:
        """Destroy one that is dead or too many, or start one that is missing."""
        missing: _Demand | None = None
        room = self._most
        for demand in sorted(self._demands.values(), key=lambda each: -each.wanted_at):
            target = min(room, demand.target(now, self._start_seconds))
            room -= target
            unfit = [sandbox for sandbox in demand.warm if not sandbox.is_fit()]
            for sandbox in unfit or list(demand.warm)[target:]:
                demand.warm.remove(sandbox)
                self._dead.append(sandbox)
            there = len(demand.warm) + demand.starting - len(demand.waiting)
            if missing is None and there < target and now >= demand.paused_until:
                missing = demand
        if self._dead:
            return partial(self._destroy, self._dead.pop())
        # one thread stays free for those that somebody waits for
        if missing is None or self._in_progress >= max(1, self._starters - 1):
            return None
        if self._lent and now - self._taken_at < HEAD_START_SECONDS:
            return None
        return self._starting(missing)

    def _starting(self, demand: _Demand) -> Callable[[], None]:
        demand.starting += 1
        return partial(self._start, demand)

    def _start(self, demand: _Demand) -> None:
        sandbox, error = None, None
        began = time.monotonic()
        try:
            sandbox = self._started(demand)
        except StartFailed as failed:
            error = failed
        except Exception as failed:  # whoever waits must hear of it, or waits for ever
            log.exception("a sandbox could not be started")
            error = StartFailed(f"{type(failed).__name__}: {failed}")
        unwanted = self._shelve(demand, sandbox, error, time.monotonic() - began)
        if unwanted is not None:
            self._destroy(unwanted)
        with self._changed:
            demand.starting -= 1

    def _started(self, demand: _Demand) -> WarmSandbox:
        """A sandbox that said READY; one that did not leaves nothing behind."""
        name = run_name()
        self.names.add(name)
        try:
            sandbox = WarmSandbox(name, self._backend, demand.limits)
            try:
                sandbox.await_ready(wanted=lambda: not self._closed)
            except BaseException:
                sandbox.close()
                raise
        except BaseException:
            self.names.discard(name)
            raise
        return sandbox

    def _shelve(
        self,
        demand: _Demand,
        sandbox: WarmSandbox | None,
        error: StartFailed | None,
        seconds: float,
    ) -> WarmSandbox | None:
        """Hand over what was started, or keep it; gives back what nobody can have any more."""
        with self._changed:
            if error is None:
                self._start_seconds += 0.3 * (seconds - self._start_seconds)
                demand.paused_until = 0.0
            if demand.waiting:
                demand.waiting.popleft().serve(sandbox, error)
            elif error is not None:
                demand.paused_until = time.monotonic() + PAUSE_SECONDS
            elif self._closed:
                return sandbox
            elif sandbox is not None:
                demand.warm.append(sandbox)
        return None


def _memory_allows() -> int:
    """How many may wait on this machine."""
    return max(1, int(_machine_mb() * MEMORY_SHARE / WARM_MB))


def _machine_mb() -> float:
    table = Path("/proc/meminfo")
    if not table.exists():
        return 8192.0  # not Linux, where nothing is kept warm by default
    return int(table.read_text().split()[1]) * 1024 / MIB
