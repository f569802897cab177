"""One confined program that has imported torch and has seen nothing of any student yet."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable

from sandbox.inside.protocol import Allowed, Frame, FrameParser, MalformedFrame
from sandbox.limits import Limits, StartFailed
from sandbox.run.backend import Backend, Postmortem
from sandbox.run.log import CappedLog
from sandbox.run.scratch import Scratch

START_SECONDS = 120.0  # importing torch from a cold disk
LOOK_SECONDS = 0.1  # how soon a start that is not wanted any more is given up
READ_BYTES = 1 << 16
START_LOG_BYTES = 1 << 16  # more than this at the start of an interpreter is no start


class WarmSandbox:
    """A sandbox that waits for its one run. Whatever it served, `close` destroys it."""

    def __init__(self, name: str, backend: Backend, limits: Limits) -> None:
        """Start the program; `await_ready` waits for it.

        Raises:
            StartFailed: this host did not let us.
        """
        self.name = name
        self.closed = False
        self.scratch = Scratch(name)
        try:
            self.confined = backend.start(name, self.scratch, limits)
        except BaseException:
            self.scratch.close()
            raise

    def await_ready(self, wanted: Callable[[], bool] = lambda: True) -> None:
        """Wait until the program says READY: no code of a student has run.

        `wanted` is asked several times a second; its False gives up.

        Raises:
            StartFailed: it ended, took too long, said something else or is wanted no more; with
                what it printed. The sandbox must be closed all the same.
        """
        log = CappedLog(START_LOG_BYTES)
        parser = FrameParser()
        parser.allowed = {Frame.READY: Allowed(0, 0)}
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and wanted() and not log.over:
            readable = self._readable(LOOK_SECONDS)
            if self.confined.output in readable:
                log.add(os.read(self.confined.output, READ_BYTES))
            if self.confined.response in readable:
                self._read_ready(parser, log)
                self.confined.handed_over()
                return
        raise StartFailed(f"no READY within {START_SECONDS:g} s: {log.text()[-2000:]}")

    def _read_ready(self, parser: FrameParser, log: CappedLog) -> None:
        received = os.read(self.confined.response, READ_BYTES)
        if not received:
            while said := os.read(self.confined.output, READ_BYTES):
                log.add(said)
            raise StartFailed(f"the program inside ended before READY: {log.text()[-2000:]}")
        try:
            frames = list(parser.frames(received))
        except MalformedFrame as malformed:
            raise StartFailed(f"the program inside said {malformed}") from malformed
        if len(frames) != 1 or parser.unfinished:
            raise StartFailed("the program inside said more than READY")

    def is_fit(self) -> bool:
        """Whether it still waits; one that ended, or says anything before its run, is not fit."""
        return not self._readable(0)

    def _readable(self, seconds: float) -> set[int]:
        poll = select.poll()  # `select` takes no descriptor above 1023
        for descriptor in (self.confined.response, self.confined.output):
            poll.register(descriptor, select.POLLIN)
        return {descriptor for descriptor, _ in poll.poll(seconds * 1000)}

    def close(self) -> Postmortem:
        """End the program and remove every trace of it; called once."""
        self.closed = True
        try:
            self.confined.kill()
            return self.confined.close()
        finally:
            self.scratch.close()
