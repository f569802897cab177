"""What a lock file says about an interpreter: exact versions, each with the hashes of its files.

torch stands apart, in `torch.txt` beside the lock, without hashes: one version of it is built for
CPUs and for each CUDA release, and a machine has or takes the build that is right for it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

TORCH = ("torch", "torchvision")
TORCH_FILE = "torch.txt"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
CUDA_INDEX = "https://download.pytorch.org/whl/cu130"  # the driver must be at least as new
_ENTRY = re.compile(r"^(?P<name>\w[\w.-]*)==(?P<version>[^\s;\\]+)(?P<rest>(?:.*\\\n)*.*)$", re.M)


class BuildFailed(RuntimeError):
    """A runner environment or image could not be built; the message says why, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Pin:
    """One package in one version. `line` is what pip reads: without marker, with hashes."""

    name: str
    version: str
    line: str


def is_lock(requirements: Path) -> bool:
    """Whether the file holds exact versions with hashes, and not bounds."""
    return "--hash=" in requirements.read_text(encoding="utf-8")


def pins(lock: Path, described: dict[str, str]) -> list[Pin]:
    """The entries that apply to the interpreter `described` (`version`, `short`).

    Raises:
        BuildFailed: the lock is missing, or `packaging` is, which reads its markers.
    """
    try:
        text = lock.read_text(encoding="utf-8")
    except OSError as error:
        raise BuildFailed(
            f"{lock} can't be read: {error.strerror}; `make lock` writes it"
        ) from error
    return [
        Pin(name=normal(found["name"]), version=found["version"], line=_without_marker(found))
        for found in _ENTRY.finditer(text)
        if _applies(found["rest"], described)
    ]


def normal(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _without_marker(found: re.Match[str]) -> str:
    return " ".join([f"{found['name']}=={found['version']}", *_hashes(found["rest"])])


def _hashes(rest: str) -> list[str]:
    return re.findall(r"--hash=\S+", rest)


def _applies(rest: str, described: dict[str, str]) -> bool:
    marker = rest.partition("\\")[0].strip().removeprefix(";").strip()
    if not marker:
        return True
    try:
        from packaging.markers import Marker
    except ImportError as error:
        raise BuildFailed("reading a lock file needs `packaging`: pip install packaging") from error
    versions = {"python_full_version": described["version"], "python_version": described["short"]}
    return Marker(marker).evaluate({"extra": "", **versions})
