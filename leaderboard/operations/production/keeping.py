"""A backup was made not long ago. What lies on one disk alone is lost with it."""

from __future__ import annotations

from datetime import timedelta

from leaderboard.db import utcnow
from leaderboard.operations import backup as backups
from leaderboard.operations.doctor import Finding
from leaderboard.state import State


def backup(state: State, *, days: int) -> Finding:
    """When `leaderboard backup` last ended on this machine."""
    last = backups.last(state)
    if last is None:
        return _lacking("none was made on this machine", days)
    age = utcnow() - last.made_at
    shown = f"the last was made {last.made_at:%Y-%m-%d %H:%M} UTC, to {last.folder}"
    if last.bad:
        return _lacking(f"{shown}; {last.bad} files were missing in the store", days)
    if age > timedelta(days=days):
        return _lacking(f"{shown}, {age.days} days ago", days)
    return Finding(name="backup", ok=True, required=True, sentence=shown)


def _lacking(sentence: str, days: int) -> Finding:
    return Finding(
        name="backup",
        ok=False,
        required=True,
        sentence=sentence,
        action=f"leaderboard backup FOLDER on another disk, at least every {days} days: "
        "deploy/backup.sh and leaderboard-backup.timer do it nightly",
    )
