"""Where image sets lie on a machine, and how a missing file is fetched."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import platformdirs

from reference.errors import DataError

CACHE = Path(platformdirs.user_cache_dir("gradewright"))
DOWNLOAD_TIMEOUT_SECONDS = 20.0
BLOCK_BYTES = 1 << 20


def candidates(name: str, *layouts: str) -> Iterator[tuple[Path, str]]:
    """Folders that may hold set `name`, with their origin in words: the user's, then the cache.

    `layouts` are folders that other programs use within REFERENCE_DATA, such as torchvision's
    `MNIST/raw`.
    """
    if given := os.environ.get("REFERENCE_DATA"):
        for layout in (name, *layouts):
            folder = Path(given) / layout
            yield folder, f"{folder} (REFERENCE_DATA)"
    yield CACHE / name, f"the cache {CACHE / name}"


def digest(path: Path, algorithm: str = "sha256") -> str:
    """Hash of a file, in hexadecimal."""
    total = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as stream:
        while block := stream.read(BLOCK_BYTES):
            total.update(block)
    return total.hexdigest()


def download(url: str, path: Path, *, most_bytes: int, check: Callable[[Path], bool]) -> None:
    """Fetch one file; it appears under its name only whole and checked.

    Raises:
        DataError: no connection, a file that is too long, or one that `check` refuses.
    """
    import httpx

    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"part-{os.getpid()}-{path.name}")
    try:
        with (
            httpx.stream(
                "GET", url, timeout=DOWNLOAD_TIMEOUT_SECONDS, follow_redirects=True
            ) as reply,
            part.open("wb") as stream,
        ):
            reply.raise_for_status()
            for block in reply.iter_raw():
                stream.write(block)
                if stream.tell() > most_bytes:
                    raise DataError(f"{url} is far too long")
        if not check(part):
            raise DataError(f"{url} is not the file it should be")
        part.replace(path)
    except httpx.HTTPError as error:
        raise DataError(f"{url}: {error or type(error).__name__}") from error
    finally:
        part.unlink(missing_ok=True)
