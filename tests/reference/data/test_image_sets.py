"""Readers of every on-disk form, on files in that form; tasks derived from real images."""

from __future__ import annotations

import dataclasses
import io
import json
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from reference import data
from reference.data import (
    ImageSet,
    cifar,
    class_folders,
    competition,
    generated,
    places,
    store,
)
from reference.errors import DataError, NoData
from reference.recipe.stand_in import images_for


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing is read from or left in the user's cache."""
    monkeypatch.setattr(places, "CACHE", tmp_path / "cache")
    monkeypatch.delenv("REFERENCE_DATA", raising=False)
    return tmp_path / "cache"


def unchecked(which: cifar.PickledSet) -> cifar.PickledSet:
    """The same form without the real files' MD5."""
    return dataclasses.replace(
        which,
        training=dict.fromkeys(which.training, ""),
        test=dict.fromkeys(which.test, ""),
        meta=dict.fromkeys(which.meta, ""),
    )


def test_cifar_100_is_read_fine_and_coarse(tmp_path: Path):
    generated.write_cifar_100_form(tmp_path, per_class=5)

    fine = cifar.read(unchecked(cifar.CIFAR_100_FINE), tmp_path, "here")
    coarse = cifar.read(unchecked(cifar.CIFAR_100_COARSE), tmp_path, "here")

    assert fine.train_images.shape == (500, 3, 32, 32)
    assert (len(fine.classes), len(coarse.classes)) == (100, 20)
    assert np.array_equal(fine.train_labels // 5, coarse.train_labels)
    assert np.array_equal(fine.train_images, coarse.train_images)
    # rows of a batch are all red, then all green, then all blue values
    drawn = generated.draw(fine.train_labels, 100, 32, seed=generated.SEED)
    assert np.array_equal(fine.train_images, drawn)


def test_cifar_10_joins_its_five_batches(tmp_path: Path):
    generated.write_cifar_10_form(tmp_path, per_class=10)

    images = cifar.read(unchecked(cifar.CIFAR_10), tmp_path, "here")

    assert images.train_images.shape == (100, 3, 32, 32)
    assert np.bincount(images.train_labels).tolist() == [10] * 10
    assert images.test_images.shape == (20, 3, 32, 32)


def test_files_that_are_not_the_published_ones_are_refused_before_they_are_opened(tmp_path: Path):
    generated.write_cifar_100_form(tmp_path, per_class=5)

    with pytest.raises(DataError, match="MD5 is not the published one"):
        cifar.read(cifar.CIFAR_100_FINE, tmp_path, "here")


def test_a_pickle_that_would_run_code_is_refused(tmp_path: Path):
    generated.write_cifar_100_form(tmp_path, per_class=5)

    class Attack:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "was-run",))

    (tmp_path / "train").write_bytes(pickle.dumps(Attack()))

    with pytest.raises(DataError, match="it asks for pathlib"):
        cifar.read(unchecked(cifar.CIFAR_100_FINE), tmp_path, "here")
    assert not (tmp_path / "was-run").exists()


def test_a_batch_without_the_labels_is_named(tmp_path: Path):
    generated.write_cifar_100_form(tmp_path, per_class=5)
    (tmp_path / "train").write_bytes(pickle.dumps({"data": [], "labels": []}))

    with pytest.raises(DataError, match="train is not a batch of CIFAR's form"):
        cifar.read(unchecked(cifar.CIFAR_100_FINE), tmp_path, "here")


class Endless:
    """Ten terabytes, if one believes it."""

    def __reduce__(self):
        return (np.ndarray, ((10**13,), "|u1"))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train", {"data": Endless(), "fine_labels": [1]}, "train can't be read"),
        ("train", {"data": np.zeros((1, 3072)), "fine_labels": [1]}, "is not a batch of CIFAR's"),
        ("train", {"data": np.zeros((1, 3072), "u1"), "fine_labels": [500]}, "every class"),
        ("meta", {}, "does not name every class"),
    ],
)
def test_batches_that_lie_are_named(tmp_path: Path, name: str, content: object, message: str):
    generated.write_cifar_100_form(tmp_path, per_class=5)
    (tmp_path / name).write_bytes(pickle.dumps(content))

    with pytest.raises(DataError, match=message):
        cifar.read(unchecked(cifar.CIFAR_100_FINE), tmp_path, "here")


FOLDERS = class_folders.FolderSet(name="patterns", title="Patterns", size=24, test=0.2)


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    generated.write_class_folders(tmp_path / "in", classes=3, size=30, per_class=10, first=20)
    return tmp_path / "in"


