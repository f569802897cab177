"""What a worker took from its queue and never began, as a disk that was full for a moment leaves
it, is taken up again while newer work goes on."""

from __future__ import annotations

import signal
import time

import sqlalchemy as sa
from small_site import Site, predictions_csv


def test_a_hand_in_that_was_taken_and_never_begun_is_scored(site: Site) -> None:
    quick = {"LEADERBOARD_HEARTBEAT_SECONDS": "1", "LEADERBOARD_DEAD_AFTER_SECONDS": "3"}
    with site.worker("1", **quick, LEADERBOARD_WARM_SANDBOXES="0") as worker:
        site.wait(site.hand_in("ann", predictions_csv(site.folder, wrong=1)))
        worker.send_signal(signal.SIGSTOP)
        time.sleep(0.2)
        stuck = site.hand_in("bob", predictions_csv(site.folder, wrong=2))
        with site.state.database.write() as session:
            taken = session.execute(
                sa.text(
                    "UPDATE workflow_status SET status = 'PENDING', executor_id = "
                    "(SELECT executor_id FROM worker) WHERE workflow_uuid LIKE :name"
                ),
                {"name": f"{stuck}%"},
            )
            assert taken.rowcount == 1
        worker.send_signal(signal.SIGCONT)

        newer = site.wait(site.hand_in("cyd", predictions_csv(site.folder, wrong=3)))
        assert site.wait(stuck, seconds=40).verdict == "OK"

    assert newer.verdict == "OK"
