"""Nobody waits for another's flood; whoever stops hands its work on."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import sqlalchemy as sa
from needs import NEEDS_SANDBOX
from small_site import Site, bundle_zip, make_site, predictions_csv, write_assignment

from leaderboard.accounts import courses
from leaderboard.assignments import editions
from leaderboard.models import Cause, Lane, Role, Submission, SubmissionStatus, Team
from leaderboard.queue import durable, estimates
from leaderboard.submissions import accept
from leaderboard.views import report as views


def place(site: Site, public_id: str) -> int:
    with site.state.database.reading() as session:
        found = session.scalars(sa.select(Submission).filter_by(public_id=public_id)).one()
        where = estimates.position(session, found)
    assert where is not None
    return where.place


def finished_before(site: Site, public_id: str) -> list[str]:
    """Which submissions were finished before the start of this one."""
    with site.state.database.reading() as session:
        mine = session.scalars(sa.select(Submission).filter_by(public_id=public_id)).one()
        return list(
            session.scalars(
                sa.select(Submission.public_id).where(
                    Submission.finished_at < mine.started_at, Submission.id != mine.id
                )
            )
        )


def test_a_single_hand_in_overtakes_a_flood_in_the_real_queue(site: Site) -> None:
    flood = [site.hand_in("ann", predictions_csv(site.folder, wrong=n % 60)) for n in range(40)]
    single = site.hand_in("bob", predictions_csv(site.folder))
    assert place(site, single) == 2

    with site.worker():
        site.wait(single)
        for public_id in flood:
            site.wait(public_id)

    # a worker takes four CSVs at a look: the flood's first and three more at most
    assert len(finished_before(site, single)) <= durable.CSV_AT_ONCE


def test_a_courses_crowd_does_not_delay_another_course(site: Site) -> None:
    for number in range(12):
        site.hand_in(f"crowd{number}", predictions_csv(site.folder))
    with site.state.database.session() as session:
        other = courses.create_course(session, code="dl-2", title="Other")
        editions.publish(session, site.state, site.folder, other)
        user = session.merge(site.person("eve"))
        courses.enrol(session, other, user, Role.STUDENT)
        assignment = session.scalars(
            sa.select(accept.Assignment).filter_by(course_id=other.id)
        ).one()
        team = session.scalars(sa.select(Team).filter_by(course_id=other.id)).one()
        accepted = accept.accept(
            session,
            site.state,
            assignment=assignment,
            team=team,
            user=user,
            upload=site.upload(predictions_csv(site.folder)),
            started_at=site.submission(_first(site)).upload_started_at,
        )
        single = accepted.submission.public_id

    assert place(site, single) == 2


def _first(site: Site) -> str | None:
    with site.state.database.reading() as session:
        return (
            session.scalars(sa.select(Submission.public_id).order_by(Submission.id)).first() or ""
        )


def test_teams_of_one_course_take_turns_however_much_each_has_waiting(site: Site) -> None:
    ann = [site.hand_in("ann", predictions_csv(site.folder, wrong=n)) for n in range(6)]
    bob = [site.hand_in("bob", predictions_csv(site.folder, wrong=n)) for n in range(3)]

    places = [place(site, public_id) for public_id in bob]

    assert places[0] == 2
    assert places == sorted(places)
    assert places[-1] <= 6  # alternating, not behind all of ann's
    assert place(site, ann[0]) == 1


def test_hand_ins_go_before_rejudges_and_both_before_the_baselines(site: Site) -> None:
    old = site.hand_in("ann", predictions_csv(site.folder))
    site.score(old)
    site.person("baselines", Role.BASELINE)
    nightly = site.hand_in("baselines", predictions_csv(site.folder))
    with site.state.database.session() as session:
        found = session.scalars(sa.select(Submission).filter_by(public_id=old)).one()
        accept.rejudge(session, site.state, found, cause=Cause.RERUN, actor=None)
    fresh = site.hand_in("bob", predictions_csv(site.folder))

    assert [place(site, each) for each in (fresh, old, nightly)] == [1, 2, 3]


def gpu_site(tmp_path: Path) -> Site:
    folder = write_assignment(tmp_path / "animals")
    settings = folder / "assignment.toml"
    settings.write_text(settings.read_text() + "gpu_memory_mb = 4096\n")
    return make_site(tmp_path, folder)


@NEEDS_SANDBOX
def test_work_for_a_gpu_waits_for_a_worker_with_one_and_says_so(tmp_path: Path) -> None:
    site = gpu_site(tmp_path)
    with site.worker(LEADERBOARD_WORKER_LANES="csv,code"):
        site.wait(site.hand_in("ann", predictions_csv(site.folder)))
        code = site.hand_in("ann", bundle_zip(), filename="bundle.zip")
        time.sleep(2)
        found = site.submission(code)
        with site.state.database.reading() as session:
            report = views.student_report(session, session.get_one(Submission, found.id))

    assert (found.status, found.lane) == (SubmissionStatus.QUEUED, Lane.GPU)
    assert report.queue.nobody is Lane.GPU
    assert report.queue.eta_seconds is None


@NEEDS_SANDBOX
def test_a_worker_that_is_told_to_stop_hands_its_run_on_and_no_attempt_is_lost(site: Site) -> None:
    public_id = site.hand_in("ann", bundle_zip(pause=25), filename="bundle.zip")
    with site.worker("1") as first:
        site.wait_for(public_id, lambda found: found.phase in ("sample", "hidden"))
        asked = time.monotonic()
        first.send_signal(signal.SIGTERM)
        first.wait(40)
        stopped = time.monotonic() - asked

    handed = site.submission(public_id)
    assert (handed.status, handed.failed_attempts) == (SubmissionStatus.QUEUED, 0)
    assert stopped < 30
    with site.worker("2", LEADERBOARD_HEARTBEAT_SECONDS="0.5"):
        again = site.wait_for(public_id, lambda found: found.status is SubmissionStatus.RUNNING)
    assert again.failed_attempts == 0