def test_a_large_class_is_cut_before_the_set_is_divided(folders: Path):
    cut = dataclasses.replace(FOLDERS, name="cut", most=10)

    images = class_folders.read(cut, folders, "here")

    assert np.bincount(images.train_labels).tolist() == [8, 8, 8]
    assert np.bincount(images.test_labels).tolist() == [2, 2, 2]
    assert class_folders.MARINE.most == 500


def test_class_folders_are_decoded_to_one_size_and_split_by_class(folders: Path):
    images = class_folders.read(FOLDERS, folders, "here")

    assert images.classes == ("pattern 00", "pattern 01", "pattern 02")
    assert images.train_images.shape == (32, 3, 24, 24)
    assert np.bincount(images.test_labels).tolist() == [4, 2, 2]
    assert images.train_images.std() > 20


def test_decoded_pictures_are_kept_and_decoded_again_when_they_change(
    folders: Path, monkeypatch: pytest.MonkeyPatch
):
    first = class_folders.read(FOLDERS, folders, "here")
    decoded = []
    monkeypatch.setattr(class_folders, "decode", lambda *told: decoded.append(told))
    again = class_folders.read(FOLDERS, folders, "here")
    monkeypatch.undo()
    next(folders.glob("*01/*.jpg")).unlink()
    changed = class_folders.read(FOLDERS, folders, "here")

    assert decoded == []
    assert again.fingerprint == first.fingerprint
    assert len(changed.train_labels) + len(changed.test_labels) == 39


def test_kept_tensors_that_were_damaged_are_refused(folders: Path, own_cache: Path):
    class_folders.read(FOLDERS, folders, "here")
    kept = next((own_cache / "tensors").rglob("images.npy"))
    content = bytearray(kept.read_bytes())
    content[-1] ^= 1
    kept.write_bytes(content)

    for damaged in (content, content[:500], b""):
        kept.write_bytes(damaged)
        with pytest.raises(DataError, match=r"delete .* and it is decoded again"):
            class_folders.read(FOLDERS, folders, "here")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"training": [0, 1], "test": [99]}, "names rows that there are not: 40 are labelled"),
        ({"training": [0, 1], "test": [-1]}, "names rows that there are not"),
        ({"training": [0, 1], "test": []}, "no training or no test images"),
        ({"training": [0, 1]}, "no training or no test images"),
    ],
)
def test_an_index_file_that_was_changed_by_hand_is_checked(
    folders: Path, own_cache: Path, rows: dict[str, list[int]], message: str
):
    class_folders.read(FOLDERS, folders, "here")
    index = next((own_cache / "tensors").rglob("split.json"))
    index.write_text(json.dumps({**json.loads(index.read_text()), "rows": rows}))

    with pytest.raises(DataError, match=message):
        class_folders.read(FOLDERS, folders, "here")


def test_a_link_to_nothing_is_named(folders: Path):
    (folders / "pattern 01" / "gone.jpg").symlink_to(folders / "nowhere.jpg")

    with pytest.raises(DataError, match=r"gone\.jpg can't be read: No such file"):
        class_folders.read(FOLDERS, folders, "here")


def test_a_picture_that_is_none_is_named(folders: Path):
    (folders / "pattern 01" / "0000.jpg").write_bytes(b"not a picture")

    with pytest.raises(DataError, match=r"can't be decoded:\n.*0000\.jpg: is no picture"):
        class_folders.read(FOLDERS, folders, "here")


def test_folders_of_the_user_are_found(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "root").mkdir()
    folders.rename(tmp_path / "root" / "eurosat")
    monkeypatch.setenv("REFERENCE_DATA", str(tmp_path / "root"))

    images = data.load("eurosat")

    assert images.title == "EuroSAT"
    assert images.train_images.shape[1:] == (3, 64, 64)
    assert images.notice == ""


@pytest.mark.parametrize("name", ["eurosat", "marine", "competition"])
def test_a_set_that_is_nowhere_says_where_to_put_it(name: str):
    with pytest.raises(DataError, match=f"Set REFERENCE_DATA to a folder whose {name}/"):
        data.load(name)


def test_competition_form_keeps_a_sixth_for_testing_where_the_answers_are_hidden(tmp_path: Path):
    generated.write_competition_form(tmp_path, per_class=30)

    images = competition.read(competition.COMPETITION, tmp_path, "here")

    assert images.train_images.shape == (250, 1, 28, 28)
    assert np.bincount(images.test_labels).tolist() == [5] * 10
    assert images.notice.startswith("The answers are hidden")


