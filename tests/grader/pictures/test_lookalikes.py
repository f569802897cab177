"""Pictures that are there twice are found, whatever they were saved as; others are not."""

import gzip
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter
from small_pictures import noise

from grader.assignments.drawing import draw
from grader.pictures.decoding import decoded
from grader.pictures.duplicates import Fingerprints, copies
from grader.pictures.lookalikes import lookalikes

FASHION = Path("/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz")


def fingerprints(pictures, contents=None):
    prints = Fingerprints(len(pictures))
    for row, pixels in enumerate(pictures):
        prints.look(row, contents[row] if contents else pixels.tobytes(), pixels)
    return prints


def alike(*pictures):
    return lookalikes(fingerprints(pictures), np.arange(len(pictures))).pairs.tolist()


def photograph(seed):
    """Soft blobs of colour, as unlike each other as photographs are."""
    image = Image.fromarray(noise(seed, 12, 12, 3)).resize((96, 96), Image.Resampling.BICUBIC)
    return image.filter(ImageFilter.GaussianBlur(2))


def jpeg(image, quality):
    stream = io.BytesIO()
    image.save(stream, "jpeg", quality=quality)
    return decoded(stream.getvalue(), "x")


def test_the_same_pixels_look_alike_whatever_file_they_were_in():
    pixels = noise(1, 9, 9)
    stored_in_colour = np.repeat(pixels[:, :, None], 3, axis=2)

    assert alike(pixels, noise(2, 9, 9), stored_in_colour) == [[0, 2]]


def test_the_same_pixels_are_told_of_though_they_are_hardly_to_be_seen():
    faint = np.full((9, 9), 7, dtype=np.uint8)
    faint[3] = 8

    assert alike(faint, faint[::-1], faint, np.full((9, 9), 7, np.uint8)) == [[0, 2]]


def test_equal_files_of_one_class_are_kept_once_and_of_several_not_at_all():
    prints = fingerprints([noise(1, 9, 9)] * 5, [b"a", b"a", b"b", b"c", b"c"])

    found = copies(prints, np.array([0, 0, 0, 0, 1]), None)

    assert found.kept.tolist() == [0, 2]
    assert found.doubled.tolist() == [1]
    assert found.ambiguous.tolist() == [3, 4]


def test_of_copies_the_one_that_the_source_tests_with_stays():
    prints = fingerprints([noise(1, 9, 9)] * 3)

    found = copies(prints, np.zeros(3, dtype=np.int64), np.array([False, True, False]))

    assert found.kept.tolist() == [1]


@pytest.mark.parametrize("quality", [75, 90])
def test_jpegs_of_a_picture_look_like_it(quality):
    for seed in range(10):
        image = photograph(seed)
        assert alike(np.asarray(image), jpeg(image, quality)) == [[0, 1]]


def test_other_sizes_of_a_picture_look_like_it():
    image = photograph(1)
    sizes = [image.resize(size) for size in ((48, 48), (200, 200), (96, 90))]

    assert len(alike(*map(np.asarray, (image, *sizes)))) == 6


def test_a_change_in_one_place_or_of_the_colour_makes_another_picture():
    image = photograph(1)
    marked = np.asarray(image).copy()
    marked[10:30, 10:30] = 255 - marked[10:30, 10:30]

    assert alike(np.asarray(image), marked, np.asarray(image)[:, :, ::-1]) == []


def test_unlike_and_blank_pictures_do_not_look_alike():
    blank = [np.full((20, 20), value, dtype=np.uint8) for value in range(30)]

    assert alike(*(np.asarray(photograph(seed)) for seed in range(100)), *blank) == []


@pytest.mark.skipif(not FASHION.is_file(), reason="Fashion-MNIST is not there")
def test_different_garments_of_fashion_mnist_do_not_look_alike():
    content = gzip.decompress(FASHION.read_bytes())
    images = np.frombuffer(content, dtype=np.uint8, offset=16).reshape(-1, 28, 28)[:4000]

    assert alike(*images) == []


def test_a_set_too_uniform_to_compare_says_so_and_ends(monkeypatch):
    monkeypatch.setattr("grader.pictures.lookalikes.MOST_CANDIDATES", 1000)
    same = noise(1, 16, 16)

    found = lookalikes(fingerprints([same] * 200), np.arange(200))

    assert not found.complete


@pytest.mark.parametrize("is_given", [False, True])
def test_groups_come_to_one_side_and_every_class_keeps_its_share(is_given):
    rng = np.random.default_rng(7)
    labels = np.repeat(np.arange(4), 250)
    groups = np.arange(1000)
    for head in range(0, 1000, 10):
        groups[head : head + 4] = head
    is_test = rng.random(1000) < 0.5 if is_given else None

    train, test = draw(labels, is_test, groups=groups, test_fraction=0.2, seed=1)

    assert sorted([*train, *test]) == list(range(1000))
    assert set(groups[train]) & set(groups[test]) == set()
    if not is_given:
        assert np.bincount(labels[test]).tolist() == [50] * 4
