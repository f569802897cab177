"""Senders who stop half-way hold no thread for long, and no deadline open."""

from __future__ import annotations

import io
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import pytest
import sqlalchemy as sa
from commands import serving
from small_site import Site

from leaderboard.db import utcnow
from leaderboard.models import Submission
from leaderboard.submissions import arriving
from leaderboard.submissions.arriving import Arriving

HEAD = b"GET /sign-in HTTP/1.1\r\nHost: x\r\nX-A: "
BODY = b"POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\na="
FORM = b'--BB\r\nContent-Disposition: form-data; name="file"; filename="p.csv"\r\n\r\n'


class Slowly(io.RawIOBase):
    """A file that comes in pieces, each after a pause."""

    def __init__(self, pieces: list[bytes], pause: float) -> None:
        self._pieces, self._pause = pieces, pause

    def read(self, size: int = -1, /) -> bytes:
        time.sleep(self._pause)
        return self._pieces.pop(0) if self._pieces else b""


def read_up(pieces: int, pause: float) -> Arriving:
    body = Arriving(Slowly([b"x"] * pieces, pause), None)
    while body.read():
        pass
    return body


def test_a_file_counts_from_its_requests_start_while_it_flows_in(monkeypatch):
    monkeypatch.setattr(arriving, "GRACE", timedelta(seconds=0.5))
    monkeypatch.setattr(arriving, "STALL_SECONDS", 0.15)
    begun = utcnow()
    assert read_up(3, pause=0.01).counts_from(begun) == begun
    body = Arriving(Slowly([b"x" * 4096], 0.2), None)
    assert len(body.read()) == 4096
    assert body.counts_from(begun) == begun  # slow, and on its way all the time
    begun = utcnow()
    assert read_up(1, pause=0.2).counts_from(begun) > begun + timedelta(seconds=0.2)
    begun = utcnow()
    assert read_up(8, pause=0.08).counts_from(begun) > begun + timedelta(seconds=0.5)


@pytest.fixture
def opened() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def connected(opened: ExitStack, url: str, content: bytes) -> socket.socket:
    address = urlsplit(url)
    sock = opened.enter_context(socket.create_connection((address.hostname, address.port)))
    sock.sendall(content)
    return sock


@pytest.mark.alone  # seconds are what it is about, and others' tests start hundreds of processes
def test_half_sent_requests_silence_nobody_and_are_ended(
    site: Site, opened: ExitStack, monkeypatch: pytest.MonkeyPatch
):
    """Among them a hand-in whose request line comes at once, and its file after the deadline."""
    monkeypatch.setenv("LEADERBOARD_WEB_STREAMS", "24")  # few threads: none is left over
    with serving(site, "--no-worker") as (_, url):
        assert httpx.get(f"{url}/sign-in", timeout=30).status_code == 200
        _is_answered_piece_by_piece(connected(opened, url, b"GET /healthz HTTP/1.1\r\nHo"))
        late = connected(opened, url, _hand_in(site))
        heads = [connected(opened, url, HEAD) for _ in range(300)]
        bodies = [connected(opened, url, BODY) for _ in range(250)]
        for _ in range(3):
            # sooner than any of them is ended for its slowness, or all refused ones have lingered
            assert httpx.get(f"{url}/sign-in", timeout=9).status_code == 200
        # more than one address may have: the oldest go
        assert all(_ends_within(each, 5) for each in heads[:16])
        assert _ends_within(bodies[-1], 5)
        assert _ends_within(heads[-1], 13)
        assert _ends_within(late, 15)
    with site.state.database.reading() as session:
        assert session.scalars(sa.select(Submission)).all() == []


def _is_answered_piece_by_piece(sock: socket.socket) -> None:
    """The rest of a header, a request behind it, and one more on the kept connection."""
    time.sleep(0.1)
    sock.sendall(b"st: x\r\n\r\nGET /sign-in HTTP/1.1\r\nHost: x\r\n\r\n")
    sock.sendall(b"GET /sign-in HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    sock.settimeout(10)
    said = b""
    while piece := sock.recv(65536):
        said += piece
    assert len(re.findall(rb"HTTP/1.1 [2-4]\d\d", said)) == 3


def _hand_in(site: Site) -> bytes:
    """All of a hand-in but its file."""
    return (
        "POST /api/v1/courses/dl-1/assignments/animals/submissions HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {site.token('ann')}\r\nContent-Length: 5000\r\n"
        "Content-Type: multipart/form-data; boundary=BB\r\n\r\n"
    ).encode() + FORM


def _ends_within(sock: socket.socket, seconds: float) -> bool:
    sock.settimeout(seconds)
    try:
        while sock.recv(4096):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True
