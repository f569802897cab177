"""Published assignments (editions.py): their folders are blobs, unpacked once per machine and
content hash."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

import grader
from leaderboard.blobs import BlobStore
from leaderboard.models import Assignment
from leaderboard.rules import plain_folder

T = TypeVar("T")


class Catalog:
    """Reads published assignments; keeps unpacked ones in a cache folder by their hash."""

    def __init__(self, blobs: BlobStore, cache_dir: Path) -> None:
        self._blobs = blobs
        self._cache_dir = cache_dir
        self._loaded: _Recent[grader.Assignment] = _Recent(8)
        self._rows: _Recent[grader.ExpectedRows] = _Recent(16)

    def load(self, assignment: Assignment) -> grader.Assignment:
        """The assignment with its folder, answers included. For the worker and staff commands."""
        return self.load_version(assignment.folder_sha256)

    def load_version(self, folder_sha256: str) -> grader.Assignment:
        """The same for one version of an assignment, such as an evaluation was made with."""
        return self._loaded.get(
            folder_sha256, lambda: grader.Assignment.load(self._folder(folder_sha256))
        )

    def expected_rows(self, assignment: Assignment) -> grader.ExpectedRows:
        """What a prediction CSV must hold; no answer. Cached per hash."""
        sha256 = assignment.rows_sha256
        return self._rows.get(sha256, lambda: _rows_from_json(self._blobs.read(sha256)))

    def open_pack(self, assignment: Assignment) -> Iterator[bytes]:
        """The public pack (zip) in chunks; `assignment.pack_bytes` is its size."""
        return self._blobs.chunks(assignment.pack_sha256)

    def _folder(self, sha256: str) -> Path:
        """The unpacked folder; made beside its name and renamed, so that a killed process leaves
        no half of one. What it holds are arrays: picture files are decoded apart first."""
        home = self._cache_dir / "assignments" / sha256
        if home.exists() and not plain_folder.has_picture_files(home):
            return home
        home.parent.mkdir(parents=True, exist_ok=True)
        self._cache_dir.chmod(0o700)  # answers lie below
        making = Path(tempfile.mkdtemp(prefix="making-", dir=home.parent))
        try:
            with self._blobs.local(sha256) as archive:
                grader.unpack_archive(archive, making)
            if plain_folder.has_picture_files(making):  # published before they were decoded apart
                plain_folder.decode(making)
                if home.exists():
                    home.rename(making.with_suffix(".old"))
            making.rename(home)
        except OSError:
            # another process was faster: its copy is as good
            if not home.exists():
                raise
        finally:
            shutil.rmtree(making, ignore_errors=True)
            shutil.rmtree(making.with_suffix(".old"), ignore_errors=True)
        return home


def rules(assignment: Assignment) -> grader.Assignment:
    """The assignment's settings (schedule, limits, rules, scoring…), without its folder. Cached."""
    return rules_of(assignment.settings_toml)


def _rows_from_json(content: bytes) -> grader.ExpectedRows:
    fields = json.loads(content)
    return grader.ExpectedRows(
        **{**fields, "ids": tuple(fields["ids"]), "classes": tuple(fields["classes"])}
    )


@lru_cache(maxsize=64)
def rules_of(settings_toml: str) -> grader.Assignment:
    """The same by the settings' text."""
    return grader.Assignment.parse(settings_toml, Path("published"))


class _Recent(Generic[T]):
    """The few values used last, by their hash; made once even when several threads ask."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._lock = Lock()
        self._held: OrderedDict[str, T] = OrderedDict()

    def get(self, key: str, make: Callable[[], T]) -> T:
        with self._lock:
            if key not in self._held:
                self._held[key] = make()
            self._held.move_to_end(key)
            while len(self._held) > self._size:
                self._held.popitem(last=False)
            return self._held[key]
