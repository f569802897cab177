"""The agent's loop, against a server that answers as told."""

from __future__ import annotations

import hashlib
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from grader.agent.door import Door, Leased
from grader.agent.working import Agent
from grader.bundles.bundle import pack_bundle
from grader.errors import ApiError, AuthError, NetworkError, Owner
from grader.words.message import said


class Server(Door):
    """Gives what it was told to give, in order; an error is raised."""

    def __init__(self, bundle: bytes, *leases: Exception | str) -> None:
        self.bundle = bundle
        self.leases = list(leases)
        self.fetched: list[str] = []
        self.ended: list[tuple[str, bytes]] = []
        self.beats: list[str] = []
        self.answer: bool | Exception = True

    def lease(self, wait_seconds: float) -> Leased | None:
        if not self.leases:
            time.sleep(min(wait_seconds, 0.01))
            return None
        found = self.leases.pop(0)
        if isinstance(found, Exception):
            raise found
        sha256 = hashlib.sha256(self.bundle).hexdigest()
        return Leased(
            run=found,
            lease="secret",
            job=b"job",
            max_mb=10,
            bundle="/bundle",
            bundle_sha256=sha256,
            images="/images",
            images_sha256="of images",
        )

    def fetch(self, where: str) -> bytes:
        self.fetched.append(where)
        return self.bundle if where == "/bundle" else b"pixels"

    def beat(self, leased: Leased, log: str) -> bool:
        self.beats.append(log)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def finish(self, leased: Leased, result: bytes) -> None:
        self.ended.append((leased.run, result))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "model.py").write_text("def build_model(): ...\n")
    (folder / "checkpoint.safetensors").write_bytes(struct.pack("<Q", 2) + b"{}")
    pack_bundle(folder, packed := folder.with_suffix(".zip"))
    return packed.read_bytes()


def agent(server: Server, execute: Any, stop: threading.Event | None = None) -> Agent:
    return Agent(server, execute, beat_seconds=0.01, stop=stop or threading.Event())


def answers(job: bytes, bundle: Path, images: bytes, **_: Callable[..., None]) -> bytes:
    assert (bundle / "model.py").exists()
    return job + b" " + images


def test_runs_are_made_one_after_the_other_and_nothing_is_fetched_twice(bundle: bytes) -> None:
    server = Server(bundle, "one", "two")

    assert agent(server, answers).work(idle_seconds=0.05) == 2

    assert server.ended == [("one", b"job pixels"), ("two", b"job pixels")]
    assert sorted(server.fetched) == ["/bundle", "/images"]


def test_it_ends_after_one_run_or_when_it_is_told_to(bundle: bytes) -> None:
    server = Server(bundle, "one", "two")
    stop = threading.Event()

    assert agent(server, answers).work(once=True) == 1
    stop.set()
    assert agent(server, answers, stop).work() == 0
    assert server.leases == ["two"]


def test_a_run_that_fails_here_is_left_to_others(bundle: bytes) -> None:
    server = Server(bundle, "one", "two")

    def fails(*_: object, **__: object) -> bytes:
        raise OSError("no space left")

    assert agent(server, fails).work(idle_seconds=0.05) == 2
    assert server.ended == []


def test_a_token_that_was_refused_ends_it(bundle: bytes) -> None:
    server = Server(bundle, AuthError(said("agent.bad_token")))

    with pytest.raises(AuthError):
        agent(server, answers).work()


@pytest.mark.parametrize(
    "answer",
    [
        False,
        ApiError("not_found", said("agent.no_run"), (), owner=Owner.PLATFORM, status=404),
        ApiError("conflict", said("agent.lease_lost"), (), owner=Owner.PLATFORM, status=409),
    ],
)
def test_a_run_that_nobody_waits_for_is_ended(bundle: bytes, answer: bool | Exception) -> None:
    server = Server(bundle, "one")
    server.answer = answer

    def goes_on(
        job: bytes, bundle: Path, images: bytes, *, on_wait: Callable[[], None], **_: object
    ) -> bytes:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            on_wait()
            time.sleep(0.01)
        return b"too late"

    assert agent(server, goes_on).work(once=True) == 1
    assert server.ended == []


def test_a_run_goes_on_while_the_server_is_away(bundle: bytes) -> None:
    server = Server(bundle, "one")
    server.answer = NetworkError(said("exchange.bad_token"))

    def waits(
        job: bytes, bundle: Path, images: bytes, *, on_wait: Callable[[], None], **_: object
    ) -> bytes:
        end = time.monotonic() + 60
        while len(server.beats) < 2 and time.monotonic() < end:
            on_wait()
            time.sleep(0.01)
        return b"done"

    assert agent(server, waits).work(once=True) == 1
    assert server.ended == [("one", b"done")]
