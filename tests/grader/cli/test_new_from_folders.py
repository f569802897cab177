"""`grader new` from folders as people have them: what is said, and all or nothing."""

import json
import struct
import unicodedata
import zlib

import numpy as np
import pytest
from PIL import Image
from small_pictures import noise, png, write_classes

from grader import Assignment, write_public_pack


@pytest.fixture
def new(run, tmp_path):
    """Make the assignment `a` of `data`; gives the result and, where it was made, its summary."""

    def make(*options):
        result = run("new", tmp_path / "a", "--from", tmp_path / "data", "--seed", 1, *options)
        assert result.exit_code in (0, 2)
        assert (tmp_path / "a").exists() == (result.exit_code == 0)
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
        return result

    return make


@pytest.mark.parametrize(
    "names",
    [
        ("train/{}", "val/{}", "test/{}"),
        ("images/Training/{}", "images/Testing/{}"),
        ("{}/train", "{}/test"),
    ],
)
def test_splits_are_no_classes_and_are_joined_or_kept_on_request(new, run, tmp_path, names):
    for at, name in enumerate(names):
        for label, each in enumerate(("cat", "dog")):
            folder = tmp_path / "data" / name.format(each)
            folder.mkdir(parents=True)
            for number in range(3):
                pixels = noise(100 * at + 10 * label + number, 8, 8)
                Image.fromarray(pixels).save(folder / f"{number}.png")

    refused = new()
    assert refused.exit_code == 2
    assert "look like splits, not classes" in refused.stderr
    assert "--splits join" in refused.stderr

    kept = run("new", tmp_path / "b", "--from", tmp_path / "data", "--splits", "test", "--json")
    summary = json.loads(kept.stdout)
    assert summary["classes"] == ["cat", "dog"]
    assert (summary["train"], summary["test"]) == (6 * (len(names) - 1), 6)
    hidden = {image.tobytes() for image in Assignment.load(tmp_path / "b").test_images()}
    last = len(names) - 1
    assert hidden == {
        noise(100 * last + 10 * label + number, 8, 8).tobytes()
        for label in range(2)
        for number in range(3)
    }

    joined = json.loads(new("--splits", "join", "--json").stdout)
    assert joined["train"] + joined["test"] == 6 * len(names)


def test_one_class_called_train_is_a_class(new, tmp_path):
    write_classes(tmp_path / "data", ("bus", "plane", "train"))

    assert json.loads(new("--json").stdout)["classes"] == ["bus", "plane", "train"]


def test_what_tools_leave_behind_is_left_out_at_any_depth_and_counted(new, tmp_path):
    data = write_classes(tmp_path / "data")
    for place in (
        "cat/@eaDir/0.png/SYNOPHOTO_THUMB_M.png",
        "cat/.ipynb_checkpoints/0-checkpoint.png",
        "dog/deep/.thumbnails/normal/1.png",
        "__MACOSX/cat/._0.png",
        "dog/Thumbs.db",
        "desktop.ini",
    ):
        (data / place).parent.mkdir(parents=True, exist_ok=True)
        (data / place).write_bytes(png(noise(7, 8, 8)))

    result = new("--json")

    summary = json.loads(result.stdout)
    assert summary["shape"] == [16, 16, 3]
    assert summary["train"] + summary["test"] == 12
    assert "6 files of tools" in result.stderr


def test_one_picture_of_another_size_changes_no_other_and_is_named(new, tmp_path):
    data = write_classes(tmp_path / "data", count=10)
    Image.fromarray(noise(5, 4, 4, 3)).save(data / "cat" / "small.png")

    result = new("--json")

    assert json.loads(result.stdout)["shape"] == [16, 16, 3]
    assert "1 are unlike the others, which are about 16x16: cat/small.png (4x4)" in result.stderr


def test_files_that_are_not_read_are_counted_by_kind(new, tmp_path):
    data = write_classes(tmp_path / "data")
    for number in range(3):
        (data / "cat" / f"{number}.RAF").write_bytes(b"raw")
    (data / "dog" / "notes.txt").write_text("taken in May")
    Image.fromarray(noise(1, 16, 16, 3)).save(data / "dog" / "more.jfif", "jpeg")

    result = new("--json")

    summary = json.loads(result.stdout)
    assert "3 .raf, 1 .txt" in result.stderr
    assert summary["train"] + summary["test"] == 13


def huge_png():
    def chunk(kind, content):
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 20_000, 20_000, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def png_with_text(size):
    from PIL.PngImagePlugin import PngInfo

    text = PngInfo()
    text.add_text("comment", "x" * size, zip=True)
    return png(noise(2, 16, 16), pnginfo=text)


BAD = {
    "huge.png": (huge_png(), "pixels"),
    "text.png": (png_with_text(2_000_000), "damaged"),
    "half.png": (png(noise(3, 16, 16))[:120], "damaged"),
    "empty.jpg": (b"", "0 bytes"),
    "page.jpg": (b"<!DOCTYPE html><title>404</title>", "web page"),
    "pointer.png": (b"version https://git-lfs.github.com/spec/v1\n", "LFS"),
    "other.gif": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no picture"),
}


