"""The numbers of `/metrics` that the database knows, and this machine's disk and backups."""

from __future__ import annotations

from collections.abc import Iterator

from leaderboard.operations.monitoring.exposition import Family, family, histograms
from leaderboard.operations.monitoring.facts import LATELY, Facts
from leaderboard.operations.monitoring.history import Totals


def families(facts: Facts, totals: Totals) -> tuple[Family, ...]:
    """Everything but HTTP, which each web process counts for itself."""
    return (*_of_queue(facts), *_of_machine(facts), *_of_evaluations(totals))


def _of_queue(facts: Facts) -> Iterator[Family]:
    lanes = {lane.value: each for lane, each in facts.lanes.items()}
    for name, help_, values in (
        ("queue_waiting", "Submissions that wait for a worker.", "waiting"),
        ("queue_running", "Submissions that a worker has.", "running"),
        (
            "queue_oldest_seconds",
            "How long the oldest hand-in waits; no rejudges.",
            "oldest_seconds",
        ),
        ("workers", "Workers with a recent sign of life that take this lane.", "workers"),
    ):
        samples = [({"lane": lane}, getattr(each, values)) for lane, each in lanes.items()]
        yield family(f"leaderboard_{name}", "gauge", help_, samples)
    warm = facts.warm_sandboxes
    yield _gauge("warm_sandboxes", "Sandboxes that workers keep ready.", warm)
    yield family(
        "leaderboard_internal_errors_lately",
        "gauge",
        f"IE in the last {LATELY.total_seconds() / 60:.0f} minutes: each failed three times.",
        [({"cause": cause}, count) for cause, count in facts.faults_lately.items()],
    )
    if facts.drifted is not None:
        name, help_ = "baselines_drifted", "1: the last nightly rerun moved or failed."
        yield _gauge(name, help_, facts.drifted)


def _of_machine(facts: Facts) -> Iterator[Family]:
    free, limit = facts.disk_free_bytes, facts.disk_limit_bytes
    yield _gauge("disk_free_bytes", "Free where uploads arrive and files are kept.", free)
    yield _gauge("disk_limit_bytes", "Uploads are refused below this.", limit)
    backup = facts.backup
    if backup is None:
        return
    help_ = "Age of this machine's last backup; of the server where none was made."
    yield _gauge("backup_age_seconds", help_, backup.age_seconds)
    yield _gauge(
        "backup_failed", "1: a backup failed, or lacks files, since the last.", backup.failed
    )


def _of_evaluations(totals: Totals) -> Iterator[Family]:
    yield family(
        "leaderboard_evaluations_total",
        "counter",
        "Evaluations that ended, by verdict and by why they were made.",
        [
            ({"verdict": verdict, "cause": cause}, count)
            for (verdict, cause), count in sorted(totals.verdicts.items())
        ],
    )
    yield family(
        "leaderboard_internal_errors_total",
        "counter",
        "Evaluations that ended as IE, by what failed.",
        [({"cause": cause}, count) for cause, count in sorted(totals.faults.items())],
    )
    yield histograms(
        "leaderboard_phase_seconds",
        "Seconds of an evaluation's phases; the phase `evaluation` is all of it.",
        [({"phase": phase}, one) for phase, one in totals.phases.items()],
    )


def _gauge(name: str, help_: str, value: float) -> Family:
    return family(f"leaderboard_{name}", "gauge", help_, [({}, value)])
