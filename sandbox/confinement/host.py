"""What this host offers a sandbox: programs, a user, a system call policy; or why not."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from sandbox.confinement import seccomp
from sandbox.confinement.accounting import Accounting
from sandbox.confinement.bwrap_faults import numbers, version_of
from sandbox.confinement.cgroup import (
    SETTING,
    CgroupV1,
    CgroupV2,
    candidates_v2,
    mounts_v1,
    prepare_v2,
)
from sandbox.confinement.watchdog import Watchdog
from sandbox.runner_env.environment import SandboxUnavailable

OLDEST_BWRAP = (0, 8)  # sized tmpfs, --disable-userns


def find_bwrap() -> str:
    """The path of a bwrap that is new enough.

    Raises:
        SandboxUnavailable: there is none.
    """
    path = shutil.which("bwrap")
    if path is None:
        raise SandboxUnavailable(
            "bubblewrap is not installed, so students' code can't be run here; "
            "install the package `bubblewrap` (0.8 or newer)."
        )
    version = version_of(path)
    if numbers(version) < OLDEST_BWRAP:
        raise SandboxUnavailable(
            f"bubblewrap {version} is too old to run students' code; 0.8 or newer is needed."
        )
    return path


def system_call_filter(*, cuda: bool = False) -> bytes:
    """The BPF program for this processor; `cuda`: for a program that was lent a GPU.

    Raises:
        SandboxUnavailable: no policy was written for it.
    """
    try:
        return seccomp.program(cuda=cuda)
    except NotImplementedError as error:
        raise SandboxUnavailable(f"Students' code can't be run here: {error}.") from error


def why_not(said: str) -> str:
    """What bwrap complained about, as a sentence an operator can act on."""
    if "new namespace" in said or "setting up uid map" in said:
        return (
            "This host does not let bubblewrap create user namespaces, so students' code can't be "
            "run here; see user.max_user_namespaces, kernel.unprivileged_userns_clone and "
            f"kernel.apparmor_restrict_unprivileged_userns ({said})."
        )
    if said.startswith("unshare:"):
        return (
            "This root account may not make mount namespaces (a container without CAP_SYS_ADMIN), "
            f"so students' code can't be run here ({said})."
        )
    if "mount proc" in said:
        return (
            "This container hides parts of /proc, so bubblewrap can't mount its own; run it with "
            f"`--security-opt systempaths=unconfined` or outside a container ({said})."
        )
    return f"bubblewrap can't start a program here: {said or 'it gave no reason'}."


def tool(name: str) -> str:
    """The path of a system program.

    Raises:
        SandboxUnavailable: it is not installed.
    """
    path = shutil.which(name)
    if path is None:
        raise SandboxUnavailable(
            f"the program `{name}` is missing; students' code needs it to run."
        )
    return path


def find_accounting() -> Accounting:
    """The strongest way this host offers us.

    `SANDBOX_CGROUP` names the folder of version 2 that is delegated to us, or `none`.
    """
    named = os.environ.get(SETTING)
    if named == "none":
        return Watchdog()
    for parent in [Path(named)] if named else candidates_v2():
        if prepare_v2(parent):
            return CgroupV2(parent)
    mounts = mounts_v1()
    if {"memory", "pids"} <= mounts.keys():
        return CgroupV1(mounts)
    return Watchdog()
