"""Pictures of the data on the assignment's page, and what the home page says first."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from pathlib import Path

import numpy as np
from flask import Flask
from PIL import Image
from signing_in import signed_in
from small_site import CLASSES, Site, predictions_csv, write_assignment

from leaderboard.assignments import samples
from leaderboard.db import utcnow
from leaderboard.views import history


def test_the_page_shows_the_samples_own_pictures_by_class(app: Flask, site: Site) -> None:
    site.person("ann")
    ann = signed_in(app, "ann")

    page = ann.get("/c/dl-1/a/animals/").text
    (address,) = set(re.findall(r'<image href="([^"]+)"', page))
    sheet = ann.get(address)

    assert page.count("<image ") == len(CLASSES)
    assert all(f"<title>{name}</title>" in page for name in CLASSES)
    assert sheet.mimetype == "image/png"
    drawn = np.asarray(Image.open(io.BytesIO(sheet.data)))
    given = np.load(site.folder / "sample/images.npy")
    for place, pixels in enumerate(given):
        tile = drawn[:8, place * 8 : place * 8 + 8, 0]
        assert np.array_equal(tile, pixels), "what the students' data hold, pixel by pixel"


def test_no_picture_is_shown_before_the_opening(app: Flask, site: Site, tmp_path: Path) -> None:
    opens = (utcnow() + timedelta(days=2)).isoformat()
    site.publish(write_assignment(tmp_path / "exam", slug="exam", schedule=f"opens = {opens}"))
    site.person("ann")
    ann = signed_in(app, "ann")

    assert "<image " not in ann.get("/c/dl-1/a/exam/").text
    assert ann.get("/c/dl-1/a/exam/sample-sheet").status_code == 403


def test_an_assignment_without_a_sample_has_no_pictures(site: Site, tmp_path: Path) -> None:
    folder = write_assignment(tmp_path / "bare", slug="bare", submission='kinds = ["csv"]')
    for path in (folder / "sample").iterdir():
        path.unlink()
    (folder / "sample").rmdir()
    site.publish(folder)

    with site.state.database.reading() as session:
        assert samples.of(site.state.blobs, site.assignment(session, "bare")) is None


def test_the_home_page_begins_with_what_is_due_next_and_ones_place_in_it(
    app: Flask, site: Site, tmp_path: Path
) -> None:
    for slug, days in (("later", 9), ("sooner", 2), ("over", -1)):
        due = (utcnow() + timedelta(days=days)).isoformat()
        site.publish(write_assignment(tmp_path / slug, slug=slug, schedule=f"due = {due}"))
    for wrong in (40, 8):
        site.score(site.hand_in("ann", predictions_csv(site.folder, wrong=wrong), slug="sooner"))

    page = signed_in(app, "ann").get("/").text

    first = page.partition('aria-labelledby="next"')[2].partition("</section>")[0]
    assert "/c/dl-1/a/sooner/submit" in first
    assert '<strong class="num" data-place>1 of 1</strong>, the best score' in first
    with site.state.database.reading() as session:
        of = (session, site.assignment(session, "sooner"), site.team(session, "ann"))
        assert history.gain(*of, utcnow() - timedelta(days=1)) is None, "nothing to compare with"
        assert history.gain(*of, utcnow()) == 0
