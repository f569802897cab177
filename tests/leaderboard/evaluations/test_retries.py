"""A first time-out is tried again once, free, with nothing beside it; whatever dies in between."""

from __future__ import annotations

import re
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from needs import NEEDS_SANDBOX
from small_site import (
    IS_HIDDEN,
    Api,
    Site,
    bundle_zip,
    make_site,
    predictions_csv,
    write_assignment,
)

import grader
from leaderboard import create_app
from leaderboard.evaluations import retries
from leaderboard.models import (
    AuditEvent,
    Cause,
    Evaluation,
    QuotaEntry,
    Submission,
    SubmissionStatus,
)
from leaderboard.queue import estimates

# the hidden run has 80 images, the sample four
LATE_IN_THE_HIDDEN_RUN = f"8 * {IS_HIDDEN}"


@pytest.fixture
def hurried(tmp_path: Path) -> Site:
    """A site whose hidden runs may take four seconds."""
    folder = write_assignment(tmp_path / "animals", daily_limit=3)
    give_time(folder, 4)
    return make_site(tmp_path, folder)


def give_time(folder: Path, seconds: int) -> None:
    toml = folder / "assignment.toml"
    toml.write_text(re.sub(r"wall_seconds = \d+", f"wall_seconds = {seconds}", toml.read_text()))


def late_bundle() -> bytes:
    return bundle_zip(pause=LATE_IN_THE_HIDDEN_RUN)


def history(site: Site, public_id: str) -> list[tuple[Cause, str]]:
    with site.state.database.reading() as session:
        found = session.execute(
            sa.select(Evaluation.cause, Evaluation.verdict)
            .join(Submission, Submission.id == Evaluation.submission_id)
            .where(Submission.public_id == public_id)
            .order_by(Evaluation.number)
        ).all()
    return [(cause, verdict) for cause, verdict in found]


def ledger(site: Site) -> list[int]:
    with site.state.database.reading() as session:
        return list(session.scalars(sa.select(QuotaEntry.amount)))


def is_waiting_for_its_retry(found: Submission) -> bool:
    return found.evaluation_number == 2 and found.status is not SubmissionStatus.FINISHED


@NEEDS_SANDBOX
def test_a_program_that_was_late_once_gets_the_score_of_its_second_try_for_one_charge(
    hurried: Site,
) -> None:
    public_id = hurried.hand_in("ann", late_bundle(), filename="bundle.zip")
    with hurried.worker() as worker:
        waiting = hurried.wait_for(public_id, is_waiting_for_its_retry)
        worker.send_signal(signal.SIGKILL)  # with the retry queued, or just begun
        worker.wait()
    assert waiting.verdict == "TLE"  # published: the student need not wait for it
    assert waiting.current_evaluation is not None
    assert "time limit of 4 s" in waiting.current_evaluation.detail

    give_time(hurried.folder, 60)  # what a quiet machine is to a program, within a test
    hurried.publish(hurried.folder)
    with hurried.worker():
        finished = hurried.wait(public_id)

    assert finished.verdict == "OK"
    assert history(hurried, public_id) == [(Cause.HAND_IN, "TLE"), (Cause.RETRY, "OK")]
    assert (ledger(hurried), finished.counted) == ([1], True)
    with hurried.state.database.reading() as session:
        retried = session.scalars(
            sa.select(AuditEvent.subject).where(AuditEvent.action == "submission.retry")
        ).all()
        causes = [
            event.details["cause"]
            for event in session.scalars(
                sa.select(AuditEvent)
                .where(AuditEvent.action == "evaluation.publish")
                .order_by(AuditEvent.id)
            )
        ]
    assert retried == [public_id]
    assert causes == ["hand_in", "retry"]


