"""An assignment is made from an upload, looked at, changed and published in the browser."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from commands import run
from forms import app_of, send
from PIL import Image
from signing_in import signed_in
from small_site import Site, make_site, predictions_csv, write_assignment

from leaderboard.drafts import checking, keeping, making
from leaderboard.errors import BadRequest, NotAllowedNow
from leaderboard.models import AssignmentDraft, AuditEvent, Role, User

HERE = "/staff/c/dl-1/drafts/"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("drafts")
    made = make_site(folder, write_assignment(folder / "animals"))
    made.person("ada", Role.INSTRUCTOR)
    made.score(made.hand_in("ann", predictions_csv(made.folder, wrong=5)))
    yield made
    made.state.close()


def pictures_zip(count: int = 12) -> bytes:
    """Two classes of small pictures, in a folder each."""
    out, rng = io.BytesIO(), np.random.default_rng(3)
    with zipfile.ZipFile(out, "w") as archive:
        for label, name in enumerate(("cat", "dog")):
            for number in range(count):
                pixels = rng.integers(0, 60, (8, 8, 3)) + 150 * label
                picture = io.BytesIO()
                Image.fromarray(pixels.astype(np.uint8)).save(picture, "PNG")
                archive.writestr(f"pets/{name}/{number}.png", picture.getvalue())
    return out.getvalue()


def upload(client, content: bytes, name: str = "pets.zip", **fields: str):
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get(HERE).text)
    assert token is not None
    fields = {"slug": "pets", "title": "Pets", "share": "50", **fields, "csrf_token": token[1]}
    return client.post(HERE, data={**fields, "file": (io.BytesIO(content), name)})


def edition(page: str) -> str:
    found = re.search(r'name="edition" value="([0-9a-f]{64})"', page)
    assert found is not None
    return found[1]


def form_of(page: str) -> dict[str, str]:
    """The draft's settings as its form holds them."""
    import html

    fields = re.findall(
        r'<input id="([a-z_.]+)" name="[^"]+" type="text"[^>]* value="([^"]*)"', page
    )
    readme = re.search(r'<textarea id="readme"[^>]*>(.*?)</textarea>', page, re.S)
    assert readme is not None
    return {name: html.unescape(value) for name, value in (*fields, ("readme", readme[1]))}


def test_from_an_archive_of_pictures_to_a_published_assignment(site: Site) -> None:
    ada = signed_in(app_of(site), "ada")
    there = upload(ada, pictures_zip()).location
    page = ada.get(there).text
    assert 'data-scored="right"' in page
    assert "data-apart" in page
    assert ada.get(f"{there}pictures").mimetype == "image/png"
    fields = form_of(page)
    assert fields["slug"] == '"pets"'
    fields |= {"readme": "# Pets\n\nTell *them* apart.", "submission.daily_limit": "7"}
    saved = send(ada, there, edition=edition(page), **fields)
    assert saved.status_code == 303
    again = send(ada, there, edition=edition(page), **fields)
    assert again.status_code == 409, "somebody changed it meanwhile"
    page = ada.get(there).text
    assert "Tell <em>them</em> apart." in page
    done = send(ada, f"{there}publish", form=there, edition=edition(page))
    assert done.location.endswith("/a/pets/published/")
    with site.state.database.reading() as session:
        made = site.assignment(session, "pets")
        assert "daily_limit = 7" in made.settings_toml
        assert site.state.catalog.load(made).num_classes == 2
        steps = session.scalars(
            sa.select(AuditEvent.action).where(AuditEvent.action.startswith("draft."))
        ).all()
        assert steps[:3] == ["draft.make", "draft.change", "draft.publish"]
    assert ada.get(there).status_code == 404


def test_a_published_assignment_is_changed_with_what_changes_for_whom(site: Site) -> None:
    ada = signed_in(app_of(site), "ada")
    there = send(ada, "/staff/c/dl-1/a/animals/edit", form=HERE).location
    page = ada.get(there).text
    assert 'data-changes="0"' in page
    in_chinese = ada.get(there, headers={"Accept-Language": "zh-CN"})
    assert "有何变化，影响谁" in in_chinese.text
    fields = form_of(page) | {"scoring.metric": '"macro_f1"', "schedule.due": "2099-01-01"}
    wrong = send(ada, there, edition=edition(page), **fields)
    assert wrong.status_code == 400
    assert "schedule.due" in wrong.text
    assert "2099-01-01" in wrong.text, "what was written stays in the form"
    fields["schedule.due"] = "2099-01-01T00:00:00+08:00"
    assert send(ada, there, edition=edition(page), **fields).status_code == 303
    page = ada.get(there).text
    assert 'data-changes="2"' in page
    assert "1 score awaits rescoring then." in page
    send(ada, f"{there}publish", form=there, edition=edition(page))
    with site.state.database.reading() as session:
        assert site.assignment(session).metric == "macro_f1"


def test_foreign_bytes_are_bounded_and_refused_in_words(site: Site) -> None:
    ada = signed_in(app_of(site), "ada")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../evil.png", b"x")
    assert "evil.png" in upload(ada, out.getvalue()).text
    for content in (b"", b"no archive", pictures_zip()[:-40]):
        assert upload(ada, content).status_code in (400, 422)
    assert upload(ada, pictures_zip(), slug="Not a slug").status_code == 400
    damaged = io.BytesIO()
    with zipfile.ZipFile(damaged, "w") as archive:
        for number in range(8):
            archive.writestr(f"{'cat' if number % 2 else 'dog'}/{number}.png", b"\x89PNG\r\n\x1a\n")
    assert upload(ada, damaged.getvalue()).status_code == 400


def test_an_archive_that_unpacks_to_too_much_is_refused(site: Site, tmp_path: Path) -> None:
    packed = tmp_path / "large.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cat/1.png", bytes(3 << 20))
    with pytest.raises(BadRequest, match="more than"):
        making._unpacked(packed, tmp_path / "into", 1 << 20)


def test_arrays_and_packed_folders_are_taken_too(site: Site, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    labels = np.arange(40) % 2
    images = (labels[:, None, None] * 120 + rng.integers(0, 90, (40, 8, 8))).astype(np.uint8)
    np.savez(tmp_path / "arrays.npz", images=images, labels=labels)
    listed = run(
        site.settings.state_dir,
        *("drafts", "dl-1", "--from", str(tmp_path / "arrays.npz"), "--slug", "arrays"),
    ).stdout
    number = next(line.split("\t")[0] for line in listed.splitlines() if "\tarrays\t" in line)
    gone = run(site.settings.state_dir, "drafts", "dl-1", "--drop", number).stdout
    assert "arrays" not in gone
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in sorted(site.folder.rglob("*")):
            if path.is_file():
                archive.write(path, f"hw/{path.relative_to(site.folder)}")
    ada = signed_in(app_of(site), "ada")
    assert upload(ada, packed.getvalue(), "hw.zip").status_code == 303


def test_answers_that_cannot_score_are_not_published(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    with site.state.database.session() as session:
        assignment = site.assignment(session)
        actor = session.get_one(User, site.person("ada").id)
        draft = keeping.of_published(session, assignment, actor=actor)
        found = checking.scored(site.state.catalog.load(assignment))
        assert (found.answers, found.sample, found.is_right) == (1.0, 0.25, True)
        monkeypatch.setattr(checking, "_accuracy", lambda *_: 0.5)
        with pytest.raises(NotAllowedNow, match=r"score 0\.5000"):
            keeping.publish(session, site.state, draft, seen=draft.folder_sha256, actor=actor)
        assert session.get(AssignmentDraft, draft.id) is not None
