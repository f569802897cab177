"""Picture files of a teacher are decoded apart from the server, and published as arrays."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_site import Site, write_assignment
from sqlalchemy.exc import NoResultFound

import grader
from grader.pictures import decoding
from leaderboard.assignments import editions
from leaderboard.models import Course


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An assignment whose hidden and sample images are PNG files, of 16 bits and turned."""
    made = write_assignment(tmp_path / "filed", slug="filed")
    exif = Image.Exif()
    exif[0x0112] = 3
    for part, ids in (("test", grader.Assignment.load(made).ids()), ("sample", None)):
        images = np.load(made / part / "images.npy")
        (made / part / "images").mkdir()
        for name, pixels in zip(ids or map(str, range(len(images))), images, strict=True):
            deep = pixels[::-1, ::-1].astype(np.uint16) * 256
            path = made / part / "images" / f"{name}.png"
            Image.fromarray(deep).save(path, exif=exif)
    labels = (made / "sample" / "labels.csv").read_text().split()[1:]
    rows = [f"{at},{label}" for at, label in enumerate(labels)]
    (made / "sample" / "labels.csv").write_text("\n".join(["id,label", *rows]) + "\n")
    return made


def in_another_process_only(*told: object) -> None:
    raise AssertionError(f"decoded by the server itself: {told}")


def test_they_are_published_as_arrays_without_the_server_opening_one(
    site: Site, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = [np.load(folder / part / "images.npy") for part in ("test", "sample")]
    for part in ("test", "sample"):
        (folder / part / "images.npy").unlink()
    monkeypatch.setattr(decoding, "_opened", in_another_process_only)

    site.publish(folder)

    with site.state.database.reading() as session:
        kept = site.state.catalog.load(site.assignment(session, "filed"))
    assert np.array_equal(kept.test_images(), whole[0])
    assert np.array_equal(kept.sample()[0], whole[1])
    assert not (kept.folder / "test" / "images").exists()
    assert (folder / "test" / "images").is_dir(), "the teacher's folder stays as it is"


def test_all_that_are_bad_are_named_and_nothing_is_published(site: Site, folder: Path) -> None:
    for part in ("test", "sample"):
        (folder / part / "images.npy").unlink()
    first, second = sorted((folder / "test" / "images").iterdir())[:2]
    first.write_bytes(first.read_bytes()[:60])
    second.write_bytes(b"<html>")

    with pytest.raises(grader.AssignmentError) as caught:
        site.publish(folder)

    named = {problem.partition(":")[0] for problem in caught.value.problems}
    assert named == {first.name, second.name}
    with site.state.database.reading() as session, pytest.raises(NoResultFound):
        site.assignment(session, "filed")


def test_those_of_an_edition_from_before_are_decoded_apart_when_it_is_unpacked(
    site: Site, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = np.load(folder / "test" / "images.npy")
    for part in ("test", "sample"):
        (folder / part / "images.npy").unlink()
    sha256 = editions.keep_folder(site.state.blobs, folder).sha256
    stale = site.settings.cache_dir / "assignments" / sha256
    shutil.copytree(folder, stale)  # as an earlier version unpacked it
    monkeypatch.setattr(decoding, "_opened", in_another_process_only)

    kept = site.state.catalog.load_version(sha256)

    assert np.array_equal(kept.test_images(), whole)
    assert not (stale / "test" / "images").exists()
    assert [each.name for each in stale.parent.iterdir() if "making" in each.name] == []


def test_the_sample_has_the_size_of_the_hidden_images(site: Site, folder: Path) -> None:
    (folder / "sample" / "images.npy").unlink()
    for path in (folder / "sample" / "images").iterdir():
        with Image.open(path) as picture:
            picture.resize((20, 20)).save(path)

    with site.state.database.session() as session:
        course = session.get_one(Course, site.course.id)
        [notice] = editions.changes(session, site.state, folder, course).notices
    site.publish(folder)

    assert "8x8" in notice
    with site.state.database.reading() as session:
        kept = site.state.catalog.load(site.assignment(session, "filed"))
    assert kept.sample()[0].shape[1:] == (8, 8)
