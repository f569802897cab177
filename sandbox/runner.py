"""`Sandbox`: runs a bundle on images under limits and returns facts."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from sandbox.backend import Backend, StartFailed
from sandbox.bubblewrap import Bubblewrap
from sandbox.defences import EVERYTHING_ON, known
from sandbox.environment import RUNTIME_SETTING, SandboxUnavailable, find_environment
from sandbox.gpu import NoGpu, available_gpus
from sandbox.judgement import Outcome
from sandbox.limits import Limits
from sandbox.pool import Pool
from sandbox.request import RunRequest
from sandbox.result import RunResult, worst
from sandbox.scratch import UnfitBundle, clear_orphans
from sandbox.session import Session
from sandbox.unconfined import Unconfined

CONFINING = ("bubblewrap", "docker")
BACKENDS = (*CONFINING, "unconfined")


class Sandbox:
    """Runs students' code, one program a run; safe to share between threads."""

    def __init__(
        self, backend: Backend, warm: int = 0, without: frozenset[str] = EVERYTHING_ON
    ) -> None:
        """`warm`: how many sandboxes may wait, ready, for the next runs (see `pool.py`)."""
        self._backend = backend
        self._without = without
        backend.clear_orphans()
        clear_orphans()
        self._pool = Pool(backend, warm)

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the sandboxes that wait; runs that go on end by themselves."""
        self._pool.close()

    @property
    def active(self) -> set[str]:
        """Names of the sandboxes there are now, at work or waiting."""
        return set(self._pool.names)

    def describe(self) -> dict[str, str]:
        """Backend, limits, GPUs if any and package versions, as an evaluation records them."""
        cards = [f"{card.index}: {card.name}, {card.memory_mb} MB" for card in available_gpus()]
        on = {"gpu": "; ".join(cards)} if cards else {}
        return self._backend.describe() | self._pool.describe() | on

    def expect(self, limits: Limits) -> None:
        """A run with these limits is about to come: have a sandbox ready, where any are kept."""
        self._pool.expect(limits)

    def is_settled(self) -> bool:
        """Whether all the sandboxes that should wait do, and none is being started."""
        return self._pool.is_settled()

    def run(
        self,
        bundle: Path,
        images: NDArray[np.uint8],
        *,
        num_classes: int,
        limits: Limits,
        logs: bool = False,
        seed: int | None = None,
        on_log: Callable[[str], None] | None = None,
        on_wait: Callable[[], None] | None = None,
    ) -> RunResult:
        """Predict `images`, uint8 (N, H, W) or (N, H, W, C), with the bundle's model.

        Rows of the result are in the order of `images`. With `logs`, what the program printed
        comes back, capped, and `on_log` hears of it while the run goes on (it must return at
        once); a hidden run gives none. `seed` repeats the secret order of the run whose facts name
        it as `order_seed`. `on_wait` is called at least twice a second while the program runs;
        what it raises ends the run and is passed on.
        A failure of this host is the verdict IE, never one of the student's.

        Raises:
            ValueError: the images or the number of classes can't be run on.
        """
        request = RunRequest(
            bundle=bundle,
            images=images,
            num_classes=num_classes,
            limits=limits,
            logs=logs or "silence" in self._without,
            seed=seed,
            without=self._without,
            on_log=on_log if logs else None,
            on_wait=on_wait,
        )
        try:
            with self._pool.lend(limits) as sandbox:
                outcome = Session(sandbox, request).run()
                seen = sandbox.close()
        except UnfitBundle as error:
            return RunResult(verdict="CE", detail=str(error))
        except NoGpu as error:
            return RunResult(verdict="IE", detail=str(error), reason=f"NoGpu: {error}")
        except (StartFailed, OSError) as error:
            return RunResult(verdict="IE", reason=f"{type(error).__name__}: {error}")
        outcome.judge(seen)
        return self._result(outcome, sandbox.scratch.checkpoint_bytes, seen.peak_memory_mb)

    def _result(self, outcome: Outcome, checkpoint_bytes: int, peak_memory_mb: float) -> RunResult:
        verdict, detail = worst(outcome.faults)
        labels = scores = None
        flags: tuple[str, ...] = ()
        facts: dict[str, float | int | str] = {"backend": self._backend.name}
        if outcome.order is not None:
            facts["order_seed"] = f"{outcome.order.seed:#x}"  # text: JSON has no such numbers
        if verdict == "OK" and outcome.order is not None and outcome.answers is not None:
            answers = outcome.order.restore(outcome.answers)
            if answers.ndim == 2:
                scores = answers.astype(np.float32, copy=False)
                labels = scores.argmax(axis=1).astype(np.int64)
            else:
                labels = answers.astype(np.int64, copy=False)
            unlike = outcome.order.disagreements(outcome.answers)
            if unlike and "duplicates" not in self._without:
                flags = ("ND",)
            sent = len(outcome.order.rows)
            facts["parameters"] = outcome.parameters
            facts["checkpoint_mb"] = round(checkpoint_bytes / (1 << 20), 3)
            facts["seconds_per_1000"] = round(outcome.predict_seconds / sent * 1000, 4)
        return RunResult(
            verdict=verdict,
            labels=labels,
            scores=scores,
            flags=flags,
            log=outcome.log if outcome.logs else "",
            wall_seconds=outcome.wall_seconds,
            peak_memory_mb=peak_memory_mb,
            detail=detail,
            facts=facts,
        )


def get_runner(
    backend: str | None = None,
    runner_env: Path | None = None,
    *,
    warm: int = 0,
    _without: frozenset[str] = EVERYTHING_ON,
) -> Sandbox:
    """A runner on this host; the strongest backend there is unless one is named.

    The backend `unconfined` confines nothing and is never chosen by itself: it is for trying
    one's own bundle at home. `warm` sandboxes may wait for the next runs, each with torch imported,
    until `close`; with 0 each is started when it is asked for. `_without` switches single
    defences off (`defences.py`), for the tests that show each attack to be real.

    Raises:
        SandboxUnavailable: students' code can't be run here, and why, in one sentence.
    """
    if backend is not None and backend not in BACKENDS:
        raise SandboxUnavailable(
            f"There is no sandbox backend {backend!r}; there is: {', '.join(BACKENDS)}."
        )
    without = known(_without)
    if backend == "unconfined":
        return Sandbox(Unconfined(), warm, without)
    if sys.platform != "linux":
        raise SandboxUnavailable("Students' code can be run on Linux only; CSV files need nothing.")
    return Sandbox(_backend(backend or _wanted(), runner_env, without), warm, without)


def _wanted() -> str | None:
    """Who asks for a kernel of the programs' own gets that or nothing."""
    return "docker" if os.environ.get(RUNTIME_SETTING) else None


def _backend(name: str | None, runner_env: Path | None, without: frozenset[str]) -> Backend:
    """The backend of this name; without one bubblewrap, or, where that can't be, Docker."""
    if name == "docker":
        return _docker(runner_env, without)
    try:
        return Bubblewrap(find_environment(runner_env), without)
    except SandboxUnavailable as no_bubblewrap:
        if name is not None:
            raise
        try:
            return _docker(runner_env, without)
        except SandboxUnavailable as no_docker:
            raise SandboxUnavailable(f"{no_bubblewrap} {no_docker}") from no_bubblewrap


def _docker(runner_env: Path | None, without: frozenset[str]) -> Backend:
    try:
        from sandbox.docker import Docker  # an extra, and slow to import
    except ImportError as missing:
        raise SandboxUnavailable(
            "The Python package `docker` is missing; install `gradewright[server]` to run "
            "students' code with Docker."
        ) from missing
    return Docker(runner_env, without)
