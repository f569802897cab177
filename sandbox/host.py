"""What this host offers a sandbox: programs, a user, a system call policy; or why not."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess

from sandbox import seccomp
from sandbox.environment import SandboxUnavailable

UID_SETTING = "SANDBOX_UID"
USER = "gradewright-sandbox"
DEFAULT_UID = 64_731
OLDEST_BWRAP = (0, 8)  # sized tmpfs, --disable-userns


def sandbox_uid() -> int:
    """The host user that programs run as when we are root.

    `SANDBOX_UID` names it; else the user `gradewright-sandbox` if there is one, else a number
    that no account has.

    Raises:
        SandboxUnavailable: the setting is not a usable user.
    """
    named = os.environ.get(UID_SETTING)
    if named is not None:
        if not named.isdigit() or int(named) == 0:
            raise SandboxUnavailable(
                f"{UID_SETTING} must be the number of an unprivileged user, not {named!r}."
            )
        return int(named)
    try:
        return pwd.getpwnam(USER).pw_uid
    except KeyError:
        pass
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    return next(uid for uid in range(DEFAULT_UID, DEFAULT_UID + 1000) if uid not in taken)


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
    answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
    version = answer.stdout.split()[-1] if answer.stdout else "0"
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_BWRAP:
        raise SandboxUnavailable(
            f"bubblewrap {version} is too old to run students' code; 0.8 or newer is needed."
        )
    return path


def system_call_filter() -> bytes:
    """The BPF program for this processor.

    Raises:
        SandboxUnavailable: no policy was written for it.
    """
    try:
        return seccomp.program()
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
