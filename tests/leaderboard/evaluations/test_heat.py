"""Heat maps: asked for on the page, made by a sandbox, seen by those whose images they are."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import sqlalchemy as sa
from flask import Flask
from forms import send
from needs import NEEDS_SANDBOX
from PIL import Image
from signing_in import signed_in
from small_site import Site, bundle_zip, predictions_csv

from leaderboard import create_app
from leaderboard.evaluations import evaluate, heat
from leaderboard.evaluations.retries import Quiet
from leaderboard.models import AuditEvent, HeatMaps, Role, Shown, Submission, SubmissionStatus
from leaderboard.queue import fair_share
from leaderboard.queue.durable import Job
from sandbox import HEAT_SIDE, Sandbox, get_runner

# draws what it sees, as one would that wants to carry hidden images out
EXPLAINS = "def explain(model, batch, classes):\n    return batch[:, 0]\n"


@pytest.fixture
def scored(site: Site) -> tuple[str, Sandbox]:
    """A code submission of ann's that was scored, and what runs code."""
    runner = get_runner(hold_files=False)
    public_id = site.hand_in("ann", bundle_zip(break_it=EXPLAINS), filename="bundle.zip")
    found = site.submission(public_id)
    worker = evaluate.Worker(incarnation="test", runner=runner)
    job = Job(submission_id=found.id, number=found.evaluation_number, attempt=0)
    evaluate.evaluate(site.state, worker, job)
    return public_id, runner


def ask(app: Flask, who: str, public_id: str, shown: str) -> int:
    page = f"/s/{public_id}"
    return send(signed_in(app, who), f"{page}/heat", form=page, shown=shown).status_code


def make(site: Site, runner: Sandbox | None) -> list[HeatMaps]:
    with site.state.database.reading() as session:
        waiting = list(session.scalars(sa.select(HeatMaps.id).order_by(HeatMaps.id)))
    for each in waiting:
        heat.make(site.state, runner, each, Quiet().side_by_side())
    with site.state.database.reading() as session:
        made = list(session.scalars(sa.select(HeatMaps).order_by(HeatMaps.id)))
        session.expunge_all()
        return made


@NEEDS_SANDBOX
def test_a_team_sees_the_samples_maps_and_staff_those_of_hidden_images_too(
    app: Flask, site: Site, scored: tuple[str, Sandbox]
) -> None:
    public_id, runner = scored
    site.person("staff", Role.ASSISTANT)
    site.person("ben")
    assert "Show what it looked at" in signed_in(app, "ann").get(f"/s/{public_id}").text

    assert ask(app, "ann", public_id, "sample") == 303
    assert ask(app, "staff", public_id, "hidden") == 303
    assert "made when nothing else" in signed_in(app, "ann").get(f"/s/{public_id}").text
    sample, hidden = make(site, runner)

    assert sample.verdict == hidden.verdict == "OK"
    assert sample.image_rows == [0, 1, 2, 3]
    assert len(hidden.image_rows) == heat.MOST_IMAGES
    assert len(hidden.squares) == heat.MOST_IMAGES * HEAT_SIDE**2
    theirs = signed_in(app, "ann")
    page = theirs.get(f"/s/{public_id}").text.partition('id="heat"')[2].partition("</section>")[0]
    assert page.count("<li>") == 4
    assert "idden" not in page
    assert theirs.get(f"/s/{public_id}/heat/sample").mimetype == "image/jpeg"
    assert theirs.get(f"/s/{public_id}/heat/hidden").status_code == 404
    assert signed_in(app, "ben").get(f"/s/{public_id}/heat/sample").status_code == 404
    staff = signed_in(app, "staff")
    page = staff.get(f"/s/{public_id}").text.partition('id="heat"')[2].partition("</section>")[0]
    assert page.count("<li>") == 4 + heat.MOST_IMAGES
    assert 'class="down"' not in page, "it answers rightly, so each image has its own label"
    drawn = Image.open(io.BytesIO(staff.get(f"/s/{public_id}/heat/hidden").data))
    assert drawn.width == 16 * 56
    with site.state.database.reading() as session:
        asked = session.scalars(sa.select(AuditEvent).filter_by(action="heat.ask")).all()
        assert {each.details["shown"] for each in asked} == {"sample", "hidden"}


