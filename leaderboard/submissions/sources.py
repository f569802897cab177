"""The files of a submission, for the teaching team to read: names, sizes, and text as text.

What students send is never more than text here: no picture is decoded, no page rendered, and of
what is no text only the size is told.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from grader.bundles.archives import open_archive
from grader.bundles.entries import Archive, Damaged
from grader.words.message import said
from leaderboard.blobs import BlobDamaged, BlobMissing, BlobStore
from leaderboard.errors import NotAllowedNow, NotFound
from leaderboard.models import Kind, Submission

MOST_BYTES: Final = 1 << 19  # of one file, shown
MOST_LINES: Final = 20_000
MOST_FILES: Final = 500
# what reorders or hides the text beside it: code that reads otherwise than it runs
_UNSEEN: Final = frozenset({"Cf", "Cc", "Zl", "Zp", "Co"})
_MOST_UNPACKED: Final = 1 << 30


@dataclass(frozen=True, kw_only=True)
class SourceFile:
    """A file of a submission."""

    name: str
    size_bytes: int


@dataclass(frozen=True, kw_only=True)
class Source:
    """The text of one file; `is_cut` where it is longer. `lines` is None for what is no text.

    A character that nobody sees, or that reorders what stands beside it, is named: <U+202E>.
    """

    name: str
    lines: tuple[str, ...] | None
    is_cut: bool


def files(blobs: BlobStore, submission: Submission) -> tuple[SourceFile, ...]:
    """The files that were handed in, by name; at most MOST_FILES.

    Raises:
        NotAllowedNow: the file is no longer kept, or is damaged.
    """
    if submission.kind is Kind.CSV:
        return (SourceFile(name=submission.filename, size_bytes=submission.size_bytes),)
    found: list[SourceFile] = []
    with _opened(blobs, submission) as archive:
        for entry in archive.entries():
            if entry.kind == "file" and len(found) < MOST_FILES:
                size = sum(map(len, archive.content(entry)))
                found.append(SourceFile(name=entry.name, size_bytes=size))
    return tuple(sorted(found, key=lambda each: each.name))


def source(blobs: BlobStore, submission: Submission, name: str) -> Source:
    """The text of one file.

    Raises:
        NotFound: there is no such file.
        NotAllowedNow: the file is no longer kept, or is damaged.
    """
    if submission.kind is Kind.CSV:
        if name != submission.filename:
            raise NotFound(said("source.none", name=name))
        return _source(name, content(blobs, submission))
    with _opened(blobs, submission) as archive:
        for entry in archive.entries():
            if entry.kind == "file" and entry.name == name:
                return _source(name, archive.content(entry))
    raise NotFound(said("source.none", name=name))


def content(blobs: BlobStore, submission: Submission) -> Iterator[bytes]:
    """The bytes as they were handed in.

    Raises:
        NotAllowedNow: the file is no longer kept.
    """
    if submission.content_removed_at is not None:
        raise NotAllowedNow(said("source.gone"))
    return blobs.chunks(submission.content_sha256)


@contextmanager
def _opened(blobs: BlobStore, submission: Submission) -> Iterator[Archive]:
    if submission.content_removed_at is not None:
        raise NotAllowedNow(said("source.gone"))
    try:
        with (
            blobs.local(submission.content_sha256) as path,
            open_archive(path, most_bytes=_MOST_UNPACKED) as archive,
        ):
            yield archive
    except (BlobMissing, BlobDamaged, Damaged) as error:
        raise NotAllowedNow(said("source.gone")) from error


def _source(name: str, chunks: Iterable[bytes]) -> Source:
    """
    >>> _source("a.py", [b"import os", b"\\nx = 1"]).lines
    ('import os', 'x = 1')
    >>> _source("a.bin", [b"\\x00\\x01"]).lines is None
    True
    >>> _source("a.py", ["x = 1 # \\u202e)(timbus".encode()]).lines
    ('x = 1 # <U+202E>)(timbus',)
    """
    read = bytearray()
    for chunk in chunks:
        read += chunk
        if len(read) > MOST_BYTES:
            break
    text = bytes(read[:MOST_BYTES])
    if b"\0" in text or text.startswith(b"\x1f\x8b"):
        return Source(name=name, lines=None, is_cut=False)
    lines = io.StringIO(text.decode("utf-8-sig", errors="replace"), newline=None).readlines()
    return Source(
        name=name,
        lines=tuple(_seen(line.removesuffix("\n")) for line in lines[:MOST_LINES]),
        is_cut=len(read) > MOST_BYTES or len(lines) > MOST_LINES,
    )


def _seen(line: str) -> str:
    if line.isascii() and line.replace("\t", "").isprintable():
        return line
    return "".join(
        f"<U+{ord(each):04X}>" if each != "\t" and unicodedata.category(each) in _UNSEEN else each
        for each in line
    )
