"""The machine that the server runs on: secrets, disk, clock, and what students' code runs in."""

from __future__ import annotations

import ctypes
import stat
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa

import sandbox
from leaderboard.db import utcnow
from leaderboard.models import Assignment, Kind
from leaderboard.operations.doctor import SET_CLOCK, Finding
from leaderboard.queue import workers
from leaderboard.rules import catalog
from leaderboard.settings.table import SETTINGS_FILE
from leaderboard.state import State

_OF_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_MOUNTS: Final = Path("/proc/self/mounts")
# where a lock is no lock, or memory is not shared: SQLite's log is damaged there
_NETWORK_DISKS: Final = frozenset(
    {
        *("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "glusterfs"),
        *("gpfs", "beegfs", "fuse.glusterfs", "fuse.sshfs", "fuse.s3fs", "fuse.rclone"),
    }
)
_TIME_ERROR: Final = 5  # adjtimex(2): nobody keeps the clock right


def environment(state: State) -> Finding:
    """Development tolerates a known secret and prints mails."""
    if not state.settings.is_development:
        return Finding(name="environment", ok=True, required=True, sentence="production")
    return Finding(
        name="environment",
        ok=False,
        required=True,
        sentence="development: the secret key may be one that everybody knows",
        action="set LEADERBOARD_ENVIRONMENT=production",
    )


def secrets(state: State) -> Finding:
    """Nobody else on this machine reads the keys."""
    settings = state.settings
    files = [settings.state_dir / SETTINGS_FILE, settings.receipt_key_file]
    there = [path for path in files if path.exists()]
    seen = [path for path in there if path.stat().st_mode & _OF_OTHERS]
    if seen:
        names = " ".join(map(str, seen))
        return Finding(
            name="secrets",
            ok=False,
            required=True,
            sentence=f"others on this machine may read {names}: who has them signs sessions and "
            "receipts as the server does",
            action=f"chmod 600 {names}",
        )
    sentence = f"{', '.join(path.name for path in there)}: for the server's user alone"
    return Finding(name="secrets", ok=True, required=True, sentence=sentence)


def database_disk(state: State) -> Finding:
    """SQLite on a disk of this machine, or PostgreSQL."""
    name = "database's disk"
    if not state.database.is_sqlite:
        return Finding(name=name, ok=True, required=True, sentence="PostgreSQL has its own")
    path = Path(state.database.url.database or "").resolve()
    kind = _kind_of_disk(path, _MOUNTS.read_text(encoding="utf-8"))
    if kind not in _NETWORK_DISKS:
        sentence = f"SQLite on a disk of this machine ({kind})"
        return Finding(name=name, ok=True, required=True, sentence=sentence)
    return Finding(
        name=name,
        ok=False,
        required=True,
        sentence=f"SQLite on a network file system ({kind}): it will be damaged some day",
        action="move it to a local disk, or to PostgreSQL (deploy/README.md, From SQLite to …)",
    )


def _kind_of_disk(path: Path, mounts: str) -> str:
    r"""The kind of file system that a path lies on.

    >>> mounts = "/dev/sda / ext4 rw 0 0\nserver:/x /srv/my\\040data nfs4 rw 0 0\n"
    >>> _kind_of_disk(Path("/srv/my data/db"), mounts), _kind_of_disk(Path("/srv/db"), mounts)
    ('nfs4', 'ext4')
    """
    best, kind = -1, "unknown"
    for line in mounts.splitlines():
        _, place, found, *_ = line.split(" ")
        folder = Path(place.replace("\\040", " "))
        if path.is_relative_to(folder) and len(folder.parts) >= best:
            best, kind = len(folder.parts), found
    return kind


def time_service(state: State) -> Finding:
    """Something keeps this machine's clock right: deadlines go by it, or by the database's."""
    name = "time service"
    # struct timex has some 200 bytes; without modes set nothing is changed
    answer = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(512))
    if answer not in (-1, _TIME_ERROR):
        return Finding(name=name, ok=True, required=False, sentence="the clock is kept right")
    sentence = "nothing is known to keep this machine's clock right"
    return Finding(name=name, ok=False, required=False, sentence=sentence, action=SET_CLOCK)


