"""One form of each word, whatever system wrote it."""

from __future__ import annotations

import unicodedata


def one_form(text: str) -> str:
    """Compose letters and their accents (Unicode NFC), as keyboards do and Macs' disks do not.

    >>> one_form("Ka\\u0308fer") == "K\\u00e4fer"
    True
    """
    return text if text.isascii() else unicodedata.normalize("NFC", text)
