"""From the queue to a published result, with real worker processes."""

from __future__ import annotations

import shutil
import signal
import sys
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
    answers,
    bundle_zip,
    make_site,
    predictions_csv,
    write_assignment,
)

import grader
from leaderboard.db import utcnow
from leaderboard.errors import NotAllowedNow, SandboxMissing
from leaderboard.evaluations import evaluate, publishing
from leaderboard.models import (
    AuditEvent,
    Cause,
    Evaluation,
    NightlyRun,
    QuotaEntry,
    Role,
    Split,
    SplitScore,
    Standing,
    Submission,
    SubmissionStatus,
    Worker,
)
from leaderboard.queue import workers
from leaderboard.queue.durable import Job
from leaderboard.submissions import accept
from leaderboard.worker import _find_runner

FAST = {
    "LEADERBOARD_HEARTBEAT_SECONDS": "0.5",
    "LEADERBOARD_DEAD_AFTER_SECONDS": "2",
    "LEADERBOARD_RETRY_SECONDS": "0",
}


def scores(site: Site, public_id: str) -> dict[str, float]:
    evaluation = site.submission(public_id).current_evaluation
    assert evaluation is not None
    return {score.split.value: score.primary for score in evaluation.splits}


def evaluations_of(site: Site, public_id: str) -> list[Evaluation]:
    with site.state.database.reading() as session:
        found = session.scalars(
            sa.select(Evaluation)
            .join(Submission, Submission.id == Evaluation.submission_id)
            .where(Submission.public_id == public_id)
            .order_by(Evaluation.number)
        ).all()
        session.expunge_all()
        return list(found)


def test_a_csv_is_scored_as_the_grader_scores_it_and_stands_on_the_board(site: Site) -> None:
    content = predictions_csv(site.folder, wrong=20)
    public_id = site.hand_in("ann", content)

    with site.worker():
        submission = site.wait(public_id)

    assignment = grader.Assignment.load(site.folder)
    expected = grader.score(
        grader.parse_predictions(content, assignment.expected()), assignment.answer_key()
    )
    assert submission.verdict == "OK"
    assert scores(site, public_id) == {
        "public": expected.public.accuracy,
        "private": expected.private.accuracy,
    }
    evaluation = submission.current_evaluation
    assert evaluation is not None
    assert evaluation.predictions_sha256 is not None
    kept = grader.Predictions.from_bytes(site.state.blobs.read(evaluation.predictions_sha256))
    assert grader.score(kept, assignment.answer_key()).public.accuracy == expected.public.accuracy
    with site.state.database.reading() as session:
        standings = session.scalars(sa.select(Standing)).all()
        assert {each.split for each in standings} == {Split.PUBLIC, Split.PRIVATE}


@NEEDS_SANDBOX
def test_code_and_csv_of_one_model_score_the_same_and_a_kill_of_the_worker_goes_unnoticed(
    site: Site,
) -> None:
    csv = site.hand_in("ann", predictions_csv(site.folder))
    public_id = site.hand_in("ann", bundle_zip(pause=2), filename="bundle.zip")

    with site.worker(LEADERBOARD_WARM_SANDBOXES="2") as worker:
        site.wait_for(public_id, lambda found: found.phase == "hidden")
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    interrupted = site.submission(public_id)
    with site.worker():
        submission = site.wait(public_id)

    assert interrupted.status is SubmissionStatus.RUNNING  # never a failure
    assert submission.verdict == "OK"
    assert scores(site, public_id) == scores(site, csv) == {"public": 1.0, "private": 1.0}
    made = evaluations_of(site, public_id)
    assert [each.verdict for each in made] == ["OK"]
    with site.state.database.reading() as session:
        rows = session.scalar(
            sa.select(sa.func.count())
            .select_from(SplitScore)
            .where(SplitScore.evaluation_id == made[0].id)
        )
    assert rows == 2


@NEEDS_SANDBOX
def test_a_failed_sample_run_shows_its_log_and_is_free(tmp_path: Path) -> None:
    site = make_site(tmp_path, write_assignment(tmp_path / "animals", daily_limit=3))
    public_id = site.hand_in(
        "ann", bundle_zip(break_it="raise ValueError('my own bug')\n"), filename="bundle.zip"
    )
    assert site.submission(public_id).counted

    with site.worker():
        submission = site.wait(public_id)

    evaluation = submission.current_evaluation
    assert evaluation is not None
    assert (submission.verdict, evaluation.failed_in) == ("CE", "sample")
    assert "my own bug" in evaluation.sample_log
    assert not submission.counted
    with site.state.database.reading() as session:
        ledger = session.scalars(sa.select(QuotaEntry.amount).order_by(QuotaEntry.id)).all()
    assert ledger == [1, -1]


