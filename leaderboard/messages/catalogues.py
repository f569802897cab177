"""Compiled translations: made from the texts beside them, at set-up and packaging, never kept.

A wheel holds the compiled files and no texts, so that nothing is made where it is installed; a
checkout makes what is missing or older than its text. Needs nothing but Babel: setup.py calls it.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

TRANSLATIONS: Final = Path(__file__).parents[1] / "translations"


def compile_all(folder: Path | None = None) -> list[Path]:
    """Compile every text below `folder` (ours) that needs it; returns the files that were made.

    Raises:
        OSError: a missing file can't be written here; a file that is only older is left.
    """
    texts = sorted((folder or TRANSLATIONS).glob("*/LC_MESSAGES/*.po"))
    stale = [text for text in texts if not _is_fresh(text)]
    return [made for text in stale if (made := _compile(text))]


def _is_fresh(text: Path) -> bool:
    compiled = text.with_suffix(".mo")
    return compiled.exists() and compiled.stat().st_mtime_ns >= text.stat().st_mtime_ns


def _compile(text: Path) -> Path | None:
    """Make one file in a single step: other processes may be reading it, or making it too."""
    compiled = text.with_suffix(".mo")
    with text.open("rb") as file:
        catalogue = read_po(file, locale=text.parents[1].name)
    try:
        descriptor, making = tempfile.mkstemp(prefix=".messages-", dir=text.parent)
    except OSError:
        if compiled.exists():
            return None
        raise
    with os.fdopen(descriptor, "wb") as file:
        write_mo(file, catalogue)
    Path(making).chmod(0o644)
    Path(making).replace(compiled)
    return compiled
