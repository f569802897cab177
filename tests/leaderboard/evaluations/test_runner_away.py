"""The runner environment is away, or built anew, while code waits for it: nobody's failure."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from needs import NEEDS_SANDBOX
from small_site import Site, bundle_zip

import sandbox
from leaderboard.db import utcnow
from leaderboard.evaluations import evaluate
from leaderboard.models import SubmissionStatus
from leaderboard.queue import workers
from leaderboard.queue.durable import Job
from sandbox.runner_env.environment import find_environment


@NEEDS_SANDBOX
def test_code_waits_for_the_runner_and_is_scored_once_it_is_back(
    site: Site, tmp_path: Path
) -> None:
    link = tmp_path / "runner"
    link.symlink_to(find_environment().folder)
    runner = sandbox.get_runner(runner_env=link, warm=0, hold_files=False)
    worker = evaluate.Worker(
        incarnation="w", runner=runner, refusal=lambda: sandbox.environment_refusal(link)
    )
    public_id = site.hand_in("ann", bundle_zip(), filename="b.zip")
    job = Job(submission_id=site.submission(public_id).id, number=1, attempt=0)
    link.rename(tmp_path / "elsewhere")

    evaluating = threading.Thread(target=evaluate.evaluate, args=(site.state, worker, job))
    evaluating.start()
    time.sleep(3)
    waiting = site.submission(public_id)
    (tmp_path / "elsewhere").rename(link)
    evaluating.join(60)
    runner.close()

    assert (waiting.status, waiting.failed_attempts) == (SubmissionStatus.RUNNING, 0)
    found = site.submission(public_id)
    assert (found.verdict, found.failed_attempts) == ("OK", 0)


def test_a_worker_that_waits_for_its_runner_shuts_the_lane_and_names_the_cause(site: Site) -> None:
    facts = {"sandbox": "bubblewrap", "lanes": ["csv", "code"]}
    with site.state.database.write() as session:
        workers.announce(
            session, executor_id="host:1", incarnation="w", concurrency=1, facts=facts, now=utcnow()
        )
        workers.note_sandbox(
            session,
            incarnation="w",
            facts={"sandbox": "", "sandbox_reason": "It is being built.", "lanes": ["csv"]},
        )
        assert workers.sandbox_refusal(session) == "It is being built."
        workers.note_sandbox(session, incarnation="w", facts={"sandbox_reason": "", **facts})
        assert workers.sandbox_refusal(session) == ""
