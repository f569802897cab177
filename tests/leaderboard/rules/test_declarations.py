"""What went into a hand-in is declared where the rules speak of it, and kept."""

from __future__ import annotations

import io

import pytest
from signing_in import signed_in
from small_site import PASSWORD, make_site, predictions_csv, write_assignment

from leaderboard import create_app
from leaderboard.errors import BadRequest
from leaderboard.models import Submission
from leaderboard.rules import declarations
from leaderboard.views import report

FORM = "/c/dl-1/a/animals/submit"
API = "/api/v1/courses/dl-1/assignments/animals/submissions"


@pytest.fixture
def door(tmp_path):
    """A site under given rules: a signed-in student, and what is kept of their hand-ins."""

    def open_site(rules: str):
        folder = write_assignment(tmp_path / "animals")
        settings = folder / "assignment.toml"
        settings.write_text(settings.read_text() + f"\n[rules]\n{rules}\n")
        site = make_site(tmp_path, folder)
        mate = site.person("mate")
        app = create_app(state=site.state)
        app.config["WTF_CSRF_ENABLED"] = False
        sites.append(site)
        content = predictions_csv(folder)
        return site, signed_in(app, mate.name), content

    sites = []
    yield open_site
    for site in sites:
        site.state.close()


def hand_in(client, content, **fields):
    file = (io.BytesIO(content), "predictions.csv")
    return client.post(FORM, data={"file": file, **fields})


def kept(site):
    with site.state.database.reading() as session:
        return [each.declared for each in session.query(Submission).order_by(Submission.id)]


def test_the_form_asks_for_what_the_rules_forbid_and_keeps_the_answer(door):
    site, client, content = door('pretrained = "forbidden"')
    page = client.get(FORM).text
    assert "Neither pretrained weights nor data from elsewhere were used" in page

    answer = hand_in(client, content, declared="yes")

    assert kept(site) == [[]]
    assert "<dd>none</dd>" in client.get(answer.location).text


def test_where_everything_is_allowed_nothing_is_asked(door):
    site, client, content = door('external_data = "allowed"')
    assert "What went into it" not in client.get(FORM).text

    answer = hand_in(client, content)

    assert kept(site) == [None]
    assert "Declared as used" not in client.get(answer.location).text


def test_pretrained_weights_in_a_track_of_their_own_are_said_to_be_used(door):
    site, client, content = door('pretrained = "own track"')
    assert "Pretrained weights were used." in client.get(FORM).text

    answer = hand_in(client, content, declared="yes", used="pretrained")

    assert kept(site) == [["pretrained"]]
    assert "pretrained weights" in client.get(answer.location).text


def test_who_says_nothing_is_shown_to_have_said_nothing(door):
    site, client, content = door("")

    answer = hand_in(client, content)

    assert kept(site) == [None]
    assert "nothing was said" in client.get(answer.location).text


def test_what_is_declared_against_the_rules_is_refused_and_not_kept(door):
    site, client, content = door("")

    answer = hand_in(client, content, declared="yes", used="external_data")

    assert answer.status_code == 422
    assert "forbid data from elsewhere" in answer.text
    assert kept(site) == []


def test_programs_declare_by_a_field_and_read_it_in_the_report(door):
    site, client, content = door('pretrained = "own track"')
    credentials = {"email": "mate@example.edu", "password": PASSWORD}
    token = client.post("/api/v1/tokens", json=credentials).json["token"]

    def post(declared):
        fields = {"file": (io.BytesIO(content), "p.csv"), "declared": declared}
        return client.post(API, data=fields, headers={"Authorization": f"Bearer {token}"})

    assert post("pretrained").json["declared"] == ["pretrained"]
    assert post("none").json["declared"] == []
    assert post("").json["declared"] is None
    refused = post("external_data")
    assert (refused.status_code, refused.json["code"]) == (422, "against_the_rules")
    assert post("cheating").status_code == 400
    with site.state.database.reading() as session:
        assert report.student_report(session, session.get_one(Submission, 1)).declared


@pytest.mark.parametrize("text", ["none,pretrained", "everything", "pretrained;none"])
def test_a_declaration_that_cannot_be_meant_is_refused(text):
    with pytest.raises(BadRequest):
        declarations.read(text)
