"""Makes one picture upright pixels of 8 bits, grey or RGB; whatever form it comes in.

Values of 16 bits keep their upper eight, floats from 0 to 1 become 0 to 255, transparency is laid
on white, the rotation that a camera noted is carried out, palettes and CMYK become RGB, and of
several frames or pages the first is taken.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from grader.errors import AssignmentError
from grader.pictures.kinds import readable_formats
from grader.words.message import Message, said

if TYPE_CHECKING:
    from PIL import Image

BACKGROUND: Final = (255, 255, 255)
MOST_PIXELS: Final = 89_478_485
"""Of one picture: Pillow's own limit, 256 MB of RGB; a phone's largest have 50 million."""

_GREY: Final = frozenset({"1", "L", "LA", "La", "F", "I", "I;16", "I;16B", "I;16L", "I;16N"})
_SIXTEEN: Final = frozenset({"I;16", "I;16B", "I;16L", "I;16N"})
_ORIENTATION: Final = 0x0112  # the EXIF tag: 1 is upright, from 5 on the sides are exchanged
_UPRIGHT: Final = {
    2: "FLIP_LEFT_RIGHT",
    3: "ROTATE_180",
    4: "FLIP_TOP_BOTTOM",
    5: "TRANSPOSE",
    6: "ROTATE_270",
    7: "TRANSVERSE",
    8: "ROTATE_90",
}
# what Pillow raises on damaged files
_BROKEN: Final = (
    *(OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError),
    *(EOFError, MemoryError, RuntimeError, AttributeError, struct.error, zlib.error),
)


class BadPicture(AssignmentError):
    """A picture that can't be read; the one problem names it and says why."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a file's header says of a picture: `height` and `width` in pixels, once upright.

    kind: the format, such as PNG. deep: more than 8 bits a value. frames: how many there are.
    """

    height: int
    width: int
    grey: bool
    kind: str
    transparent: bool
    deep: bool
    frames: int


def facts_of(source: Path | bytes, name: str) -> Facts:
    """Read the header alone.

    Raises:
        BadPicture: it can't be read, or says that there are too many pixels.
    """
    with _opened(source, name) as image:
        width, height = image.size
        if _orientation(image) >= 5:
            width, height = height, width
        return Facts(
            height=height,
            width=width,
            grey=_is_grey(image),
            kind=str(image.format),
            transparent=image.has_transparency_data,
            deep=image.mode == "F" or image.mode.startswith("I"),
            frames=getattr(image, "n_frames", 1),
        )


def content_of(path: Path, name: str) -> bytes:
    """Read a file.

    Raises:
        BadPicture: it can't be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        reason = str(error.strerror)
        raise BadPicture([said("pictures.bad.damaged", file=name, error=reason)]) from error


def decoded(source: Path | bytes, name: str) -> NDArray[np.uint8]:
    """Decode a file or its content: uint8 (H, W), or (H, W, 3) in RGB.

    Raises:
        BadPicture: it is damaged, too large, or its values have no known scale.
    """
    from PIL import Image

    with _opened(source, name) as image:
        image.load()
        flat, orientation = _flat(image, name), _orientation(image)
        if orientation in _UPRIGHT:
            flat = flat.transpose(Image.Transpose[_UPRIGHT[orientation]])
        return np.asarray(flat, dtype=np.uint8)


def fitted(pixels: NDArray[np.uint8], size: tuple[int, int], *, grey: bool) -> NDArray[np.uint8]:
    """Scale pixels so that they cover (height, width) and cut them to the centre, in grey or RGB.

    Gives uint8 (H, W) or (H, W, 3). Scaling is bicubic.
    """
    if grey and pixels.ndim == 3:
        pixels = as_grey(pixels)
    if pixels.shape[:2] != size:
        from PIL import Image, ImageOps

        fitting = ImageOps.fit(Image.fromarray(pixels), (size[1], size[0]))
        pixels = np.asarray(fitting, dtype=np.uint8)
    if not grey and pixels.ndim == 2:
        pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    return pixels


