"""Assignment folders: valid, and in an order that tells nothing."""

from __future__ import annotations

import filecmp
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import grader
from reference.data import ImageSet
from reference.submitting.assignments import write_assignment


@pytest.fixture(scope="module")
def folder(fashion: ImageSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("course") / "fashion-mnist"
    write_assignment(fashion, path, seed=11)
    return path


@pytest.fixture(scope="module")
def assignment(folder: Path) -> grader.Assignment:
    return grader.Assignment.load(folder)


def labels_in_file_order(folder: Path) -> NDArray[np.int64]:
    rows = np.loadtxt(folder / "answers.csv", delimiter=",", skiprows=1, dtype=np.int64)
    assert rows[:, 0].tolist() == list(range(len(rows)))
    return rows[:, 1]


def order_tells_of_class(labels: NDArray[np.int64], *, seed: int) -> bool:
    """Permutation tests of the file's order: class means of the row, and equal neighbours."""

    def statistics(order: NDArray[np.int64]) -> tuple[float, float]:
        rows = np.arange(len(order))
        means = np.array([rows[order == label].mean() for label in np.unique(order)])
        return float(means.var()), float((order[1:] == order[:-1]).mean())

    generator = np.random.default_rng(seed)
    seen = statistics(labels)
    drawn = np.array([statistics(generator.permutation(labels)) for _ in range(400)])
    shares = (drawn >= seen).mean(axis=0)
    return bool((shares < 0.005).any())


def test_folder_is_a_valid_assignment(assignment: grader.Assignment, fashion: ImageSet):
    key = assignment.answer_key()

    assert assignment.classes == fashion.classes
    assert np.bincount(key.labels[key.public]).tolist() == [300] * 10
    assert np.bincount(key.labels[~key.public]).tolist() == [700] * 10
    assert assignment.data.test_images == "public"


def test_every_test_image_keeps_its_own_label(assignment: grader.Assignment, fashion: ImageSet):
    labels = labels_in_file_order(assignment.folder)
    images = assignment.test_images()

    known = {
        image.tobytes(): label
        for image, label in zip(fashion.test_images[:, 0], fashion.test_labels, strict=True)
    }
    assert len(images) == 10_000
    assert all(known[images[row].tobytes()] == labels[row] for row in range(10_000))


def test_file_order_tells_nothing_of_the_class(folder: Path):
    labels = labels_in_file_order(folder)

    assert not order_tells_of_class(labels, seed=0)
    assert order_tells_of_class(np.sort(labels), seed=0), "the test would not see an order"
    assert not np.array_equal(labels, np.sort(labels))


def test_samples_are_labelled_and_not_of_the_test_set(assignment: grader.Assignment):
    images, labels = assignment.sample()

    hidden = {image.tobytes() for image in assignment.test_images()}
    assert np.bincount(labels).tolist() == [3] * 10
    assert not any(image.tobytes() in hidden for image in images)


def test_students_get_the_training_set_and_neither_answers_nor_seed(
    assignment: grader.Assignment, fashion: ImageSet, tmp_path: Path
):
    pack = tmp_path / "pack"

    grader.write_public_pack(assignment, pack)

    train = np.load(pack / "train" / "images.npy")
    labels = np.loadtxt(
        pack / "train" / "labels.csv", delimiter=",", skiprows=1, usecols=1, dtype=int
    )
    assert np.array_equal(train, fashion.train_images[:, 0])
    assert np.array_equal(labels, fashion.train_labels)
    assert len(np.load(pack / "test" / "images.npy")) == 10_000
    assert not list(pack.rglob("answers*"))
    assert "seed" not in (pack / "assignment.json").read_text()


def test_readme_gives_the_true_numbers(assignment: grader.Assignment):
    text = assignment.readme()

    for words in ("60,000", "10,000", "28×28", "| 9 | Ankle boot |", "120 s", "30 labelled"):
        assert words in text


def test_seed_decides_the_folder(digits: ImageSet, tmp_path: Path):
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        write_assignment(digits, tmp_path / name, seed=seed)

    files = ["answers.csv", "assignment.toml", "README.md", "test/images.npy", "sample/images.npy"]
    _, different, missing = filecmp.cmpfiles(
        tmp_path / "one", tmp_path / "again", files, shallow=False
    )
    assert different == missing == []
    _, different, _ = filecmp.cmpfiles(tmp_path / "one", tmp_path / "other", files, shallow=False)
    assert {"answers.csv", "assignment.toml", "test/images.npy"} <= set(different)


def test_digits_are_a_valid_assignment(digits: ImageSet, tmp_path: Path):
    write_assignment(digits, tmp_path / "digits", seed=1)

    assignment = grader.Assignment.load(tmp_path / "digits")

    assert assignment.num_classes == 10
    assert assignment.test_images().shape == (539, 8, 8)


def test_a_folder_in_the_way_is_replaced_by_force_only(digits: ImageSet, tmp_path: Path):
    folder = tmp_path / "digits"
    write_assignment(digits, folder, seed=1)

    with pytest.raises(FileExistsError, match="--force"):
        write_assignment(digits, folder, seed=2)
    write_assignment(digits, folder, seed=2, force=True)

    assert "seed = 2" in (folder / "assignment.toml").read_text()


def test_force_does_not_remove_what_is_no_assignment(digits: ImageSet, tmp_path: Path):
    (tmp_path / "thesis.tex").write_text("years of work")

    with pytest.raises(FileExistsError, match="is not replaced"):
        write_assignment(digits, tmp_path, seed=1, force=True)

    assert (tmp_path / "thesis.tex").exists()
