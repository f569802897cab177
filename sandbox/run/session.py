"""The trusted side of one run, the same for every backend: feed, read, time, judge.

One loop over three pipes, in one thread: nothing can block it, so no deadline can be swallowed.
Its memory is bounded by one batch, one frame and the kept ends of the log, whatever the program
does.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import selectors
import time

import numpy as np
from numpy.typing import NDArray

from sandbox.inside.protocol import (
    COUNTED_PAYLOAD,
    FAILED_BYTES,
    HEAT_SIDE,
    LOADED_PAYLOAD,
    Allowed,
    Failure,
    Frame,
    FrameParser,
    MalformedFrame,
    header,
)
from sandbox.inside.sentences import read, said
from sandbox.limits import MIB
from sandbox.run.feed import Order, copies_of
from sandbox.run.judgement import FAILURE_VERDICTS, HIDDEN, Outcome, full_tmp
from sandbox.run.log import CappedLog, LogTeller
from sandbox.run.request import RunRequest
from sandbox.run.warm import WarmSandbox

LINGER_SECONDS = 2.0  # between the channel's end and the process's
READ_BYTES = 1 << 18
WAIT_SECONDS = 0.5  # between two calls of `on_wait`, at most


class Session:
    """One program's run, from the hand-over to a program that is READY to its end."""

    def __init__(self, sandbox: WarmSandbox, request: RunRequest) -> None:
        self._confined = sandbox.confined
        self._scratch = sandbox.scratch
        self._request = request
        self._images = request.images
        self._num_classes = request.job.num_classes
        self._limits = limits = request.job.limits
        self._outcome = Outcome(
            logs=request.job.logs,
            limits=limits,
            expected=len(request.images),
            must_be_complete="complete" not in request.without,
        )
        self._parser = FrameParser()
        self._log = CappedLog(limits.output_mb * MIB)
        self._teller = LogTeller(self._log, request.on_log)
        self._selector = selectors.DefaultSelector()
        self._pending: list[memoryview] = []  # what waits to be written to the program
        self._next_batch = 0
        self._started = self._deadline = 0.0
        self._first_sent = self._last_received = 0.0
        self._open = True  # the response pipe has not ended

    def run(self) -> Outcome:
        """Drive the program to its end and collect what was seen.

        The program is dead and its output read when this returns.

        Raises:
            UnfitBundle: the bundle can't be handed over.
        """
        for descriptor, events in (
            (self._confined.response, selectors.EVENT_READ),
            (self._confined.output, selectors.EVENT_READ),
        ):
            os.set_blocking(descriptor, False)
            self._selector.register(descriptor, events)
        os.set_blocking(self._confined.request, False)
        with contextlib.suppress(OSError, AttributeError):  # more than this user may, or not Linux
            fcntl.fcntl(self._confined.request, fcntl.F_SETPIPE_SZ, MIB)
        try:
            self._hand_over()
            self._loop()
            self._linger()
        finally:
            self._confined.kill()
            self._selector.close()
        self._read_output()
        self._conclude()
        return self._outcome

    # Hand-over

    def _hand_over(self) -> None:
        """Let the student's code in; the clock starts."""
        self._scratch.fill(self._request.bundle)
        self._parser.allowed = {
            Frame.COUNTED: Allowed(COUNTED_PAYLOAD.size, COUNTED_PAYLOAD.size),
            Frame.FAILED: Allowed(1, FAILED_BYTES),
        }
        config = json.dumps(self._config()).encode()
        self._send(header(Frame.CONFIG, len(config)) + config)
        self._started = time.monotonic()
        self._deadline = self._started + self._limits.wall_seconds

    def _config(self) -> dict[str, object]:
        limits = self._limits
        return {
            "bundle": self._confined.bundle,
            "shape": self._images.shape[1:],
            "num_classes": self._num_classes,
            "batch_size": limits.batch_size,
            "cpus": limits.cpus,
            "device": self._confined.device,
            "gpu_memory_mb": limits.gpu_memory_mb,
            "seed": 0,
            "explain": self._request.job.explain,
            "weights_only": "weights_only" not in self._request.without,
            "rlimits": self._confined.rlimits,
        }

    # The loop

    def _loop(self) -> None:
        while self._open and not self._outcome.faults:
            left = self._deadline - time.monotonic()
            if left <= 0:
                self._time_is_up()
                return
            watch = self._confined.watch_seconds
            asks = WAIT_SECONDS if self._request.on_wait else None
            wakes = (left, watch, asks, self._teller.due_in)
            for key, _ in self._selector.select(min(w for w in wakes if w is not None)):
                if key.fd == self._confined.response:
                    self._read_frames()
                elif key.fd == self._confined.output:
                    self._read_output()
                else:
                    self._write()
            self._teller.tell_if_due()
            if self._request.on_wait:
                self._request.on_wait()
            if watch is not None and self._confined.over_limit():
                return  # told by the postmortem

    def _time_is_up(self) -> None:
        allowed = self._limits.wall_seconds
        self._outcome.fail("TLE", said("run.time", seconds=f"{allowed:g}"))

    def _read_frames(self) -> None:
        try:
            received = os.read(self._confined.response, READ_BYTES)
        except BlockingIOError:
            return
        if not received:
            self._open = False
            return
        try:
            for kind, payload in self._parser.frames(received):
                self._take(kind, payload)
                if self._is_enough():
                    self._outcome.ended, self._open = True, False
                    return
        except MalformedFrame as malformed:
            broken = said("run.channel_broken", reason=malformed.why)
            self._outcome.fail("PE", broken if self._request.job.logs else HIDDEN[Failure.PE])

    def _is_enough(self) -> bool:
        """Whether every answer is there: for a reader who does not ask what comes after the end."""
        order = self._outcome.order
        complete = order is not None and self._answered == len(order.rows)
        return complete and "end" in self._request.without

    def _read_output(self) -> None:
        """Take what is there now; an end of the pipe unregisters it."""
        while True:
            try:
                received = os.read(self._confined.output, READ_BYTES)
            except BlockingIOError:
                return
            if not received:
                if self._selector.get_map():
                    self._selector.unregister(self._confined.output)
                return
            self._log.add(received)
            if self._log.over:
                allowed = self._limits.output_mb
                self._outcome.fail("OLE", said("run.output", allowed=allowed))
                return

    # Frames from the program

    def _take(self, kind: Frame, payload: bytes) -> None:
        if kind is Frame.COUNTED:
            self._counted(payload)
        elif kind is Frame.LOADED:
            self._loaded(payload)
        elif kind is Frame.FAILED:
            self._failed(payload)
        elif kind is Frame.HEAT:
            self._explained(payload)
        elif kind is Frame.END:
            self._outcome.ended = True
            self._parser.allowed = {}
        else:
            self._predicted(kind, payload)

    def _counted(self, payload: bytes) -> None:
        """The last word that is not the student's: their code is imported next."""
        outcome = self._outcome
        outcome.parameters, outcome.other_bytes = COUNTED_PAYLOAD.unpack(payload)
        self._parser.allowed = {
            Frame.LOADED: Allowed(LOADED_PAYLOAD.size, LOADED_PAYLOAD.size),
            Frame.FAILED: Allowed(1, FAILED_BYTES),
        }

    def _loaded(self, payload: bytes) -> None:
        (batch_size,) = LOADED_PAYLOAD.unpack(payload)
        if not 1 <= batch_size <= self._limits.batch_size:
            raise MalformedFrame(said("run.cause_batch_size"))
        shuffled = "secret_order" not in self._request.without
        # a sample run's images are the student's to see: nothing could be looked up; and answers
        # that are explained are not scored
        job = self._request.job
        copies = 0 if job.logs or job.explain else copies_of(len(self._images))
        order = Order.draw(
            *(len(self._images), batch_size, self._request.job.seed, shuffled), copies=copies
        )
        self._outcome.order = order
        self._allow_predictions(order)
        self._first_sent = self._last_received = time.monotonic()
        self._send(*self._next_frame())

    def _allow_predictions(self, order: Order) -> None:
        """Exactly the next batch's answers, of the type the first batch had; or, at last, END."""
        self._parser.allowed = {Frame.FAILED: Allowed(1, FAILED_BYTES)}
        if self._outcome.received == len(order.rows):
            self._parser.allowed[Frame.END] = Allowed(0, 0)
            return
        answers = self._outcome.answers
        if answers is None or answers.ndim == 1:
            size = order.batch_size * 8
            self._parser.allowed[Frame.LABELS] = Allowed(size, size)
        if answers is None or answers.ndim == 2:
            size = order.batch_size * self._num_classes * 4
            self._parser.allowed[Frame.SCORES] = Allowed(size, size)

    def _predicted(self, kind: Frame, payload: bytes) -> None:
        order = self._outcome.order
        if order is None:
            raise MalformedFrame(said("run.cause_too_early"))
        self._last_received = time.monotonic()
        rows = order.batch_size
        batch: NDArray[np.float32] | NDArray[np.int64]
        if kind is Frame.SCORES:
            batch = np.frombuffer(payload, dtype="<f4").reshape(rows, self._num_classes)
            fine = bool(np.isfinite(batch).all())
        else:
            batch = np.frombuffer(payload, dtype="<i8")
            fine = bool(((batch >= 0) & (batch < self._num_classes)).all())
        if not fine and "values" not in self._request.without:
            raise MalformedFrame(said("run.cause_bad_predictions"))
        if self._outcome.answers is None:
            shape = (len(order.rows), *batch.shape[1:])
            self._outcome.answers = np.empty(shape, dtype=batch.dtype)
        self._outcome.answers[self._outcome.received : self._outcome.received + rows] = batch
        self._outcome.received += rows
        if self._request.job.explain:
            size = rows * HEAT_SIDE**2
            self._parser.allowed = {
                Frame.FAILED: Allowed(1, FAILED_BYTES),
                Frame.HEAT: Allowed(size, size),
            }
            return
        self._allow_predictions(order)
        self._send(*self._next_frame())

    def _explained(self, payload: bytes) -> None:
        """The heat maps of the batch that was just answered; any bytes of that length are some."""
        outcome, order = self._outcome, self._outcome.order
        if order is None:
            raise MalformedFrame(said("run.cause_too_early"))
        if outcome.heat is None:
            outcome.heat = np.zeros((len(order.rows), HEAT_SIDE, HEAT_SIDE), dtype=np.uint8)
        squares = np.frombuffer(payload, dtype=np.uint8).reshape(-1, HEAT_SIDE, HEAT_SIDE)
        outcome.heat[outcome.explained : outcome.received] = squares
        outcome.explained = outcome.received
        self._allow_predictions(order)
        self._send(*self._next_frame())

    @property
    def _answered(self) -> int:
        """Rows of which all that was asked for is there."""
        return self._outcome.explained if self._request.job.explain else self._outcome.received

    def _failed(self, payload: bytes) -> None:
        try:
            failure = Failure(payload[0])
        except ValueError:
            raise MalformedFrame(said("run.cause_unknown_failure")) from None
        # Its own words are shown in the sample run, and in a hidden run only while no hidden
        # image had been sent: they could spell out pixels.
        unseen = self._outcome.order is None and not self._request.silent
        detail = HIDDEN[failure]
        if self._request.job.logs or unseen:
            with contextlib.suppress(ValueError):  # words of its own: the general ones must do
                detail = read(payload[1:])
        if failure is Failure.OLE:
            detail = full_tmp(self._limits)
        self._outcome.fail(FAILURE_VERDICTS[failure], detail)
        self._parser.allowed = {}

    # Frames to the program

    def _next_frame(self) -> tuple[bytes | memoryview, ...]:
        """The next batch, if all before it are gone and answered; DONE after the last; or nothing.

        A program that could have two would know images that it has not answered, in the end all
        of them. One that answers what it has not got yet gains nothing: it has guessed.
        """
        order = self._outcome.order
        if order is None or self._pending or self._next_batch > order.batches:
            return ()
        unanswered = self._answered < self._next_batch * order.batch_size
        if unanswered and "answers_first" not in self._request.without:
            return ()
        self._next_batch += 1
        if self._next_batch > order.batches:
            return (header(Frame.DONE, 0),)
        batch = order.batch(self._images, self._next_batch - 1)
        return header(Frame.BATCH, batch.nbytes), batch.data.cast("B")

    def _send(self, *parts: bytes | memoryview) -> None:
        self._pending += [memoryview(part) for part in parts]
        self._write()

    def _write(self) -> None:
        """Write what the pipe takes, whole frames at once: a program that waits is woken once."""
        while self._pending:
            try:
                written = os.writev(self._confined.request, self._pending)
            except BlockingIOError:
                if not self._waits_for_room:
                    self._selector.register(self._confined.request, selectors.EVENT_WRITE)
                return
            except BrokenPipeError:  # it closed its end; what it sends decides
                self._pending.clear()
                break
            self._strike_off(written)
            self._pending += [memoryview(part) for part in self._next_frame()]
        if self._waits_for_room:
            self._selector.unregister(self._confined.request)

    @property
    def _waits_for_room(self) -> bool:
        return self._confined.request in self._selector.get_map()

    def _strike_off(self, written: int) -> None:
        """Forget so many bytes of what was to be written."""
        while self._pending and written >= len(self._pending[0]):
            written -= len(self._pending.pop(0))
        if self._pending:
            self._pending[0] = self._pending[0][written:]

    # The end

    def _linger(self) -> None:
        """Let a program that closed its channel end by itself, to learn how it ended."""
        if not self._open and not self._outcome.faults:
            left = self._deadline - time.monotonic()
            self._confined.wait(max(0.0, min(LINGER_SECONDS, left)))

    def _conclude(self) -> None:
        now = time.monotonic()
        after_the_end = self._parser.unfinished and "end" not in self._request.without
        if self._outcome.ended and after_the_end:
            self._outcome.fail("PE", said("run.sent_after_the_end"))
        self._outcome.wall_seconds = now - self._started
        self._outcome.predict_seconds = self._last_received - self._first_sent
        if self._request.job.logs:
            self._outcome.log = self._log.text()