def table(rows: list[tuple[int, int]]) -> bytes:
    return "".join(["id,label\n", *(f"{row},{label}\n" for row, label in rows)]).encode()


def packed(*array: np.ndarray, **arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays) if arrays else np.save(stream, *array)
    return stream.getvalue()


def of_shape(shape: str) -> bytes:
    """A hundred bytes that say of themselves that they are far more."""
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(100)


def test_labels_go_to_the_images_that_their_ids_name(tmp_path: Path):
    generated.write_competition_form(tmp_path, per_class=30)
    before = competition.read(competition.COMPETITION, tmp_path, "here")
    head, *lines = (tmp_path / "train.csv").read_text().splitlines()

    (tmp_path / "train.csv").write_text("\n".join([head, *lines[::-1]]))
    after = competition.read(competition.COMPETITION, tmp_path, "here")

    assert after.fingerprint == before.fingerprint


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train.csv", b"id,class\n0,1\n", "not a table of id,label"),
        ("train.csv", b"id,label\n0,1\n", "300 images in train.npy, 1 labels"),
        ("train.npy", b"not an array", "can't be read"),
        ("train.npy", b"", "can't be read"),
        ("train.npy", of_shape("(300000000000, 28, 28)"), "can't be read"),
        ("train.npy", packed(np.zeros((300, 28, 28), np.float32)), "holds float32 300×28×28"),
        ("train.npy", packed(np.zeros((300, 3, 28, 28), np.uint8)), "holds uint8 300×3×28×28"),
        ("train.npy", packed(first=np.zeros(3)), "is a .npz archive"),
        ("train.csv", table([(k, -1) for k in range(300)]), "labels must number the classes"),
        ("train.csv", table([(k, 10**6) for k in range(300)]), "labels must number the classes"),
        ("train.csv", table([(k, 2**70) for k in range(300)]), "not a table of id,label"),
        ("train.csv", table([(0, 1)] * 300), "ids must number the images from 0, each once"),
        ("train.csv", table([(k + 1, 1) for k in range(300)]), "ids must number the images"),
        ("train.csv", b"id,label\n" + b"9" * 200_000, "not a table of id,label"),
        ("test.csv", table([(k, 10) for k in range(50)]), "another shape or labels"),
    ],
)
def test_damaged_competition_files_are_named(
    tmp_path: Path, name: str, content: bytes, message: str
):
    generated.write_competition_form(tmp_path, per_class=30)
    (tmp_path / name).write_bytes(content)

    with pytest.raises(DataError, match=message):
        competition.read(competition.COMPETITION, tmp_path, "here")


@pytest.mark.parametrize(
    "name", ["generated-cifar-10-form", "generated-eurosat-form", "generated-competition-form"]
)
def test_generated_sets_say_what_they_are(name: str):
    images = data.load(name)

    assert images.name == name
    assert images.title.startswith("Generated patterns")
    assert images.notice.startswith("Generated images: ")
    assert images.fingerprint == data.load(name).fingerprint


def test_two_processes_that_generate_one_set_at_once_do_not_meet(tmp_path: Path):
    folder = tmp_path / "set"

    def write(part: Path) -> None:
        generated.write_competition_form(part, per_class=6)
        if not folder.exists():  # the other process, which is a little quicker
            generated.write_competition_form(folder, per_class=6)

    assert generated.once(folder, write) == folder
    assert [path.name for path in tmp_path.iterdir()] == ["set"]


def test_store_folder_depends_on_the_state_of_the_files():
    assert store.folder_for("a", "1" * 64) != store.folder_for("a", "2" * 64)


def test_recipe_whose_images_are_nowhere_trains_on_its_stand_in(fashion: ImageSet):
    said: list[str] = []

    images = images_for("mynet", None, say=said.append)

    assert images.name == "fashion-mnist-one-large"
    assert "Marine animals is not to be had here" in said[0]
    assert said[0].endswith("In its place fashion-mnist-one-large:")
    with pytest.raises(NoData):
        images_for("mynet", "marine")


def test_damaged_images_are_not_replaced_by_the_stand_in(own_cache: Path):
    (own_cache / "competition").mkdir(parents=True)
    (own_cache / "competition" / "train.npy").write_bytes(b"cut off")

    with pytest.raises(DataError, match="can't be read"):
        images_for("simple_cnn_as_reported", None)