def test_all_bad_files_are_named_together_before_anything_is_written(new, tmp_path):
    data = write_classes(tmp_path / "data")
    for name, (content, _) in BAD.items():
        (data / "cat" / name).write_bytes(content)

    first, second = new(), new()

    assert first.exit_code == second.exit_code == 2
    assert first.stderr == second.stderr
    lines = {
        line.split(":")[0].split("/")[-1]: line
        for line in first.stderr.split("Error: ")[1].splitlines()
    }
    assert set(lines) == set(BAD)
    assert all(words in lines[name] for name, (_, words) in BAD.items())


@pytest.mark.parametrize("name", ["7", "two\nlines", " cat", "07"])
def test_names_that_a_class_cannot_have_are_refused_before_decoding(new, tmp_path, name):
    data = write_classes(tmp_path / "data", ("dog", name))
    (data / "dog" / "bad.png").write_bytes(b"never looked at")

    result = new()

    assert result.exit_code == 2
    assert "class name" in result.stderr
    assert "bad.png" not in result.stderr


def test_an_unfit_slug_is_refused_before_decoding(new, tmp_path):
    data = write_classes(tmp_path / "data")
    (data / "dog" / "bad.png").write_bytes(b"never looked at")

    result = new("--slug", "Pets & more")

    assert result.exit_code == 2
    assert "slug" in result.stderr
    assert "bad.png" not in result.stderr


@pytest.mark.parametrize("name", ["a, b", 'dog "x"', "=1+1", "狗🐶"])
def test_names_that_only_look_unfit_are_kept(new, tmp_path, name):
    write_classes(tmp_path / "data", ("cat", name))

    assert name in json.loads(new("--json").stdout)["classes"]


def test_names_are_kept_in_one_form_whatever_system_wrote_the_folders(new, tmp_path):
    decomposed = unicodedata.normalize("NFD", "Käfer")
    write_classes(tmp_path / "data", ("Ameise", decomposed))

    assert json.loads(new("--json").stdout)["classes"] == ["Ameise", "Käfer"]


def test_grey_in_one_class_and_colour_in_the_other_is_said_and_mended_by_grey(new, run, tmp_path):
    data = write_classes(tmp_path / "data")
    for path in (data / "cat").iterdir():
        Image.open(path).convert("L").save(path)

    said = new().stderr
    mended = run("new", tmp_path / "b", "--from", tmp_path / "data", "--grey", "--json")

    assert "grey or colour tells the classes" in said
    assert "tells the classes" not in mended.stderr
    assert json.loads(mended.stdout)["shape"] == [16, 16]


@pytest.mark.parametrize("opaque", [0, 8])
def test_transparent_pixels_are_white_and_said_to_be(new, tmp_path, opaque):
    """With half of each opaque and black, all pictures become alike, which is said and no more."""
    data = write_classes(tmp_path / "data")
    for path in data.rglob("*.png"):
        with Image.open(path) as image:
            pixels = np.dstack([np.asarray(image), np.zeros((16, 16), np.uint8)])
        pixels[:opaque] = (0, 0, 0, 255)
        Image.fromarray(pixels).save(path)

    result = new()

    images = Assignment.load(tmp_path / "a").test_images()
    assert "12 pictures are transparent" in result.stderr
    assert ("lie in different classes: is the label right?" in result.stderr) == bool(opaque)
    assert ("12 pictures are of one colour" in result.stderr) == (not opaque)
    assert (images[:, opaque:] == 255).all()
    assert (images[:, :opaque] == 0).all()


@pytest.mark.parametrize(("bits", "is_dark"), [(12, True), (16, False)])
def test_deep_pictures_that_use_little_of_their_depth_are_told_of(new, tmp_path, bits, is_dark):
    data = write_classes(tmp_path / "data")
    for seed, path in enumerate(sorted(data.rglob("*.png"))):
        deep = noise(seed, 16, 16).astype(np.uint16) << (bits - 8)
        Image.fromarray(deep).save(path)

    said = new().stderr

    assert "12 pictures have more than 8 bits" in said
    assert ("are dark" in said) == is_dark


def test_pictures_that_look_alike_are_shown_and_kept_on_one_side(new, run, tmp_path):
    data = write_classes(tmp_path / "data", count=12)
    for path in list(data.rglob("*.png")):
        Image.open(path).save(path.with_suffix(".jpg"), quality=95)

    apart = new()
    run("new", tmp_path / "b", "--from", data, "--keep", "together", "--seed", 1)

    assert "24 pairs of pictures look alike" in apart.stderr
    assert "one picture in training and one hidden: --keep together" in apart.stderr
    with Image.open(tmp_path / "a" / "lookalikes.png") as sheet:
        assert sheet.width > 500
    sides = [row.split(",") for row in (tmp_path / "b" / "lookalikes.csv").read_text().split()[1:]]
    assert len(sides) == 24
    assert all(first == second for _, _, first, _, second, _ in sides)
    assert {first for _, _, first, _, _, _ in sides} == {"train", "test"}
    write_public_pack(Assignment.load(tmp_path / "b"), tmp_path / "pack")
    assert list((tmp_path / "pack").glob("lookalikes*")) == []
