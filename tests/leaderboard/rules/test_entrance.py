"""What can't be handed in now shows a banner in place of the form, on pages and in the API."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from signing_in import signed_in
from small_site import Api, Site, predictions_csv, write_assignment

from leaderboard.assignments import release
from leaderboard.db import utcnow

SCHEDULES = {
    "upcoming": (("opens", 2), ("due", 9)),
    "open": (("due", 2),),
    "late": (("due", -1), ("closes", 9)),
    "closed": (("due", -2), ("closes", -1)),
    "released": (("due", 2),),
    "used-up": (("due", 2),),
}
SHUT = {"upcoming", "closed", "released", "used-up"}
PAGES = ("", "submit", "submissions", "leaderboard")


@pytest.fixture
def term(app: Flask, site: Site, tmp_path: Path) -> FlaskClient:
    """A course with an assignment in each state, each named after it; ann's browser."""
    for slug, dates in SCHEDULES.items():
        moments = ((key, utcnow() + timedelta(days=days)) for key, days in dates)
        schedule = "\n".join(f"{key} = {at.isoformat()}" for key, at in moments)
        site.publish(write_assignment(tmp_path / slug, slug=slug, schedule=schedule, daily_limit=1))
    with site.state.database.session() as session:
        release.release(session, site.assignment(session, "released"), actor=None)
    site.hand_in("ann", predictions_csv(site.folder), slug="used-up")
    return signed_in(app, "ann")


def test_a_page_has_a_form_or_says_why_not_and_nothing_else_leads_to_one(
    term: FlaskClient,
) -> None:
    shown = {slug: term.get(f"/c/dl-1/a/{slug}/submit").text for slug in SCHEDULES}

    assert {slug for slug, page in shown.items() if "data-upload" not in page} == SHUT
    assert {slug for slug, page in shown.items() if "upload.js" not in page} == SHUT
    for slug, page in product(SCHEDULES, PAGES):
        text = term.get(f"/c/dl-1/a/{slug}/{page}").text
        leads = re.search(rf'class="button[^"]*" href="/c/dl-1/a/{slug}/submit"', text)
        banners = re.findall(r'data-shut="([\w-]+)"', text)
        assert (leads is None) == (slug in SHUT or page == "submit"), (slug, page)
        assert banners == ([slug] if slug in SHUT else []), (slug, page)


def test_the_api_tells_the_same(term: FlaskClient, api: Callable[..., Api]) -> None:
    ann = api("ann")
    listed = ann.get("/courses/dl-1/assignments").json["items"]
    phases = {each["slug"]: each["phase"] for each in listed}
    left = ann.get("/courses/dl-1/assignments/used-up/quota").json["remaining"]

    expected = {slug: slug for slug in SCHEDULES} | {"used-up": "open", "animals": "open"}
    assert (phases, left) == (expected, 0)
