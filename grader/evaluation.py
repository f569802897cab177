"""evaluate(): from what was handed in to a verdict and, where there is one, a score."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from grader.assignment import Assignment
from grader.bundle import unpack_bundle
from grader.errors import (
    InvalidSubmission,
    MetricUnavailable,
    PlatformFault,
    Problem,
    RunnerUnavailable,
)
from grader.predictions import Predictions, parse_predictions
from grader.scoring import METRICS, Scores, score
from grader.settings import Limits
from grader.verdicts import Verdict

Kind = Literal["csv", "code"]

_ARCHIVES: Final = (".zip", ".tar", ".tar.gz", ".tgz")
_TABLES: Final = (".csv", ".csv.gz", ".txt")
_FAILED: Final = "the sandbox failed and gave no reason"


class RunResult(Protocol):
    """What a sandboxed run gave: facts, and nothing that only the answers could tell.

    labels: int64 (N,) and scores: float32 (N, K), rows in the order of the images; None unless
    the verdict is "OK". `detail` is safe to show to the student; `reason` says why a run failed on
    our side (verdict IE) and is for operators only.
    """

    @property
    def verdict(self) -> str: ...
    @property
    def labels(self) -> NDArray[np.int64] | None: ...
    @property
    def scores(self) -> NDArray[np.float32] | None: ...
    @property
    def flags(self) -> tuple[str, ...]: ...
    @property
    def log(self) -> str: ...
    @property
    def wall_seconds(self) -> float: ...
    @property
    def peak_memory_mb(self) -> float: ...
    @property
    def detail(self) -> str: ...
    @property
    def facts(self) -> Mapping[str, float | int | str]: ...
    @property
    def reason(self) -> str: ...


class Runner(Protocol):
    """Runs a bundle on images where it can do no harm."""

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
    ) -> RunResult:
        """Run the unpacked bundle; `logs` asks for its output (never on hidden images).

        `on_log` is told the output so far while the run goes on; it returns at once. `on_wait` is
        called at least twice a second; what it raises ends the run and is passed on.
        """
        ...

    def describe(self) -> Mapping[str, str]:
        """Say what runs: backend, device, versions."""
        ...


@runtime_checkable
class Prepares(Protocol):
    """A runner that can make ready for a run before it is asked for."""

    def expect(self, limits: Limits) -> None:
        """A run with these limits is about to come; returns at once."""
        ...


@dataclass(frozen=True)
class Submission:
    """A file or folder that was handed in."""

    path: Path
    kind: Kind

    @classmethod
    def detect(cls, path: Path | str) -> Self:
        """Tell a prediction CSV from a code bundle by its name, else by its first bytes."""
        path = Path(path)
        name = path.name.lower()
        if path.is_dir() or name.endswith(_ARCHIVES):
            return cls(path, "code")
        if name.endswith(_TABLES):
            return cls(path, "csv")
        with path.open("rb") as file:
            head = file.read(512)
        is_archive = head.startswith(b"PK") or head[257:262] == b"ustar"
        return cls(path, "code" if is_archive else "csv")


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The outcome of one evaluation.

    `failed_in` is "upload", "sample" or "hidden"; a failure before the hidden run is free.
    `sample_log` is the student's to read; nothing of the hidden run is in here but its verdict.
    """

    verdict: Verdict
    predictions: Predictions | None = field(default=None, repr=False)
    scores: Scores | None = None
    problems: tuple[Problem, ...] = ()
    flags: tuple[str, ...] = ()
    detail: str = ""
    sample_log: str = ""
    failed_in: Literal["upload", "sample", "hidden"] | None = None
    timing: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, float | int | str] = field(default_factory=dict)

    @property
    def counts_against_quota(self) -> bool:
        """Whether it uses up one of the team's attempts."""
        return self.verdict.counts_against_quota and self.failed_in != "sample"

    def as_dict(self) -> dict[str, Any]:
        """Give the JSON object that `grader score --json` prints (both splits: for staff)."""
        if self.verdict is Verdict.REJ:
            errors = [problem.as_dict() for problem in self.problems]
            return {"verdict": "REJ", "errors": errors, "timing": dict(self.timing)}
        result: dict[str, Any] = {"verdict": self.verdict.value}
        if self.scores is not None:
            result["public"] = self.scores.public.as_dict()
            result["private"] = self.scores.private.as_dict()
        else:
            result |= {"detail": self.detail, "failed_in": self.failed_in}
        result |= {"flags": list(self.flags), "timing": dict(self.timing)}
        if self.facts:
            result["facts"] = dict(self.facts)
        return result


def evaluate(
    submission: Submission,
    assignment: Assignment,
    runner: Runner | None,
    *,
    on_phase: Callable[[str], None] | None = None,
    on_log: Callable[[str], None] | None = None,
    on_wait: Callable[[], None] | None = None,
) -> Evaluation:
    """Check, run if it is code, and score one submission.

    `on_phase` hears of each phase as it starts: "checking", "sample", "hidden", "scoring".
    `on_log` hears now and then what the sample run has printed so far; it must return at once.
    `on_wait` is called at least twice a second while code runs; what it raises ends the run and is
    passed on.

    Raises:
        RunnerUnavailable: it is code and there is no runner.
        PlatformFault: the runner failed; whatever the student's program does is a verdict instead.
    """
    heard = on_phase or (lambda phase: None)
    return _Evaluator(assignment, runner, heard, on_log, on_wait).evaluate(submission)


