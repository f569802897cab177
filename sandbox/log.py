"""What a program prints, kept in bounded memory."""

from __future__ import annotations

HEAD_BYTES = 48 << 10
TAIL_BYTES = 16 << 10


class CappedLog:
    """Counts everything, keeps the beginning and the end."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._total = 0
        self._head = bytearray()
        self._tail = bytearray()

    def add(self, received: bytes) -> None:
        """Take some more output."""
        self._total += len(received)
        room = HEAD_BYTES - len(self._head)
        self._head += received[: max(room, 0)]
        self._tail += received[max(room, 0) :]
        del self._tail[:-TAIL_BYTES]

    @property
    def over(self) -> bool:
        """Whether more than is allowed was printed."""
        return self._total > self._most

    def text(self) -> str:
        """The kept output as text, with a line that says what was left out."""
        left_out = self._total - len(self._head) - len(self._tail)
        middle = b"\n... %d bytes left out ...\n" % left_out if left_out else b""
        return plain_text(bytes(self._head) + middle + bytes(self._tail))


def plain_text(raw: bytes) -> str:
    """Text without control characters but newline and tab: no terminal or page can be steered."""
    text = raw.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "�" for letter in text)
