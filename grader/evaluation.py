"""evaluate(): from what was handed in to a verdict and, where there is one, a score."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from grader.assignments.assignment import Assignment
from grader.errors import (
    InvalidSubmission,
    MetricUnavailable,
    PlatformFault,
    Problem,
    RunnerUnavailable,
)
from grader.file_kinds import Kind, kind_of
from grader.metric_list import METRICS
from grader.prediction_csv.predictions import Predictions
from grader.requirements import Requirements
from grader.scoring.memorised import FLAG, Losses, losses, with_order
from grader.scoring.scoring import Scores, score
from grader.settings.tables import Limits
from grader.verdicts import Verdict
from grader.words.message import Message, data_of, said, with_data

_FAILED: Final = "the sandbox failed and gave no reason"


class RunResult(Protocol):
    """What a sandboxed run gave: facts, and nothing that only the answers could tell.

    labels: int64 (N,) and scores: float32 (N, K), rows in the order of the images; None unless
    the verdict is "OK". `copied_labels` are the answers to copies with a little noise of the images
    in `copied_rows`, int64 (M,) both, and `copied_first`, bool (M,), says which of them came before
    the image itself; or all are None. `detail` is safe to show to the student; `said`
    holds its code and values (`Message.as_data`), if it has any. `reason` says why a run failed on
    our side (verdict IE) and is for operators only.
    """

    @property
    def verdict(self) -> str: ...
    @property
    def labels(self) -> NDArray[np.int64] | None: ...
    @property
    def scores(self) -> NDArray[np.float32] | None: ...
    @property
    def copied_rows(self) -> NDArray[np.int64] | None: ...
    @property
    def copied_labels(self) -> NDArray[np.int64] | None: ...
    @property
    def copied_first(self) -> NDArray[np.bool_] | None: ...
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
    def said(self) -> Mapping[str, Any] | None: ...
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
        return cls(path, kind_of(path))


@dataclass(frozen=True, kw_only=True)
class SampleAnswers:
    """What a program said to each picture of the public sample, in its order; `sure` is the
    probability that it gave its answer, 0 to 1, None where it gave labels alone. `images_sha256` is
    of the pictures' pixels (`pixels_sha256`)."""

    labels: tuple[int, ...]
    sure: tuple[float, ...] | None
    images_sha256: str

    @classmethod
    def of(
        cls,
        images: NDArray[np.uint8],
        labels: NDArray[np.integer[Any]],
        scores: NDArray[np.floating[Any]] | None,
    ) -> Self:
        """The answers of a run; scores that are no probabilities are taken for logits.

        >>> image = np.zeros((1, 8, 8), dtype=np.uint8)
        >>> SampleAnswers.of(image, np.array([1]), np.array([[0.0, 0.0]])).sure
        (0.5,)
        """
        shown = tuple(labels.tolist())
        sha256 = pixels_sha256(images)
        if scores is None:
            return cls(labels=shown, sure=None, images_sha256=sha256)
        rows = scores.astype(np.float64)
        if rows.min(initial=0) < 0 or not np.allclose(rows.sum(axis=1), 1, atol=1e-3):
            powers = np.exp(rows - rows.max(axis=1, keepdims=True))
            rows = powers / powers.sum(axis=1, keepdims=True)
        sure = rows[np.arange(len(labels)), labels]
        return cls(labels=shown, sure=tuple(sure.round(4).tolist()), images_sha256=sha256)


def pixels_sha256(images: NDArray[np.uint8]) -> str:
    """The hash of pictures' pixels, their number and size."""
    found = hashlib.sha256(repr(images.shape).encode())
    found.update(np.ascontiguousarray(images).data)
    return found.hexdigest()


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """The outcome of one evaluation.

    `failed_in` is "upload", "sample" or "hidden"; a failure before the hidden run is free.
    `sample_log` is the student's to read; nothing of the hidden run is in here but its verdict.
    `sample` is what was said to the public sample, where its run went well. The flag MEM, and the
    facts about copies that it comes of, are for staff only.
    """

    verdict: Verdict
    predictions: Predictions | None = field(default=None, repr=False)
    scores: Scores | None = None
    problems: tuple[Problem, ...] = ()
    flags: tuple[str, ...] = ()
    detail: str = ""
    sample_log: str = ""
    sample: SampleAnswers | None = None
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
            result |= {"detail": self.detail, "detail_said": data_of(self.detail)}
            result |= {"failed_in": self.failed_in}
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


