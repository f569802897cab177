"""Reads a folder of class folders as one set of images of one size, for `grader new`."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click
import numpy as np
from numpy.typing import NDArray

from grader.cli.messages import tr

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
GREY_MODES = frozenset({"1", "L", "LA", "I;16"})
MIXED_SIZE = (224, 224)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One image file and the index of its class."""

    path: Path
    label: int


@dataclass(frozen=True, kw_only=True)
class PictureSet:
    """The usable images of a folder; `size` is (height, width) of all of them once decoded."""

    classes: tuple[str, ...]
    pictures: tuple[Picture, ...]
    size: tuple[int, int]
    grey: bool
    resized: bool
    doubled: int
    ambiguous: tuple[Path, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one decoded image: (H, W) when all are grey, else (H, W, 3)."""
        return self.size if self.grey else (*self.size, 3)


def survey(folder: Path, size: tuple[int, int] | None) -> PictureSet:
    """Look at every file's header and content hash: what there is, before anything is decoded.

    Of files with equal bytes in one class one is kept; those in several classes are left out,
    since their label is not known.

    Raises: click.UsageError where there are no two class folders, or a file is no image.
    """
    classes = _class_folders(folder)
    found = [Picture(path=path, label=i) for i, each in enumerate(classes) for path in _files(each)]
    kept, doubled, ambiguous = _without_doubles(found)
    sizes: Counter[tuple[int, int]] = Counter()
    grey = True
    for picture in kept:
        with _opened(picture.path) as image:
            sizes[image.height, image.width] += 1
            grey = grey and image.mode in GREY_MODES
    target = size or (next(iter(sizes)) if len(sizes) == 1 else MIXED_SIZE)
    return PictureSet(
        classes=tuple(each.name for each in classes),
        pictures=tuple(kept),
        size=target,
        grey=grey,
        resized=set(sizes) != {target},
        doubled=doubled,
        ambiguous=tuple(ambiguous),
    )


def write_images(path: Path, pictures: Sequence[Picture], source: PictureSet) -> Iterator[None]:
    """Decode into the .npy file `path`, uint8 (N, H, W) or (N, H, W, 3); one step an image."""
    shape = (len(pictures), *source.shape)
    array = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    for row, picture in enumerate(pictures):
        array[row] = _decoded(picture.path, source)
        yield
    array.flush()


def _class_folders(folder: Path) -> list[Path]:
    folders = [each for each in folder.iterdir() if each.is_dir() and not each.name.startswith(".")]
    folders = [each for each in folders if next(_files(each), None)]
    if len(folders) < 2:
        raise click.UsageError(
            tr("{path} must hold one folder of images for each class, two at least", path=folder)
        )
    if all(each.name.isascii() and each.name.isdigit() for each in folders):
        return sorted(folders, key=lambda each: int(each.name))
    return sorted(folders, key=lambda each: each.name)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.name.startswith("."):
            yield path


def _without_doubles(found: Sequence[Picture]) -> tuple[list[Picture], int, list[Path]]:
    """The pictures to keep, how many equal ones were dropped, and those of unclear class."""
    groups: dict[bytes, list[Picture]] = defaultdict(list)
    for picture in found:
        with picture.path.open("rb") as stream:
            groups[hashlib.file_digest(stream, "sha256").digest()].append(picture)
    kept, ambiguous = [], []
    for group in groups.values():
        if len({picture.label for picture in group}) > 1:
            ambiguous += [picture.path for picture in group]
        else:
            kept.append(group[0])
    return kept, len(found) - len(kept) - len(ambiguous), ambiguous


def _decoded(path: Path, source: PictureSet) -> NDArray[np.uint8]:
    """One image, upright, scaled so that it covers the size, and cut to its centre."""
    from PIL import ImageOps

    with _opened(path) as image:
        try:
            upright = ImageOps.exif_transpose(image).convert("L" if source.grey else "RGB")
        except OSError as error:
            raise _no_image(path, error) from error
    height, width = source.size
    if upright.size != (width, height):
        upright = ImageOps.fit(upright, (width, height))
    return np.asarray(upright, dtype=np.uint8)


def _opened(path: Path) -> Image.Image:
    try:
        from PIL import Image
    except ImportError as error:
        raise click.UsageError(
            tr("grader new reads images with Pillow: pip install pillow")
        ) from error
    try:
        return Image.open(path)
    except OSError as error:
        raise _no_image(path, error) from error


def _no_image(path: Path, error: Exception) -> click.UsageError:
    return click.UsageError(tr("{path} can't be read as an image: {error}", path=path, error=error))
