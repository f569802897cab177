"""One backend a file, and the registry that finds them.

A module of this folder whose name has no underscore is a backend and holds its entry, `BACKEND`;
the other modules are parts of one. A new backend is one file: the choice, the self-check, the
conformance suite and the server's setting take their names from here.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

from sandbox.run.backend import Backend, BackendEntry
from sandbox.runner_env.environment import SandboxUnavailable


def registered() -> tuple[BackendEntry, ...]:
    """Every backend: those that confine in the order in which they are tried, then the others."""
    names = sorted(module.name for module in iter_modules(__path__) if "_" not in module.name)
    entries: list[BackendEntry] = [import_module(f"{__name__}.{name}").BACKEND for name in names]
    return tuple(sorted(entries, key=lambda entry: (not entry.confines, entry.turn or 0)))


def confining_backends() -> tuple[str, ...]:
    """The names of the backends that confine, in the order in which they are tried."""
    return tuple(entry.name for entry in registered() if entry.confines)


def make_backend(name: str | None, runner_env: Path | None, without: frozenset[str]) -> Backend:
    """The backend of this name; without one that which the environment demands, else the first.

    Raises:
        SandboxUnavailable: there is none of this name, or none can be had here, and why.
    """
    entries = registered()
    if name is not None:
        wanted = [entry for entry in entries if entry.name == name]
        if not wanted:
            known = ", ".join(entry.name for entry in entries)
            raise SandboxUnavailable(f"There is no sandbox backend {name!r}; there is: {known}.")
        return _make(wanted[0], runner_env, without)
    confining = [entry for entry in entries if entry.confines]
    demanded = [entry for entry in confining if entry.is_demanded()]
    return _first_of(demanded or confining, runner_env, without)


def _first_of(
    entries: list[BackendEntry], runner_env: Path | None, without: frozenset[str]
) -> Backend:
    refusals: list[SandboxUnavailable] = []
    for entry in entries:
        try:
            return _make(entry, runner_env, without)
        except SandboxUnavailable as refusal:
            refusals.append(refusal)
    said = dict.fromkeys(map(str, refusals))  # each sentence once
    raise SandboxUnavailable(" ".join(said)) from refusals[0]


def _make(entry: BackendEntry, runner_env: Path | None, without: frozenset[str]) -> Backend:
    if entry.confines and sys.platform != "linux":
        raise SandboxUnavailable("Students' code can be run on Linux only; CSV files need nothing.")
    return entry.make(runner_env, without)
