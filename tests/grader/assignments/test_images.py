"""Images of an assignment that are files, found by their ids; and names in whatever form."""

import unicodedata

import numpy as np
import pytest
from assignment_folders import write_assignment
from PIL import Image
from small_pictures import noise

from grader import Assignment, AssignmentError, parse_predictions
from grader.assignments.images import read_images
from reference.data.class_folders import decode

IDS = ("i0", "i1", "i2")


@pytest.fixture
def test_folder(tmp_path):
    """Three pictures of noise, i0.png to i2.png."""
    folder = tmp_path / "test"
    (folder / "images").mkdir(parents=True)
    for at, name in enumerate(IDS):
        Image.fromarray(noise(at, 8, 10)).save(folder / "images" / f"{name}.png")
    return folder


@pytest.mark.parametrize("ids", [IDS, ("i0.png", "i1.png", "i2.png"), ("i0.JPG", "i1", "i2.png")])
def test_ids_and_files_may_have_a_suffix_or_none(test_folder, ids):
    images = read_images(test_folder, ids)

    assert np.array_equal(images, np.stack([noise(at, 8, 10) for at in range(3)]))


def test_ids_are_one_whatever_form_a_system_gave_their_letters(test_folder):
    name = unicodedata.normalize("NFD", "Käfer")
    (test_folder / "images" / "i0.png").rename(test_folder / "images" / f"{name}.png")

    assert len(read_images(test_folder, ["Käfer", "i1", "i2"])) == 3


def test_two_files_of_one_id_are_refused(test_folder):
    Image.fromarray(noise(9, 8, 10)).save(test_folder / "images" / "i1.bmp")

    with pytest.raises(AssignmentError, match="two files fit the id 'i1'"):
        read_images(test_folder, IDS)


def test_class_folders_in_the_place_of_hidden_images_are_told_of(test_folder):
    for at, name in enumerate(IDS):
        place = test_folder / "images" / ("cat", "dog")[at % 2] / f"{name}.png"
        place.parent.mkdir(exist_ok=True)
        (test_folder / "images" / f"{name}.png").rename(place)

    with pytest.raises(AssignmentError, match="class folders, which would give the answers away"):
        read_images(test_folder, IDS)


def test_what_lies_there_instead_is_named(tmp_path):
    np.savez(tmp_path / "images.npz", images=noise(1, 3, 4, 4))

    with pytest.raises(AssignmentError, match=r"it holds images\.npz"):
        read_images(tmp_path, IDS)


def test_all_that_is_wrong_with_image_files_is_told_at_once(test_folder):
    (test_folder / "images" / "i1.png").write_bytes(b"")
    (test_folder / "images" / "i2.png").write_bytes(b"<html>")

    with pytest.raises(AssignmentError) as caught:
        read_images(test_folder, IDS)

    codes = [problem.code for problem in caught.value.problems]
    assert len(codes) == 2
    assert codes[0] == "pictures.bad.empty"


def test_images_that_differ_in_size_are_scaled_to_the_usual_one_and_told(tmp_path):
    (tmp_path / "images").mkdir()
    ids = [f"i{row}" for row in range(20)]
    for row, name in enumerate(ids):
        side = 16 if row == 3 else 8
        Image.fromarray(np.full((side, side), 10 * row, np.uint8)).save(
            tmp_path / "images" / f"{name}.png"
        )
    told = []

    images = read_images(tmp_path, ids, tell=told.append)
    wished = read_images(tmp_path, ids, size=(4, 6))

    assert images.shape == (20, 8, 8)
    assert images[3].tolist() == np.full((8, 8), 30).tolist()
    assert told == [
        "1 of 20 pictures have another size: they are scaled to cover 8x8 and cut to the centre."
    ]
    assert wished.shape == (20, 4, 6)


def test_hidden_images_and_the_references_have_the_same_pixels_as_a_new_assignment(
    test_folder, tmp_path
):
    deep = noise(5, 8, 10).astype(np.uint16) * 256
    exif = Image.Exif()
    exif[0x0112] = 3
    for name in IDS:
        Image.fromarray(deep).save(test_folder / "images" / f"{name}.png", exif=exif)

    images = read_images(test_folder, IDS)
    references = decode([test_folder / "images" / "i0.png"], 8)

    upright = noise(5, 8, 10)[::-1, ::-1]
    assert all(np.array_equal(image, upright) for image in images)
    assert np.abs(references[0, 0].astype(int).mean() - upright.mean()) < 3
    assert references[0, 0, 0].astype(int)[:2].mean() == pytest.approx(
        upright[0, :3].mean(), abs=60
    )


@pytest.mark.parametrize("typed", ["NFC", "NFD"])
@pytest.mark.parametrize("stored", ["NFC", "NFD"])
def test_labels_and_ids_are_the_same_in_either_form_of_their_letters(tmp_path, stored, typed):
    beetle = unicodedata.normalize(stored, "Käfer")
    settings = f'slug = "x"\ntitle = "x"\nclasses = ["Ameise", "{beetle}"]\n'
    labels = ("Ameise", beetle) * 4
    rows = [f"{beetle}{at},{label}" for at, label in enumerate(labels)]
    answers = "\n".join(["id,label", *rows]) + "\n"
    assignment = Assignment.load(write_assignment(tmp_path / "a", settings, 8, answers))

    content = unicodedata.normalize(typed, answers).encode()
    predictions = parse_predictions(content, assignment.expected())

    assert np.array_equal(predictions.labels, assignment.answer_key().labels)
    assert assignment.classes == ("Ameise", "Käfer")
