"""Real image sets as uint8 arrays: where each was found, what its bytes hash to, how it is split.

    images = load("fashion-mnist")
    training, validation = stratified_split(images.train_labels, 0.1, seed=0)

Needs NumPy only; `digits` needs scikit-learn.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import platformdirs
from numpy.typing import NDArray

from reference.errors import DataError

CACHE = Path(platformdirs.user_cache_dir("gradewright"))
DEBIAN = Path("/usr/share/datasets/fashion-mnist")
MIRRORS = ("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",)
DOWNLOAD_TIMEOUT_SECONDS = 20.0

FASHION_CLASSES = (
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
)
# SHA-256 of the unpacked files: the same in the original download and in Debian's package, which
# packs them anew.
FASHION_FILES: Mapping[str, str] = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}
# Half a gigabyte of zeros packs into 500 kB: no more than the largest real file is unpacked.
LARGEST_FILE_BYTES = 16 + 60_000 * 28 * 28


@dataclass(frozen=True, kw_only=True)
class ImageSet:
    """One image set, unpacked.

    Attributes:
        train_images, test_images: uint8 N×C×H×W. train_labels, test_labels: int64 N.
        origin: where the bytes came from, in words.
        sha256: manifest, by file name of the unpacked content.
    """

    name: str
    title: str
    classes: tuple[str, ...]
    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.int64]
    origin: str
    sha256: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        """One SHA-256 over the manifest."""
        lines = "".join(f"{self.sha256[name]}  {name}\n" for name in sorted(self.sha256))
        return hashlib.sha256(lines.encode()).hexdigest()


def load(name: str) -> ImageSet:
    """The image set of this name.

    Raises:
        DataError: it is unknown, or it is nowhere on this machine and can't be downloaded.
    """
    if name not in LOADERS:
        raise DataError(f"no image set is called {name!r}; there are {', '.join(LOADERS)}")
    return LOADERS[name]()


def fashion_mnist() -> ImageSet:
    """Fashion-MNIST (Xiao, Rasul and Vollgraf 2017, MIT): 60,000 + 10,000 grey 28×28 pictures.

    Raises:
        DataError: see `load`.
    """
    folder, origin = find_fashion_mnist()
    return ImageSet(
        name="fashion-mnist",
        title="Fashion-MNIST",
        classes=FASHION_CLASSES,
        train_images=_read_idx(folder, "train-images-idx3-ubyte")[:, None],
        train_labels=_read_idx(folder, "train-labels-idx1-ubyte").astype(np.int64),
        test_images=_read_idx(folder, "t10k-images-idx3-ubyte")[:, None],
        test_labels=_read_idx(folder, "t10k-labels-idx1-ubyte").astype(np.int64),
        origin=origin,
        sha256=FASHION_FILES,
    )


def digits() -> ImageSet:
    """The test part of UCI's handwritten digits as scikit-learn carries it: 1,797 of 8×8.

    It has no test set of its own: 30% of each class are drawn once, by a fixed seed. Pixel values
    0…16 are spread over 0…255.

    Raises:
        DataError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise DataError(
            "the digits come with scikit-learn: pip install 'gradewright[reference]'"
        ) from error
    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)[:, None]
    labels = bunch.target.astype(np.int64)
    training, test = stratified_split(labels, 0.3, seed=0)
    return ImageSet(
        name="digits",
        title="Handwritten digits",
        classes=tuple("0123456789"),
        train_images=images[training],
        train_labels=labels[training],
        test_images=images[test],
        test_labels=labels[test],
        origin="scikit-learn's load_digits",
        sha256={
            "images": hashlib.sha256(images.tobytes()).hexdigest(),
            "labels": hashlib.sha256(labels.tobytes()).hexdigest(),
        },
    )


LOADERS: Mapping[str, Callable[[], ImageSet]] = {"fashion-mnist": fashion_mnist, "digits": digits}


