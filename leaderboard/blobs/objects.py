"""Files in an object store (S3 and what speaks its language), shared by any number of machines.

`s3://bucket/prefix?endpoint=https://…&region=…`; credentials come from where that world keeps them
(AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the machine's role). An object appears under its
name whole or not at all: both a plain and a multipart upload are atomic.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from leaderboard.blobs.staging import drop_abandoned
from leaderboard.blobs.store import (
    CHUNK,
    YOUNG_SECONDS,
    Blob,
    BlobsAway,
    BlobStore,
    key_of,
    missing,
    sha256_of,
)

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
# other ways to have keys, which the library knows: a role that a cluster or a machine gives
_ROLES = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)
_NO_KEYS = ("169.254.169.254", "MissingCredentials")  # where a machine's role would be told
_WRONG_KEYS = ("403 Forbidden", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch")
_PART_BYTES = 8 << 20
_PARTS_AT_ONCE = 4  # with their size: what an upload holds in memory at most
_CLIENT = {"connect_timeout": "5s", "read_timeout": "30s", "timeout": "30min"}
_RETRIES: Any = {"max_retries": 3, "retry_timeout": timedelta(seconds=10)}


def missing_keys(url: str, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Which keys a store needs that are not set. None at Amazon's own, where a machine may have a
    role; that is known at the first use only."""
    has_role = "endpoint" not in parse_qs(urlsplit(url).query)
    if has_role or any(environ.get(name) for name in _ROLES):
        return ()
    return tuple(name for name in KEYS if not environ.get(name))


class ObjectStore(BlobStore):
    """Files by their SHA-256 in a bucket. What workers read is cached on their disk, bounded."""

    def __init__(self, url: str, *, staging: Path, cache: Path, cache_bytes: int) -> None:
        super().__init__(staging)
        self._url = url
        self._cache = cache
        self._cache_bytes = cache_bytes
        for folder in (staging, cache):  # of this machine, which may be new to the store
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def prepare(self) -> None:
        drop_abandoned(self._staging)
        drop_abandoned(self._cache)
        self.probe()

    def adopt(self, path: Path, sha256: str) -> Blob:
        size = path.stat().st_size
        if not self._is_young(sha256):
            with _blaming_the_store():
                obstore.put(
                    self._bucket,
                    key_of(sha256),
                    path,
                    chunk_size=_PART_BYTES,
                    max_concurrency=_PARTS_AT_ONCE,
                )
        path.unlink()
        return Blob(sha256=sha256, size=size)

    def part(self, sha256: str, start: int, stop: int) -> Iterator[bytes]:
        while start < stop:
            end = min(stop, start + _PART_BYTES)
            with _blaming_the_store(sha256):
                piece = bytes(obstore.get_range(self._bucket, key_of(sha256), start=start, end=end))
            if not piece:
                return
            start += len(piece)
            yield piece

    @contextmanager
    def local(self, sha256: str) -> Iterator[Path]:
        # a name of this block's own: what another block evicts meanwhile stays readable here
        mine = self._staging / f"{secrets.token_hex(16)}.local"
        try:
            if not self._take_cached(sha256, mine):
                self._download(sha256, mine)
                with suppress(FileExistsError):
                    os.link(mine, self._cache / sha256)
                self._evict()
            yield mine
        finally:
            mine.unlink(missing_ok=True)

    def size(self, sha256: str) -> int:
        with _blaming_the_store(sha256):
            return obstore.head(self._bucket, key_of(sha256))["size"]

    def remove(self, sha256: str, *, min_age_seconds: float = YOUNG_SECONDS) -> bool:
        with _blaming_the_store():
            try:
                changed = obstore.head(self._bucket, key_of(sha256))["last_modified"]
            except FileNotFoundError:
                return True
            if (datetime.now(UTC) - changed).total_seconds() < min_age_seconds:
                return False
            obstore.delete(self._bucket, key_of(sha256))
        (self._cache / sha256).unlink(missing_ok=True)
        return True

    def everything(self) -> Iterator[Blob]:
        with _blaming_the_store():
            for page in obstore.list(self._bucket):
                for found in page:
                    sha256 = sha256_of(found["path"])
                    if sha256 is not None:
                        yield Blob(sha256=sha256, size=found["size"])

    def _pieces(self, sha256: str) -> Iterator[bytes]:
        with _blaming_the_store(sha256):
            for piece in obstore.get(self._bucket, key_of(sha256)).stream(min_chunk_size=CHUNK):
                yield bytes(piece)

    def _is_young(self, sha256: str) -> bool:
        with _blaming_the_store():
            try:
                changed = obstore.head(self._bucket, key_of(sha256))["last_modified"]
            except FileNotFoundError:
                return False
        # half the age that removal waits for, so that the two never meet
        return (datetime.now(UTC) - changed).total_seconds() < YOUNG_SECONDS / 2

    def _take_cached(self, sha256: str, mine: Path) -> bool:
        """Link a cached file that still has its hash."""
        try:
            os.link(self._cache / sha256, mine)
        except FileNotFoundError:
            return False
        with mine.open("rb") as file:
            intact = hashlib.file_digest(file, "sha256").hexdigest() == sha256
        if not intact:
            mine.unlink()
            (self._cache / sha256).unlink(missing_ok=True)
            return False
        os.utime(mine)  # used last
        return True

    def _download(self, sha256: str, mine: Path) -> None:
        with mine.open("xb") as file:
            for piece in self.chunks(sha256):
                file.write(piece)
        mine.chmod(0o400)

    def _evict(self) -> None:
        """Drop what was used longest ago, until the rest fits."""
        found = []
        for path in self._cache.iterdir():
            with suppress(FileNotFoundError):
                about = path.stat()
                found.append((about.st_mtime, about.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self._cache_bytes:
                return
            path.unlink(missing_ok=True)
            total -= size

    @cached_property
    def _bucket(self) -> S3Store:
        """Made at the first use: its threads must not cross a fork."""
        parts = urlsplit(self._url)
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        config: dict[str, Any] = {"region": options.get("region", "us-east-1")}
        client: Any = dict(_CLIENT)
        if "endpoint" in options:
            config["endpoint"] = options["endpoint"]
            client["allow_http"] = options["endpoint"].startswith("http://")
        return S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            config=config,  # type: ignore[arg-type] # its keys are S3Config's
            client_options=client,
            retry_config=_RETRIES,
        )


@contextmanager
def _blaming_the_store(sha256: str | None = None) -> Iterator[None]:
    """Say whose failure it is. A missing object is BlobMissing where `sha256` tells which."""
    try:
        yield
    except FileNotFoundError:  # what the library raises for an absent object
        if sha256 is None:
            raise
        raise missing(sha256) from None
    except (BaseError, OSError) as error:
        raise BlobsAway(_sentence(str(error).splitlines()[0][:300])) from error


def _sentence(reason: str) -> str:
    """What is wrong, by the library's own words of it."""
    if any(sign in reason for sign in _NO_KEYS):
        return f"the object store's keys are missing: set {' and '.join(KEYS)} ({reason})"
    if any(sign in reason for sign in _WRONG_KEYS):
        return f"the object store refuses the keys in {' and '.join(KEYS)} ({reason})"
    return f"the object store does not answer: {reason}"