def evaluate_predictions(predictions: Predictions, assignment: Assignment) -> Evaluation:
    """Score what a checked CSV was read into: as evaluate() does the file, without reading it.

    predictions: for the rows that the assignment expects now.

    Raises:
        ValueError: they are for other rows.
    """
    return _Evaluator(assignment, None, lambda phase: None, None, None).score_csv(predictions)


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
        self._required = Requirements.of(assignment)
        self._on_log, self._on_wait = on_log, on_wait
        self._timing: dict[str, float] = {}

    def evaluate(self, submission: Submission) -> Evaluation:
        try:
            self._required.check_kind(submission.path, submission.kind)
            outcome = (
                self._csv(submission.path)
                if submission.kind == "csv"
                else self._code(submission.path)
            )
        except InvalidSubmission as error:
            outcome = self._rejected(error.problems)
        return replace(outcome, timing=dict(self._timing))

    def score_csv(self, predictions: Predictions) -> Evaluation:
        try:
            self._required.check_taken("csv")
            self._required.check_predictions(predictions)
            outcome = self._scored_csv(predictions)
        except InvalidSubmission as error:
            outcome = self._rejected(error.problems)
        return replace(outcome, timing=dict(self._timing))

    def _csv(self, path: Path) -> Evaluation:
        with self._phase("checking"), path.open("rb") as file:
            predictions = self._required.read_csv(file, self._assignment.expected())
        return self._scored_csv(predictions)

    def _scored_csv(self, predictions: Predictions) -> Evaluation:
        with self._phase("scoring"):
            scores = score(predictions, self._assignment.answer_key())
        lacking = self._lacks_metric(scores)
        if lacking:
            return self._rejected([Problem(kind="metric_unavailable", message=lacking, line=1)])
        return Evaluation(verdict=Verdict.OK, predictions=predictions, scores=scores)

    def _code(self, path: Path) -> Evaluation:
        from grader.bundles.bundle import (
            unpack_bundle,  # a CSV does not wait for the readers of archives
        )

        if self._runner is None:
            raise RunnerUnavailable(said("runner.none"))
        if isinstance(self._runner, Prepares):
            self._runner.expect(self._assignment.sample_limits)
            self._runner.expect(self._assignment.limits)
        with tempfile.TemporaryDirectory(prefix="grader-") as scratch:
            bundle = Path(scratch) / "bundle"
            with self._phase("checking"):
                unpack_bundle(path, bundle, max_mb=self._required.max_upload_mb)
            with self._phase("sample"):
                images, _ = self._assignment.sample()
                limits = self._assignment.sample_limits
                sample = self._run(self._runner, bundle, images, limits, logs=True)
            if sample.verdict != Verdict.OK:
                return self._failed(sample, "sample", sample.log)
            assert sample.labels is not None  # of every run that is OK
            answered = SampleAnswers.of(images, sample.labels, sample.scores)
            with self._phase("hidden"):
                images = self._assignment.test_images()
                hidden = self._run(self._runner, bundle, images, self._assignment.limits)
        if hidden.verdict != Verdict.OK:
            return replace(self._failed(hidden, "hidden", sample.log), sample=answered)
        return replace(self._scored(hidden, sample.log), sample=answered)

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
        lost = self._losses(result)
        lacking = self._lacks_metric(scores)
        if lacking:
            return Evaluation(
                verdict=Verdict.PE, detail=lacking, failed_in="hidden", sample_log=sample_log
            )
        return Evaluation(
            verdict=Verdict.OK,
            predictions=predictions,
            scores=scores,
            flags=(*result.flags, *((FLAG,) if lost and lost.is_flagged else ())),
            sample_log=sample_log,
            facts={**self._facts(result), **(lost.as_facts() if lost else {})},
        )

    def _losses(self, result: RunResult) -> Losses | None:
        """What was lost on the copies with noise, where there were any."""
        if result.labels is None or result.copied_rows is None or result.copied_labels is None:
            return None
        if len(result.copied_rows) == 0:
            return None
        truth = np.empty(len(result.labels), dtype=np.int64)
        truth[self._assignment.rows_in_answers_order()] = self._assignment.answer_key().labels
        rows, first = result.copied_rows, result.copied_first
        lost = losses(result.labels[rows], result.copied_labels, truth[rows])
        return lost if first is None else with_order(lost, result.labels != truth, rows[first])

    def _failed(
        self, result: RunResult, failed_in: Literal["sample", "hidden"], sample_log: str
    ) -> Evaluation:
        return Evaluation(
            verdict=Verdict(result.verdict),
            flags=tuple(result.flags),
            detail=with_data(result.detail, result.said),
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

    def _lacks_metric(self, scores: Scores) -> Message | None:
        """Say why the assignment's metric can't be computed; None where it can."""
        metric = METRICS[self._assignment.scoring.metric]
        try:
            scores.public.metric(metric.name)
            scores.private.metric(metric.name)
        except MetricUnavailable:
            return metric.unavailable
        return None

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        self._on_phase(name)
        start = time.perf_counter()
        try:
            yield
        finally:
            self._timing[name] = round(time.perf_counter() - start, 6)
