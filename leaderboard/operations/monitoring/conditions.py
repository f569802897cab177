"""The six conditions that staff are told of, and that alert: with the bounds of alerts.yml."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from leaderboard.models import Condition
from leaderboard.operations.monitoring.facts import Facts

QUEUE_SECONDS: Final = 30 * 60
BACKUP_SECONDS: Final = 2 * 24 * 3600
_DISK_TIMES: Final = 2


@dataclass(frozen=True, kw_only=True, order=True)
class Occurrence:
    """A condition that holds; `lane` where it is of one."""

    condition: Condition
    lane: str = ""


def holding(facts: Facts) -> frozenset[Occurrence]:
    """Everything that is wrong at this moment."""
    return frozenset(_all(facts))


def _all(facts: Facts) -> Iterator[Occurrence]:
    if sum(facts.faults_lately.values()) > 0:
        yield Occurrence(condition=Condition.INTERNAL_ERRORS)
    for lane, each in facts.lanes.items():
        if each.oldest_seconds > QUEUE_SECONDS:
            yield Occurrence(condition=Condition.QUEUE_OLD, lane=lane.value)
        if each.waiting > 0 and each.workers == 0:
            yield Occurrence(condition=Condition.NO_WORKER, lane=lane.value)
    backup = facts.backup
    if backup is not None and (backup.failed or backup.age_seconds > BACKUP_SECONDS):
        yield Occurrence(condition=Condition.BACKUP)
    if facts.disk_free_bytes < _DISK_TIMES * facts.disk_limit_bytes:
        yield Occurrence(condition=Condition.DISK)
    if facts.drifted:
        yield Occurrence(condition=Condition.DRIFT)
