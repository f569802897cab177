"""Known faults that the bubblewrap of this host has, by its version; whether they matter here."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault with the first version it is in and the first that is free of it."""

    name: str
    since: tuple[int, ...]
    mended: tuple[int, ...]
    only_setuid: bool
    sentence: str


FAULTS = (
    Fault(
        name="CVE-2026-87766",
        since=(0,),
        mended=(0, 12),
        only_setuid=False,
        # held by tests/sandbox/confinement/test_bwrap_faults.py
        sentence=(
            "setting up follows links above what it makes. It can't be reached by a bundle: all "
            "places exist in the runner's root, none is below a folder of a student, and none of a "
            "student's files is there yet"
        ),
    ),
    Fault(
        name="CVE-2026-41163",
        since=(0, 11),
        mended=(0, 11, 2),
        only_setuid=True,
        sentence="its privileged part can be traced: take the setuid bit away",
    ),
)


def version_of(bwrap: str) -> str:
    """What the program says of itself, as `0.8.0`; "0" where it says nothing."""
    answer = subprocess.run([bwrap, "--version"], capture_output=True, text=True, check=False)
    return answer.stdout.split()[-1] if answer.stdout.split() else "0"


def numbers(version: str) -> tuple[int, ...]:
    """A version to compare: as far as it is numbers.

    >>> numbers("0.11.2") < numbers("0.12")
    True
    """
    parts = []
    for part in version.split("."):
        if not part.isdigit():
            break
        parts.append(int(part))
    return tuple(parts)


def faults_of(version: str, *, is_setuid: bool = False) -> Iterator[Fault]:
    """The faults that a version has, unless whoever packaged it mended it without a new number."""
    for fault in FAULTS:
        if fault.since <= numbers(version) < fault.mended and (is_setuid or not fault.only_setuid):
            yield fault


def about(bwrap: str) -> tuple[bool, str]:
    """Whether this program is free of the known faults, and a sentence that says so or which."""
    version = version_of(bwrap)
    is_setuid = bool(Path(bwrap).stat().st_mode & stat.S_ISUID)
    found = [f"{fault.name}: {fault.sentence}" for fault in faults_of(version, is_setuid=is_setuid)]
    if not found:
        return True, f"bubblewrap {version} has none of the faults known here"
    told = "; ".join(found)
    return False, f"bubblewrap {version}, unless its distribution mended it, has {told}"
