"""Host users for programs: each that lives has one of its own, as long as it lives.

What a kernel counts or shares by user (the size of new pipes, keys, processes, message queues)
would otherwise tell one run of another. A user is lent by a lock that the kernel releases with its
holder, so that all workers of a host draw from the same range.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pwd
import random
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sandbox.limits import StartFailed
from sandbox.runner_env.environment import SandboxUnavailable

SETTING = "SANDBOX_UID"
FIRST, COUNT = 64_731, 256
_RANGE = re.compile(r"(?P<first>[1-9]\d{0,8})(-(?P<last>[1-9]\d{0,8}))?", re.ASCII)


def host_users() -> range:
    """The host users that programs run as when we are root.

    `SANDBOX_UID` names them as `FIRST-LAST`; a single one is then shared by all programs.

    Raises:
        SandboxUnavailable: the setting names no usable users.
    """
    named = os.environ.get(SETTING)
    if named is None:
        return range(FIRST, FIRST + COUNT)
    match = _RANGE.fullmatch(named)
    users = range(int(match["first"]), int(match["last"] or match["first"]) + 1) if match else ()
    if not isinstance(users, range) or not users:
        raise SandboxUnavailable(
            f"{SETTING} must name unprivileged users by their numbers, as 64731-64986, "
            f"not {named!r}."
        )
    return users


def in_words(users: range) -> str:
    """`64731-64986`, or the one there is."""
    return f"{users[0]}-{users[-1]}" if len(users) > 1 else str(users[0])


def shared(users: range) -> list[str]:
    """What programs can tell each other by, where they run as one user."""
    return [] if len(users) > 1 else ["what is counted by host user (all run as one)"]


@dataclass(kw_only=True)
class Lease:
    """One host user for one program; `lock` is an open descriptor that keeps it from others."""

    uid: int
    lock: int | None = None

    def give_back(self) -> None:
        """The next program may have it: this one's processes are gone."""
        if self.lock is not None:
            os.close(self.lock)
            self.lock = None


def lend(users: range, folder: Path | None = None) -> Lease:
    """A user that no other program of this host runs as; by chance, so that it tells nothing.

    Raises:
        StartFailed: all are in use.
    """
    if len(users) == 1:
        return Lease(uid=users[0])
    busy = _users_of_processes()
    for uid in random.SystemRandom().sample(users, len(users)):
        if uid in busy or _has_account(uid):
            continue
        lock = try_lock((folder or lock_folder()) / f"gradewright-uid-{uid}.lock")
        if lock is not None:
            return Lease(uid=uid, lock=lock)
    raise StartFailed(f"every host user of {in_words(users)} is in use ({SETTING} names them)")


def _users_of_processes() -> set[int]:
    """Whose processes live: a container outlives the worker that made it."""
    users = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            users.add(process.stat().st_uid)
    return users


def _has_account(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def try_lock(path: Path) -> int | None:
    """A lock held by an open descriptor, until it is closed or its process ends; None: taken."""
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except PermissionError:  # made by the worker of another user
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def lock_folder() -> Path:
    """Where all workers of this host keep their locks."""
    shared = [Path("/run/gradewright-locks"), Path("/run/lock")]  # the first: of the systemd unit
    return next((each for each in shared if os.access(each, os.W_OK)), Path(tempfile.gettempdir()))
