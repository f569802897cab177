"""Keeps the process that decodes, and believes nothing that it says without a look."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import fields
from math import prod
from pathlib import Path
from typing import IO, Any, Final, get_type_hints

import numpy as np
from numpy.typing import NDArray

from grader.errors import AssignmentError
from grader.pictures.apart.child import FACTS, HEAD, LENGTH, PIXELS
from grader.pictures.decoding import MOST_PIXELS, BadPicture, Facts, content_of
from grader.words.catalogue import ENGLISH, is_known, names_in, template
from grader.words.message import Message, said

PICTURE_SECONDS: Final = 60.0
START_SECONDS: Final = 60.0
MOST_FILE_MB: Final = 512
_LONGEST_REPLY: Final = 10_000
_LONGEST_VALUE: Final = 200
_OF_PICTURES: Final = "pictures.bad."
_START: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from grader.pictures.apart.child import main; main()"
)


class _Gone(Exception):
    """The process ended, or said what it never says."""


class Decoder:
    """Facts and pixels of files, by a process that is started anew when one of them ends it.

    A `grader.pictures.collection.Reader`.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def facts_of(self, source: Path | bytes, name: str) -> Facts:
        """As `grader.pictures.decoding.facts_of`; what kills the process is bad, too.

        Raises:
            BadPicture: it can't be read, or says that there are too many pixels.
        """
        told, _ = self._ask(FACTS, source, name)
        return _facts(told, name)

    def decoded(self, source: Path | bytes, name: str) -> NDArray[np.uint8]:
        """As `grader.pictures.decoding.decoded`; what kills the process is bad, too.

        Raises:
            BadPicture: it is damaged, too large, or its values have no known scale.
        """
        told, pixels = self._ask(PIXELS, source, name)
        if not pixels:
            raise BadPicture([said("pictures.bad.gone", file=name)])
        return np.frombuffer(pixels, dtype=np.uint8).reshape(told["shape"])

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        _kill(process)
        process.wait()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):  # the rest of a picture that nobody reads any more
                pipe.close()

    def _ask(self, kind: bytes, source: Path | bytes, name: str) -> tuple[dict[str, Any], bytes]:
        content = _content(source, name)
        for _ in range(2):  # the first may have been near its end already
            try:
                told, pixels = self._exchange(kind, content)
            except _Gone:
                self.close()
                continue
            if "bad" in told:
                raise BadPicture([_problem(told, name)])
            return told, pixels
        raise BadPicture([said("pictures.bad.gone", file=name)])

    def _exchange(self, kind: bytes, content: bytes) -> tuple[dict[str, Any], bytes]:
        process = self._started()
        assert process.stdin is not None
        assert process.stdout is not None
        with _killed_after(process, PICTURE_SECONDS):
            try:
                process.stdin.write(HEAD.pack(kind, len(content)))
                process.stdin.write(content)
                process.stdin.flush()
            except OSError as error:
                raise _Gone from error
            told = _reply(process.stdout)
            return told, _pixels(process.stdout, told) if kind == PIXELS else b""

    def _started(self) -> subprocess.Popen[bytes]:
        """The process, which has confined itself.

        Raises:
            AssignmentError: it can't on this machine.
        """
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-c", _START, json.dumps(sys.path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={},
                cwd="/",
                start_new_session=True,
            )
            assert self._process.stdout is not None
            with _killed_after(self._process, START_SECONDS):
                try:
                    told = _reply(self._process.stdout)
                except _Gone:
                    told = {"open": "it did not start"}
            if told.get("ready") is not True:
                self.close()
                reason = str(told.get("open"))
                raise AssignmentError([said("pictures.no_walls", reason=reason)])
        return self._process


@contextmanager
def decoder() -> Iterator[Decoder]:
    """A decoder whose process ends with the block."""
    made = Decoder()
    try:
        yield made
    finally:
        made.close()


@contextmanager
def _killed_after(process: subprocess.Popen[bytes], seconds: float) -> Iterator[None]:
    timer = threading.Timer(seconds, _kill, [process])
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End it and whatever it started: all are of its group, which they can't leave."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _content(source: Path | bytes, name: str) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        if source.stat().st_size > MOST_FILE_MB << 20:
            raise BadPicture([said("pictures.bad.file_size", file=name, most=MOST_FILE_MB)])
    except OSError as error:
        reason = str(error.strerror)
        raise BadPicture([said("pictures.bad.damaged", file=name, error=reason)]) from error
    return content_of(source, name)


def _reply(stream: IO[bytes]) -> dict[str, Any]:
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size or (length := LENGTH.unpack(head)[0]) > _LONGEST_REPLY:
        raise _Gone
    try:
        told = json.loads(stream.read(length))
    except (ValueError, RecursionError) as error:
        raise _Gone from error
    if not isinstance(told, dict):
        raise _Gone
    return told


def _pixels(stream: IO[bytes], told: dict[str, Any]) -> bytes:
    """The pixels that follow a reply: as many as its shape says, which is that of a picture."""
    shape = told.get("shape")
    if shape is None:
        return b""
    if (
        not isinstance(shape, list)
        or not all(type(side) is int and 0 < side <= MOST_PIXELS for side in shape)
        or len(shape) not in (2, 3)
        or shape[2:] not in ([], [3])
        or prod(shape[:2]) > MOST_PIXELS
    ):
        raise _Gone
    pixels = stream.read(prod(shape))
    if len(pixels) < prod(shape):
        raise _Gone
    return pixels


def _facts(told: dict[str, Any], name: str) -> Facts:
    found = told.get("facts")
    kinds = {field.name: get_type_hints(Facts)[field.name] for field in fields(Facts)}
    if (
        not isinstance(found, dict)
        or found.keys() != kinds.keys()
        or not all(type(found[key]) is kind for key, kind in kinds.items())
        or not (found["height"] > 0 and found["width"] > 0)
    ):
        raise BadPicture([said("pictures.bad.gone", file=name)])
    return Facts(**found)


def _problem(told: dict[str, Any], name: str) -> Message:
    """What is bad, as it was said, about the file that it was said of."""
    code, values = told.get("bad"), told.get("values")
    if not isinstance(code, str) or not code.startswith(_OF_PICTURES) or not is_known(code):
        return said("pictures.bad.gone", file=name)
    given = values if isinstance(values, dict) else {}
    texts = {key: str(given.get(key, ""))[:_LONGEST_VALUE] for key in names_in(code)}
    texts["file"] = name
    return Message(template(code, ENGLISH).format(**texts), code, texts)