@NEEDS_SANDBOX
def test_what_decides_a_grade_is_untouched_and_maps_are_made_once(
    app: Flask, site: Site, scored: tuple[str, Sandbox]
) -> None:
    public_id, runner = scored
    before = site.submission(public_id)
    ask(app, "ann", public_id, "sample")
    (first,) = make(site, runner)

    assert ask(app, "ann", public_id, "sample") == 303
    (again,) = make(site, runner)

    assert again.id == first.id
    after = site.submission(public_id)
    assert after.current_evaluation_id == before.current_evaluation_id
    assert after.status is SubmissionStatus.FINISHED
    assert after.revision == before.revision


@NEEDS_SANDBOX
def test_a_failure_of_ours_may_be_asked_for_again(
    app: Flask, site: Site, scored: tuple[str, Sandbox]
) -> None:
    public_id, runner = scored
    ask(app, "ann", public_id, "sample")
    (failed,) = make(site, None)
    page = signed_in(app, "ann").get(f"/s/{public_id}").text

    assert failed.verdict == "IE"
    assert "Nobody&#39;s program was at fault" in page
    ask(app, "ann", public_id, "sample")
    (made,) = make(site, runner)
    assert made.verdict == "OK"


@NEEDS_SANDBOX
def test_maps_of_other_images_are_not_laid_over_these(
    app: Flask, site: Site, scored: tuple[str, Sandbox]
) -> None:
    public_id, runner = scored
    ask(app, "ann", public_id, "sample")
    make(site, runner)
    images = np.load(site.folder / "sample/images.npy")
    np.save(site.folder / "sample/images.npy", images[::-1])
    site.publish(site.folder)

    theirs = signed_in(app, "ann")

    assert theirs.get(f"/s/{public_id}/heat/sample").status_code == 404
    assert "The images are others now." in theirs.get(f"/s/{public_id}").text


def test_a_student_can_not_ask_for_hidden_images_nor_anybody_for_a_csv(
    app: Flask, site: Site
) -> None:
    public_id = site.hand_in("ann", predictions_csv(site.folder, wrong=1))
    site.score(public_id)

    assert ask(app, "ann", public_id, "hidden") == 404
    assert ask(app, "ann", public_id, "everything") == 404
    assert ask(app, "ann", public_id, "sample") == 303
    assert make(site, None) == []
    assert 'id="heat"' not in signed_in(app, "ann").get(f"/s/{public_id}").text


def test_heat_maps_wait_behind_all_other_work(site: Site) -> None:
    site.hand_in("ann", predictions_csv(site.folder, wrong=1))
    with site.state.database.reading() as session:
        baseline = site.team(session, "ann")
        session.expunge(baseline)
        baseline.is_baseline = True
        beside = fair_share.Neighbours(running=None, queued=None, own=None, own_count=0, teams=9**9)
        last = fair_share.tag_of(baseline, fair_share.Cause.HAND_IN, beside)

    assert last < fair_share.LAST < 1 << 31


@NEEDS_SANDBOX
def test_in_an_exam_a_student_sees_none_and_asks_for_none(
    app: Flask, site: Site, scored: tuple[str, Sandbox]
) -> None:
    public_id, runner = scored
    ask(app, "ann", public_id, "sample")
    make(site, runner)
    settings = replace(site.settings, run_logs="hidden")
    exam = create_app(state=replace(site.state, settings=settings))
    exam.testing = True

    assert signed_in(exam, "ann").get(f"/s/{public_id}/heat/sample").status_code == 404
    assert 'id="heat"' not in signed_in(exam, "ann").get(f"/s/{public_id}").text


@NEEDS_SANDBOX
def test_a_team_has_only_so_many_waiting(
    app: Flask, site: Site, scored: tuple[str, Sandbox]
) -> None:
    public_id, _runner = scored
    found = site.submission(public_id)
    others = [
        site.hand_in("ann", bundle_zip(pause=0.001 * n), filename="bundle.zip")
        for n in range(1, heat.MOST_WAITING + 1)
    ]
    with site.state.database.write() as session:
        for each in others:
            other = session.scalars(sa.select(Submission).filter_by(public_id=each)).one()
            session.add(
                HeatMaps(submission_id=other.id, shown=Shown.SAMPLE, asked_at=found.accepted_at)
            )

    theirs, page = signed_in(app, "ann"), f"/s/{public_id}"
    send(theirs, f"{page}/heat", form=page, shown="sample")

    assert "wait already" in theirs.get(page).text
