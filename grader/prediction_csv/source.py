"""Gives the lines of an untrusted file in blocks, in memory that its size cannot raise."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final, NoReturn

from grader.prediction_csv.tally import Tally

BLOCK_BYTES: Final = 1 << 18
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_GZIP: Final = b"\x1f\x8b"
_HEAD_BYTES: Final = 64  # enough to tell what kind of file it is
_FOREIGN: Final = {
    _GZIP: "doubly compressed",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"BZh91AY&SY": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"7z\xbc\xaf": "7z",
    b"Rar!\x1a": "rar",
    b"PAR1\x15": "parquet",
    b"\x93NUMPY": "numpy",
    b"\x80\x04": "pickle",
    b"\xd0\xcf\x11\xe0": "xls",
    b"\x28\xb5\x2f\xfd": "zstd",
}


class Unreadable(Exception):
    """Nothing more can be read; the reason has been tallied."""


class ByteSource:
    """Reads a file block by block, unpacking gzip, up to a number of bytes.

    `limit` bounds both what is read and what comes out of it, `longest_line` one line; both are
    set anew once the header has said what the rows can hold.
    """

    def __init__(self, file: BinaryIO, tally: Tally, limit: int, block_bytes: int) -> None:
        self._file, self._tally, self._block = file, tally, block_bytes
        self.limit = self.longest_line = limit
        self._read = self._given = 0
        self._pending = b""  # read from the file, but not used yet
        while len(self._pending) < _HEAD_BYTES and (more := self._raw()):
            self._pending += more
        self._gzip = _gzip_member() if self._pending.startswith(_GZIP) else None
        if self._gzip is None:
            self._refuse_foreign(self._pending)

    def read(self) -> bytes:
        """Give the next block, or nothing at the end of the file.

        Raises:
            Unreadable: the file is over the limit, or its gzip stream is damaged.
        """
        block = self._next_raw() if self._gzip is None else self._unpacked()
        if self._gzip is not None and not self._given:
            self._refuse_foreign(block)
        self._given += len(block)
        if self._given > self.limit:
            self._stop("too_many_bytes", f"{self.limit:,}")
        return block

    def _raw(self) -> bytes:
        block = self._file.read(self._block)
        self._read += len(block)
        if self._read > self.limit:
            self._stop("too_many_bytes", f"{self.limit:,}")
        return block

    def _next_raw(self) -> bytes:
        block, self._pending = self._pending, b""
        return block or self._raw()

    def _unpacked(self) -> bytes:
        while True:
            assert self._gzip is not None
            packed = self._next_raw()
            if self._gzip.eof:
                packed = self._next_member(packed)
                if not packed:
                    return b""
            elif not packed:
                self._stop("gzip_damaged", "")
            try:
                block = self._gzip.decompress(packed, self._block)
            except zlib.error:
                self._stop("gzip_damaged", "")
            self._pending = self._gzip.unconsumed_tail or self._gzip.unused_data
            if block:
                return block

    def _next_member(self, packed: bytes) -> bytes:
        """Pass over the zero bytes that may pad a gzip member; give what follows, if anything."""
        while packed and not packed.strip(b"\0"):
            packed = self._next_raw()
        self._gzip = _gzip_member() if packed else self._gzip
        return packed.lstrip(b"\0")

    def _refuse_foreign(self, head: bytes) -> None:
        for magic, name in _FOREIGN.items():
            if head.startswith(magic):
                self._stop("not_a_csv", name)
        if head.startswith((b"\xff\xfe", b"\xfe\xff")) or _looks_like_utf16(head[:_HEAD_BYTES]):
            self._stop("utf16", "")

    def _stop(self, kind: str, value: str) -> NoReturn:
        self._tally.add(kind, None, value=value)
        raise Unreadable


def line_blocks(source: ByteSource) -> Iterator[tuple[bytes, bool]]:
    """Give whole lines in blocks that end with a newline, and whether the file lacked the last.

    A line longer than `source.longest_line` bytes loses what is beyond the first byte too many,
    so that whoever reads it sees that it is too long, and where.
    """
    carry = b""
    while block := source.read():
        text = carry + block
        cut = text.rfind(b"\n") + 1
        carry = text[cut:]
        if cut:
            yield text[:cut], False
        if len(carry) > source.longest_line:
            yield carry[: source.longest_line + 1] + b"\n", False
            carry = _rest_of_line(source)
    if carry:
        complete = carry.endswith(b"\n")
        yield carry if complete else carry + b"\n", not complete


def _gzip_member() -> zlib._Decompress:
    return zlib.decompressobj(wbits=31)


def _rest_of_line(source: ByteSource) -> bytes:
    while block := source.read():
        end = block.find(b"\n") + 1
        if end:
            return block[end:]
    return b""


def _looks_like_utf16(head: bytes) -> bool:
    """Say whether every other byte of a plain-ASCII text would be zero."""
    pairs = len(head) // 2
    return pairs >= 4 and (head[0::2].count(0) >= pairs - 1) != (head[1::2].count(0) >= pairs - 1)
