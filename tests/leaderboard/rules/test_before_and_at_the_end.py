"""What is to be had before the opening, and what pages say before something costs or ends."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from flask import Flask
from signing_in import signed_in
from small_site import Api, Site, write_assignment

from leaderboard.db import utcnow
from leaderboard.models import Course, Role


def test_the_pack_is_not_to_be_had_before_the_opening(
    api: Callable[..., Api], app: Flask, site: Site, tmp_path: Path
) -> None:
    opens = (utcnow() + timedelta(days=2)).isoformat()
    site.publish(write_assignment(tmp_path / "exam", slug="exam", schedule=f"opens = {opens}"))
    site.person("teacher", Role.INSTRUCTOR)

    refused = api("ann").get("/courses/dl-1/assignments/exam/pack")

    assert (refused.status_code, refused.json["code"]) == (403, "assignment_closed")
    assert "opens at" in refused.json["detail"]
    assert signed_in(app, "ann").get("/c/dl-1/a/exam/pack.zip").status_code == 403
    assert api("teacher", staff=True).get("/courses/dl-1/assignments/exam/pack").status_code == 200


def test_a_release_before_the_deadline_says_that_it_ends_handing_in(
    app: Flask, site: Site, tmp_path: Path
) -> None:
    due = (utcnow() + timedelta(days=2)).isoformat()
    over = (utcnow() - timedelta(days=2)).isoformat()
    site.publish(write_assignment(tmp_path / "open", slug="open", schedule=f"due = {due}"))
    site.publish(write_assignment(tmp_path / "over", slug="over", schedule=f"due = {over}"))
    site.person("teacher", Role.INSTRUCTOR)
    teacher = signed_in(app, "teacher")

    says = {
        slug: "Submitting ends with it" in teacher.get(f"/staff/c/dl-1/a/{slug}/release").text
        for slug in ("open", "over", "animals")
    }

    assert says == {"open": True, "over": False, "animals": True}


def test_the_page_says_what_a_late_hand_in_would_cost(
    app: Flask, site: Site, tmp_path: Path
) -> None:
    dates = [(utcnow() + timedelta(days=days)).isoformat() for days in (-2.5, 9)]
    late = f"due = {dates[0]}\ncloses = {dates[1]}"
    site.publish(write_assignment(tmp_path / "late", slug="late", schedule=late))
    with site.state.database.write() as session:
        session.get_one(Course, site.course.id).late_days = 2
    site.person("ann")

    page = signed_in(app, "ann").get("/c/dl-1/a/late/submit").text

    assert "3 days late: 2 late days would be spent, 1 day penalised" in page
    assert "late days would be" not in signed_in(app, "ann").get("/c/dl-1/a/animals/submit").text