class _Evaluator:
    def __init__(
        self,
        assignment: Assignment,
        runner: Runner | None,
        on_phase: Callable[[str], None],
        on_log: Callable[[str], None] | None,
        on_wait: Callable[[], None] | None,
    ) -> None:
        self._assignment, self._runner, self._on_phase = assignment, runner, on_phase
        self._on_log, self._on_wait = on_log, on_wait
        self._timing: dict[str, float] = {}

    def evaluate(self, submission: Submission) -> Evaluation:
        accepted = self._assignment.submission.kinds
        if submission.kind not in accepted:
            message = f"this assignment takes {' or '.join(accepted)}, not {submission.kind}"
            return self._rejected([Problem(kind="kind_not_accepted", message=message)])
        try:
            outcome = (
                self._csv(submission.path)
                if submission.kind == "csv"
                else self._code(submission.path)
            )
        except InvalidSubmission as error:
            outcome = self._rejected(error.problems)
        return replace(outcome, timing=dict(self._timing))

    def _csv(self, path: Path) -> Evaluation:
        with self._phase("checking"), path.open("rb") as file:
            predictions = parse_predictions(file, self._assignment.expected())
        with self._phase("scoring"):
            scores = score(predictions, self._assignment.answer_key())
        lacking = self._lacks_metric(scores)
        if lacking:
            return self._rejected([Problem(kind="metric_unavailable", message=lacking, line=1)])
        return Evaluation(verdict=Verdict.OK, predictions=predictions, scores=scores)

    def _code(self, path: Path) -> Evaluation:
        if self._runner is None:
            raise RunnerUnavailable("this machine has no sandbox to run code submissions in")
        if isinstance(self._runner, Prepares):
            self._runner.expect(self._assignment.sample_limits)
            self._runner.expect(self._assignment.limits)
        with tempfile.TemporaryDirectory(prefix="grader-") as scratch:
            bundle = Path(scratch) / "bundle"
            with self._phase("checking"):
                limit = self._assignment.submission.max_upload_mb
                unpack_bundle(path, bundle, max_mb=limit)
            with self._phase("sample"):
                images, _ = self._assignment.sample()
                limits = self._assignment.sample_limits
                sample = self._run(self._runner, bundle, images, limits, logs=True)
            if sample.verdict != Verdict.OK:
                return self._failed(sample, "sample", sample.log)
            with self._phase("hidden"):
                images = self._assignment.test_images()
                hidden = self._run(self._runner, bundle, images, self._assignment.limits)
        if hidden.verdict != Verdict.OK:
            return self._failed(hidden, "hidden", sample.log)
        return self._scored(hidden, sample.log)

    def _run(
        self,
        runner: Runner,
        bundle: Path,
        images: NDArray[np.uint8],
        limits: Limits,
        *,
        logs: bool = False,
    ) -> RunResult:
        classes = self._assignment.num_classes
        heard: dict[str, Any] = {"on_log": self._on_log} if logs and self._on_log else {}
        if self._on_wait:
            heard["on_wait"] = self._on_wait
        result = runner.run(bundle, images, num_classes=classes, limits=limits, logs=logs, **heard)
        if result.verdict == Verdict.IE:
            raise PlatformFault(result.reason or result.detail or _FAILED)
        if result.verdict == Verdict.OK and (
            result.labels is None or len(result.labels) != len(images)
        ):
            raise PlatformFault("the sandbox gave no labels with its verdict OK")
        return result

    def _scored(self, result: RunResult, sample_log: str) -> Evaluation:
        assert result.labels is not None
        order = self._assignment.rows_in_answers_order()
        predictions = Predictions(
            ids=self._assignment.expected().ids,
            labels=result.labels[order].astype(np.int64),
            scores=None if result.scores is None else result.scores[order].astype(np.float64),
        )
        with self._phase("scoring"):
            scores = score(predictions, self._assignment.answer_key())
        lacking = self._lacks_metric(scores)
        if lacking:
            return Evaluation(
                verdict=Verdict.PE, detail=lacking, failed_in="hidden", sample_log=sample_log
            )
        return Evaluation(
            verdict=Verdict.OK,
            predictions=predictions,
            scores=scores,
            flags=tuple(result.flags),
            sample_log=sample_log,
            facts=self._facts(result),
        )

    def _failed(
        self, result: RunResult, failed_in: Literal["sample", "hidden"], sample_log: str
    ) -> Evaluation:
        return Evaluation(
            verdict=Verdict(result.verdict),
            flags=tuple(result.flags),
            detail=result.detail,
            sample_log=sample_log,
            failed_in=failed_in,
            facts=self._facts(result),
        )

    @staticmethod
    def _facts(result: RunResult) -> dict[str, float | int | str]:
        return {
            **result.facts,
            "wall_seconds": round(result.wall_seconds, 3),
            "peak_memory_mb": round(result.peak_memory_mb, 1),
        }

    def _rejected(self, problems: tuple[Problem, ...] | list[Problem]) -> Evaluation:
        return Evaluation(verdict=Verdict.REJ, problems=tuple(problems), failed_in="upload")

    def _lacks_metric(self, scores: Scores) -> str:
        """Say why the assignment's metric can't be computed; empty where it can."""
        metric = METRICS[self._assignment.scoring.metric]
        try:
            scores.public.metric(metric.name)
            scores.private.metric(metric.name)
        except MetricUnavailable as error:
            return str(error)
        return ""

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        self._on_phase(name)
        start = time.perf_counter()
        try:
            yield
        finally:
            self._timing[name] = round(time.perf_counter() - start, 6)
