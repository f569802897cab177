"""Runs one's own bundle in a plain subprocess of this Python: for `grader check` without a sandbox.

It is the same program as inside the sandbox (`sandbox.harness`), so that a contract error reads the
same, but nothing is confined. Never for code that somebody else handed in.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import click
import numpy as np
from numpy.typing import NDArray

import sandbox
from grader import Limits
from grader.cli.messages import tr
from sandbox.protocol import HEADER, LOADED_PAYLOAD, Failure, Frame, header, read_header
from sandbox.result import RunVerdict

# What the program prints must not mix with its frames: its standard output becomes the error one.
CHILD = """
import os, sys
sys.path.insert(0, {package_home!r})
request, response = os.dup(0), os.dup(1)
os.dup2(2, 1)
from sandbox.harness import main
main(request, response)
"""
START_SECONDS = 60.0
"""Added to the time limit: importing torch is not the student's time."""
LOG_BYTES = 64 << 10


class OwnCode:
    """A `grader.Runner` for a bundle that the user wrote and would run anyway.

    Raises: click.UsageError where torch is missing, naming what to install.
    """

    def __init__(self) -> None:
        if importlib.util.find_spec("torch") is None:
            raise click.UsageError(
                tr("running a code bundle needs PyTorch: pip install torch (extra: reference)")
            )

    def describe(self) -> Mapping[str, str]:
        return {"backend": "subprocess", "python": sys.version.split()[0]}

    def run(
        self,
        bundle: Path,
        images: NDArray[np.uint8],
        *,
        num_classes: int,
        limits: Limits,
        logs: bool = False,
        on_log: Callable[[str], None] | None = None,
        on_wait: Callable[[], None] | None = None,
    ) -> sandbox.RunResult:
        """Predict `images`, in their order; the log always comes back, at the end: it is one's own.

        `on_log` is not told of it meanwhile, and `on_wait` is not asked: Ctrl-C ends the run.
        """
        config = {
            "bundle": str(bundle),
            "shape": images.shape[1:],
            "num_classes": num_classes,
            "batch_size": limits.batch_size,
            "cpus": limits.cpus,
            "device": "cpu",
            "seed": 0,
            "weights_only": True,
            "rlimits": {},
        }
        start = time.monotonic()
        with tempfile.TemporaryFile() as log:
            with _child(log, limits.wall_seconds + START_SECONDS) as child:
                outcome = _converse(child, config, images)
            log.seek(0)
            text = log.read(LOG_BYTES).decode("utf-8", "replace")
        seconds = time.monotonic() - start
        if outcome is None and seconds > limits.wall_seconds + START_SECONDS:
            detail = tr("Stopped after {seconds:.0f} s.", seconds=seconds)
            return sandbox.RunResult(verdict="TLE", detail=detail, log=text)
        if outcome is None:
            detail = tr("The program ended before all predictions were made.")
            return sandbox.RunResult(verdict="RE", detail=detail, log=text)
        if isinstance(outcome, _Failed):
            return sandbox.RunResult(
                verdict=cast(RunVerdict, outcome.failure.name),
                detail=outcome.text,
                log=text,
                wall_seconds=seconds,
            )
        scores = outcome if outcome.ndim == 2 else None
        labels = outcome.argmax(axis=1) if outcome.ndim == 2 else outcome
        return sandbox.RunResult(
            verdict="OK",
            labels=labels.astype(np.int64),
            scores=None if scores is None else scores.astype(np.float32),
            log=text,
            wall_seconds=seconds,
        )


class _Failed:
    """What the program said went wrong."""

    def __init__(self, payload: bytes) -> None:
        self.failure = Failure(payload[0])
        self.text = payload[1:].decode("utf-8", "replace")


class _Pipes:
    """The child's ends of the channel."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        assert child.stdin is not None
        assert child.stdout is not None
        self._request, self._response = child.stdin, child.stdout

    def send(self, kind: Frame, payload: bytes = b"") -> None:
        self._request.write(header(kind, len(payload)) + payload)
        self._request.flush()

    def receive(self) -> tuple[Frame, bytes]:
        """The next frame. Raises: EOFError when the child has ended."""
        kind, length = read_header(self._exactly(HEADER.size))
        return Frame(kind), self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        got = self._response.read(count)
        if len(got) < count:
            raise EOFError
        return got


@contextmanager
def _child(log: IO[bytes], seconds: float) -> Iterator[_Pipes]:
    """The harness in a new process, which is gone at the end, and at the latest after `seconds`."""
    package_home = str(Path(sandbox.__file__).parent.parent)
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD.format(package_home=package_home)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
    )
    stopper = threading.Timer(seconds, child.kill)
    stopper.start()
    try:
        yield _Pipes(child)
    finally:
        stopper.cancel()
        child.kill()
        child.communicate()


def _converse(
    pipes: _Pipes, config: Mapping[str, object], images: NDArray[np.uint8]
) -> NDArray[Any] | _Failed | None:
    """Scores float32 (N, K) or labels int64 (N,); what went wrong; None where it fell silent."""
    answers: list[NDArray[Any]] = []
    start = batch_size = 0
    try:
        while True:
            kind, payload = pipes.receive()
            if kind is Frame.FAILED:
                return _Failed(payload)
            if kind is Frame.END:
                return np.concatenate(answers)
            if kind is Frame.READY:
                pipes.send(Frame.CONFIG, json.dumps(config).encode())
                continue
            if kind is Frame.LOADED:
                _, batch_size = LOADED_PAYLOAD.unpack(payload)
            elif kind is Frame.SCORES:
                scores = np.frombuffer(payload, dtype="<f4")
                answers.append(scores.reshape(-1, int(str(config["num_classes"]))))
            else:
                answers.append(np.frombuffer(payload, dtype="<i8"))
            batch = images[start : start + batch_size]
            start += len(batch)
            pipes.send(Frame.BATCH if len(batch) else Frame.DONE, batch.tobytes())
    except (EOFError, BrokenPipeError):
        return None
