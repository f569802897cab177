"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009): pickled batches of 32×32 colour pictures.

A pickle can run code when it is read, so that the real files are checked before they are opened,
and the reader builds NumPy arrays and plain values only.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from grader import unpack_archive
from reference.data import places
from reference.data.image_set import ImageSet, sha256_of
from reference.errors import DataError, NoData

SIDE = 32
MIRROR = "https://www.cs.toronto.edu/~kriz/"
LARGEST_ARCHIVE_BYTES = 200 << 20
# what NumPy and pickle raise for bytes that are no pickle, or one that was changed
BROKEN = (
    pickle.UnpicklingError,
    EOFError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    OverflowError,
    MemoryError,
    RuntimeError,
    SystemError,
)


@dataclass(frozen=True, kw_only=True)
class PickledSet:
    """One published set: files and their MD5 as its authors gave them; empty: not checked.

    `labels` and `label_names` are keys in the pickles.
    """

    name: str
    title: str
    layout: str
    archive: str
    archive_md5: str
    training: Mapping[str, str]
    test: Mapping[str, str]
    meta: Mapping[str, str]
    labels: str
    label_names: str

    @property
    def files(self) -> dict[str, str]:
        """Every file with its MD5."""
        return {**self.training, **self.test, **self.meta}


CIFAR_10 = PickledSet(
    name="cifar-10",
    title="CIFAR-10",
    layout="cifar-10-batches-py",
    archive="cifar-10-python.tar.gz",
    archive_md5="c58f30108f718f92721af3b95e74349a",
    training={
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    },
    test={"test_batch": "40351d587109b95175f43aff81a1287e"},
    meta={"batches.meta": "5ff9c542aee3614f3951f8cda6e48888"},
    labels="labels",
    label_names="label_names",
)
CIFAR_100_FINE = PickledSet(
    name="cifar-100",
    title="CIFAR-100",
    layout="cifar-100-python",
    archive="cifar-100-python.tar.gz",
    archive_md5="eb9058c3a382ffc7106e4002c42a8d85",
    training={"train": "16019d7e3df5f24257cddd939b257f8d"},
    test={"test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
    meta={"meta": "7973b15100ade9c7d40fb424638fde48"},
    labels="fine_labels",
    label_names="fine_label_names",
)
CIFAR_100_COARSE = PickledSet(
    **{
        **vars(CIFAR_100_FINE),
        "name": "cifar-100-coarse",
        "title": "CIFAR-100, 20 superclasses",
        "labels": "coarse_labels",
        "label_names": "coarse_label_names",
    }
)


def find(which: PickledSet, mirror: str = MIRROR) -> tuple[Path, str]:
    """The folder with the batches, and where it came from in words.

    Looked for in REFERENCE_DATA and the cache, unpacked; downloaded into the cache else.

    Raises:
        NoData: it is in none of them and can't be downloaded.
    """
    shared = which.name.removesuffix("-coarse")
    searched = dict(places.candidates(shared, which.layout))
    for folder, origin in searched.items():
        if all((folder / name).is_file() for name in which.files):
            return folder, origin
    archive = places.CACHE / which.archive
    try:
        places.download(
            f"{mirror}{which.archive}",
            archive,
            most_bytes=LARGEST_ARCHIVE_BYTES,
            check=lambda path: places.digest(path, "md5") == which.archive_md5,
        )
    except DataError as error:
        raise NoData(
            f"{which.title} is not to be had here (not in {', not in '.join(map(str, searched))}; "
            f"{error}). Set REFERENCE_DATA to a folder that holds {which.layout}/"
        ) from error
    unpack_archive(archive, places.CACHE)
    archive.unlink()
    (places.CACHE / which.layout).rename(places.CACHE / shared)
    return places.CACHE / shared, f"downloaded from {mirror} into {places.CACHE / shared}"


def read(which: PickledSet, folder: Path, origin: str) -> ImageSet:
    """Training and test batches with the labels that `which` names.

    Raises:
        DataError: a file is damaged or not a batch.
    """
    training = [_batch(which, folder, name) for name in which.training]
    test = [_batch(which, folder, name) for name in which.test]
    train_images, train_labels = _joined(training)
    test_images, test_labels = _joined(test)
    ((name, md5),) = which.meta.items()
    classes = _unpickle(folder / name, md5).get(which.label_names)
    if not classes or max(train_labels.max(), test_labels.max()) >= len(classes):
        raise DataError(f"{folder / name} does not name every class that the batches hold")
    return ImageSet(
        name=which.name,
        title=which.title,
        classes=tuple(classes),
        train_images=train_images,
        train_labels=train_labels,
        test_images=test_images,
        test_labels=test_labels,
        origin=origin,
        sha256={
            "train_images": sha256_of(train_images),
            "train_labels": sha256_of(train_labels),
            "test_images": sha256_of(test_images),
            "test_labels": sha256_of(test_labels),
        },
    )


Batch = tuple[NDArray[np.uint8], NDArray[np.int64]]


def _batch(which: PickledSet, folder: Path, name: str) -> Batch:
    content = _unpickle(folder / name, which.files[name])
    try:
        rows, labels = content["data"], content[which.labels]
        pixels = np.asarray(rows).reshape(len(labels), 3, SIDE, SIDE)
        pixels = pixels.astype(np.uint8, casting="same_kind", copy=False)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{folder / name} is not a batch of CIFAR's form: {error}") from error
    return pixels, np.asarray(labels, dtype=np.int64)


def _joined(batches: list[Batch]) -> Batch:
    images, labels = zip(*batches, strict=True)
    return np.concatenate(images), np.concatenate(labels)


def _unpickle(path: Path, md5: str) -> dict[str, Any]:
    if md5 and places.digest(path, "md5") != md5:
        raise DataError(f"{path} is damaged or another file: its MD5 is not the published one")
    with path.open("rb") as stream:
        try:
            content = _ArraysOnly(stream, encoding="latin1").load()
        except BROKEN as error:
            raise DataError(f"{path} can't be read: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path} is not a batch of CIFAR's form: it holds no dictionary")
    return content


class _ArraysOnly(pickle.Unpickler):
    """Refuses every global but the three that a pickled array of bytes is made of."""

    def find_class(self, module: str, name: str) -> Any:
        # the published files were pickled by a NumPy that called `_core` `core`
        module = module.replace("numpy.core.", "numpy._core.")
        if (module, name) in {
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            ("_codecs", "encode"),
        }:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")
