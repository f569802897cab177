"""A CSV is parsed once: at the door. The worker scores what was read there."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from small_site import CLASSES, Site, predictions_csv

import grader
from leaderboard.db import utcnow
from leaderboard.evaluations import evaluate, parsed
from leaderboard.models import Cause, Submission
from leaderboard.operations import verification
from leaderboard.queue.durable import Job, Parsed


def scores_csv(site: Site) -> bytes:
    rows = [line.split(",")[0] for line in predictions_csv(site.folder).decode().splitlines()[1:]]
    lines = [f"{name},0.7,0.2,0.05,0.05" for name in rows]
    return "\n".join([f"id,{','.join(CLASSES)}", *lines]).encode()


def kept_of(site: Site, content: bytes) -> Parsed:
    """What the door keeps of a file."""
    upload = site.upload(content)
    with site.state.database.reading() as session:
        assignment = site.assignment(session)
        expected = site.state.catalog.expected_rows(assignment)
        found = grader.parse_predictions(content, expected)
        kept = parsed.keep(site.state.blobs, assignment, found, upload.sha256)
    assert kept is not None
    return kept


def job_of(site: Site, public_id: str, kept: Parsed | None) -> Job:
    found = site.submission(public_id)
    return Job(submission_id=found.id, number=found.evaluation_number, attempt=0, parsed=kept)


def scored(site: Site, job: Job) -> None:
    evaluate.evaluate(site.state, evaluate.Worker(incarnation="test", runner=None), job)


@pytest.mark.parametrize("with_scores", [False, True])
def test_the_worker_scores_what_the_door_read_without_the_file(
    site: Site, monkeypatch: pytest.MonkeyPatch, with_scores: bool
) -> None:
    content = scores_csv(site) if with_scores else predictions_csv(site.folder, wrong=7)
    by_file, by_door = site.hand_in("ann", content), site.hand_in("bob", content)
    site.score(by_file)
    kept = kept_of(site, content)

    def unused(*_: object) -> None:
        raise AssertionError("the file was parsed again")

    monkeypatch.setattr("grader.requirements.parse_predictions", unused)
    scored(site, job_of(site, by_door, kept))

    first = site.submission(by_file).current_evaluation
    second = site.submission(by_door).current_evaluation
    assert first is not None
    assert second is not None
    assert second.verdict == "OK"
    assert second.predictions_sha256 == first.predictions_sha256 == kept.predictions_sha256
    assert [each.report for each in second.splits] == [each.report for each in first.splits]
    assert [each.intervals for each in second.splits] == [each.intervals for each in first.splits]


def test_the_queue_brings_it_to_a_worker(site: Site) -> None:
    content = predictions_csv(site.folder, wrong=3)
    public_id = site.hand_in("ann", content)
    # a worker that went back to the file would find none
    site.state.blobs.remove(site.submission(public_id).content_sha256, min_age_seconds=-1)

    with site.worker():
        submission = site.wait(public_id)

    assert submission.verdict == "OK"
    assert submission.failed_attempts == 0


def test_what_was_lost_is_read_from_the_file_again(site: Site) -> None:
    content = predictions_csv(site.folder, wrong=3)
    public_id = site.hand_in("ann", content)
    kept = kept_of(site, content)
    site.state.blobs.remove(kept.predictions_sha256, min_age_seconds=-1)

    scored(site, job_of(site, public_id, kept))

    assert site.submission(public_id).verdict == "OK"
    assert site.state.blobs.read(kept.predictions_sha256)


def test_it_is_used_for_that_file_those_rows_and_the_first_evaluation_only(site: Site) -> None:
    content = predictions_csv(site.folder)
    public_id = site.hand_in("ann", content)
    kept = kept_of(site, content)

    def read(kept: Parsed | None, **changed: object) -> grader.Predictions | None:
        with site.state.database.reading() as session:
            found = session.scalars(sa.select(Submission).filter_by(public_id=public_id)).one()
            for name, value in changed.items():
                setattr(found, name, value)
            with session.no_autoflush:
                return parsed.read(site.state, job_of(site, public_id, kept), found)

    assert read(kept) is not None
    assert read(None) is None
    assert read(replace(kept, content_sha256="0" * 64)) is None
    assert read(replace(kept, rows_sha256="0" * 64)) is None
    assert read(kept, evaluation_cause=Cause.RERUN) is None
    assert read(kept, accepted_at=utcnow() - timedelta(hours=13)) is None


def test_a_rejected_file_keeps_nothing(site: Site) -> None:
    before = {blob.sha256 for blob in site.state.blobs.everything()}
    submission = site.submission(site.hand_in("ann", b"id,label\nnobody,0\n"))

    after = {blob.sha256 for blob in site.state.blobs.everything()}
    assert after - before == {submission.content_sha256}


def test_verify_goes_back_to_the_file(site: Site) -> None:
    right, other = predictions_csv(site.folder), predictions_csv(site.folder, wrong=5)
    good, forged = site.hand_in("ann", right), site.hand_in("bob", right)
    site.score(good)
    foreign = replace(kept_of(site, other), content_sha256=kept_of(site, right).content_sha256)
    scored(site, job_of(site, forged, foreign))

    found = verification.verify(site.state, progress=lambda *_: None)

    assert [(each.subject, each.reason) for each in found.differences] == [
        (f"{forged}.1", "its predictions are not what its file says")
    ]
