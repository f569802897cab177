"""A score that was stored before a metric existed shows wherever scores show."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from signing_in import signed_in
from small_site import Api, Site, make_site, predictions_csv, write_assignment

from grader.cli.terminal.views import show_scores
from leaderboard import create_app
from leaderboard.models import Role, SplitScore, Submission
from leaderboard.operations import verification

LATER = ("balanced_accuracy", "weighted_f1", "macro_auc")
"""Metrics that the stored scores are made to know nothing of."""


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """An assignment whose one score, with claims, is of the time before LATER."""
    folder = write_assignment(tmp_path / "animals", scoring='feedback = "confusion"')
    site = make_site(tmp_path, folder)
    site.person("tess", Role.INSTRUCTOR)
    site.score(site.hand_in("ann", predictions_csv(site.folder, wrong=30)))
    with site.state.database.write() as session:
        # scores are append-only; this is what an older version would have stored
        session.execute(sa.text("DROP TRIGGER split_score_no_update"))
        for score in session.scalars(sa.select(SplitScore)):
            score.report = {name: v for name, v in score.report.items() if name not in LATER}
            score.intervals = {n: v for n, v in score.intervals.items() if n not in LATER}
        (submission,) = session.scalars(sa.select(Submission))
        submission.claims = {"balanced_accuracy": "0.9375", "macro_auc": "0.9"}
    return site


def test_it_shows_on_pages_the_api_the_board_and_in_exports(site: Site) -> None:
    app = create_app(state=site.state)
    ann, staff = signed_in(app, "ann"), signed_in(app, "tess")
    with site.state.database.reading() as session:
        public_id = session.scalars(sa.select(Submission.public_id)).one()
    course, board = "/c/dl-1/a/animals", "/c/dl-1/a/animals/leaderboard"

    page = ann.get(f"/s/{public_id}")
    assert page.status_code == 200
    assert "Macro F1" in page.text
    assert "Balanced accuracy" in page.text, "the claim"
    for reader, url in (
        *((ann, each) for each in (f"{course}/", f"{course}/submissions", board)),
        *((ann, f"{board}.{kind}") for kind in ("csv", "json")),
        *((staff, each) for each in (f"/s/{public_id}", f"/staff{course}/grades.csv", board)),
    ):
        assert reader.get(url).status_code == 200, url
    report = Api(app.test_client(), site.token("ann")).get(f"/submissions/{public_id}")
    assert report.status_code == 200
    assert report.json["public"]["accuracy"] is not None
    assert not set(report.json["public"]) & set(LATER)
    assert not set(report.json["public"]["intervals"]) & set(LATER), "of no figure that is shown"


def test_a_claim_of_a_later_metric_is_held_against_the_stored_confusion_matrix(
    site: Site,
) -> None:
    client = Api(create_app(state=site.state).test_client(), site.token("ann"))
    with site.state.database.reading() as session:
        public_id = session.scalars(sa.select(Submission.public_id)).one()

    found = client.get(f"/submissions/{public_id}").json["claim_findings"]

    measured = {each["metric"]: each["measured"] for each in found}
    assert 0.5 < measured["balanced_accuracy"] < 1
    assert measured["macro_auc"] is None, "no matrix tells it"


def test_the_terminal_shows_it_without_the_later_metrics(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    with site.state.database.reading() as session:
        reports = {each.split.value: each.report for each in session.scalars(sa.select(SplitScore))}

    show_scores(reports)

    shown = capsys.readouterr().out
    assert "macro_f1" in shown
    assert "balanced_accuracy" not in shown


def test_verification_finds_nothing_wrong_with_it(site: Site) -> None:
    found = verification.verify(site.state, progress=lambda *_: None)
    assert found.differences == ()
