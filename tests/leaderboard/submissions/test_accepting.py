"""The one door: who, until when, how often, what."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from small_site import Site, bundle_zip, make_site, predictions_csv, write_assignment

from leaderboard import receipts
from leaderboard.assignments import release
from leaderboard.db import utcnow
from leaderboard.errors import (
    AssignmentClosed,
    EmptyUpload,
    IdempotencyConflict,
    KindNotAllowed,
    OutOfService,
    QuotaExceeded,
    SandboxMissing,
    TooLarge,
)
from leaderboard.models import QuotaEntry, Role, Submission, SubmissionStatus, User
from leaderboard.queue import workers
from leaderboard.rules.quotas import zone_of
from leaderboard.rules.schedule import next_midnight
from leaderboard.submissions import accept
from leaderboard.submissions.accept import quota


def site_with(tmp_path: Path, **assignment: Any) -> Site:
    return make_site(tmp_path, write_assignment(tmp_path / "animals", **assignment))


def remaining(site: Site, name: str, now: datetime | None = None) -> int | None:
    site.person(name)
    with site.state.database.reading() as session:
        left = quota(session, site.assignment(session), site.team(session, name), now or utcnow())
        return left.remaining


def test_a_valid_csv_is_queued_with_a_receipt_that_verifies_offline(site: Site) -> None:
    content = predictions_csv(site.folder)

    submission = site.submission(site.hand_in("ann", content))

    assert submission.status is SubmissionStatus.QUEUED
    assert submission.receipt["sha256"] == submission.content_sha256
    assert receipts.verify(submission.receipt, site.state.receipts.public_key)
    assert not receipts.verify(
        {**submission.receipt, "accepted_at": "2020-01-01T00:00:00+00:00"},
        site.state.receipts.public_key,
    )
    assert site.state.blobs.read(submission.content_sha256) == content


def test_an_invalid_csv_is_a_finished_rejection_with_every_problem_and_costs_nothing(
    tmp_path: Path,
) -> None:
    site = site_with(tmp_path, daily_limit=2)
    lines = predictions_csv(site.folder).decode().splitlines()
    lines[5] = lines[4]  # one id missing, another twice

    submission = site.submission(site.hand_in("ann", "\n".join(lines).encode()))

    assert (submission.status, submission.verdict) == (SubmissionStatus.FINISHED, "REJ")
    assert {problem["kind"] for problem in submission.problems} >= {"duplicate_id", "missing_id"}
    assert any(problem["line"] == 6 for problem in submission.problems)
    assert not submission.counted
    assert remaining(site, "ann") == 2


def test_the_daily_limit_holds_and_says_when_the_next_opens(tmp_path: Path) -> None:
    site = site_with(tmp_path, daily_limit=2)
    for wrong in range(2):
        site.hand_in("ann", predictions_csv(site.folder, wrong=wrong))

    with pytest.raises(QuotaExceeded) as refused:
        site.hand_in("ann", predictions_csv(site.folder, wrong=3))

    assert refused.value.retry_after is not None
    assert 0 < refused.value.retry_after <= 24 * 3600 + 1
    assert "Asia/Shanghai" in refused.value.detail
    assert remaining(site, "ann") == 0
    assert remaining(site, "bob") == 2


def test_the_day_begins_at_midnight_in_the_courses_time_zone(tmp_path: Path) -> None:
    site = site_with(tmp_path, daily_limit=1)
    last_second = datetime(2026, 10, 5, 15, 59, 59, 900_000, tzinfo=UTC)  # 23:59:59.9 in Shanghai
    midnight = datetime(2026, 10, 5, 16, 0, 0, tzinfo=UTC)
    site.hand_in("ann", predictions_csv(site.folder), at=last_second - timedelta(hours=3))

    with pytest.raises(QuotaExceeded):
        site.hand_in("ann", predictions_csv(site.folder, wrong=1), at=last_second)
    site.hand_in("ann", predictions_csv(site.folder, wrong=1), at=midnight)


def test_days_of_23_and_25_hours_end_at_midnight(site: Site) -> None:
    from zoneinfo import ZoneInfo

    berlin = ZoneInfo("Europe/Berlin")
    for month, day, hours in ((3, 29, 23), (10, 25, 25)):
        begin = datetime(2026, month, day, tzinfo=berlin)
        end = next_midnight(begin.replace(hour=12), berlin)
        assert end - begin.astimezone(UTC) == timedelta(hours=hours)
    assert zone_of(site.course).key == "Asia/Shanghai"


def test_the_start_of_the_upload_decides_at_the_second(tmp_path: Path) -> None:
    site = site_with(tmp_path, schedule="due = 2026-10-05T23:59:59+08:00")
    due = datetime(2026, 10, 5, 15, 59, 59, tzinfo=UTC)

    site.hand_in("ann", predictions_csv(site.folder), at=due + timedelta(milliseconds=999))
    with pytest.raises(AssignmentClosed):
        site.hand_in("ann", predictions_csv(site.folder, wrong=1), at=due + timedelta(seconds=1))


def test_late_hand_ins_are_taken_until_it_closes(tmp_path: Path) -> None:
    site = site_with(
        tmp_path,
        schedule="due = 2026-10-05T23:59:59+08:00\ncloses = 2026-10-07T23:59:59+08:00",
    )
    closes = datetime(2026, 10, 7, 15, 59, 59, tzinfo=UTC)

    site.hand_in("ann", predictions_csv(site.folder), at=closes)
    with pytest.raises(AssignmentClosed):
        site.hand_in("ann", predictions_csv(site.folder), at=closes + timedelta(seconds=1))


def test_nothing_is_taken_before_it_opens_or_after_the_release(tmp_path: Path) -> None:
    site = site_with(tmp_path, schedule="opens = 2026-10-01T00:00:00+08:00")
    opens = datetime(2026, 9, 30, 16, 0, 0, tzinfo=UTC)
    with pytest.raises(AssignmentClosed):
        site.hand_in("ann", predictions_csv(site.folder), at=opens - timedelta(seconds=1))
    site.hand_in("ann", predictions_csv(site.folder), at=opens)

    with site.state.database.session() as session:
        release.release(session, site.assignment(session), actor=None)

    with pytest.raises(AssignmentClosed, match="final results"):
        site.hand_in("ann", predictions_csv(site.folder, wrong=1), at=opens)


def test_a_release_while_the_file_still_arrives_is_seen(tmp_path: Path) -> None:
    site = site_with(tmp_path)
    user, upload = site.person("ann"), site.upload(predictions_csv(site.folder), "p.csv")
    with site.state.database.session() as session:
        assignment, team = site.assignment(session), site.team(session, "ann")
        user = session.get_one(User, user.id)
        assert assignment.released_at is None
        session.commit()  # a slow upload holds no connection
        with site.state.database.session() as another:
            release.release(another, site.assignment(another), actor=None)

        with pytest.raises(AssignmentClosed, match="final results"):
            accept.accept(
                session,
                site.state,
                assignment=assignment,
                team=team,
                user=user,
                upload=upload,
                started_at=utcnow(),
            )


def test_the_baseline_team_has_neither_deadline_nor_limit(tmp_path: Path) -> None:
    site = site_with(tmp_path, daily_limit=1, schedule="due = 2020-01-01T00:00:00Z")
    site.person("baselines", Role.BASELINE)

    for wrong in range(3):
        site.hand_in("baselines", predictions_csv(site.folder, wrong=wrong))

    assert remaining(site, "baselines") is None


def test_one_key_and_one_file_are_one_submission(tmp_path: Path) -> None:
    site = site_with(tmp_path, daily_limit=1)
    content = predictions_csv(site.folder)

    first, accepted = site.accept("ann", content, key="k1")
    again, repeated = site.accept("ann", content, key="k1")

    assert accepted.created
    assert not repeated.created
    assert first == again
    with pytest.raises(IdempotencyConflict):
        site.hand_in("ann", predictions_csv(site.folder, wrong=1), key="k1")
    other, _ = site.accept("bob", content, key="k1")  # keys are a team's own
    assert other != first


def test_a_retry_after_the_deadline_finds_what_was_accepted_before_it(tmp_path: Path) -> None:
    site = site_with(tmp_path, schedule="due = 2026-10-05T23:59:59+08:00")
    due = datetime(2026, 10, 5, 15, 59, 59, tzinfo=UTC)
    content = predictions_csv(site.folder)

    first = site.hand_in("ann", content, key="k", at=due)

    assert site.hand_in("ann", content, key="k", at=due + timedelta(hours=1)) == first


def test_the_same_content_under_a_new_key_is_a_new_submission_with_a_warning(site: Site) -> None:
    content = predictions_csv(site.folder)
    first = site.hand_in("ann", content, key="a")

    second, accepted = site.accept("ann", content, key="b")

    assert second != first
    assert first in accepted.warnings[0]


def test_twenty_parallel_uploads_of_one_team_take_exactly_the_limit(tmp_path: Path) -> None:
    site = site_with(tmp_path, daily_limit=5)
    site.person("ann")
    outcomes: list[str] = []
    gate = threading.Barrier(20)

    def upload(number: int) -> None:
        gate.wait()
        try:
            site.hand_in("ann", predictions_csv(site.folder, wrong=number))
            outcomes.append("accepted")
        except QuotaExceeded:
            outcomes.append("refused")

    threads = [threading.Thread(target=upload, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["accepted"] * 5 + ["refused"] * 15
    with site.state.database.reading() as session:
        assert session.scalar(sa.select(sa.func.sum(QuotaEntry.amount))) == 5
        assert session.scalar(sa.select(sa.func.count()).select_from(Submission)) == 5


def test_twenty_parallel_uploads_under_one_key_are_one_submission(site: Site) -> None:
    site.person("ann")
    content = predictions_csv(site.folder)
    ids: list[str] = []
    gate = threading.Barrier(20)

    def upload() -> None:
        gate.wait()
        ids.append(site.hand_in("ann", content, key="same"))

    threads = [threading.Thread(target=upload) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(ids) == 20
    assert len(set(ids)) == 1


def test_what_the_assignment_does_not_take_is_refused(tmp_path: Path) -> None:
    site = site_with(tmp_path, submission='kinds = ["csv"]\nmax_upload_mb = 1')

    with pytest.raises(KindNotAllowed):
        site.hand_in("ann", bundle_zip(), filename="bundle.zip")
    with pytest.raises(EmptyUpload):
        site.hand_in("ann", b"")
    with pytest.raises(TooLarge):
        site.hand_in("ann", b"x" * (1 << 20) + b"y")
    with site.state.database.reading() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Submission)) == 0


def test_a_metric_of_scores_wants_scores_at_the_door(tmp_path: Path) -> None:
    site = site_with(tmp_path, scoring='metric = "macro_auc"')

    submission = site.submission(site.hand_in("ann", predictions_csv(site.folder)))

    assert submission.verdict == "REJ"
    assert "one column a class" in submission.problems[0]["message"]


def test_a_bundle_without_model_py_is_rejected_unopened(site: Site) -> None:
    import io
    import zipfile

    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("notes.txt", "hello")

    submission = site.submission(site.hand_in("ann", out.getvalue(), filename="b.zip"))

    assert submission.verdict == "REJ"
    assert any("model.py" in problem["message"] for problem in submission.problems)


def test_code_is_refused_in_one_sentence_where_no_worker_has_a_sandbox(site: Site) -> None:
    with site.state.database.write() as session:
        workers.announce(
            session,
            executor_id="here:1",
            incarnation="a",
            concurrency=1,
            facts={"sandbox": "", "sandbox_reason": "bubblewrap is not installed"},
            now=utcnow(),
        )

    with pytest.raises(SandboxMissing, match="teaching team can see why") as refused:
        site.hand_in("ann", bundle_zip(), filename="bundle.zip")
    assert "bubblewrap" not in str(refused.value)  # what the operator has to do is not theirs
    site.hand_in("ann", predictions_csv(site.folder))  # CSV works on


def test_a_full_disk_refuses_uploads_and_nothing_else(tmp_path: Path) -> None:
    site = make_site(tmp_path, write_assignment(tmp_path / "animals"), min_free_mb=str(1 << 30))

    with pytest.raises(OutOfService, match="disk"):
        site.hand_in("ann", predictions_csv(site.folder))
    assert remaining(site, "ann") is None
