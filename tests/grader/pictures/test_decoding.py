"""Whatever form a picture comes in, its pixels are upright, 8 bits, grey or RGB."""

import io

import numpy as np
import pytest
from PIL import Image, features
from small_pictures import noise

from grader.pictures.decoding import BadPicture, decoded, facts_of
from grader.pictures.tree import look

GREY = noise(1, 12, 20)
COLOUR = noise(2, 12, 20, 3)


def saved(image, form, **options):
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def tiff(values):
    return saved(Image.fromarray(values), "tiff")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (saved(Image.fromarray(GREY), "png"), GREY),
        (saved(Image.fromarray(COLOUR), "bmp"), COLOUR),
        (saved(Image.fromarray(COLOUR), "webp", lossless=True), COLOUR),
        (saved(Image.fromarray(GREY.astype(np.uint16) * 256 + 99), "png"), GREY),
        (tiff(GREY.astype(np.uint16) * 256 + 99), GREY),
        (tiff((GREY / 255).astype(np.float32)), GREY),
        (tiff(GREY.astype(np.int32) * 256), GREY),
        (saved(Image.fromarray(GREY).convert("P"), "png"), GREY),
        (saved(Image.fromarray(GREY > 127), "png"), (GREY > 127) * np.uint8(255)),
    ],
    ids=["grey", "bmp", "webp", "png16", "tiff16", "float", "int32", "palette", "bits"],
)
def test_values_are_scaled_by_their_depth(content, expected):
    assert np.array_equal(decoded(content, "x"), expected)


def test_cmyk_becomes_rgb():
    pixels = decoded(saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "jpeg"), "x")

    assert pixels.shape == (8, 8, 3)
    assert np.abs(pixels.astype(int) - (254, 0, 0)).max() < 4


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_pixels_are_white_whatever_colour_hides_below(mode):
    image = Image.fromarray(COLOUR).convert("P" if mode == "P" else mode)
    if mode == "P":
        content = saved(image, "png", transparency=bytes(256))
    else:
        image.putalpha(0)
        content = saved(image, "png")

    assert (decoded(content, "x") == 255).all()
    assert facts_of(content, "x").transparent


@pytest.mark.parametrize("form", ["jpeg", "png", "webp", "tiff", "avif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_rotation_that_a_camera_noted_is_carried_out(form, orientation):
    if form == "avif" and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    top = np.zeros((16, 32), dtype=np.uint8)
    top[:8, :16] = 255  # the upper left of the picture as it is stored
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = saved(Image.fromarray(np.repeat(top[:, :, None], 3, 2)), form, exif=exif)

    pixels = decoded(content, "x").mean(axis=2) > 127

    corner = {1: "tl", 2: "tr", 3: "br", 4: "bl", 5: "tl", 6: "tr", 7: "br", 8: "bl"}[orientation]
    height, width = pixels.shape
    quarters = {
        "tl": pixels[: height // 2, : width // 2],
        "tr": pixels[: height // 2, width // 2 :],
        "bl": pixels[height // 2 :, : width // 2],
        "br": pixels[height // 2 :, width // 2 :],
    }
    facts = facts_of(content, "x")
    assert (
        (facts.height, facts.width) == pixels.shape == ((16, 32) if orientation < 5 else (32, 16))
    )
    assert {name for name, quarter in quarters.items() if quarter.mean() > 0.9} == {corner}


def test_of_several_frames_the_first_is_taken_and_all_are_counted():
    frames = [Image.fromarray(noise(seed, 8, 8)) for seed in range(3)]
    content = saved(frames[0], "tiff", save_all=True, append_images=frames[1:])

    assert facts_of(content, "x").frames == 3
    assert np.array_equal(decoded(content, "x"), noise(0, 8, 8))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.full((4, 4), 70_000, np.int32), "32 bits"),
        (np.full((4, 4), 200, np.float32), "floats from 200"),
        (np.full((4, 4), np.nan, np.float32), "floats from nan"),
    ],
)
def test_values_whose_scale_is_not_known_are_refused(values, words):
    with pytest.raises(BadPicture, match=words):
        decoded(tiff(values), "x")


def test_a_heic_of_a_phone_is_read_by_its_name_and_its_pixels(tmp_path):
    heif = pytest.importorskip("pillow_heif", reason="the extra heic is not installed")
    even = np.full((16, 24, 3), (200, 60, 20), np.uint8)
    path = tmp_path / "IMG_0001.HEIC"
    heif.from_pillow(Image.fromarray(even)).save(path, quality=90)

    assert [each.name for each in look(tmp_path).pictures] == ["IMG_0001.HEIC"]
    facts = facts_of(path, path.name)
    pixels = decoded(path, path.name)

    assert (facts.height, facts.width, facts.grey) == (16, 24, False)
    assert pixels.shape == (16, 24, 3)
    assert np.abs(pixels.astype(int) - even).max() <= 6  # HEVC loses a little
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(BadPicture, match=r"IMG_0001\.HEIC"):
        decoded(path, path.name)
