"""A gzip stream read as a file, without a step of Python for each byte of its headers.

The standard library reads names and comments byte by byte and each member by a dozen calls: a
stream of nothing else takes a second a megabyte. zlib reads them here, and a stream that goes on
for long without any content is refused.
"""

from __future__ import annotations

import io
import zlib
from typing import Any, BinaryIO, Final

from grader.bundles.entries import Damaged
from grader.words.message import said

_PIECE: Final = 1 << 16
_GZIP: Final = 16 + zlib.MAX_WBITS
_MOST_MEMBERS: Final = 10_000
_MOST_HEADER: Final = 1 << 20  # bytes of one member before its content begins


def open_gzip(file: BinaryIO) -> io.BufferedReader:
    """The content of a .gz as a file; seeking far back begins anew.

    Raises:
        Damaged: when it is read: too many members, or a header without end.
        EOFError, zlib.error: it is cut off, or no gzip.
    """
    return io.BufferedReader(_Gzip(file), _PIECE)


class _Gzip(io.RawIOBase):
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._begin()

    def _begin(self) -> None:
        self._file.seek(0)
        self._place = self._members = 0
        self._packed = b""
        self._member = zlib.decompressobj(_GZIP)
        self._without_content = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place from the start; others are not needed."""
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("from the start only")
        if offset < self._place:
            self._begin()
        while self._place < offset and self.read(min(_PIECE, offset - self._place)):
            pass
        return self._place

    def readinto(self, buffer: Any, /) -> int:
        """Fill some of the buffer; 0 at the end."""
        piece = self._piece(len(buffer))
        buffer[: len(piece)] = piece
        self._place += len(piece)
        return len(piece)

    def _piece(self, most: int) -> bytes:
        """Some bytes of content; none at the end."""
        while True:
            if self._member.eof and not self._next_member():
                return b""
            packed = self._packed or self._file.read(_PIECE)
            # without more to read, what the last piece held back may still come
            content = self._member.decompress(packed, min(most, _PIECE))
            if not packed and not content and not self._member.eof:
                raise EOFError("the stream is cut off")
            self._packed = self._member.unconsumed_tail or self._member.unused_data
            self._without_content += len(packed) - len(self._packed)
            if content:
                self._without_content = 0
                return content
            if self._without_content > _MOST_HEADER:
                raise Damaged(said("archive.large_header"))

    def _next_member(self) -> bool:
        """Begin the next member, past zeros that pad the last; False where there is none."""
        packed = (self._packed or self._file.read(_PIECE)).lstrip(b"\0")
        while not packed and (more := self._file.read(_PIECE)):
            packed = more.lstrip(b"\0")
        if not packed:
            return False
        self._members += 1
        if self._members > _MOST_MEMBERS:
            raise Damaged(said("archive.large_header"))
        self._packed, self._member = packed, zlib.decompressobj(_GZIP)
        return True
