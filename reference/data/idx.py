"""MNIST and Fashion-MNIST: four IDX files, packed or not."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reference.data import places
from reference.data.image_set import ImageSet
from reference.errors import DataError, NoData

DEBIAN = Path("/usr/share/datasets/fashion-mnist")
# Half a gigabyte of zeros packs into 500 kB: no more than the largest real file is unpacked.
LARGEST_FILE_BYTES = 16 + 60_000 * 28 * 28


# SHA-256 of the unpacked content: the same in the original download and in packages that pack the
# files anew.
FASHION_FILES: Mapping[str, str] = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
MNIST_FILES: Mapping[str, str] = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}


@dataclass(frozen=True, kw_only=True)
class IdxSet:
    """One published set of four IDX files.

    `files` gives the SHA-256 of the unpacked content by file, `help` what to do where the set is
    nowhere.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    files: Mapping[str, str]
    mirrors: tuple[str, ...]
    layout: str
    help: str


FASHION = IdxSet(
    name="fashion-mnist",
    title="Fashion-MNIST",
    classes=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    files=FASHION_FILES,
    mirrors=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",),
    layout="FashionMNIST/raw",
    help="On Debian or Ubuntu `apt-get install dataset-fashion-mnist` brings it; elsewhere set "
    "REFERENCE_DATA to a folder that holds its four files",
)
MNIST = IdxSet(
    name="mnist",
    title="MNIST",
    classes=tuple("0123456789"),
    files=MNIST_FILES,
    mirrors=("https://ossci-datasets.s3.amazonaws.com/mnist/",),
    layout="MNIST/raw",
    help="Set REFERENCE_DATA to a folder whose `mnist` holds its four files",
)


def read(which: IdxSet, folder: Path, origin: str) -> ImageSet:
    """60,000 + 10,000 grey 28×28 pictures.

    Raises:
        DataError: a file is damaged or another one.
    """
    return ImageSet(
        name=which.name,
        title=which.title,
        classes=which.classes,
        train_images=_read_file(which, folder, "train-images-idx3-ubyte")[:, None],
        train_labels=_read_file(which, folder, "train-labels-idx1-ubyte").astype(np.int64),
        test_images=_read_file(which, folder, "t10k-images-idx3-ubyte")[:, None],
        test_labels=_read_file(which, folder, "t10k-labels-idx1-ubyte").astype(np.int64),
        origin=origin,
        sha256=which.files,
    )


def find(which: IdxSet, mirrors: tuple[str, ...] | None = None) -> tuple[Path, str]:
    """The folder with the four files, packed or not, and where it came from in words.

    Looked for in REFERENCE_DATA, in the cache, in Debian's package; downloaded into the cache as
    the last resort.

    Raises:
        NoData: none of these.
    """
    searched = dict(_places(which))
    for folder, origin in searched.items():
        if all(_file_in(folder, name) for name in which.files):
            return folder, origin
    errors = [f"not in {place}" for place in searched]
    for mirror in which.mirrors if mirrors is None else mirrors:
        try:
            return _fetch(which, mirror)
        except DataError as error:
            errors.append(str(error))
    raise NoData(f"{which.title} is not to be had here ({'; '.join(errors)}). {which.help}")


def _places(which: IdxSet) -> Iterator[tuple[Path, str]]:
    given = os.environ.get("REFERENCE_DATA")
    if given and which is FASHION:  # MNIST's files have the same names: only one may lie at the top
        yield Path(given), f"{given} (REFERENCE_DATA)"
    yield from places.candidates(which.name, which.layout)
    if which is FASHION:
        yield DEBIAN, f"Debian's package dataset-fashion-mnist ({DEBIAN})"


def _fetch(which: IdxSet, mirror: str) -> tuple[Path, str]:
    folder = places.CACHE / which.name
    for name, sha256 in which.files.items():
        places.download(
            f"{mirror}{name}.gz",
            folder / f"{name}.gz",
            most_bytes=LARGEST_FILE_BYTES,
            check=partial(_unpacks_to, sha256),
        )
    return folder, f"downloaded from {mirror} into {folder}"


def _unpacks_to(sha256: str, path: Path) -> bool:
    return _sha256(_unpack(path, packed=True)) == sha256


def _file_in(folder: Path, name: str) -> Path | None:
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    return None


def _read_file(which: IdxSet, folder: Path, name: str) -> NDArray[np.uint8]:
    """The array of one IDX file (big-endian header, then bytes), its SHA-256 checked."""
    path = _file_in(folder, name)
    if path is None:
        raise DataError(f"{folder} holds no {name}")
    content = _unpack(path, packed=path.suffix == ".gz")
    if _sha256(content) != which.files[name]:
        raise DataError(f"{path} is damaged or another data set: its SHA-256 is not {name}'s")
    dimensions = content[3]
    shape = np.frombuffer(content, ">u4", dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def _unpack(path: Path, *, packed: bool) -> bytes:
    if not packed:
        return path.read_bytes()
    try:
        with gzip.open(path) as stream:
            return stream.read(LARGEST_FILE_BYTES + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged: {error}") from error


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
