"""Tensors that took long to decode, kept in the cache: one array a set, and a manifest.

tensors/<set>-<first digits of its key>/
    images.npy        uint8 N×C×H×W
    manifest.json     SHA-256 of each array, checked whenever one is read
    split.json        which rows are for what (`splits`)
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reference.data import places
from reference.data.image_set import sha256_of
from reference.errors import DataError

MANIFEST = "manifest.json"


def folder_for(name: str, key: str) -> Path:
    """Where the tensors of set `name` are kept; `key` tells one state of its files from another."""
    return places.CACHE / "tensors" / f"{name}-{key[:16]}"


def keep(folder: Path, name: str, make: Callable[[], NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The kept array `name`; made and kept first where there is none.

    Raises:
        DataError: the kept file is not the one that was written.
    """
    path = folder / f"{name}.npy"
    if not path.is_file():
        _write(folder, path, make())
    try:
        array: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
        whole = sha256_of(array) == _manifest(folder)[path.name]
    except (OSError, ValueError, EOFError, KeyError, TypeError):
        whole = False
    if not whole:
        raise DataError(f"{path} is damaged: delete {folder} and it is decoded again")
    return array


def _write(folder: Path, path: Path, array: NDArray[np.uint8]) -> None:
    """The array appears under its name only whole, and after its line in the manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"part-{os.getpid()}-{path.name}")  # another process may decode it too
    np.save(part, array, allow_pickle=False)
    sums = {**_manifest(folder), path.name: sha256_of(array)}
    (folder / MANIFEST).write_text(json.dumps(sums, indent=2) + "\n", encoding="utf-8")
    part.replace(path)


def _manifest(folder: Path) -> dict[str, str]:
    path = folder / MANIFEST
    if not path.is_file():
        return {}
    sums: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return sums