@NEEDS_SANDBOX
def test_a_second_time_out_is_final_and_the_pages_say_so(hurried: Site) -> None:
    api = Api(create_app(state=hurried.state).test_client(), hurried.token("ann"))
    public_id = hurried.hand_in("ann", late_bundle(), filename="bundle.zip")
    with hurried.worker():
        hurried.wait_for(public_id, is_waiting_for_its_retry)
        before = api.get(f"/submissions/{public_id}").get_json()
        finished = hurried.wait(public_id)
    after = api.get(f"/submissions/{public_id}").get_json()

    assert (before["verdict"], before["retry"]) in (("TLE", "waiting"), ("TLE", "running"))
    assert (after["verdict"], after["retry"], after["status"]) == ("TLE", "done", "finished")
    assert history(hurried, public_id) == [(Cause.HAND_IN, "TLE"), (Cause.RETRY, "TLE")]
    assert finished.current_evaluation is not None
    assert finished.current_evaluation.number == 1
    assert ledger(hurried) == [1]


def test_a_retry_waits_behind_every_hand_in(site: Site) -> None:
    retried = site.hand_in("ann", predictions_csv(site.folder))
    with site.state.database.write() as session:
        found = session.scalars(sa.select(Submission).filter_by(public_id=retried)).one()
        found.evaluation_number = 2
        site.state.queue.enqueue(session, found, Cause.RETRY)
    later = site.hand_in("bob", predictions_csv(site.folder, wrong=1))

    with site.state.database.reading() as session:
        places = {}
        for public_id in (retried, later):
            found = session.scalars(sa.select(Submission).filter_by(public_id=public_id)).one()
            place = estimates.position(session, found)
            assert place is not None
            places[public_id] = place.place
    assert places == {later: 1, retried: 2}


class Steps:
    """Threads that enter a `Quiet`, one after the other, and stay until they are let go."""

    def __init__(self, quiet: retries.Quiet) -> None:
        self.quiet = quiet
        self.inside: list[str] = []

    def enter(self, name: str, *, alone: bool = False) -> tuple[threading.Event, threading.Event]:
        entered, leave = threading.Event(), threading.Event()

        def run() -> None:
            with self.quiet.alone() if alone else self.quiet.side_by_side():
                self.inside.append(name)
                entered.set()
                leave.wait(30)
                self.inside.remove(name)

        threading.Thread(target=run, daemon=True).start()
        return entered, leave


def test_a_retry_starts_when_the_worker_is_idle_and_others_wait_for_its_end() -> None:
    steps = Steps(retries.Quiet())
    entered, leave = steps.enter("first")
    assert entered.wait(10)
    retry_entered, retry_leave = steps.enter("retry", alone=True)
    late_entered, late_leave = steps.enter("late")

    assert late_entered.wait(10)  # newcomers overtake a retry that waits
    assert not retry_entered.wait(0.1)
    leave.set()
    assert not retry_entered.wait(0.1)
    late_leave.set()
    assert retry_entered.wait(10)
    last_entered, last_leave = steps.enter("last")
    assert not last_entered.wait(0.1)
    assert steps.inside == ["retry"]
    retry_leave.set()
    assert last_entered.wait(10)
    last_leave.set()


def test_a_retry_that_was_patient_goes_before_newcomers() -> None:
    steps = Steps(retries.Quiet(patience_seconds=0))
    entered, leave = steps.enter("first")
    assert entered.wait(10)
    retry_entered, retry_leave = steps.enter("retry", alone=True)
    assert not retry_entered.wait(0.2)
    late_entered, late_leave = steps.enter("late")

    assert not late_entered.wait(0.2)
    leave.set()
    assert retry_entered.wait(10)
    retry_leave.set()
    assert late_entered.wait(10)
    late_leave.set()


def test_only_a_time_out_of_the_hidden_run_is_tried_again() -> None:
    def due(cause: Cause, verdict: grader.Verdict, failed_in: Any = "hidden") -> bool:
        return retries.is_due(cause, grader.Evaluation(verdict=verdict, failed_in=failed_in))

    assert due(Cause.HAND_IN, grader.Verdict.TLE)
    assert due(Cause.RERUN, grader.Verdict.TLE)
    assert not due(Cause.RETRY, grader.Verdict.TLE)
    assert not due(Cause.HAND_IN, grader.Verdict.TLE, "sample")
    assert not due(Cause.HAND_IN, grader.Verdict.MLE)
    assert not due(Cause.RESCORE, grader.Verdict.OK, None)
