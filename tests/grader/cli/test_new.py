"""`grader new` makes a sound assignment from a folder of class folders."""

import json

import numpy as np
import pytest
from PIL import Image

from grader import Assignment, write_public_pack


@pytest.fixture
def photos(tmp_path):
    """Two classes of 20 small photographs each, of different sizes, one of them grey."""
    folder = tmp_path / "photos"
    rng = np.random.default_rng(3)
    for label, name in enumerate(("crab", "eel")):
        (folder / name).mkdir(parents=True)
        for number in range(20):
            height, width = rng.integers(20, 40, size=2)
            pixels = rng.integers(0, 100, size=(height, width, 3)) + 120 * label
            image = Image.fromarray(pixels.astype(np.uint8))
            image = image.convert("L") if number == 0 else image
            image.save(folder / name / f"{number}.png")
    return folder


def test_the_folder_is_a_valid_assignment_with_stratified_hidden_images(run, photos, tmp_path):
    result = run(
        "new", tmp_path / "marine_life", "--from", photos, "--size", "16x24", "--seed", 1, "--json"
    )

    summary = json.loads(result.stdout)
    assignment = Assignment.load(tmp_path / "marine_life")
    key = assignment.answer_key()
    assert result.exit_code == 0
    assert assignment.slug == "marine-life"
    assert assignment.classes == ("crab", "eel")
    assert assignment.test_images().shape == (8, 16, 24, 3)
    assert np.bincount(key.labels).tolist() == [4, 4]
    assert (summary["train"], summary["test"], summary["sample"]) == (32, 8, 4)


def test_images_keep_their_labels(run, photos, tmp_path):
    run("new", tmp_path / "a", "--from", photos, "--size", "16")

    assignment = Assignment.load(tmp_path / "a")
    answers = (tmp_path / "a" / "answers.csv").read_text().splitlines()[1:]
    bright = assignment.test_images().reshape(8, -1).mean(axis=1) > 110
    images, labels = assignment.sample()
    assert [row.split(",")[1] == "eel" for row in answers] == bright.tolist()
    assert (images.reshape(4, -1).mean(axis=1) > 110).tolist() == labels.astype(bool).tolist()


def test_the_same_seed_gives_the_same_assignment_and_none_gives_another(run, photos, tmp_path):
    for name, seed in (("a", ("--seed", 5)), ("b", ("--seed", 5)), ("c", ()), ("d", ())):
        run("new", tmp_path / name, "--from", photos, "--slug", "x", "--size", "8", *seed)

    read = {name: (tmp_path / name / "answers.csv").read_bytes() for name in "abcd"}
    settings = {name: (tmp_path / name / "assignment.toml").read_text() for name in "abcd"}
    assert read["a"] == read["b"]
    assert settings["a"] == settings["b"]
    assert settings["c"] != settings["d"]


def test_grey_images_of_one_size_stay_as_they_are(run, tmp_path):
    for label, name in enumerate(("0", "1")):
        (tmp_path / "digits" / name).mkdir(parents=True)
        for number in range(10):
            pixels = np.full((8, 8), label * 100 + number, dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "digits" / name / f"{number}.png")

    result = run("new", tmp_path / "a", "--from", tmp_path / "digits")

    images = Assignment.load(tmp_path / "a").test_images()
    assert images.shape == (4, 8, 8)
    assert sorted(np.unique(images[:, 0, 0] // 100).tolist()) == [0, 1]
    assert "scaled" not in result.stderr


def test_copies_are_told_of_and_never_lie_on_both_sides(run, photos, tmp_path):
    content = (photos / "crab" / "1.png").read_bytes()
    for copy in range(5):
        (photos / "crab" / f"copy{copy}.png").write_bytes(content)
    (photos / "eel" / "stray.png").write_bytes((photos / "crab" / "2.png").read_bytes())

    result = run("new", tmp_path / "a", "--from", photos, "--size", "8", "--json")

    summary = json.loads(result.stdout)
    assert "5 files are copies" in result.stderr
    assert "2 files lie in several classes" in result.stderr
    assert summary["train"] + summary["test"] == 39


def test_the_pack_of_a_new_assignment_trains_the_kit(run, photos, tmp_path):
    run("new", tmp_path / "a", "--from", photos, "--size", "16")
    assignment = Assignment.load(tmp_path / "a")
    write_public_pack(assignment, tmp_path / "pack")

    assert (tmp_path / "pack" / "train" / "images.npy").exists()
    assert run("check", tmp_path / "pack" / "sample_submission.csv").exit_code == 0


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda photos: (photos / "eel" / "0.png").write_bytes(b"no image"), "0.png"),
        (lambda photos: [p.unlink() for p in (photos / "eel").iterdir()], "one folder of images"),
        (
            lambda photos: [p.unlink() for p in list((photos / "eel").iterdir())[:17]],
            "eel has 3 images",
        ),
    ],
)
def test_what_cannot_be_made_into_an_assignment_is_named(run, photos, tmp_path, spoil, complaint):
    spoil(photos)

    result = run("new", tmp_path / "a", "--from", photos, "--size", "8")

    assert result.exit_code == 2
    assert complaint in result.stderr


def test_an_existing_folder_is_left_alone(run, photos):
    assert run("new", photos, "--from", photos).exit_code == 2


def test_any_folder_name_gives_a_slug_and_names_that_differ_by_case_are_told(run, photos, tmp_path):
    (photos / "eel").rename(photos / "Crab")

    made = run("new", tmp_path / "HW 1 (v1.2)", "--from", photos, "--size", "16")
    chinese = run("new", tmp_path / "海洋", "--from", photos, "--size", "16")

    assert made.exit_code == 0
    assert Assignment.open(tmp_path / "HW 1 (v1.2)").slug == "hw-1-v1-2"
    assert "'Crab' and 'crab' differ by case or blanks alone" in made.stderr
    assert chinese.exit_code == 2
    assert "add --slug" in chinese.stderr
    assert not (tmp_path / "海洋").exists()
