"""Files that would fill memory if they were read whole."""

from __future__ import annotations

import io


class Endless(io.RawIOBase):
    """A file of a stated size that holds one pattern again and again, and never lies in memory."""

    def __init__(self, head, pattern, size):
        self.left, self.head, self.block = size, head, pattern * (2**18 // len(pattern))

    def read(self, size=-1):
        block = self.head or self.block[: min(size, self.left)]
        self.head = b""
        self.left -= len(block)
        return block


HOSTILE = {
    "one field of 1 GB": (b"id,label\n0,", b"x", 2**30),
    "one field of 1 GB in quotes": (b'id,label\n0,"', b"x", 2**30),
    "a header of 1 GB": (b"", b"x,", 2**30),
    "10 million rows": (b"id,label\n", b"7,1\n", 4 * 10**7),
    "10 million unknown ids": (b"id,label\n", b"1234567,1\n", 10**8),
    "10 million blank lines": (b"id,label\n", b"\n", 10**7),
    "10 million quotes": (b"id,label\n", b'"', 10**7),
    "10 million commas": (b"id,label\n", b",", 10**7),
    "1 GB of NUL bytes": (b"id,label\n", b"\0", 2**30),
}
