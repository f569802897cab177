"""The nightly rerun: the configured command hands every baseline in again, by HTTP, like anyone."""

from __future__ import annotations

import logging
import os
import subprocess
from datetime import datetime

import sqlalchemy as sa

from leaderboard import audit
from leaderboard.db import utcnow
from leaderboard.models import NightlyRun
from leaderboard.settings.table import PREFIX
from leaderboard.state import State

log = logging.getLogger(__name__)

_TIMEOUT_SECONDS = 6 * 3600
_KEPT_CHARACTERS = 20_000


def run(state: State, scheduled_at: datetime) -> None:
    """Run the command once and keep how it ended; a failure is on record for staff (doctor).

    Started again for the same moment (after a crash), it repeats: handing in twice is harmless.
    """
    command = state.settings.nightly_command
    if not command:
        return
    with state.database.write() as session:
        record = NightlyRun(started_at=utcnow())
        session.add(record)
        session.flush()
        record_id = record.id
    exit_code, output = _outcome(command)
    with state.database.write() as session:
        session.execute(
            sa.update(NightlyRun)
            .where(NightlyRun.id == record_id)
            .values(finished_at=utcnow(), exit_code=exit_code, output=output[-_KEPT_CHARACTERS:])
        )
        if exit_code != 0:
            audit.record(
                session,
                action="alert.nightly_rerun",
                subject=f"nightly:{record_id}",
                details={"exit_code": exit_code, "scheduled_at": scheduled_at.isoformat()},
            )
    log.info("nightly rerun ended with %s", exit_code)


def _outcome(command: tuple[str, ...]) -> tuple[int, str]:
    # the server's own secrets are no business of the command
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return 124, f"{(error.output or b'').decode(errors='replace')}\nstopped after 6 hours"
    except OSError as error:
        return 127, str(error)
    return done.returncode, done.stdout.decode(errors="replace")
