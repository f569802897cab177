"""Withdrawing what waits or runs: by whom, at what cost, and whatever else happens meanwhile."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from needs import NEEDS_SANDBOX
from signing_in import signed_in
from small_site import (
    Api,
    Site,
    bundle_zip,
    predictions_csv,
    write_assignment,
)

from leaderboard import create_app
from leaderboard.errors import NotAllowedNow
from leaderboard.evaluations import evaluate, publishing
from leaderboard.models import (
    AuditEvent,
    Cause,
    Evaluation,
    QuotaEntry,
    Role,
    Submission,
    SubmissionStatus,
)
from leaderboard.queue.durable import Job
from leaderboard.submissions import accept, cancelling

As = Callable[..., Api]
LOOPS = "while True:\n    pass\n"


@pytest.fixture
def assignment_folder(tmp_path: Path) -> Path:
    return write_assignment(tmp_path / "animals", daily_limit=5)


def cancel(site: Site, public_id: str, name: str = "ann") -> None:
    is_staff = name == "staff"
    actor = site.person(name, Role.ASSISTANT if is_staff else Role.STUDENT)
    with site.state.database.session() as session:
        found = session.scalars(sa.select(Submission).filter_by(public_id=public_id)).one()
        cancelling.cancel(session, found, actor=actor, is_staff=is_staff)


def rejudge(site: Site, public_id: str, cause: Cause) -> None:
    with site.state.database.session() as session:
        found = session.scalars(sa.select(Submission).filter_by(public_id=public_id)).one()
        accept.rejudge(session, site.state, found, cause=cause, actor=None)


def set_running(site: Site, public_id: str, phase: str) -> None:
    """As a worker leaves it while it is in this phase."""
    with site.state.database.write() as session:
        session.execute(
            sa.update(Submission)
            .where(Submission.public_id == public_id)
            .values(status=SubmissionStatus.RUNNING, phase=phase, claimed_by="worker")
        )


def ledger(site: Site, public_id: str) -> list[int]:
    with site.state.database.reading() as session:
        return list(
            session.scalars(
                sa.select(QuotaEntry.amount)
                .join(Submission, Submission.id == QuotaEntry.submission_id)
                .where(Submission.public_id == public_id)
                .order_by(QuotaEntry.id)
            )
        )


def count(site: Site, table: type[Evaluation] | type[AuditEvent], **columns: str) -> int:
    with site.state.database.reading() as session:
        counted = sa.select(sa.func.count()).select_from(table).filter_by(**columns)
        return session.scalar(counted) or 0


def test_a_waiting_submission_is_withdrawn_once_and_given_back(site: Site, api: As) -> None:
    public_id = site.hand_in("ann", predictions_csv(site.folder))

    for _ in range(2):
        reply = api("ann").post(f"/submissions/{public_id}/cancel")
        assert reply.status_code == 200
        assert (reply.get_json()["status"], reply.get_json()["verdict"]) == ("cancelled", None)
    site.score(public_id)  # its place in the queue comes up all the same

    assert site.submission(public_id).status is SubmissionStatus.CANCELLED
    assert ledger(site, public_id) == [1, -1]
    assert count(site, AuditEvent, action="submission.cancel") == 1
    assert count(site, Evaluation) == 0
    quota = api("ann").get("/courses/dl-1/assignments/animals/quota").get_json()
    assert (quota["used"], quota["remaining"]) == (0, 5)


def test_what_has_a_result_is_not_withdrawn(site: Site, api: As) -> None:
    public_id = site.hand_in("ann", predictions_csv(site.folder))
    site.score(public_id)

    reply = api("ann").post(f"/submissions/{public_id}/cancel")

    assert (reply.status_code, reply.get_json()["code"]) == (409, "not_allowed_now")
    assert site.submission(public_id).verdict == "OK"
    assert ledger(site, public_id) == [1]


@pytest.mark.parametrize(
    ("phase", "entries"),
    [("checking", [1, -1]), ("sample", [1, -1]), ("hidden", [1]), ("scoring", [1])],
)
def test_code_costs_nothing_until_it_runs_on_hidden_images(
    site: Site, phase: str, entries: list[int]
) -> None:
    public_id = site.hand_in("ann", bundle_zip(), filename="bundle.zip")
    set_running(site, public_id, phase)

    cancel(site, public_id)

    found = site.submission(public_id)
    assert (found.status, found.claimed_by) == (SubmissionStatus.CANCELLED, None)
    assert found.counted == (entries == [1])
    assert ledger(site, public_id) == entries


def test_a_worker_publishes_nothing_of_what_was_withdrawn_meanwhile(site: Site) -> None:
    public_id = site.hand_in("ann", predictions_csv(site.folder))
    job = Job(submission_id=site.submission(public_id).id, number=1, attempt=0)
    worker = evaluate.Worker(incarnation="here", runner=None)
    claimed = evaluate.claim(site.state, worker, job)
    assert claimed is not None
    outcome = evaluate.run(site.state, worker, job, claimed)

    cancel(site, public_id)

    with site.state.database.write() as session, pytest.raises(publishing.Stale):
        publishing.publish(session, site.state, job, outcome, claimed_by="here")
    publishing.note_fault(site.state, job, "it broke", claimed_by="here")
    assert evaluate.claim(site.state, worker, job) is None
    assert site.submission(public_id).status is SubmissionStatus.CANCELLED
    assert count(site, Evaluation) == 0
    assert ledger(site, public_id) == [1, -1]


def test_of_a_result_and_a_withdrawal_at_once_exactly_one_wins(site: Site) -> None:
    won = set()
    for number in range(5):
        public_id = site.hand_in("ann", predictions_csv(site.folder, wrong=number))
        refused: list[Exception] = []

        def withdraw(public_id: str = public_id, refused: list[Exception] = refused) -> None:
            try:
                cancel(site, public_id)
            except NotAllowedNow as error:
                refused.append(error)

        threads = [
            threading.Thread(target=withdraw),
            threading.Thread(target=site.score, args=(public_id,)),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = site.submission(public_id)
        won.add(found.status)
        is_scored = found.status is SubmissionStatus.FINISHED
        assert is_scored == bool(refused) == (found.current_evaluation is not None)
        assert ledger(site, public_id) == ([1] if is_scored else [1, -1])
    assert won <= {SubmissionStatus.FINISHED, SubmissionStatus.CANCELLED}


@NEEDS_SANDBOX
def test_a_program_that_runs_is_ended_and_its_worker_goes_on(site: Site) -> None:
    public_id = site.hand_in("ann", bundle_zip(break_it=LOOPS), filename="bundle.zip")

    with site.worker(LEADERBOARD_WORKER_CONCURRENCY="1"):
        site.wait_for(public_id, lambda found: found.phase == "sample")
        cancel(site, public_id)
        # the loop alone would keep the only place for a minute
        after = site.hand_in("bob", bundle_zip(), filename="bundle.zip")
        assert site.wait(after, seconds=45).verdict == "OK"

    found = site.submission(public_id)
    assert (found.status, found.failed_attempts) == (SubmissionStatus.CANCELLED, 0)
    assert ledger(site, public_id) == [1, -1]


def test_stopping_a_rejudge_leaves_the_result_and_is_for_staff(site: Site) -> None:
    public_id = site.hand_in("ann", predictions_csv(site.folder, wrong=9))
    site.score(public_id)
    before = site.submission(public_id)
    rejudge(site, public_id, Cause.RERUN)

    with pytest.raises(NotAllowedNow):
        cancel(site, public_id)
    cancel(site, public_id, "staff")
    stopped = site.submission(public_id)
    rejudge(site, public_id, Cause.RESCORE)
    site.score(public_id)

    assert (stopped.status, stopped.verdict) == (SubmissionStatus.FINISHED, "OK")
    assert stopped.current_evaluation_id == before.current_evaluation_id
    assert stopped.evaluation_cause is Cause.HAND_IN
    assert site.submission(public_id).verdict == "OK"
    assert count(site, Evaluation) == 2
    assert ledger(site, public_id) == [1]


def test_staff_can_rerun_what_was_withdrawn_by_mistake_at_no_cost(site: Site) -> None:
    public_id = site.hand_in("ann", predictions_csv(site.folder))
    cancel(site, public_id)

    with pytest.raises(NotAllowedNow):
        rejudge(site, public_id, Cause.RESCORE)
    rejudge(site, public_id, Cause.RERUN)
    with pytest.raises(NotAllowedNow):
        cancel(site, public_id)  # it is staff's now
    site.score(public_id)

    assert site.submission(public_id).verdict == "OK"
    assert ledger(site, public_id) == [1, -1]


def test_the_page_has_a_button_that_needs_no_script(site: Site) -> None:
    public_id = site.hand_in("ann", predictions_csv(site.folder))
    app: Flask = create_app(state=site.state)
    ann = signed_in(app, "ann")
    page = ann.get(f"/s/{public_id}").text
    form = re.search(rf'action="/s/{public_id}/cancel".*?value="([^"]+)"', page, re.DOTALL)
    assert form is not None

    sent = ann.post(f"/s/{public_id}/cancel", data={"csrf_token": form[1]})
    shown = ann.get(sent.location).text

    assert sent.status_code == 303
    assert "This submission was withdrawn before it was scored." in shown
    assert "/cancel" not in shown
    site.person("staff", Role.ASSISTANT)
    assert 'value="rerun"' in signed_in(app, "staff").get(f"/s/{public_id}").text
