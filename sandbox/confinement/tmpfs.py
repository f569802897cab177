"""The size of a program's file systems in memory, and whether one is full."""

from __future__ import annotations

import os

FILES_PER_MB = 64  # an inode costs the kernel about 1 KB
FULL = 0.02  # a file system with less than this part free is full


def options(size_mb: int, noexec: bool = True) -> str:
    """Mount options of a tmpfs of this size, with a limited number of files.

    bwrap itself can limit neither the number of files nor their execution, `mount` can.
    """
    inodes = size_mb * FILES_PER_MB
    execution = ",noexec" if noexec else ",exec"
    return f"mode=1777,size={size_mb}m,nr_inodes={inodes},nosuid,nodev{execution}"


def is_full(descriptor: int) -> bool:
    """Whether bytes or files of the file system that `descriptor` is open on are used up."""
    status = os.fstatvfs(descriptor)
    return status.f_bavail <= status.f_blocks * FULL or status.f_favail <= status.f_files * FULL
