"""Staff's page of what is published: another slug in addresses, or taken back."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from forms import app_of, send
from small_site import PASSWORD, Site, predictions_csv, write_assignment

from leaderboard.models import Assignment, Role

PAGE = "/staff/c/dl-1/a/animals/published/"


@pytest.fixture
def teacher(site: Site) -> FlaskClient:
    site.person("prof", Role.INSTRUCTOR)
    client = app_of(site).test_client()
    send(client, "/sign-in", email="prof@example.edu", password=PASSWORD)
    return client


def slugs(site: Site) -> set[str]:
    with site.state.database.reading() as session:
        return set(session.scalars(sa.select(Assignment.slug)))


def test_a_new_slug_keeps_what_was_handed_in(
    site: Site, teacher: FlaskClient, tmp_path: Path
) -> None:
    site.publish(write_assignment(tmp_path / "other", slug="other"))
    public_id = site.hand_in("ann", predictions_csv(site.folder))

    unfit = send(teacher, f"{PAGE}rename", form=PAGE, slug="Beasts of prey")
    taken = send(teacher, f"{PAGE}rename", form=PAGE, slug="other")
    done = send(teacher, f"{PAGE}rename", form=PAGE, slug="beasts")

    assert (unfit.status_code, taken.status_code, done.status_code) == (400, 400, 303)
    assert "has an assignment &#39;other&#39; already" in taken.text
    assert "1 submission belongs to it" in teacher.get(done.location).text
    assert site.submission(public_id).id
    assert slugs(site) == {"beasts", "other"}
    assert teacher.get(PAGE).status_code == 404


def test_only_what_nobody_handed_in_for_is_taken_back(site: Site, teacher: FlaskClient) -> None:
    page = teacher.get(PAGE).text
    assert "Nobody has submitted anything" in page
    site.hand_in("ann", predictions_csv(site.folder))

    refused = send(teacher, f"{PAGE}unpublish", form=PAGE)

    assert (refused.status_code, slugs(site)) == (409, {"animals"})


def test_what_is_taken_back_is_gone_from_the_course(site: Site, teacher: FlaskClient) -> None:
    done = send(teacher, f"{PAGE}unpublish", form=PAGE)

    assert slugs(site) == set()
    assert "Tiny animals is no longer published" in teacher.get(done.location).text
