"""`Sandbox`: runs a bundle on images under limits and returns facts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from sandbox.backends import make_backend
from sandbox.confinement.gpu import NoGpu, available_gpus
from sandbox.defences import EVERYTHING_ON, known
from sandbox.job import Job, plain
from sandbox.limits import MIB, Limits, StartFailed
from sandbox.result import JobResult, worst
from sandbox.run.backend import Backend
from sandbox.run.judgement import Outcome
from sandbox.run.pool import Pool
from sandbox.run.request import RunRequest
from sandbox.run.scratch import Scratch, UnfitBundle, clear_orphans
from sandbox.run.session import Session

MOST_DATA_BYTES = 64 * 1024  # neither code nor values of a checkpoint, without a flag


class Sandbox:
    """Runs students' code, one program a run; safe to share between threads."""

    def __init__(
        self,
        backend: Backend,
        warm: int = 0,
        without: frozenset[str] = EVERYTHING_ON,
        *,
        silent: bool = False,
    ) -> None:
        """`warm`: how many sandboxes may wait, ready, for the next runs (see `pool.py`)."""
        self._backend = backend
        self._without = without
        self._silent = silent
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

    def kept_runs(self) -> list[str]:
        """Names of the runs that the backend still keeps anything of outside this process."""
        return self._backend.runs()

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

    @property
    def ready(self) -> int:
        """How many sandboxes wait for a run."""
        return self._pool.ready

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
        explain: bool = False,
        seed: int | None = None,
        on_log: Callable[[str], None] | None = None,
        on_wait: Callable[[], None] | None = None,
    ) -> JobResult:
        """Predict `images`, uint8 (N, H, W) or (N, H, W, C), with the bundle's model.

        Rows of the result are in the order of `images`. With `logs`, what the program printed
        comes back, capped, and `on_log` hears of it while the run goes on (it must return at
        once); a hidden run gives none. With `explain` a heat map comes beside each answer, of at
        most `MOST_EXPLAINED` images. `seed` repeats the secret order of the run whose facts name it
        as `order_seed`. `on_wait` is called at least twice a second while the program runs; what it
        raises ends the run and is passed on.
        A failure of this host is the verdict IE, never one of the student's.

        Raises:
            ValueError: the images or the number of classes can't be run on.
        """
        job = Job(
            images_shape=images.shape,
            num_classes=num_classes,
            limits=plain(limits),
            logs=logs,
            explain=explain,
            seed=seed,
        )
        return self.do(job, bundle, images, on_log=on_log, on_wait=on_wait)

    def do(
        self,
        job: Job,
        bundle: Path,
        images: NDArray[np.uint8],
        *,
        on_log: Callable[[str], None] | None = None,
        on_wait: Callable[[], None] | None = None,
    ) -> JobResult:
        """The same for a job that may have come from elsewhere, with what it names.

        Raises:
            ValueError: the images are not of the job's shape, or not uint8.
        """
        logs = job.logs and not self._silent
        request = RunRequest(
            job=replace(job, logs=logs or "silence" in self._without),
            bundle=bundle,
            images=images,
            silent=self._silent,
            without=self._without,
            on_log=on_log if logs else None,
            on_wait=on_wait,
        )
        return replace(self._run(request), environment=self._backend.describe())

    def _run(self, request: RunRequest) -> JobResult:
        try:
            with self._pool.lend(request.job.limits) as sandbox:
                outcome = Session(sandbox, request).run()
                seen = sandbox.close()
        except UnfitBundle as error:
            return JobResult(verdict="CE", detail=str(error), said=error.why.as_data())
        except NoGpu as error:
            detail, told = str(error), error.why.as_data()
            return JobResult(verdict="IE", detail=detail, said=told, reason=f"NoGpu: {detail}")
        except (StartFailed, OSError) as error:
            return JobResult(verdict="IE", reason=f"{type(error).__name__}: {error}")
        outcome.judge(seen)
        if "IE" in outcome.faults:
            return JobResult(verdict="IE", reason=f"Interference: {seen.interference}")
        return self._result(outcome, sandbox.scratch, seen.peak_memory_mb)

    def _result(self, outcome: Outcome, scratch: Scratch, peak_memory_mb: float) -> JobResult:
        verdict, detail = worst(outcome.faults)
        labels = scores = copied_rows = copied_labels = copied_first = heat_maps = None
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
            heat_maps = None if outcome.heat is None else outcome.order.restore(outcome.heat)
            copied_rows, copied, copied_first = outcome.order.of_copies(outcome.answers)
            copied_labels = (copied.argmax(axis=1) if copied.ndim == 2 else copied).astype(np.int64)
            unlike = outcome.order.disagreements(outcome.answers)
            if unlike and "duplicates" not in self._without:
                flags = ("ND",)
            if scratch.data_bytes + outcome.other_bytes > MOST_DATA_BYTES:
                flags += ("DATA",)
            sent = len(outcome.order.rows)
            facts["parameters"] = outcome.parameters
            facts["checkpoint_mb"] = round(scratch.bundle_bytes / MIB, 3)
            facts["seconds_per_1000"] = round(outcome.predict_seconds / sent * 1000, 4)
        return JobResult(
            verdict=verdict,
            labels=labels,
            scores=scores,
            copied_rows=copied_rows,
            copied_labels=copied_labels,
            heat_maps=heat_maps,
            copied_first=copied_first,
            flags=flags,
            log=outcome.log if outcome.logs else "",
            wall_seconds=outcome.wall_seconds,
            peak_memory_mb=peak_memory_mb,
            detail="" if detail is None else str(detail),
            said=None if detail is None else detail.as_data(),
            facts=facts,
        )


def get_runner(
    backend: str | None = None,
    runner_env: Path | None = None,
    *,
    warm: int = 0,
    hold_files: bool = True,
    silent: bool = False,
    _without: frozenset[str] = EVERYTHING_ON,
) -> Sandbox:
    """A runner on this host; the strongest backend there is unless one is named.

    The backend `unconfined` confines nothing and is never chosen by itself: it is for trying
    one's own bundle at home. `warm` sandboxes may wait for the next runs, each with torch imported,
    until `close`; with 0 each is started when it is asked for. With `hold_files` the runner's files
    are locked into memory while this process lives, once for all workers of a host, so that no run
    can tell what another has read (about 1 GB; 5 GB with CUDA); where that can't be,
    `describe()["open"]` says why. With `silent` no run shows anything that its program says, with
    `logs` or without: for exams, where a run that shows its log may stand beside or after a hidden
    one. `_without` switches single
    defences off (`defences.py`), for the tests that show each attack to be real.

    Raises:
        SandboxUnavailable: students' code can't be run here, and why, in one sentence.
    """
    without = known(_without) | (EVERYTHING_ON if hold_files else {"held"})
    return Sandbox(make_backend(backend, runner_env, without), warm, without, silent=silent)
