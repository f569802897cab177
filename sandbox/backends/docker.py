"""Docker's entry in the registry: light, as the package `docker` is an extra and slow to import."""

from __future__ import annotations

import os
from pathlib import Path

from sandbox.run.backend import Backend, BackendEntry
from sandbox.runner_env.environment import RUNTIME_SETTING, SandboxUnavailable


def _make(runner_env: Path | None, without: frozenset[str]) -> Backend:
    try:
        from sandbox.backends.docker_container import Docker
    except ImportError as missing:
        raise SandboxUnavailable(
            "The Python package `docker` is missing; install `gradewright[server]` to run "
            "students' code with Docker."
        ) from missing
    return Docker(runner_env, without)


def _is_demanded() -> bool:
    """Who asks for a kernel of the programs' own gets that or nothing."""
    return bool(os.environ.get(RUNTIME_SETTING))


BACKEND = BackendEntry(name="docker", turn=2, make=_make, is_demanded=_is_demanded)