def test_another_worker_takes_over_from_a_dead_one(site: Site) -> None:
    public_id = site.hand_in("ann", predictions_csv(site.folder))
    with site.state.database.write() as session:  # as a machine left it that lost its power
        workers.announce(
            session,
            executor_id="gone:1",
            incarnation="gone",
            concurrency=1,
            facts={},
            now=utcnow().replace(year=2020),
        )
        session.execute(
            sa.update(Submission).values(status=SubmissionStatus.RUNNING, claimed_by="gone")
        )
        session.execute(
            sa.text("UPDATE workflow_status SET status = 'PENDING', executor_id = 'gone:1'")
        )

    with site.worker("2", **FAST):
        submission = site.wait(public_id)

    assert submission.verdict == "OK"


def test_a_worker_that_was_cut_off_cannot_publish(site: Site) -> None:
    public_id = site.hand_in("ann", predictions_csv(site.folder))
    submission = site.submission(public_id)
    job = Job(submission_id=submission.id, number=1, attempt=0)
    cut_off = evaluate.Worker(incarnation="cut-off", runner=None)
    claimed = evaluate.claim(site.state, cut_off, job)
    assert claimed is not None
    outcome = evaluate.run(site.state, cut_off, job, claimed)

    evaluate.evaluate(site.state, evaluate.Worker(incarnation="successor", runner=None), job)
    with site.state.database.write() as session, pytest.raises(publishing.Stale):
        publishing.publish(session, site.state, job, outcome, claimed_by="cut-off")
    evaluate.evaluate(site.state, cut_off, job)  # the same job again: nothing to do

    assert site.submission(public_id).verdict == "OK"
    assert len(evaluations_of(site, public_id)) == 1


def test_a_fault_of_ours_is_retried_then_refunded_and_reported_never_the_students(
    tmp_path: Path,
) -> None:
    site = make_site(tmp_path, write_assignment(tmp_path / "animals", daily_limit=3))
    before = set(site.state.blobs.folder.glob("*/*"))
    public_id = site.hand_in("ann", predictions_csv(site.folder))
    for damaged in set(site.state.blobs.folder.glob("*/*")) - before:  # the file and what was read
        damaged.chmod(0o600)
        damaged.write_bytes(b"rotten")

    with site.worker(**FAST):
        submission = site.wait(public_id)

    assert (submission.verdict, submission.failed_attempts) == ("IE", 3)
    assert not submission.counted
    with site.state.database.reading() as session:
        alerts = session.scalars(
            sa.select(AuditEvent).where(AuditEvent.action == "alert.internal_error")
        ).all()
    assert [alert.subject for alert in alerts] == [public_id]


def test_the_reason_of_a_fault_of_ours_is_for_staff_and_never_for_the_student(
    site: Site, app: Flask, api: Callable[..., Api]
) -> None:
    public_id = site.hand_in("ann", predictions_csv(site.folder))
    submission_id = site.submission(public_id).id
    for attempt in range(3):
        job = Job(submission_id=submission_id, number=1, attempt=attempt)
        publishing.note_fault(site.state, job, "PlatformFault: no room on /var/lib/runs")
    site.person("staff", Role.ASSISTANT)
    staff, pages = api("staff", staff=True), signed_in(app, "staff")

    (made,) = staff.get(f"/submissions/{public_id}").get_json()["evaluations"]
    told = [
        api("ann").get(f"/submissions/{public_id}").text,
        signed_in(app, "ann").get(f"/s/{public_id}").text,
    ]

    assert (made["verdict"], made["fault"]) == ("IE", "PlatformFault: no room on /var/lib/runs")
    assert "no room on" in pages.get(f"/s/{public_id}").text
    assert "no room on" in pages.get("/staff/c/dl-1/a/animals/").text
    assert not any("no room on" in each for each in told)


@NEEDS_SANDBOX
def test_the_seed_of_the_secret_order_is_on_record_for_staff_alone(
    site: Site, api: Callable[..., Api]
) -> None:
    public_id = site.hand_in("ann", bundle_zip(), filename="bundle.zip")
    with site.worker():
        site.wait(public_id)
    site.person("staff", Role.ASSISTANT)

    facts = api("staff", staff=True).get(f"/submissions/{public_id}").get_json()["facts"]

    assert int(facts["order_seed"], 16) > 0
    assert facts["order_seed"] not in api("ann").get(f"/submissions/{public_id}").text


def test_work_that_vanished_from_the_queue_is_found_and_done(site: Site) -> None:
    public_id = site.hand_in("ann", predictions_csv(site.folder))
    with site.state.database.write() as session:
        session.execute(sa.text("DELETE FROM workflow_status"))
        session.execute(sa.update(Submission).values(accepted_at=utcnow().replace(year=2020)))

    with site.worker(**FAST):
        submission = site.wait(public_id)

    assert submission.verdict == "OK"


