"""An S3 server of the tests' own (moto's), in a process on loopback."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
from ports import held_port

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests-only"}


@dataclass
class LocalS3:
    """Started at once; may be stopped, and started again without what it held."""

    port: int = field(default_factory=held_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONWARNINGS": "ignore"},
        )
        for _ in range(600):
            try:
                httpx.get(f"{self.endpoint}/moto-api/", timeout=5)
                return
            except httpx.TransportError:
                assert self.process.poll() is None, "the S3 server ended"
                time.sleep(0.05)
        raise AssertionError("the S3 server did not start")

    def stop(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def bucket(self, name: str) -> str:
        """Make a bucket; the URL of a place in it."""
        httpx.put(f"{self.endpoint}/{name}", timeout=30).raise_for_status()
        return f"s3://{name}/course?endpoint={self.endpoint}&region=us-east-1"


@contextmanager
def running() -> Iterator[LocalS3]:
    server = LocalS3()
    server.start()
    try:
        yield server
    finally:
        server.stop()
