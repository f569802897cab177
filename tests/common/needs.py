"""What tests need of a machine: where it is missing they are skipped, but never in CI."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

import sandbox

NEEDS_SANDBOX = pytest.mark.usefixtures("sandbox_here")


def missing(reason: str) -> NoReturn:
    """Skip the test; in continuous integration fail it: there the thing must be tested."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"this must be tested in CI: {reason}")
    pytest.skip(reason)


def runner_or_missing(backend: str | None = None) -> sandbox.Sandbox:
    """A runner for students' code, to be closed by the caller."""
    try:
        return sandbox.get_runner(backend) if backend else sandbox.get_runner()
    except sandbox.SandboxUnavailable as unavailable:
        missing(str(unavailable))