def test_a_rescore_uses_the_stored_predictions_and_a_rerun_comes_to_the_same(site: Site) -> None:
    public_id = site.hand_in("ann", predictions_csv(site.folder, wrong=9))
    with site.worker():
        site.wait(public_id)
        before = scores(site, public_id)
        for number, cause in ((2, Cause.RESCORE), (3, Cause.RERUN)):
            with site.state.database.session() as session:
                found = session.scalars(sa.select(Submission).filter_by(public_id=public_id)).one()
                accept.rejudge(session, site.state, found, cause=cause, actor=None)
                assert found.current_evaluation_id is not None  # the present result stands
                with pytest.raises(NotAllowedNow):
                    accept.rejudge(session, site.state, found, cause=cause, actor=None)
            site.wait_for(
                public_id,
                lambda found, number=number: (
                    found.current_evaluation is not None
                    and found.current_evaluation.number == number
                ),
            )
            assert scores(site, public_id) == before

    assert [each.cause for each in evaluations_of(site, public_id)] == [
        Cause.HAND_IN,
        Cause.RESCORE,
        Cause.RERUN,
    ]


def test_a_rescore_after_the_answers_were_corrected_changes_the_score(
    site: Site, tmp_path: Path
) -> None:
    public_id = site.hand_in("ann", predictions_csv(site.folder))
    with site.worker():
        site.wait(public_id)
        corrected = tmp_path / "corrected"
        shutil.copytree(site.folder, corrected)
        truth = answers(site.folder)
        swap = {0: 1, 1: 0}
        rows = [f"{name},{swap.get(label, label)}" for name, label in truth.items()]
        (corrected / "answers.csv").write_text("id,label\n" + "\n".join(rows) + "\n")
        site.publish(corrected)
        with site.state.database.session() as session:
            found = session.scalars(sa.select(Submission).filter_by(public_id=public_id)).one()
            accept.rejudge(session, site.state, found, cause=Cause.RESCORE, actor=None)
        site.wait(public_id)

    made = evaluations_of(site, public_id)
    assert made[0].answers_sha256 != made[1].answers_sha256
    with site.state.database.reading() as session:
        by_number = [
            session.scalars(
                sa.select(SplitScore.primary).filter_by(evaluation_id=each.id, split=Split.PUBLIC)
            ).one()
            for each in made
        ]
    assert by_number == [1.0, 0.5]


def test_a_flood_of_one_team_delays_itself_and_not_another(site: Site) -> None:
    flood = [site.hand_in("ann", predictions_csv(site.folder, wrong=n)) for n in range(6)]
    single = site.hand_in("bob", predictions_csv(site.folder))

    places = {}
    from leaderboard.queue import estimates

    with site.state.database.reading() as session:
        for public_id in [*flood, single]:
            found = session.scalars(sa.select(Submission).filter_by(public_id=public_id)).one()
            place = estimates.position(session, found)
            assert place is not None
            places[public_id] = place.place
    assert places[single] == 2
    assert [places[each] for each in flood] == [1, 3, 4, 5, 6, 7]


def test_the_nightly_rerun_is_scheduled_runs_its_command_and_is_on_record(
    tmp_path: Path,
) -> None:
    site = make_site(tmp_path, write_assignment(tmp_path / "animals"))
    command = f"{sys.executable} -c \"print('unchanged: lenet5')\""

    from leaderboard.evaluations import nightly
    from leaderboard.state import open_state

    with site.worker(
        LEADERBOARD_NIGHTLY_COMMAND=command, LEADERBOARD_NIGHTLY_CRON="30 2 * * *", **FAST
    ):
        site.wait(site.hand_in("ann", predictions_csv(site.folder)))
        schedule = site.state.queue.nightly_schedule()
    assert schedule is not None
    assert (schedule.cron, schedule.next_at.hour, schedule.next_at.minute) == ("30 2 * * *", 2, 30)

    from leaderboard.config import load_settings

    settings = load_settings(site.settings.state_dir, {"LEADERBOARD_NIGHTLY_COMMAND": command})
    nightly.run(open_state(settings), utcnow())
    with site.state.database.reading() as session:
        run = session.scalars(sa.select(NightlyRun)).one()
    assert (run.exit_code, run.output.strip()) == (0, "unchanged: lenet5")


def test_a_worker_that_stops_says_so(site: Site) -> None:
    with site.worker():
        site.wait(site.hand_in("ann", predictions_csv(site.folder)))

    with site.state.database.reading() as session:
        worker = session.scalars(sa.select(Worker)).one()
    assert worker.stopped_at is not None


def test_a_worker_without_a_sandbox_leaves_code_to_others_and_scores_csv(
    site: Site, tmp_path: Path
) -> None:
    code = site.hand_in("ann", bundle_zip(), filename="bundle.zip")  # nobody knows better yet
    csv = site.hand_in("bob", predictions_csv(site.folder))

    with site.worker(LEADERBOARD_RUNNER_ENV=str(tmp_path / "nowhere")):
        assert site.wait(csv).verdict == "OK"
        with pytest.raises(SandboxMissing):
            site.hand_in("ann", bundle_zip(pause=0.1), filename="bundle.zip")

    assert site.submission(code).status is SubmissionStatus.QUEUED


def test_a_worker_does_without_a_sandbox_where_there_is_none(tmp_path: Path) -> None:
    site = make_site(
        tmp_path, write_assignment(tmp_path / "animals"), runner_env=str(tmp_path / "nowhere")
    )

    runner, facts = _find_runner(site.settings)

    assert runner is None
    assert facts["sandbox"] == ""
    assert facts["sandbox_reason"]