def confinement(state: State) -> Finding:
    """Students' code runs behind walls, on each worker that runs it."""
    name = "confinement"
    found = {each: facts.get("sandbox") or "" for each, facts in _workers(state).items()}
    loose = [each for each, kind in found.items() if kind and kind not in _walls()]
    if loose:
        return Finding(
            name=name,
            ok=False,
            required=True,
            sentence=f"{', '.join(loose)}: students' code runs without walls",
            action="stop them, set LEADERBOARD_SANDBOX_BACKEND or leave it empty, start them again",
        )
    if not any(found.values()):
        is_asked = any(Kind.CODE.value in kinds for kinds in _kinds(state))
        return Finding(
            name=name,
            ok=not is_asked,
            required=True,
            sentence="no worker that lives has a sandbox"
            + (": assignments ask for code, and none is scored" if is_asked else "; none is asked"),
            action="start a worker on a machine with bubblewrap or Docker" if is_asked else "",
        )
    return _open_walls(state, found)


def _open_walls(state: State, found: dict[str, str]) -> Finding:
    left = {
        each: facts["sandbox_facts"]["open"]
        for each, facts in _workers(state).items()
        if facts.get("sandbox_facts", {}).get("open")
    }
    kinds = ", ".join(sorted({kind for kind in found.values() if kind}))
    if left:
        told = "; ".join(
            f"on {each}, runs could tell each other {what}" for each, what in left.items()
        )
        return Finding(
            name="confinement",
            ok=False,
            required=False,
            sentence=f"{kinds}; {told}",
            action="sandbox/README.md says what closes it; for exams: LEADERBOARD_RUN_LOGS=hidden",
        )
    return Finding(name="confinement", ok=True, required=True, sentence=f"{kinds}, nothing open")


def runner(state: State) -> Finding:
    """The packages that students' code finds are those that the documents name."""
    folder = state.settings.runner_env
    refusal = sandbox.environment_refusal(folder)
    if refusal:
        has_own = any(facts.get("sandbox") for facts in _workers(state).values())
        sentence = f"none on this machine ({refusal})" if has_own else refusal
        return Finding(name="runner", ok=has_own, required=False, sentence=sentence)
    try:
        differing = sandbox.environment_drift(folder)
    except RuntimeError as error:
        sentence = f"cannot be compared with the lock: {error}"
        return Finding(name="runner", ok=False, required=False, sentence=sentence)
    if differing:
        return Finding(
            name="runner",
            ok=False,
            required=True,
            sentence=f"not what deploy/locks says: {'; '.join(differing[:5])}",
            action="`make setup` builds it anew; look at the nightly baselines after that",
        )
    return Finding(name="runner", ok=True, required=True, sentence="its packages are the locked")


def run_logs(state: State) -> Finding:
    """Logs are a way out for what a program saw of hidden images."""
    with state.database.reading() as session:
        hidden = [
            each.slug
            for each in session.scalars(sa.select(Assignment).order_by(Assignment.slug))
            if catalog.rules(each).data.test_images == "hidden" and each.released_at is None
        ]
    if state.settings.run_logs == "hidden" or not hidden:
        sentence = f"{state.settings.run_logs}; {len(hidden)} running assignments hide their images"
        return Finding(name="run logs", ok=True, required=False, sentence=sentence)
    return Finding(
        name="run logs",
        ok=False,
        required=False,
        sentence=f"shown, and {', '.join(hidden)} hide their images: what a program says of its "
        "sample run may hold what an earlier one saw",
        action="for an exam set LEADERBOARD_RUN_LOGS=hidden; for homework this may stay",
    )


def _walls() -> tuple[str, ...]:
    return tuple(sandbox.confining_backends())


def _workers(state: State) -> dict[str, dict[str, Any]]:
    """The facts of each worker that lives."""
    silence = state.settings.dead_after_seconds
    with state.database.reading() as session:
        live = workers.live(session, now=utcnow(), dead_after_seconds=silence)
        return {each.executor_id: dict(each.facts) for each in live}


def _kinds(state: State) -> list[list[str]]:
    with state.database.reading() as session:
        found = session.scalars(sa.select(Assignment)).all()
        return [list(catalog.rules(each).submission.kinds) for each in found]