def as_grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give the luma of RGB pixels, uint8 (…, 3) → (…): ITU-R 601-2, as Pillow rounds it."""
    weighted = pixels.astype(np.uint32) @ np.array([19595, 38470, 7471], dtype=np.uint32)
    return ((weighted + 0x8000) >> 16).astype(np.uint8)


@contextmanager
def _opened(source: Path | bytes, name: str) -> Iterator[Image.Image]:
    from PIL import Image

    formats = readable_formats()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            stream = io.BytesIO(source) if isinstance(source, bytes) else source
            with Image.open(stream, formats=formats) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise Image.DecompressionBombError
                yield image
    except AssignmentError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        problem = said("pictures.bad.too_large", file=name, most=f"{MOST_PIXELS:,}")
        raise BadPicture([problem]) from error
    except _BROKEN as error:
        raise BadPicture([_why_bad(source, name, error)]) from error


def _why_bad(source: Path | bytes, name: str, error: Exception) -> Message:
    from PIL import UnidentifiedImageError

    start = _start_of(source)
    if start == b"":
        return said("pictures.bad.empty", file=name)
    if start is not None and start.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return said("pictures.bad.web_page", file=name)
    if start is not None and start.startswith(b"version https://git-lfs"):
        return said("pictures.bad.lfs_pointer", file=name)
    if isinstance(error, UnidentifiedImageError):
        return said("pictures.bad.no_picture", file=name)
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return said("pictures.bad.damaged", file=name, error=reason)


def _start_of(source: Path | bytes) -> bytes | None:
    """The first bytes; None where the file can't be opened."""
    if isinstance(source, bytes):
        return source[:512]
    try:
        with source.open("rb") as stream:
            return stream.read(512)
    except OSError:
        return None


def _is_grey(image: Image.Image) -> bool:
    if image.mode not in ("P", "PA"):
        return image.mode in _GREY
    palette = np.frombuffer(bytes(image.getpalette("RGB") or b"\0\0\1"), dtype=np.uint8)
    return bool((palette.reshape(-1, 3) == palette.reshape(-1, 3)[:, :1]).all())


def _flat(image: Image.Image, name: str) -> Image.Image:
    """The picture as 8-bit grey or RGB, without transparency."""
    from PIL import Image

    grey = _is_grey(image)
    if image.mode == "F" or image.mode.startswith("I"):
        return Image.fromarray(_in_eight_bits(np.asarray(image), image.mode, name))
    if image.has_transparency_data:
        above = image.convert("RGBA")
        flat = Image.new("RGBA", above.size, (*BACKGROUND, 255))
        flat.alpha_composite(above)
        return flat.convert("L" if grey else "RGB")
    return image.convert("L" if grey else "RGB")


def _orientation(image: Image.Image) -> int:
    """How the camera was held; 1 where the file doesn't say, or Pillow turns it itself."""
    noted = 1 if image.format == "TIFF" else image.getexif().get(_ORIENTATION, 1)
    return noted if noted in _UPRIGHT else 1


def _in_eight_bits(values: NDArray[np.generic], mode: str, name: str) -> NDArray[np.uint8]:
    if mode == "F":
        low, high = float(np.min(values)), float(np.max(values))
        if not (low >= 0 and high <= 1):
            problem = said("pictures.bad.floats", file=name, low=f"{low:g}", high=f"{high:g}")
            raise BadPicture([problem])
        return np.rint(values.astype(np.float64) * 255).astype(np.uint8)
    whole = values.astype(np.int64)
    if mode not in _SIXTEEN and (whole.min() < 0 or whole.max() > 0xFFFF):
        raise BadPicture([said("pictures.bad.whole_numbers", file=name)])
    return (whole >> 8).astype(np.uint8)
