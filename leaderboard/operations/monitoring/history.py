"""What was evaluated so far, counted from the rows: the same in each process, and after a restart.

A process reads each row once. The newest rows are read again, since one with a smaller number may
be committed later.
"""

from __future__ import annotations

import threading
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from grader import Verdict
from leaderboard.db import utcnow
from leaderboard.models import Cause, Evaluation
from leaderboard.operations.monitoring.exposition import Histogram
from leaderboard.operations.monitoring.facts import fault_cause

PHASES: Final = ("checking", "sample", "hidden", "scoring")
WHOLE: Final = "evaluation"
SECONDS: Final = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 1800.0)
_SETTLED: Final = timedelta(minutes=5)
_COLUMNS: Final = (
    Evaluation.id,
    Evaluation.verdict,
    Evaluation.cause,
    Evaluation.timing,
    Evaluation.created_at,
)


@dataclass(kw_only=True)
class Totals:
    """Evaluations by verdict and cause, failures of ours by class, seconds by phase."""

    verdicts: Counter[tuple[str, str]] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    phases: dict[str, Histogram] = field(
        default_factory=lambda: {name: Histogram(SECONDS) for name in (*PHASES, WHOLE)}
    )

    def take(self, row: sa.Row[Any], fault: str) -> None:
        """Count one evaluation; `fault` is the class of an IE's failure."""
        self.verdicts[row.verdict, row.cause.value] += 1
        if fault:
            self.faults[fault] += 1
        if row.cause is Cause.RESCORE:
            return  # it has the times of the run whose predictions it scores
        for name in PHASES:
            if name in row.timing:
                self.phases[name].observe(row.timing[name])
        if "evaluation_seconds" in row.timing:
            self.phases[WHOLE].observe(row.timing["evaluation_seconds"])


class History:
    """The totals of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._settled = Totals()
        self._upto = 0  # the last evaluation that is counted for good

    def totals(self, session: Session) -> Totals:
        """Everything so far. Reads only."""
        with self._lock:
            before = utcnow() - _SETTLED
            rows = session.execute(
                sa.select(*_COLUMNS).where(Evaluation.id > self._upto).order_by(Evaluation.id)
            ).all()
            faults = _fault_classes(session, self._upto)
            settled = 0
            while settled < len(rows) and rows[settled].created_at < before:
                self._settled.take(rows[settled], faults.get(rows[settled].id, ""))
                self._upto = rows[settled].id
                settled += 1
            totals = deepcopy(self._settled)
        for row in rows[settled:]:
            totals.take(row, faults.get(row.id, ""))
        return totals


def _fault_classes(session: Session, after: int) -> dict[int, str]:
    found = session.execute(
        sa.select(Evaluation.id, Evaluation.facts).where(
            Evaluation.id > after, Evaluation.verdict == Verdict.IE.value
        )
    )
    return {number: fault_cause(facts) for number, facts in found}
