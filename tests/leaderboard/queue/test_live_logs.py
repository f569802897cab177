"""What a sample run prints reaches its team while it runs, bounded, and nobody afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable

import sqlalchemy as sa
from needs import NEEDS_SANDBOX
from small_site import IS_HIDDEN, Api, Site, bundle_zip, predictions_csv

from leaderboard.models import LiveLog, Submission
from leaderboard.queue import live_logs

# the hidden run prints it too, and does not wait in between
TALKS = f"""
import time


def talk(images):
    print("step 1")
    time.sleep(8 * (not {IS_HIDDEN}))
    print("step 2")
    return 0


"""


@NEEDS_SANDBOX
def test_the_log_is_there_while_the_run_goes_on_and_whole_at_its_end(
    site: Site, api: Callable[..., Api]
) -> None:
    ann = api("ann")
    public_id = site.hand_in(
        "ann", bundle_zip(break_it=TALKS, pause="talk(images)"), filename="bundle.zip"
    )

    def log() -> str:
        return str(ann.get(f"/submissions/{public_id}").get_json()["sample_log"])

    with site.worker():
        site.wait_for(public_id, lambda found: found.phase == "sample" and log() == "step 1\n")
        assert site.wait(public_id).verdict == "OK"

    assert log() == "step 1\nstep 2\n"  # of the sample run alone
    with site.state.database.reading() as session:
        assert session.scalars(sa.select(LiveLog)).all() == []


def test_a_worker_that_lost_its_claim_writes_no_log(site: Site) -> None:
    public_id = site.hand_in("ann", predictions_csv(site.folder))
    submission = site.submission(public_id)
    not_ours = sa.update(Submission).where(
        Submission.id == submission.id, Submission.claimed_by == "another"
    )
    with live_logs.LogWriter(site.state.database, submission.id, not_ours) as writer:
        writer.take("too late")
        time.sleep(0.3)

    with site.state.database.reading() as session:
        assert session.scalars(sa.select(LiveLog)).all() == []


def test_a_long_log_is_cut_to_its_last_whole_lines() -> None:
    text = "".join(f"line {number}\n" for number in range(10_000))
    shown = live_logs.last_lines(text)
    assert len(shown) <= live_logs.KEPT_CHARACTERS + 2
    assert shown.startswith("…\nline ")
    assert shown.endswith("line 9999\n")
    endless = live_logs.last_lines("x" * 50_000)
    assert endless == "…\n" + "x" * live_logs.KEPT_CHARACTERS
