"""The agent's work: one run after the other, until it is told to end or has nothing to do."""

from __future__ import annotations

import logging
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

from grader.agent.door import Door, Leased
from grader.bundles.bundle import unpack_bundle
from grader.errors import ApiError, AuthError, ClientError, GraderError

log = logging.getLogger(__name__)

_POLL_SECONDS: Final = 8.0
_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 30.0
_LOG_SECONDS: Final = 1.0
_LOST: Final = (404, 409)  # nobody waits for the run, or another agent has it
_MOST_HELD: Final = 1 << 30  # bytes of bundles and images kept in memory for the next run
_MOST_LOG: Final = 64 * 1024  # characters


class Execute(Protocol):
    """Makes a run: job and result as bytes that the agent's loop need not understand."""

    def __call__(
        self,
        job: bytes,
        bundle: Path,
        images: bytes,
        *,
        on_log: Callable[[str], None],
        on_wait: Callable[[], None],
    ) -> bytes: ...


class Unwanted(Exception):
    """Nobody waits for the run any more."""


class Agent:
    """One agent at work. Images are never written anywhere."""

    def __init__(
        self, door: Door, execute: Execute, *, beat_seconds: float, stop: threading.Event
    ) -> None:
        """`stop` is set to have it end after what it runs."""
        self._door = door
        self._execute = execute
        self._beat_seconds = beat_seconds
        self._stop = stop
        self._held: OrderedDict[str, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def work(self, *, once: bool = False, idle_seconds: float | None = None) -> int:
        """Run what comes; how many runs it were. `idle_seconds`: end after so long without any.

        Raises:
            AuthError: the server does not know the token, or no longer.
        """
        done, idle_since, pause = 0, time.monotonic(), _FIRST_PAUSE_SECONDS
        while not self._stop.is_set():
            left = None if idle_seconds is None else idle_since + idle_seconds - time.monotonic()
            if left is not None and left <= 0:
                break
            try:
                leased = self._door.lease(min(_POLL_SECONDS, left or _POLL_SECONDS))
            except AuthError:
                raise
            except ClientError as error:
                log.warning("the server gives no work, again in %.0f s: %s", pause, error)
                self._stop.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
                continue
            pause = _FIRST_PAUSE_SECONDS
            if leased is not None:
                self._carry(leased)
                done, idle_since = done + 1, time.monotonic()
                if once:
                    break
        return done

    def _carry(self, leased: Leased) -> None:
        """Make one run and bring its result; whatever goes wrong, another agent gets the run."""
        began = time.monotonic()
        try:
            with _Beats(self._door, leased, self._beat_seconds) as beats:
                result = self._made(leased, beats)
                self._door.finish(leased, result)
            log.info("run %s ended, %.1f s", leased.run, time.monotonic() - began)
        except Unwanted:
            log.info("run %s is not wanted any more", leased.run)
        except (GraderError, OSError, ValueError, RuntimeError) as error:
            log.warning("run %s is left to others: %s: %s", leased.run, type(error).__name__, error)

    def _made(self, leased: Leased, beats: _Beats) -> bytes:
        images = self._fetched(leased.images, leased.images_sha256)
        with tempfile.TemporaryDirectory(prefix="grader-agent-") as folder:
            handed_in, bundle = Path(folder) / "bundle", Path(folder) / "unpacked"
            handed_in.write_bytes(self._fetched(leased.bundle, leased.bundle_sha256))
            unpack_bundle(handed_in, bundle, max_mb=leased.max_mb)
            handed_in.unlink()
            return self._execute(leased.job, bundle, images, on_log=beats.take, on_wait=beats.check)

    def _fetched(self, where: str, sha256: str) -> bytes:
        """What is wanted for a run, from memory where an earlier run had the same."""
        with self._lock:
            found = self._held.pop(sha256, None)
        content = self._door.fetch(where) if found is None else found
        with self._lock:
            self._held[sha256] = content
            while sum(map(len, self._held.values())) > _MOST_HELD:
                self._held.popitem(last=False)
        return content


class _Beats:
    """Renews a lease beside the run, which never waits for the network."""

    def __init__(self, door: Door, leased: Leased, seconds: float) -> None:
        self._door, self._leased, self._seconds = door, leased, seconds
        self._log = ""
        self._is_unwanted = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat_on, name="beats", daemon=True)

    def __enter__(self) -> _Beats:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def take(self, text: str) -> None:
        """Leave the log as it is now. Never waits."""
        self._log = text[-_MOST_LOG:]

    def check(self) -> None:
        """Never waits.

        Raises:
            Unwanted: the server said that nobody waits, or that the lease is another's.
        """
        if self._is_unwanted:
            raise Unwanted

    def _beat_on(self) -> None:
        sent, beaten_at = "", time.monotonic()
        while not self._over.wait(_LOG_SECONDS):
            now = time.monotonic()
            text = self._log
            if text == sent and now - beaten_at < self._seconds:
                continue
            try:
                self._is_unwanted = not self._door.beat(self._leased, text)
                sent, beaten_at = text, now
            except ClientError as error:
                if isinstance(error, ApiError) and error.status in _LOST:
                    self._is_unwanted = True
                    return
                # it may be back before the lease is over
                log.warning("the server does not answer; the run goes on: %s", error)
                beaten_at = now
