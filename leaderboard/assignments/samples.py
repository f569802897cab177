"""The public sample's pictures, which every student has in the data, on one sheet for pages."""

from __future__ import annotations

import csv
import io
import zipfile
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from grader.evaluation import pixels_sha256
from leaderboard.blobs import BlobStore
from leaderboard.models import Assignment

COLUMNS: Final = 16
MOST: Final = 400  # pictures on a sheet
_LARGEST_TILE: Final = 64  # pixels; larger pictures are made smaller
_MOST_BYTES: Final = 256 << 20
_KEPT: Final = 4
_SHARP: Final = 32 * 32  # pixels up to which nothing may be blurred


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The first pictures of a sample: their classes, and a sheet of them in rows of COLUMNS.

    `width` and `height` are a tile's, in pixels of the sheet; `images_sha256` is of all its pixels.
    """

    labels: tuple[int, ...]
    images_sha256: str
    width: int
    height: int
    sheet: bytes
    mimetype: str


_held: OrderedDict[str, Sample | None] = OrderedDict()
_lock = Lock()


def of(blobs: BlobStore, assignment: Assignment) -> Sample | None:
    """The sample of an assignment, read from the public data alone; None where it has none."""
    key = assignment.pack_sha256
    with _lock:
        if key not in _held:
            _held[key] = _read(blobs, key)
        _held.move_to_end(key)
        while len(_held) > _KEPT:
            _held.popitem(last=False)
        return _held[key]


def _read(blobs: BlobStore, pack_sha256: str) -> Sample | None:
    with blobs.local(pack_sha256) as path, zipfile.ZipFile(path) as pack:
        names = {each.filename: each for each in pack.infolist()}
        images, labels = names.get("sample/images.npy"), names.get("sample/labels.csv")
        if images is None or labels is None or images.file_size > _MOST_BYTES:
            return None
        pixels = np.load(io.BytesIO(pack.read(images)), allow_pickle=False)
        rows = list(csv.reader(pack.read(labels).decode().splitlines()))[1:]
    return drawn(pixels, tuple(int(row[0]) for row in rows[:MOST])) if len(pixels) else None


def drawn(pixels: NDArray[np.uint8], labels: tuple[int, ...]) -> Sample:
    """Draw pictures on one sheet: uint8 N×H×W or N×H×W×C, at most MOST; N is at least 1."""
    tiles = [_tile(each) for each in pixels[:MOST]]
    width, height = tiles[0].size
    rows = -(-len(tiles) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * width, rows * height))
    for place, tile in enumerate(tiles):
        sheet.paste(tile, (place % COLUMNS * width, place // COLUMNS * height))
    kind = "PNG" if width * height <= _SHARP else "JPEG"
    out = io.BytesIO()
    sheet.save(out, kind, quality=85)
    return Sample(
        labels=labels,
        images_sha256=pixels_sha256(pixels),
        width=width,
        height=height,
        sheet=out.getvalue(),
        mimetype=f"image/{kind.lower()}",
    )


def picture(pixels: NDArray[np.uint8]) -> bytes:
    """Draw one picture as PNG, as large as it is: uint8 H×W or H×W×C."""
    out = io.BytesIO()
    _drawn(pixels).save(out, "PNG")
    return out.getvalue()


def _drawn(pixels: NDArray[np.uint8]) -> Image.Image:
    plain = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels
    return Image.fromarray(plain).convert("RGB")


def _tile(pixels: NDArray[np.uint8]) -> Image.Image:
    tile = _drawn(pixels)
    tile.thumbnail((_LARGEST_TILE, _LARGEST_TILE))
    return tile
