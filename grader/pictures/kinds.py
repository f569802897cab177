"""Which files are pictures that can be read here, and which only a tool left behind."""

from __future__ import annotations

from functools import cache
from typing import Final

ALWAYS_READ: Final = frozenset(
    {".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
)
_FORMATS: Final = ("AVIF", "BMP", "GIF", "HEIF", "JPEG", "MPO", "PNG", "TIFF", "WEBP")
_TOOLS: Final = frozenset(
    {
        *("#recycle", "$recycle.bin", "@eadir", "__macosx", "__pycache__", "lost+found"),
        *("desktop.ini", "ehthumbs.db", "icon\r", "thumbs", "thumbs.db", "thumbnails"),
    }
)


def is_of_a_tool(name: str) -> bool:
    """Say whether a file or folder is a tool's own: thumbnails, checkpoints, hidden ones.

    >>> [is_of_a_tool(name) for name in ("@eaDir", ".ipynb_checkpoints", "Thumbs.db", "dog")]
    [True, True, True, False]
    """
    return name.startswith(".") or name.casefold() in _TOOLS


@cache
def readable_suffixes() -> frozenset[str]:
    """Give the suffixes that are read here, in small letters: some need a library that is kept.

    Raises:
        ImportError: Pillow is not installed.
    """
    from PIL import features

    more = {".avif"} if features.check("avif") else set()
    if _opens_heif():
        more |= {".heic", ".heif"}
    return ALWAYS_READ | more


@cache
def readable_formats() -> tuple[str, ...]:
    """Give what a file may hold, whatever its name says, in Pillow's words.

    It reads others too, and hands some to other programs: an EPS file to Ghostscript.
    """
    from PIL import Image

    Image.init()
    readable_suffixes()
    return tuple(name for name in _FORMATS if name in Image.OPEN)


def _opens_heif() -> bool:
    try:
        from pillow_heif import register_heif_opener
    except ImportError:
        return False
    register_heif_opener()
    return True
