"""What an archive is made of for its readers, and the file that bounds what they may read."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, Protocol

from grader.words.message import Message, said

CHUNK_BYTES: Final = 1 << 18
# A central directory, a pax header or a long name is read in one piece; honest ones are small.
_LARGEST_READ: Final = 4 * 2**20


class Damaged(Exception):
    """The archive can't be read to its end; `why` says what is wrong."""

    def __init__(self, why: Message) -> None:
        super().__init__(why)
        self.why = why


class TooMuch(Damaged):
    """To read on, more would have to be unpacked than is allowed."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry: `kind` is "file", "folder", or what else it is, such as "symbolic link"."""

    name: str
    kind: str
    repeated: bool = False
    handle: Any = None


class Archive(Protocol):
    """A bundle being read."""

    @property
    def packed_bytes(self) -> int | None:
        """The size of the archive; None for a folder."""
        ...

    def entries(self) -> Iterator[Entry]:
        """Give each entry; read one's content before asking for the next."""
        ...

    def content(self, entry: Entry) -> Iterator[bytes]:
        """Give a file's content in chunks."""
        ...


class BoundedFile(io.RawIOBase):
    """A seekable file that refuses large reads, so that no stated size can exhaust memory, and
    places beyond `most_bytes`: what is skipped in a packed stream is unpacked all the same."""

    def __init__(self, file: BinaryIO, most_bytes: int | None = None) -> None:
        self._file, self._most = file, most_bytes

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            size = _LARGEST_READ + 1
        elif size > _LARGEST_READ:
            raise Damaged(said("archive.large_header"))
        content = self._file.read(size)
        if len(content) > _LARGEST_READ:
            raise Damaged(said("archive.large_header"))
        self.check(self._file.tell())
        return content

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if whence == io.SEEK_SET:
            self.check(offset)
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def check(self, place: int) -> None:
        """Refuse a place that is too far to go.

        Raises:
            TooMuch: it is.
        """
        if self._most is not None and place > self._most:
            raise TooMuch(said("archive.too_much", most=f"{self._most:,}"))
