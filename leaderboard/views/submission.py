"""The shapes of a submission: its report for its team and for staff, and what they are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from grader import Owner
from grader.metric_list import EVERY
from grader.scoring.scoring import ClassScore
from leaderboard.evaluations import retries
from leaderboard.models import Cause, Kind, Lane, SubmissionStatus
from leaderboard.rules.quotas import Quota
from leaderboard.views.shapes import OMITTED, Beside

_TEXT: Final = {"type": "string"}
_MOMENT: Final = {**_TEXT, "format": "date-time"}
# what the signature is over is kept and shown as it is: a member less, and it would not hold
_RECEIPT: Final[Mapping[str, Any]] = {
    "required": ["id", "sha256", "accepted_at", "key_id", "signature"],
    "properties": {
        "id": _TEXT,
        "course": _TEXT,
        "assignment": _TEXT,
        "sha256": _TEXT,
        "size_bytes": {"type": "integer"},
        "upload_started_at": _MOMENT,
        "accepted_at": _MOMENT,
        "key_id": _TEXT,
        "signature": _TEXT,
    },
}
SAID: Final[Mapping[str, Any]] = {
    "required": ["code", "values"],
    "properties": {"code": _TEXT, "values": {"type": "object"}},
    "description": "code and values of the sentence of that name, to be worded in any language",
}
_PROBLEMS: Final[Mapping[str, Any]] = {
    "items": {
        "type": "object",
        "required": ["kind", "line", "column", "count", "message", "hint"],
        "properties": {
            "kind": _TEXT,
            "line": {"type": ["integer", "null"]},
            "column": {"type": ["string", "null"]},
            "count": {"type": "integer"},
            "message": _TEXT,
            "hint": _TEXT,
            "message_said": {"type": ["object", "null"], **SAID},
            "hint_said": {"type": ["object", "null"], **SAID},
        },
    }
}
_MISTAKE: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["slip", "sentence"],
    "properties": {"slip": _TEXT, "sentence": _TEXT},
    "additionalProperties": {"type": ["integer", "string"]},  # the numbers that make it fit
}
Phase = Literal["", "checking", "sample", "hidden", "scoring"]
Declared = Literal["pretrained", "external_data"]
Intervals = Mapping[str, list[float]]
"""Metric → [low, high], 95 %."""


@dataclass(frozen=True, kw_only=True)
class ClassLine(ClassScore):
    """How well one class was told from the others; `roc` only where the reader may see curves."""

    roc: Annotated[tuple[float, ...] | None, OMITTED] = None


@dataclass(frozen=True, kw_only=True)
class Score:
    """The figures of one part of the test set, as far as the reader may see them."""

    n: int
    # metric → value; None where the board's mode keeps it back, or nothing determines it
    figures: Annotated[Mapping[str, float | None], Beside(EVERY)]
    intervals: Annotated[Intervals | None, OMITTED] = None
    per_class: Annotated[tuple[ClassLine, ...] | None, OMITTED] = None
    # a row a true class; lists, as they are stored
    confusion: Annotated[list[list[int]] | None, OMITTED] = None


@dataclass(frozen=True, kw_only=True)
class WholeScore(Score):
    """All figures of one part of the test set: what staff see."""

    per_class: tuple[ClassLine, ...]
    confusion: list[list[int]]
    intervals: Intervals


@dataclass(frozen=True, kw_only=True)
class QueuePlace:
    """Where a submission waits; `nobody` names the lane where no worker lives that could take
    it."""

    place: int
    eta_seconds: float | None
    nobody: Lane | None


@dataclass(frozen=True, kw_only=True)
class ClaimFinding:
    """One claim held against what was measured; `others` would explain the same claims."""

    metric: str
    claimed: str
    measured: float | None
    margin: float | None
    agrees: bool
    cut_off: bool
    explanation: Annotated[Sequence[Any], {"items": _MISTAKE}]
    others: Annotated[Sequence[Any], {"items": {"type": "array", "items": _MISTAKE}}]
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Voided:
    """That a submission counts no more, by the course staff's decision, and why."""

    at: datetime
    reason: str


@dataclass(frozen=True, kw_only=True)
class SubmissionReport:
    """A submission as its team may see it; times are aware, UTC."""

    id: str
    assignment: str
    assignment_title: str
    course: str
    time_zone: str  # the course's
    team: str
    kind: Kind
    filename: str
    size_bytes: int
    message: str
    status: SubmissionStatus
    phase: Phase
    verdict: str | None
    verdict_title: str
    verdict_owner: Owner | None
    detail: str
    detail_said: Annotated[Mapping[str, Any] | None, SAID]
    failed_in: str | None
    problems: Annotated[Sequence[Mapping[str, Any]], _PROBLEMS]
    flags: Sequence[str]
    metric: str
    public: Score | None
    private: Score | None  # None before the release
    queue: QueuePlace | None
    retry: retries.State | None  # of a time-out
    can_cancel: bool  # by whoever reads this
    quota: Quota
    sample_log: str  # so far, while it runs
    timing: Mapping[str, Any]  # what the run took: for its team coarse
    facts: Mapping[str, Any]  # what the model costs: for its team what the board shows
    upload_started_at: datetime
    accepted_at: datetime
    finished_at: datetime | None
    is_late: bool
    days_late: int
    late_days_spent: int
    penalty_days: int  # those that no late day paid
    counted: bool
    is_final_pick: bool
    voided: Voided | None
    case: Annotated[int | None, {"description": "the number of the case its team was told of"}]
    claims: Annotated[Mapping[str, str], {"description": "metric → as the report prints it"}]
    declared: Sequence[Declared] | None
    claim_findings: tuple[ClaimFinding, ...]
    receipt: Annotated[Mapping[str, Any], _RECEIPT]
    revision: int
    # of the hand-in, in its reply alone
    warnings: Annotated[tuple[str, ...] | None, OMITTED] = None
    warnings_said: Annotated[Sequence[Mapping[str, Any]] | None, OMITTED] = None


@dataclass(frozen=True, kw_only=True)
class Person:
    """Who handed in; for staff."""

    name: str
    email: str


@dataclass(frozen=True, kw_only=True)
class EvaluationEntry:
    """One evaluation of a submission's history; `fault` of an IE is the reason."""

    number: int
    cause: Cause
    verdict: str
    fault: str
    created_at: datetime
    code_version: str
    environment: Mapping[str, Any]
    answers_sha256: str
    predictions_sha256: str | None


@dataclass(frozen=True, kw_only=True)
class StaffReport(SubmissionReport):
    """A submission as staff see it: both splits in full, the person, the history."""

    user: Person
    failed_attempts: int
    evaluations: tuple[EvaluationEntry, ...]


@dataclass(frozen=True, kw_only=True)
class Pulse:
    """What of a report changes while it is waited for; hundreds of live pages ask for it."""

    revision: int
    status: SubmissionStatus
    phase: Phase
    queue: QueuePlace | None
    log: str
