"""Staff's page of what is published: another slug in addresses, or taken back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask.testing import FlaskClient
from forms import app_of, send
from small_site import PASSWORD, Site, predictions_csv, write_assignment
from sqlalchemy.orm import Session

from leaderboard.accounts import accounts
from leaderboard.accounts.scopes import submit_to
from leaderboard.db import utcnow
from leaderboard.errors import NotAllowedNow
from leaderboard.models import Assignment, FormerSlug, Role, User

COMMITTED = {"sha256": "0" * 64, "size": 10, "filename": "p.csv"}
PAGE = "/staff/c/dl-1/a/animals/published/"


@pytest.fixture
def teacher(site: Site) -> FlaskClient:
    site.person("prof", Role.INSTRUCTOR)
    client = app_of(site).test_client()
    send(client, "/sign-in", email="prof@example.edu", password=PASSWORD)
    return client


def token_of(session: Session, site: Site, *scopes: str) -> dict[str, str]:
    issued = accounts.issue_token(
        session,
        session.get_one(User, site.person("ann").id),
        name="t",
        scopes=scopes,
        now=utcnow(),
        lifetime=timedelta(days=1),
    )
    return {"Authorization": f"Bearer {issued.secret}"}


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
    moved = teacher.get(f"{PAGE}?from=a-bookmark")
    assert moved.status_code == 302
    assert moved.location == "/staff/c/dl-1/a/beasts/published/?from=a-bookmark"


def test_an_old_slug_leads_on_until_another_assignment_has_it(
    site: Site, teacher: FlaskClient, tmp_path: Path
) -> None:
    site.hand_in("ann", predictions_csv(site.folder))
    with site.state.database.session() as session:
        token = token_of(session, site, "read", "submit")
        narrow = token_of(session, site, submit_to("dl-1", "animals"))
    send(teacher, f"{PAGE}rename", form=PAGE, slug="beasts")
    old = "/api/v1/courses/dl-1/assignments/animals"
    api = app_of(site).test_client()

    by_old = api.get(old, headers=token)
    stranger = app_of(site).test_client().get("/c/dl-1/a/animals/")
    assert (by_old.status_code, by_old.json["slug"]) == (200, "beasts")
    assert "/sign-in" in stranger.location  # who may not see it is not told of its new slug
    assert api.post(f"{old}/uploads", json=COMMITTED, headers=narrow).status_code == 201
    with pytest.raises(NotAllowedNow, match="was renamed: it is 'beasts' now"):
        site.publish(site.folder)

    site.publish(write_assignment(tmp_path / "second", slug="animals"), replace=True)

    assert api.get(old, headers=token).json["slug"] == "animals"
    assert teacher.get(PAGE).status_code == 200
    beasts = old.replace("animals", "beasts")
    assert api.post(f"{beasts}/uploads", json=COMMITTED, headers=narrow).status_code == 201
    assert api.post(f"{old}/uploads", json=COMMITTED, headers=narrow).status_code == 403


def test_a_slug_that_comes_back_is_no_former_one(site: Site, teacher: FlaskClient) -> None:
    for before, after in (("animals", "beasts"), ("beasts", "animals")):
        page = PAGE.replace("animals", before)
        assert send(teacher, f"{page}rename", form=page, slug=after).status_code == 303
    with site.state.database.reading() as session:
        assert session.scalars(sa.select(FormerSlug.slug)).all() == ["beasts"]


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


def test_settings_that_notepad_saved_are_published(site: Site, tmp_path: Path) -> None:
    folder = write_assignment(tmp_path / "marked", slug="marked")
    for name in ("assignment.toml", "README.md"):
        path = folder / name
        if path.exists():
            path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    site.publish(folder)
    with site.state.database.reading() as session:
        published = site.assignment(session, "marked")
        assert published.settings_toml.lstrip().startswith("slug")
        assert site.state.catalog.load(published).slug == "marked"
