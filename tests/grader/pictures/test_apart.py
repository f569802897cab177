"""A process of its own decodes just the same, and reaches nothing whatever a file does to it."""

import io
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from small_pictures import noise, png

from grader.errors import AssignmentError
from grader.pictures import decoding
from grader.pictures.apart import decoder as keeper
from grader.pictures.apart.decoder import decoder
from grader.pictures.decoding import BadPicture
from grader.pictures.kinds import readable_formats

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="confined on Linux alone")


def files():
    """A file of each format and mode, half of them turned."""
    for form in readable_formats():
        for mode in ("1", "L", "LA", "RGB", "RGBA", "P", "CMYK", "I;16", "F"):
            shape = (20, 30) if mode in ("I;16", "F") else (20, 30, 3)
            exif = Image.Exif()
            exif[0x0112] = 6
            stream = io.BytesIO()
            try:
                image = Image.fromarray(noise(1, *shape)).convert(mode)
                image.save(stream, form, exif=exif)
            except (OSError, KeyError, ValueError):  # not every format has every mode
                continue
            yield f"{form} {mode}", stream.getvalue()


def outcome(read, content):
    try:
        return read(content, "x")
    except BadPicture as error:
        return error.problems[0]


def test_every_format_gives_the_same_facts_and_pixels_as_in_this_process():
    contents = dict(files())
    contents |= {"cut": png(noise(1, 9, 9))[:90], "empty": b"", "page": b"<html>", "none": b"abc"}
    with decoder() as apart:
        for name, content in contents.items():
            assert outcome(apart.facts_of, content) == outcome(decoding.facts_of, content), name
            here = outcome(decoding.decoded, content)
            assert np.array_equal(outcome(apart.decoded, content), here), name
    assert len(contents) > 20


REACHES = """
import os, socket, subprocess, sys, ctypes
from grader.pictures.apart import walls
libc = ctypes.CDLL(None, use_errno=True)
walls.limit_resources()
walls.close()
def refused(what):
    try:
        what()
    except PermissionError:
        return True
    return False
tries = [
    lambda: open("/etc/passwd"),
    lambda: open("/tmp/left_behind", "w"),
    lambda: os.listdir("/"),
    lambda: os.stat("/"),
    lambda: os.readlink("/proc/self/exe"),
    lambda: socket.socket(),
    lambda: os.execv("/bin/true", ["true"]),
    lambda: os.kill(os.getppid(), 0),
    lambda: os.symlink("/a", "/tmp/left_behind"),
    lambda: os.setuid(0),
]
print([refused(each) for each in tries].count(True), len(tries))
print(libc.unshare(0x10000000), libc.ptrace(16, os.getpid() - 1, 0, 0))
"""


def test_behind_the_walls_nothing_is_reached():
    ran = subprocess.run(
        [sys.executable, "-c", REACHES], capture_output=True, text=True, check=False, timeout=60
    )

    assert ran.stdout.split() == ["10", "10", "-1", "-1"], ran.stderr


def test_the_process_has_no_secrets_and_ends_with_the_block(monkeypatch):
    monkeypatch.setenv("LEADERBOARD_SECRET", "hush")
    with decoder() as apart:
        apart.decoded(png(noise(1, 4, 4)), "x")
        process = apart._process.pid
        about = Path(f"/proc/{process}")
        assert (about / "environ").read_bytes() == b""
        assert sorted(each.name for each in (about / "fd").iterdir()) == ["0", "1", "2"]
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_picture_that_takes_too_long_is_named_and_the_next_one_is_read(monkeypatch):
    monkeypatch.setattr(keeper, "PICTURE_SECONDS", 0.5)
    with decoder() as apart:
        apart.decoded(png(noise(1, 4, 4)), "x")
        os.kill(apart._process.pid, 19)  # stands still, as a decoder in an endless loop would
        assert np.array_equal(apart.decoded(png(noise(1, 4, 4)), "x"), noise(1, 4, 4))
        monkeypatch.setattr(keeper, "PICTURE_SECONDS", 0.0)
        with pytest.raises(BadPicture, match=r"slow\.png: decoding it took too much"):
            apart.decoded(png(noise(1, 2000, 2000)), "slow.png")


@pytest.mark.parametrize(
    "reply",
    [
        '{"shape": [9000000000, 9]}',
        '{"shape": [2, 2, 4]}',
        '{"shape": [true, 2]}',
        '{"facts": {"height": "1"}}',
        '{"bad": "csv.nul", "values": {}}',
        '{"bad": "pictures.bad.damaged", "values": 7}',
        "[1]",
        "no json",
    ],
)
def test_what_the_process_says_is_not_believed(monkeypatch, reply):
    """As if a file had taken it over: it answers what it likes."""
    serve = (
        "import struct, sys\n"
        "def say(text): sys.stdout.buffer.write(struct.pack('<Q', len(text)) + text.encode())\n"
        "say('{\"ready\": true}')\n"
        f"for _ in range(4): say({reply!r})\n"
        "sys.stdout.flush(); sys.stdin.read()"
    )
    monkeypatch.setattr(keeper, "_START", serve)
    with decoder() as apart:
        for ask in (apart.decoded, apart.facts_of):
            with pytest.raises(BadPicture, match=r"x\.png"):
                ask(b"content", "x.png")


def test_where_it_cannot_confine_itself_nothing_is_decoded(monkeypatch):
    monkeypatch.setattr(keeper, "_START", "raise SystemExit")

    with decoder() as apart, pytest.raises(AssignmentError, match=r"publish them as images\.npy"):
        apart.decoded(png(noise(1, 4, 4)), "x")
