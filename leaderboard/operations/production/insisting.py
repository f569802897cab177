"""All that `leaderboard doctor` looks at, and what a course can't do without on top of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from leaderboard.operations import doctor
from leaderboard.operations.doctor import Finding
from leaderboard.operations.production import facing, keeping, machine
from leaderboard.state import State

_LOOKS: Final[dict[str, Callable[[State], Finding]]] = {
    "environment": machine.environment,
    "secrets": machine.secrets,
    "address": facing.address,
    "proxies": facing.proxies,
    "slow senders": facing.slow_senders,
    "mail": facing.mail,
    "database's disk": machine.database_disk,
    "time service": machine.time_service,
    "confinement": machine.confinement,
    "runner": machine.runner,
    "run logs": machine.run_logs,
}


def examine(state: State, *, backup_days: int) -> list[Finding]:
    """What `doctor` finds, then what production asks for; a backup may be `backup_days` old."""
    found = doctor.examine(state)
    if not found[0].ok:
        return found  # without its database the rest can't be asked
    looks: dict[str, Callable[[State], Finding]] = {
        **_LOOKS,
        "backup": partial(keeping.backup, days=backup_days),
    }
    own = [doctor.guarded(name, state, look) for name, look in looks.items()]
    replaced = {each.name for each in own}
    return [*(each for each in found if each.name not in replaced), *own]
