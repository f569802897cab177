"""The ledger of the daily limit in words: every charge, every refund, and why."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from signing_in import signed_in
from small_site import Site, bundle_zip, predictions_csv, write_assignment

from leaderboard.db import utcnow
from leaderboard.models import Submission, SubmissionStatus
from leaderboard.rules import quota_ledger, quotas
from leaderboard.rules.quota_ledger import Why


@pytest.fixture
def assignment_folder(tmp_path: Path) -> Path:
    return write_assignment(tmp_path / "animals", daily_limit=5)


def reasons(site: Site) -> list[tuple[int, Why]]:
    with site.state.database.reading() as session:
        lines = quota_ledger.of_day(
            session, site.assignment(session), site.team(session, "ann"), utcnow()
        )
        used = quotas.quota(
            session, site.assignment(session), site.team(session, "ann"), utcnow()
        ).used
    assert sum(line.amount for line in lines) == used
    return [(line.amount, line.why) for line in lines]


def change(site: Site, public_id: str, **values: object) -> None:
    with site.state.database.write() as session:
        session.execute(
            sa.update(Submission).where(Submission.public_id == public_id).values(**values)
        )


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("CE before the hidden run", Why.FAILED_EARLY),
        (quotas.OUR_FAILURE, Why.OUR_FAILURE),
        (quotas.CANCELLED, Why.CANCELLED),
    ],
)
def test_what_was_given_back_says_why(site: Site, reason: str, why: Why) -> None:
    public_id = site.hand_in("ann", predictions_csv(site.folder))
    assert reasons(site) == [(1, Why.RESERVED)]

    with site.state.database.write() as session:
        found = session.scalars(sa.select(Submission).filter_by(public_id=public_id)).one()
        quotas.refund(session, found, reason)

    assert reasons(site) == [(1, Why.TAKEN_BACK), (-1, why)]


def test_an_attempt_is_reserved_until_its_code_runs_on_hidden_images(site: Site) -> None:
    public_id = site.hand_in("ann", bundle_zip(), filename="bundle.zip")

    for phase, why in (("sample", Why.RESERVED), ("hidden", Why.CHARGED)):
        change(site, public_id, status=SubmissionStatus.RUNNING, phase=phase)
        assert reasons(site) == [(1, why)]


def test_rejected_files_are_not_in_the_ledger(site: Site) -> None:
    site.hand_in("ann", b"id,label\nnone,1\n")

    assert reasons(site) == []


def test_the_page_of_the_teams_submissions_shows_the_ledger(site: Site, app: Flask) -> None:
    public_id = site.hand_in("ann", predictions_csv(site.folder))
    ann = signed_in(app, "ann")

    page = ann.get("/c/dl-1/a/animals/submissions").text
    ledger = page[page.index('id="ledger"') :]

    assert "Where the submissions of today went" in ledger
    assert f'href="/s/{public_id}"' in ledger
    assert "reserved; charged when it runs on hidden images or is scored" in ledger
