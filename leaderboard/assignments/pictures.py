"""Pictures that an assignment's README names: checked, made anew, put into the students' data.

A target outside of `pictures/` fails the publishing, or a README could publish a hidden image. What
students get was decoded and written again: no metadata, nothing that is no picture.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from PIL import Image, UnidentifiedImageError

import grader
from grader.words.message import said
from grader.words.placed import placed
from leaderboard.assignments import markdown
from leaderboard.blobs import BlobStore
from leaderboard.models import Assignment

FOLDER: Final = "pictures"
_TARGET: Final = re.compile(r"pictures/([A-Za-z0-9][A-Za-z0-9._-]{0,99}\.(?:png|jpe?g|gif|webp))")
_FORMATS: Final = ("PNG", "JPEG", "GIF", "WEBP")
_MOST_BYTES: Final = 20 << 20
_MOST_PIXELS: Final = 25_000_000
_LARGEST_SIDE: Final = 2000  # pixels; larger ones are made smaller


def write(source: grader.Assignment, pack: Path) -> None:
    """Write the pictures that the README names into the folder of the public data.

    Raises:
        grader.AssignmentError: it names something else than a raster picture in `pictures/`.
    """
    for target in dict.fromkeys(markdown.pictures(source.readme())):
        found = _TARGET.fullmatch(target)
        if found is None:
            elsewhere = said("readme.picture_elsewhere", target=repr(target), folder=FOLDER)
            raise grader.AssignmentError([placed("README.md", elsewhere)])
        place = source.folder / FOLDER / found[1]
        if place.is_symlink() or place.parent.is_symlink() or not place.is_file():
            raise grader.AssignmentError(
                [placed("README.md", said("readme.picture_missing", target=target))]
            )
        (pack / FOLDER).mkdir(exist_ok=True)
        (pack / FOLDER / found[1]).write_bytes(_anew(place, target))


def read(blobs: BlobStore, assignment: Assignment, name: str) -> bytes | None:
    """One of the pictures as students get it; None where there is no such."""
    if _TARGET.fullmatch(f"{FOLDER}/{name}") is None:
        return None
    with blobs.local(assignment.pack_sha256) as path, zipfile.ZipFile(path) as pack:
        try:
            return pack.read(f"{FOLDER}/{name}")
        except KeyError:
            return None


def mimetype(content: bytes) -> str:
    """Of a picture that was made anew."""
    return "image/jpeg" if content.startswith(b"\xff\xd8") else "image/png"


def _anew(place: Path, target: str) -> bytes:
    if place.stat().st_size > _MOST_BYTES:
        too_large = said("readme.picture_bytes", most=_MOST_BYTES >> 20)
        raise grader.AssignmentError([placed(target, too_large)])
    try:
        with Image.open(place, formats=_FORMATS) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                many = said("readme.picture_pixels", most=_MOST_PIXELS // 1_000_000)
                raise grader.AssignmentError([placed(target, many)])
            is_photograph = picture.format == "JPEG"
            plain = picture.convert("RGB" if is_photograph else _mode(picture.getbands()))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        unread = said("readme.picture_unreadable", error=str(error))
        raise grader.AssignmentError([placed(target, unread)]) from error
    plain.thumbnail((_LARGEST_SIDE, _LARGEST_SIDE))
    fresh = Image.new(plain.mode, plain.size)
    fresh.paste(plain)
    out = io.BytesIO()
    fresh.save(out, "JPEG" if is_photograph else "PNG", quality=90)
    return out.getvalue()


def _mode(bands: Iterable[str]) -> str:
    return "RGBA" if {"A", "P", "a"} & set(bands) else "RGB"
