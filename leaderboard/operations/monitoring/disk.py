"""How full the disk is that uploads arrive on, seen from the machine that answers."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from leaderboard.state import State


@dataclass(frozen=True, kw_only=True)
class Disk:
    """The fuller of the two disks that hold the server's files and its uploads."""

    free_bytes: int
    used_percent: int


def look(state: State) -> Disk:
    """Look at it now."""
    usage = shutil.disk_usage(state.settings.state_dir)
    free = min(usage.free, state.blobs.free_bytes())
    return Disk(free_bytes=free, used_percent=round(100 * (1 - free / usage.total)))