def find_fashion_mnist(mirrors: tuple[str, ...] = MIRRORS) -> tuple[Path, str]:
    """The folder with the four files, packed or not, and where it came from in words.

    Looked for in REFERENCE_DATA, in the cache, in Debian's package; downloaded into the cache as
    the last resort.

    Raises:
        DataError: none of these.
    """
    places = dict(_places())
    for folder, origin in places.items():
        if all(_file_in(folder, name) for name in FASHION_FILES):
            return folder, origin
    folder = CACHE / "fashion-mnist"
    errors = [f"not in {place}" for place in places]
    for mirror in mirrors:
        try:
            for name in FASHION_FILES:
                _download(f"{mirror}{name}.gz", folder / f"{name}.gz", FASHION_FILES[name])
        except DataError as error:
            errors.append(str(error))
        else:
            return folder, f"downloaded from {mirror} into {folder}"
    raise DataError(
        f"Fashion-MNIST is not to be had here ({'; '.join(errors)}). On Debian or Ubuntu "
        "`apt-get install dataset-fashion-mnist` brings it; elsewhere set REFERENCE_DATA to a "
        "folder that holds its four files"
    )


def stratified_split(
    labels: NDArray[np.int64], fraction: float, *, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of the rest and of the chosen `fraction`, class by class; both sorted.

    A class of n gives round(n·fraction), so class shares agree to half an image.

    >>> rest, chosen = stratified_split(np.repeat([0, 1], 10), 0.3, seed=0)
    >>> len(rest), len(chosen), int((chosen < 10).sum())
    (14, 6, 3)
    """
    generator = np.random.default_rng(seed)
    chosen = np.zeros(len(labels), dtype=bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        count = round(len(members) * fraction)
        chosen[generator.permutation(members)[:count]] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def _places() -> Iterator[tuple[Path, str]]:
    if given := os.environ.get("REFERENCE_DATA"):
        for folder in (Path(given), Path(given) / "fashion-mnist"):
            yield folder, f"{folder} (REFERENCE_DATA)"
        raw = Path(given) / "FashionMNIST" / "raw"
        yield raw, f"torchvision's folder {raw} (REFERENCE_DATA)"
    yield CACHE / "fashion-mnist", f"the cache {CACHE / 'fashion-mnist'}"
    yield DEBIAN, f"Debian's package dataset-fashion-mnist ({DEBIAN})"


def _file_in(folder: Path, name: str) -> Path | None:
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    return None


def _read_idx(folder: Path, name: str) -> NDArray[np.uint8]:
    """The array of one IDX file (big-endian header, then bytes), its SHA-256 checked."""
    path = _file_in(folder, name)
    if path is None:
        raise DataError(f"{folder} holds no {name}")
    content = _unpack(path)
    if hashlib.sha256(content).hexdigest() != FASHION_FILES[name]:
        raise DataError(f"{path} is damaged or another data set: its SHA-256 is not {name}'s")
    dimensions = content[3]
    shape = np.frombuffer(content, ">u4", dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def _unpack(path: Path) -> bytes:
    if path.suffix != ".gz":
        return path.read_bytes()
    try:
        with gzip.open(path) as stream:
            return stream.read(LARGEST_FILE_BYTES + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path} is damaged: {error}") from error


def _download(url: str, path: Path, sha256: str) -> None:
    """Fetch one packed file; it appears under its name only whole and checked."""
    import httpx

    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.gz")
    try:
        with (
            httpx.stream(
                "GET", url, timeout=DOWNLOAD_TIMEOUT_SECONDS, follow_redirects=True
            ) as reply,
            part.open("wb") as stream,
        ):
            reply.raise_for_status()
            for chunk in reply.iter_raw():
                stream.write(chunk)
                if stream.tell() > LARGEST_FILE_BYTES:
                    raise DataError(f"{url} is far too long")
        if hashlib.sha256(_unpack(part)).hexdigest() != sha256:
            raise DataError(f"{url} is not the file it should be")
        part.replace(path)
    except httpx.HTTPError as error:
        raise DataError(f"{url}: {error or type(error).__name__}") from error
    finally:
        part.unlink(missing_ok=True)
