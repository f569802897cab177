"""Style sheets and scripts go out compressed; nothing that holds a secret does."""

from __future__ import annotations

import gzip

import pytest
from signing_in import signed_in
from small_site import make_site, write_assignment

from leaderboard import create_app

SHEET = "/static/site.css"
GZIP = {"Accept-Encoding": "gzip, deflate, br"}


@pytest.fixture
def reader(tmp_path):
    site = make_site(tmp_path, write_assignment(tmp_path / "animals"))
    mate = site.person("mate")
    yield signed_in(create_app(state=site.state), mate.name)
    site.state.close()


@pytest.mark.parametrize("name", ["site.css", "site.js", "upload.js", "logo.svg"])
def test_a_static_file_is_compressed_for_whoever_takes_it(reader, name):
    plain = reader.get(f"/static/{name}", buffered=True)
    packed = reader.get(f"/static/{name}", headers=GZIP, buffered=True)

    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain.data)
    for answer in (plain, packed):
        assert "Accept-Encoding" in answer.headers["Vary"]


def test_a_reader_who_refuses_gzip_gets_none(reader):
    answer = reader.get(SHEET, headers={"Accept-Encoding": "gzip;q=0"}, buffered=True)
    assert "Content-Encoding" not in answer.headers


def test_a_compressed_file_that_the_browser_has_is_not_sent_again(reader):
    first = reader.get(SHEET, headers=GZIP, buffered=True)
    again = reader.get(
        SHEET, headers={**GZIP, "If-None-Match": first.headers["ETag"]}, buffered=True
    )
    assert (again.status_code, again.data) == (304, b"")


@pytest.mark.parametrize(
    "path", ["/", "/c/dl-1/a/animals/leaderboard?q=secret", "/c/dl-1/a/animals/rows.json"]
)
def test_what_holds_a_secret_beside_a_readers_words_is_never_compressed(reader, path):
    answer = reader.get(path, headers=GZIP)
    assert answer.status_code == 200
    assert "Content-Encoding" not in answer.headers
