"""Pictures that a README names: shown, made anew, from one folder alone."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from flask import Flask
from PIL import Image
from signing_in import signed_in
from small_site import Site

import grader
from leaderboard.assignments import markdown

README = "# Tiny animals\n\nTell them apart.\n\n![A cat](pictures/cat.png)\n"


def with_picture(folder: Path, readme: str = README) -> np.ndarray:
    pixels = np.arange(12 * 9 * 3, dtype=np.uint8).reshape(9, 12, 3)
    (folder / "pictures").mkdir(exist_ok=True)
    Image.fromarray(pixels).save(folder / "pictures/cat.png", pnginfo=None)
    with (folder / "pictures/cat.png").open("ab") as file:
        file.write(b"img000,3\n")  # what hides behind a picture stays at home
    (folder / "README.md").write_text(readme, encoding="utf-8")
    return pixels


def test_a_picture_is_shown_made_anew_and_is_in_the_data(app: Flask, site: Site) -> None:
    pixels = with_picture(site.folder)
    site.publish(site.folder)
    site.person("ann")
    ann = signed_in(app, "ann")

    page = ann.get("/c/dl-1/a/animals/").text
    shown = ann.get("/c/dl-1/a/animals/pictures/cat.png")

    assert '<img src="/c/dl-1/a/animals/pictures/cat.png" alt="A cat">' in page
    assert shown.mimetype == "image/png"
    assert b"img000" not in shown.data
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(shown.data))), pixels)
    pack = zipfile.ZipFile(io.BytesIO(ann.get("/c/dl-1/a/animals/pack.zip").data))
    assert pack.read("pictures/cat.png") == shown.data
    for name in ("dog.png", "..%2Fids.csv", "cat.png.svg"):
        assert ann.get(f"/c/dl-1/a/animals/pictures/{name}").status_code == 404


@pytest.mark.parametrize(
    "target",
    [
        "test/images/img000.png",
        "pictures/../test/images/img000.png",
        "https://elsewhere.example/pixel.png",
        "/etc/passwd",
        "pictures/drawing.svg",
        "pictures/none.png",
        "pictures/link.png",
        "pictures/text.png",
    ],
)
def test_any_other_target_fails_the_publishing(site: Site, target: str) -> None:
    with_picture(site.folder, f"# Tiny\n\n![it]({target})\n")
    (site.folder / "pictures/link.png").symlink_to(site.folder / "answers.csv")
    (site.folder / "pictures/text.png").write_text("id,label\nimg000,3\n")
    (site.folder / "pictures/drawing.svg").write_text("<svg/>")

    with pytest.raises(grader.AssignmentError, match=r"README|can't be read"):
        site.publish(site.folder)


def test_of_pictures_elsewhere_only_the_words_stay() -> None:
    text = "![a cat](https://elsewhere.example/cat.png) ![b](pictures/../b.png)"

    shown = str(markdown.render(text, picture_url="/c/x/a/y/pictures/"))

    assert shown == "<p>a cat b</p>\n"
