"""What ranks teams shows on page and board, in both languages, with interval and claim."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from signing_in import signed_in
from small_site import Api, make_site, predictions_csv, write_assignment

from leaderboard import create_app
from leaderboard.models import Submission


@pytest.mark.parametrize(
    ("metric", "english", "chinese"),
    [
        ("cohen_kappa", "Cohen&#39;s kappa", "科恩 κ 系数"),
        ("matthews_corrcoef", "Matthews correlation", "马修斯相关系数"),
    ],
)
def test_a_metric_of_the_list_ranks_and_shows_everywhere(
    tmp_path: Path, metric: str, english: str, chinese: str
) -> None:
    folder = write_assignment(
        tmp_path / "animals", scoring=f'metric = "{metric}"\nfeedback = "confusion"'
    )
    site = make_site(tmp_path, folder)
    for name, wrong in (("bob", 40), ("ann", 20)):
        public_id = site.hand_in(name, predictions_csv(folder, wrong=wrong))
        site.score(public_id)
    with site.state.database.write() as session:
        for submission in session.scalars(sa.select(Submission)):
            submission.claims = {metric: "0.99"}
    app = create_app(state=site.state)
    ann, client = signed_in(app, "ann"), Api(app.test_client(), site.token("ann"))

    report = client.get(f"/submissions/{public_id}").json
    assert report["metric"] == metric
    low, high = report["public"]["intervals"][metric]
    assert low < report["public"][metric] < high
    (finding,) = report["claim_findings"]
    assert finding["measured"] == report["public"][metric]
    rows = ann.get("/c/dl-1/a/animals/leaderboard.json").json["rows"]
    assert [row["team"] for row in rows] == ["ann", "bob"]
    assert [rows[0]["interval_low"], rows[0]["interval_high"]] == [low, high]
    for language, heading in (("en", english), ("zh-CN", chinese)):
        for page in (f"/s/{public_id}", "/c/dl-1/a/animals/leaderboard"):
            assert heading in ann.get(page, headers={"Accept-Language": language}).text
