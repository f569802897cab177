"""A gzip stream is read as the standard library reads it, and costs no more than its bytes."""

from __future__ import annotations

import gzip
import io
import random
import time
import zlib

import pytest

from grader.bundles.entries import Damaged
from grader.bundles.gzips import open_gzip

NAMED = b"\x1f\x8b\x08\x08" + bytes(6)  # a header with a name, which follows


@pytest.mark.parametrize("seed", range(20))
def test_any_stream_reads_as_by_the_standard_library(seed: int) -> None:
    draw = random.Random(seed)
    parts = [draw.randbytes(draw.choice((0, 1, 70_000))) * draw.randint(1, 3) for _ in range(4)]
    packed = b"".join(gzip.compress(part) + bytes(draw.choice((0, 9))) for part in parts)
    whole, opened = gzip.decompress(packed), open_gzip(io.BytesIO(packed))

    for _ in range(10):
        place, size = draw.randint(0, len(whole) + 5), draw.choice((0, 1, 512, 100_000))
        opened.seek(place)
        assert opened.read(size) == whole[place : place + size]
    opened.seek(0)
    assert (opened.read(), opened.tell()) == (whole, len(whole))


@pytest.mark.parametrize(
    "packed",
    [
        NAMED + b"A" * 30_000_000,
        gzip.compress(b"x") + NAMED + b"A" * 30_000_000,
        (NAMED + b"A" * 100_000 + gzip.compress(b"")[9:]) * 300,
        gzip.compress(b"") * 500_000,
    ],
    ids=["a name", "a later name", "many names", "many members"],
)
def test_a_stream_of_headers_is_refused_at_once(packed: bytes) -> None:
    began = time.process_time()
    with pytest.raises((Damaged, EOFError, zlib.error)):
        open_gzip(io.BytesIO(packed)).read()
    assert time.process_time() - began < 2


@pytest.mark.parametrize("end", [1, 8, 9, 30])
def test_a_stream_that_is_cut_off_is_no_end(end: int) -> None:
    packed = gzip.compress(random.Random(0).randbytes(2000))
    with pytest.raises(EOFError):
        open_gzip(io.BytesIO(packed[:-end])).read()
