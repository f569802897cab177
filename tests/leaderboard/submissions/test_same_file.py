"""The same file once more: asked about before anything is charged."""

from __future__ import annotations

import hashlib
import io
import itertools
import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from forms import app_of
from signing_in import signed_in
from small_site import Site, make_site, predictions_csv, write_assignment

PAGE = "/c/dl-1/a/animals/submit"
QUOTA = "/c/dl-1/a/animals/submissions"
_FORMS = itertools.count()  # each page that is opened has a form of its own


@pytest.fixture
def limited(tmp_path: Path) -> Site:
    return make_site(tmp_path, write_assignment(tmp_path / "animals", daily_limit=5))


@pytest.fixture
def ann(limited: Site) -> FlaskClient:
    app = app_of(limited)
    app.config["WTF_CSRF_ENABLED"] = False
    limited.person("ann")
    return signed_in(app, "ann")


def sent(ann: FlaskClient, content: bytes, *, json: bool = False, **fields: str):
    file = (io.BytesIO(content), "predictions.csv")
    headers = {"Accept": "application/json"} if json else {}
    data = {"file": file, "declared": "yes", "form_key": str(next(_FORMS)), **fields}
    return ann.post(PAGE, data=data, headers=headers)


def left(ann: FlaskClient) -> str:
    (found,) = re.findall(r"(\d) of 5 left today", ann.get(QUOTA).text)
    return found


def test_a_page_asks_before_it_charges_for_the_same_file(limited: Site, ann: FlaskClient) -> None:
    content = predictions_csv(limited.folder)
    assert sent(ann, content, message="a tree").status_code == 303

    asked = sent(ann, content)

    assert (asked.status_code, left(ann)) == (409, "4")
    assert "This very file was submitted before (a tree)." in asked.text
    assert 'name="again"' in asked.text
    assert (sent(ann, content, again="yes").status_code, left(ann)) == (303, "3")
    assert sent(ann, predictions_csv(limited.folder, wrong=1)).status_code == 303


def test_a_script_is_asked_too_and_a_large_file_before_its_bytes(
    limited: Site, ann: FlaskClient
) -> None:
    content = predictions_csv(limited.folder)
    first = sent(ann, content, json=True, form_key="k")
    repeated = sent(ann, content, json=True, form_key="k")
    assert repeated.json == first.json, "sent twice by a shaky line, it is one submission"

    asked = sent(ann, content, json=True, form_key="other")
    large = ann.post(
        "/c/dl-1/a/animals/uploads",
        data={
            "sha256": hashlib.sha256(content).hexdigest(),
            "size": str(len(content)),
            "declared": "yes",
        },
    )

    assert (asked.status_code, asked.json["again"]) == (409, True)
    assert (large.status_code, left(ann)) == (409, "4")
    assert "1 used" in ann.get(QUOTA).text


def test_what_was_not_charged_may_be_sent_again_without_a_question(
    limited: Site, ann: FlaskClient
) -> None:
    broken = b"id,label\nnobody,1\n"

    assert [sent(ann, broken).status_code for _ in range(2)] == [303, 303]
