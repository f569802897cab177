"""Loaders against the real files, and splits."""

from __future__ import annotations

import dataclasses
import gzip
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from reference import data
from reference.data import ImageSet, idx, places, stratified_split
from reference.errors import DataError


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without the data: an empty cache, no package, no folder given."""
    monkeypatch.setattr(places, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(idx, "DEBIAN", tmp_path / "no-package")
    monkeypatch.delenv("REFERENCE_DATA", raising=False)
    return tmp_path


def test_fashion_mnist_is_the_real_one(fashion: ImageSet):
    assert fashion.train_images.shape == (60_000, 1, 28, 28)
    assert fashion.test_images.shape == (10_000, 1, 28, 28)
    assert fashion.train_images.dtype == np.uint8
    assert np.bincount(fashion.train_labels).tolist() == [6_000] * 10
    assert np.bincount(fashion.test_labels).tolist() == [1_000] * 10
    # the mean pixel that every Fashion-MNIST recipe normalises by
    assert fashion.train_images.mean() / 255 == pytest.approx(0.2860, abs=1e-4)
    # the first training image is an ankle boot
    assert fashion.classes[fashion.train_labels[0]] == "Ankle boot"


def test_digits_are_split_once_and_stratified(digits: ImageSet):
    assert digits.train_images.shape == (1_258, 1, 8, 8)
    assert digits.test_images.shape == (539, 1, 8, 8)
    assert digits.train_images.max() == 255
    shares = np.bincount(digits.test_labels) / (
        np.bincount(digits.test_labels) + np.bincount(digits.train_labels)
    )
    assert shares == pytest.approx(np.full(10, 0.3), abs=0.01)


def test_unknown_set_is_refused_by_name():
    with pytest.raises(DataError, match="fashion-mnist, mnist, digits"):
        data.load("cifar-11")


def test_data_folder_of_the_user_comes_first(
    fashion_folder: Path, nowhere: Path, monkeypatch: pytest.MonkeyPatch
):
    given = nowhere / "given" / "FashionMNIST" / "raw"
    shutil.copytree(fashion_folder, given)
    monkeypatch.setenv("REFERENCE_DATA", str(nowhere / "given"))

    assert idx.find(idx.FASHION)[0] == given


def test_missing_data_is_downloaded_checked_and_kept(fashion_folder: Path, nowhere: Path):
    with mirror(fashion_folder) as address:
        folder, origin = idx.find(idx.FASHION, (address,))

    assert origin.startswith(f"downloaded from {address}")
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        f"{name}.gz" for name in idx.FASHION.files
    )
    assert idx.find(idx.FASHION, ())[1].startswith("the cache")


def test_download_of_something_else_is_refused_and_leaves_nothing(nowhere: Path):
    (nowhere / "site").mkdir()
    for name in idx.FASHION.files:
        (nowhere / "site" / f"{name}.gz").write_bytes(gzip.compress(b"not the data"))

    with (
        mirror(nowhere / "site") as address,
        pytest.raises(DataError, match="not the file it should be"),
    ):
        idx.find(idx.FASHION, (address,))

    assert list((nowhere / "cache" / "fashion-mnist").iterdir()) == []


def test_without_data_and_network_the_error_says_what_helps(nowhere: Path):
    with pytest.raises(DataError, match="apt-get install dataset-fashion-mnist"):
        idx.find(idx.FASHION, ("http://127.0.0.1:1/",))


def test_damaged_file_is_refused(
    fashion_folder: Path, nowhere: Path, monkeypatch: pytest.MonkeyPatch
):
    given = nowhere / "given"
    shutil.copytree(fashion_folder, given)
    labels = given / "t10k-labels-idx1-ubyte.gz"
    labels.write_bytes(labels.read_bytes()[:2_000])
    monkeypatch.setenv("REFERENCE_DATA", str(given))

    with pytest.raises(DataError, match="is damaged"):
        data.load("fashion-mnist")


def test_split_is_stratified_complete_and_given_by_its_seed(fashion: ImageSet):
    rest, chosen = stratified_split(fashion.train_labels, 0.1, seed=7)

    assert np.bincount(fashion.train_labels[chosen]).tolist() == [600] * 10
    assert sorted(np.concatenate([rest, chosen]).tolist()) == list(range(60_000))
    assert np.array_equal(chosen, stratified_split(fashion.train_labels, 0.1, seed=7)[1])
    assert not np.array_equal(chosen, stratified_split(fashion.train_labels, 0.1, seed=8)[1])


def test_fingerprint_is_that_of_the_content(digits: ImageSet):
    other = dataclasses.replace(digits, sha256={**digits.sha256, "labels": "0" * 64})

    assert digits.fingerprint == data.load("digits").fingerprint
    assert digits.fingerprint != other.fingerprint


@contextmanager
def mirror(folder: Path) -> Iterator[str]:
    """Serves a folder on loopback."""
    handler = partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *message: object) -> None:
        pass
