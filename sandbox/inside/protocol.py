"""The channel between the trusted side and the program inside: frames over two pipes.

    header   magic "GWF1", type (1 byte), 3 zero bytes, payload length (8 bytes, little-endian)
    payload  raw numbers of a type and count both sides know beforehand; never pickle

    trusted → inside   CONFIG (JSON), then BATCH (uint8 rows) …, then DONE;
                       each BATCH but the first only when the one before it was answered
    inside → trusted   READY, COUNTED, LOADED, then LABELS or SCORES once a batch, each followed
                       by HEAT in a run that explains …, then END
                       or FAILED (its kind and a `Sentence`) at any point after CONFIG

Whatever comes out of the sandbox is treated as the student's own words. The reader therefore
knows, at each moment, which types it accepts and how long each may be, and refuses anything else
by its header, before a byte of payload is kept.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from sandbox.inside.sentences import Sentence, said

MAGIC = b"GWF1"
HEADER = struct.Struct("<4sB3sQ")
COUNTED_PAYLOAD = struct.Struct("<QQ")  # values in the checkpoints; bytes of them that are none
LOADED_PAYLOAD = struct.Struct("<I")  # batch size the model wants
FAILED_BYTES = 8192
HEAT_SIDE = 14  # pixels of a heat map, each way


class Frame(IntEnum):
    """Types of frames."""

    CONFIG = 1
    BATCH = 2
    DONE = 3
    READY = 16
    LOADED = 17
    LABELS = 18  # int64, one a row
    SCORES = 19  # float32, rows × classes
    END = 20
    FAILED = 21
    COUNTED = 22  # before any of the student's code is there
    HEAT = 23  # uint8, rows × HEAT_SIDE × HEAT_SIDE


class Failure(IntEnum):
    """What the program inside says went wrong; each is named as its verdict."""

    CE = 1
    LE = 2
    RE = 3
    PE = 4
    MLE = 5
    GMLE = 6
    OLE = 7


class MalformedFrame(ValueError):
    """The other side sent something the protocol does not allow here; `why` says what."""

    def __init__(self, why: Sentence) -> None:
        super().__init__(str(why))
        self.why = why


@dataclass(frozen=True)
class Allowed:
    """How long a payload may be, in bytes."""

    least: int
    most: int


def header(kind: Frame, length: int) -> bytes:
    """The 16 bytes before a payload of `length` bytes."""
    return HEADER.pack(MAGIC, kind, b"\0\0\0", length)


def read_header(raw: bytes | bytearray | memoryview) -> tuple[int, int]:
    """Type and payload length.

    Raises:
        MalformedFrame: the magic or the padding is wrong.
    """
    magic, kind, padding, length = HEADER.unpack(raw)
    if magic != MAGIC or padding != b"\0\0\0":
        raise MalformedFrame(said("run.cause_no_frame"))
    return kind, length


class FrameParser:
    """Cuts a byte stream into frames, holding at most one allowed payload.

    The owner sets `allowed` before each frame; `frames` looks at it anew for every header.
    """

    def __init__(self) -> None:
        self.allowed: dict[int, Allowed] = {}
        self._buffer = bytearray()
        self._kind: Frame | None = None
        self._length = 0

    def frames(self, received: bytes) -> Iterator[tuple[Frame, bytes]]:
        """The frames completed by these bytes.

        Raises:
            MalformedFrame: a type or a length that is not allowed now.
        """
        self._buffer += received
        while True:
            if self._kind is None:
                if len(self._buffer) < HEADER.size:
                    return
                self._kind, self._length = self._accept()
                del self._buffer[: HEADER.size]
            if len(self._buffer) < self._length:
                return
            kind, payload = self._kind, bytes(self._buffer[: self._length])
            del self._buffer[: self._length]
            self._kind = None
            yield kind, payload

    @property
    def unfinished(self) -> bool:
        """Whether a frame has begun and not ended."""
        return self._kind is not None or bool(self._buffer)

    def _accept(self) -> tuple[Frame, int]:
        kind, length = read_header(bytes(self._buffer[: HEADER.size]))
        allowed = self.allowed.get(kind)
        if allowed is None:
            raise MalformedFrame(said("run.cause_frame_out_of_place", type=kind))
        if not allowed.least <= length <= allowed.most:
            raise MalformedFrame(said("run.cause_frame_length", type=kind, length=length))
        return Frame(kind), length


def write_frame(descriptor: int, kind: Frame, payload: bytes = b"") -> None:
    """Write one frame to a blocking pipe."""
    left = memoryview(header(kind, len(payload)) + payload)
    while left:
        left = left[os.write(descriptor, left) :]


def read_exactly(descriptor: int, count: int) -> bytearray:
    """`count` bytes from a blocking pipe.

    Raises:
        EOFError: the pipe ended before.
    """
    data = bytearray(count)
    view = memoryview(data)
    while view:
        got = _read_into(descriptor, view)
        if got == 0:
            raise EOFError
        view = view[got:]
    return data


def _read_into(descriptor: int, view: memoryview) -> int:
    """Read what is there, at most the view's length, without a copy where the system can."""
    if hasattr(os, "readv"):
        return os.readv(descriptor, [view])
    chunk = os.read(descriptor, len(view))  # Windows
    view[: len(chunk)] = chunk
    return len(chunk)
