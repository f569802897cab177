"""What the teaching team sees of a running course: what needs them, who is missing, the queue."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from commands import run
from flask.testing import FlaskClient
from forms import app_of, send
from signing_in import signed_in
from small_site import Site, make_site, predictions_csv, write_assignment

from leaderboard.db import utcnow
from leaderboard.errors import NotAllowedNow
from leaderboard.models import (
    Assignment,
    AuditEvent,
    Course,
    Notification,
    OutgoingMail,
    Role,
    Submission,
    SubmissionStatus,
)
from leaderboard.queue import workers
from leaderboard.submissions import cancelling, hurrying
from leaderboard.teams import reminding
from leaderboard.views.staff import jobs, overview

IN_A_DAY = (utcnow() + timedelta(days=1)).isoformat()


@pytest.fixture
def site(tmp_path: Path):
    folder = write_assignment(tmp_path / "animals", schedule=f"due = {IN_A_DAY}")
    made = make_site(tmp_path, folder)
    made.person("ada", Role.INSTRUCTOR)
    for name in ("ann", "bob", "cem"):
        made.person(name)
    yield made
    made.state.close()


@pytest.fixture
def teacher(site: Site) -> FlaskClient:
    return signed_in(app_of(site), "ada")


def look(site: Site, *, with_cases: bool = True) -> overview.Overview:
    with site.state.database.reading() as session:
        course = session.get_one(Course, site.course.id)
        return overview.overview(session, course, utcnow(), with_cases=with_cases)


def queue(site: Site) -> jobs.Jobs:
    with site.state.database.reading() as session:
        course = session.get_one(Course, site.course.id)
        return jobs.jobs(session, course, utcnow(), dead_after_seconds=60)


def change(site: Site, public_id: str, **values: object) -> None:
    with site.state.database.write() as session:
        session.execute(sa.update(Submission).filter_by(public_id=public_id).values(**values))


def scored(site: Site, name: str, wrong: int) -> str:
    public_id = site.hand_in(name, predictions_csv(site.folder, wrong=wrong))
    site.score(public_id)
    return public_id


def test_people_count_once_and_what_was_refused_or_withdrawn_counts_not(site: Site) -> None:
    scored(site, "ann", 10)
    scored(site, "ann", 20)
    site.hand_in("bob", b"id;label\nnonsense")
    withdrawn = site.hand_in("cem", predictions_csv(site.folder, wrong=5))
    change(site, withdrawn, status=SubmissionStatus.CANCELLED)

    [found] = look(site).assignments

    assert (found.handed_in, found.enrolled, found.missing) == (1, 3, 2)
    assert found.failures == {}
    assert found.median is not None


def test_the_median_is_of_teams_not_of_submissions(site: Site) -> None:
    for wrong in (0, 30, 31, 32):
        scored(site, "ann", wrong)
    scored(site, "bob", 40)
    scored(site, "cem", 60)

    [found] = look(site).assignments

    with site.state.database.reading() as session:
        assignment = site.assignment(session)
        teams = sorted(dict.fromkeys(_best_public(session, assignment)))
    assert found.median == teams[1]


def _best_public(session, assignment: Assignment) -> list[float]:
    from leaderboard.models import Split, Standing

    return list(
        session.scalars(
            sa.select(Standing.primary).filter_by(assignment_id=assignment.id, split=Split.PUBLIC)
        )
    )


def test_what_needs_somebody_comes_first_and_nothing_else_is_loud(
    site: Site, teacher: FlaskClient
) -> None:
    calm = teacher.get("/staff/c/dl-1/").text
    assert "Nothing." in calm
    assert 'class="needs"' in calm

    waits = site.hand_in("bob", predictions_csv(site.folder, wrong=1))
    change(site, waits, accepted_at=utcnow() - timedelta(hours=1))
    failed = site.hand_in("ann", predictions_csv(site.folder, wrong=2))
    change(
        site, failed, status=SubmissionStatus.FINISHED, verdict="IE", finished_at=utcnow(), phase=""
    )
    needs = look(site).needs
    assert (needs.stuck, needs.faults, needs.outdated, needs.cases) == (1, 1, 0, 0)

    page = teacher.get("/staff/c/dl-1/").text
    assert 'data-stuck="1"' in page
    assert 'data-faults="1"' in page
    assert page.index('id="needs"') < page.index('id="assignments"') < page.index('id="server"')


def test_what_is_judged_again_is_not_stuck_because_it_is_old(site: Site) -> None:
    public_id = scored(site, "ann", 1)
    change(
        site,
        public_id,
        status=SubmissionStatus.QUEUED,
        evaluation_cause="rescore",
        started_at=None,
        accepted_at=utcnow() - timedelta(days=3),
    )
    assert look(site).needs.stuck == 0
    assert queue(site).jobs[0].since is None


def test_publishing_is_no_primary_button_while_something_can_be_handed_in(
    site: Site, teacher: FlaskClient
) -> None:
    open_page = teacher.get("/staff/c/dl-1/a/animals/").text
    assert 'class="button quiet" href="/staff/c/dl-1/a/animals/release"' in open_page
    assert "/release" not in teacher.get("/staff/c/dl-1/").text
    with site.state.database.write() as session:
        found = site.assignment(session)
        over = (utcnow() - timedelta(hours=1)).isoformat()
        found.settings_toml = found.settings_toml.replace(IN_A_DAY, over)
    assert (
        'class="button" href="/staff/c/dl-1/a/animals/release"'
        in teacher.get("/staff/c/dl-1/a/animals/").text
    )
    assert "/release" in teacher.get("/staff/c/dl-1/").text


def test_those_who_are_missing_are_reminded_once_an_hour(site: Site, teacher: FlaskClient) -> None:
    scored(site, "ann", 1)
    page = "/staff/c/dl-1/a/animals/missing/"
    assert "Remind 2 people" in teacher.get(page).text
    assert "ann@example.edu" not in teacher.get(page).text

    done = send(teacher, page)

    assert "2 people were reminded." in teacher.get(done.location).text
    with site.state.database.reading() as session:
        told = session.scalars(sa.select(Notification)).all()
        mails = session.scalars(sa.select(OutgoingMail)).all()
        event = session.scalars(sa.select(AuditEvent).filter_by(action="assignment.remind")).one()
    missing = {site.person("bob").id, site.person("cem").id}
    assert {each.user_id for each in told if "missing" in each.details} == missing
    assert {each.user_id for each in mails if "missing" in each.details} == missing
    assert event.actor_user_id == site.person("ada").id
    with site.state.database.session() as session, pytest.raises(NotAllowedNow) as refused:
        reminding.remind(session, site.assignment(session), actor=None)
    assert refused.value.detail.code == "reminder.too_soon"
    again = signed_in(app_of(site), "bob").get("/notifications").text
    assert "You have not submitted anything for Tiny animals yet" in again


def test_the_queue_names_whose_what_and_the_worker(site: Site, teacher: FlaskClient) -> None:
    first = site.hand_in("ann", predictions_csv(site.folder, wrong=1))
    second = site.hand_in("bob", predictions_csv(site.folder, wrong=2))
    now = utcnow()
    with site.state.database.write() as session:
        workers.announce(
            session,
            executor_id="box:1",
            incarnation="1:7:ab",
            concurrency=2,
            facts={"lanes": ["csv"], "host": "box", "version": "9.9"},
            now=now,
        )
    change(site, first, status=SubmissionStatus.RUNNING, claimed_by="1:7:ab", started_at=now)

    found = queue(site)

    assert [(each.submission, each.worker) for each in found.jobs] == [
        (first, "box:1"),
        (second, None),
    ]
    assert (found.jobs[1].place, found.workers[0].runs, found.workers[0].version) == (1, 1, "9.9")
    page = teacher.get("/staff/c/dl-1/jobs/").text
    assert "box:1" in page
    assert f"/staff/s/{second}/cancel" in page


def test_what_is_put_first_goes_before_the_others_and_is_scored_once(
    site: Site, teacher: FlaskClient
) -> None:
    early = [site.hand_in("ann", predictions_csv(site.folder, wrong=n)) for n in (1, 2, 3)]
    late = site.hand_in("bob", predictions_csv(site.folder, wrong=4))

    done = send(teacher, f"/staff/s/{early[2]}/first", form="/staff/c/dl-1/jobs/")

    assert done.status_code == 303
    assert queue(site).jobs[0].submission == early[2]
    with site.state.database.session() as session:
        assert site.state.queue.lost(list(session.scalars(sa.select(Submission)))) == []
    with site.worker():
        for public_id in (*early, late):
            assert site.wait(public_id).verdict == "OK"
    with site.state.database.session() as session:
        found = session.scalars(sa.select(Submission).filter_by(public_id=early[2])).one()
        with pytest.raises(NotAllowedNow):
            hurrying.put_first(session, site.state, found, actor=None)
        with pytest.raises(NotAllowedNow):
            cancelling.cancel(session, found, actor=None, is_staff=True)


def test_the_commands_say_the_same(site: Site) -> None:
    scored(site, "ann", 1)
    waiting = site.hand_in("bob", predictions_csv(site.folder, wrong=2))
    state_dir = site.settings.state_dir

    told = json.loads(run(state_dir, "overview", "dl-1", "--json").stdout)
    listed = json.loads(run(state_dir, "missing", "dl-1", "animals", "--json").stdout)
    queued = json.loads(run(state_dir, "jobs", "dl-1", "--first", waiting, "--json").stdout)

    assert told["assignments"][0]["handed_in"] == 2
    assert [each["email"] for each in listed] == ["cem@example.edu"]
    assert queued["jobs"][0]["submission"] == waiting
    assert "animals\topen" in run(state_dir, "overview", "dl-1").stdout
    run(state_dir, "jobs", "dl-1", "--cancel", "s_0000000000", code=3)
