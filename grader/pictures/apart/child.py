"""The process that decodes: takes the contents of files, gives facts and pixels, reaches nothing.

A request is one letter (facts or pixels), 8 bytes of length and the content. A reply is 8 bytes of
length and a JSON object, and then the pixels where it tells of any.
"""

from __future__ import annotations

import dataclasses
import io
import json
import struct
import sys
from typing import Any, BinaryIO, Final

from grader.pictures.apart import walls
from grader.pictures.decoding import BadPicture, decoded, facts_of
from grader.pictures.kinds import readable_formats
from grader.words.message import Message

FACTS: Final = b"F"
PIXELS: Final = b"P"
HEAD: Final = struct.Struct("<cQ")
LENGTH: Final = struct.Struct("<Q")


def main() -> None:
    """Confine this process, say how that went, and serve until there is nothing more to do."""
    requests, replies = sys.stdin.buffer, sys.stdout.buffer
    _warm_up()
    try:
        walls.limit_resources()
        walls.close()
    except walls.NoWalls as error:
        _reply(replies, {"open": str(error)})
        return
    _reply(replies, {"ready": True})
    while head := requests.read(HEAD.size):
        kind, length = HEAD.unpack(head)
        _serve(replies, kind, requests.read(length))


def _warm_up() -> None:
    """Have Pillow load all that it loads on first use: later no file can be opened."""
    from PIL import Image, ImageOps

    exif = Image.Exif()
    exif[0x0112] = 6
    for mode in ("L", "RGB", "RGBA", "P", "I;16", "F"):
        for form in readable_formats():
            stream = io.BytesIO()
            try:
                Image.new(mode, (16, 16)).save(stream, form, exif=exif)
            except (OSError, KeyError, ValueError):  # not every format has every mode
                continue
            facts_of(stream.getvalue(), "")
            decoded(stream.getvalue(), "")
    ImageOps.fit(Image.new("L", (4, 4)), (2, 2))
    for damaged in (b"", b"<html>", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"II*\0"):
        try:
            decoded(damaged, "")
        except BadPicture:
            continue


def _serve(replies: BinaryIO, kind: bytes, content: bytes) -> None:
    try:
        if kind == FACTS:
            _reply(replies, {"facts": dataclasses.asdict(facts_of(content, ""))})
            return
        pixels = decoded(content, "")
    except BadPicture as error:
        (problem,) = error.problems
        assert isinstance(problem, Message)
        _reply(replies, {"bad": problem.code, "values": dict(problem.values)})
        return
    _reply(replies, {"shape": pixels.shape}, pixels.tobytes())


def _reply(replies: BinaryIO, told: dict[str, Any], more: bytes = b"") -> None:
    text = json.dumps(told).encode()
    replies.write(LENGTH.pack(len(text)) + text + more)
    replies.flush()
