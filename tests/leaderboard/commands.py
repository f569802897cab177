"""The `leaderboard` command, run in this process or as one of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from small_site import Site, served_address
from sparing import SPARED

from leaderboard.cli import main


def run(state_dir: Path, *arguments: str, code: int = 0, stdin: str | None = None) -> Result:
    result = CliRunner().invoke(main, ["--state", str(state_dir), *arguments], input=stdin)
    assert result.exit_code == code, result.output
    return result


@contextmanager
def serving(site: Site, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A real `leaderboard serve`; its process and address."""
    process = subprocess.Popen(
        [*site.command, "serve", "--port", "0", *options],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **SPARED, "LEADERBOARD_HEARTBEAT_SECONDS": "1"},
    )
    assert process.stderr is not None
    try:
        yield process, served_address(process)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
        process.stderr.close()


def eventually(seconds: float = 90) -> Iterator[None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.1)
    pytest.fail(f"it did not happen within {seconds} s")
