"""What a report claims is held against what its team may see."""

from __future__ import annotations

import pytest
from signing_in import signed_in
from small_site import Site, make_site, predictions_csv, write_assignment

from leaderboard import create_app
from leaderboard.assignments import release
from leaderboard.errors import BadRequest
from leaderboard.models import Role, Submission
from leaderboard.submissions import claims
from leaderboard.views import report
from leaderboard.views.shapes import as_json


def report_of(site: Site, public_id: str) -> dict[str, object]:
    with site.state.database.reading() as session:
        found = session.query(Submission).filter_by(public_id=public_id).one()
        return as_json(report.student_report(session, found))


def test_claims_stated_on_the_page_are_explained(tmp_path) -> None:
    folder = write_assignment(tmp_path / "animals", scoring='feedback = "confusion"')
    site = make_site(tmp_path, folder)
    mate = site.person("mate")
    public_id = site.hand_in("mate", predictions_csv(folder, wrong=20))
    site.score(public_id)
    app = create_app(state=site.state)
    app.config["WTF_CSRF_ENABLED"] = False
    client = signed_in(app, mate.name)
    public = report_of(site, public_id)["public"]
    first = sum(row["f1"] for row in public["per_class"][:3]) / 3
    lines = f"accuracy = {public['accuracy']:.4f}\nmacro_f1 = {first:.4f}"

    reply = client.post(f"/s/{public_id}/claims", data={"claims": lines}, follow_redirects=True)

    assert reply.status_code == 200
    assert "mean over classes 0–2 only" in reply.text
    found = report_of(site, public_id)["claim_findings"]
    assert [(each["metric"], each["agrees"]) for each in found] == [
        ("accuracy", True),
        ("macro_f1", False),
    ]
    site.state.close()


@pytest.mark.parametrize("mode", ["rounded", "ladder"])
def test_where_the_board_keeps_figures_back_so_do_the_findings(tmp_path, mode: str) -> None:
    folder = write_assignment(tmp_path / "animals", scoring=f'public_board = "{mode}"')
    site = make_site(tmp_path, folder)
    site.person("mate")
    teacher = site.person("teacher", Role.INSTRUCTOR)
    public_id = site.hand_in("mate", predictions_csv(folder, wrong=20))
    site.score(public_id)
    with site.state.database.write() as session:
        found = session.query(Submission).filter_by(public_id=public_id).one()
        found.claims = {"accuracy": "0.99"}

    assert report_of(site, public_id)["claim_findings"] == []

    with site.state.database.session() as session:
        release.release(session, site.assignment(session), actor=teacher)
    assert [each["agrees"] for each in report_of(site, public_id)["claim_findings"]] == [False]
    site.state.close()


@pytest.mark.parametrize("text", ["accuracy", "auc? = 1", "accuracy = true", "x" * 5000])
def test_claims_that_cannot_be_read_are_a_clear_refusal(text: str) -> None:
    with pytest.raises(BadRequest, match="laims"):
        claims.read(text)
