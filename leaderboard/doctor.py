"""`leaderboard doctor`: is everything there that the server needs, in plain words."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

import sandbox
from leaderboard import audit, audit_heads, migrations, queue, workers
from leaderboard.blobs import BlobDamaged, BlobMissing
from leaderboard.db import utcnow
from leaderboard.models import Assignment, NightlyRun, Submission
from leaderboard.state import State

_MIB = 1 << 20
_CLOCK_SECONDS = 2.0
_WAIT_MINUTES = 10
_SAMPLE = 50


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at. `required`: the server is not well without it."""

    name: str
    ok: bool
    required: bool
    sentence: str


def examine(state: State) -> list[Finding]:
    """Look at database, files, queue, workers, nightly rerun, sandbox, disk, clock, audit chain."""
    findings = [_guarded("database", state, _database)]
    if not findings[0].ok:
        return [*findings, _disk(state)]
    for name, look in (
        ("files", _files),
        ("queue", _queue),
        ("workers", _workers),
        ("nightly rerun", _nightly),
        ("clock", _clock),
        ("audit log", _audit),
    ):
        findings.append(_guarded(name, state, look))
    return [*findings, _disk(state), *_sandbox(state)]


def _guarded(name: str, state: State, look: Callable[[State], Finding]) -> Finding:
    try:
        return look(state)
    except (SQLAlchemyError, OSError) as error:
        reason = str(error).splitlines()[0]
        return Finding(name=name, ok=False, required=True, sentence=f"cannot be read: {reason}")


def _database(state: State) -> Finding:
    began = time.perf_counter()
    wrong = migrations.mismatch(state.database)
    if wrong:
        return Finding(name="database", ok=False, required=True, sentence=wrong)
    with state.database.write() as session:
        session.execute(sa.text("SELECT 1"))
    took = (time.perf_counter() - began) * 1000
    kind = "SQLite" if state.database.is_sqlite else "PostgreSQL"
    return Finding(
        name="database",
        ok=True,
        required=True,
        sentence=f"{kind} answers and can be written ({took:.0f} ms)",
    )


def _files(state: State) -> Finding:
    """Every assignment's files and the newest hand-ins are there, with the right content."""
    checked, bad = 0, []
    for sha256 in _named_blobs(state):
        checked += 1
        try:
            for _ in state.blobs.chunks(sha256):
                pass
        except (BlobMissing, BlobDamaged) as error:
            bad.append(str(error))
    sentence = "; ".join(bad) if bad else f"{checked} files were read and have the right content"
    return Finding(name="files", ok=not bad, required=True, sentence=sentence)


def _named_blobs(state: State) -> Iterator[str]:
    with state.database.reading() as session:
        columns = (Assignment.folder_sha256, Assignment.pack_sha256, Assignment.rows_sha256)
        for row in session.execute(sa.select(*columns)).all():
            yield from row
        newest = sa.select(Submission.content_sha256).order_by(Submission.id.desc()).limit(_SAMPLE)
        yield from session.scalars(newest).all()


def _queue(state: State) -> Finding:
    state.queue.check()
    with state.database.reading() as session:
        found = queue.health(session)
    sentence = f"{found.queued} waiting, {found.running} running"
    waits = found.oldest_queued_at
    is_slow = waits is not None and (utcnow() - waits).total_seconds() > _WAIT_MINUTES * 60
    if waits is not None:
        sentence += f"; the longest wait began {_ago(waits)}"
    return Finding(name="queue", ok=not is_slow, required=False, sentence=sentence)


def _workers(state: State) -> Finding:
    with state.database.reading() as session:
        live = workers.live(
            session, now=utcnow(), dead_after_seconds=state.settings.dead_after_seconds
        )
        shown = [
            f"{each.executor_id} (sandbox: {each.facts.get('sandbox') or 'none'})" for each in live
        ]
    sentence = ", ".join(shown) if shown else "none lives: hand-ins are kept, and wait"
    return Finding(name="workers", ok=bool(shown), required=False, sentence=sentence)


def _nightly(state: State) -> Finding:
    name = "nightly rerun"
    schedule = state.queue.nightly_schedule()
    if schedule is None:
        if state.settings.nightly_command and state.settings.nightly_cron:
            when = "a worker sets it up when it starts"
        else:
            when = "switched off (LEADERBOARD_NIGHTLY_COMMAND names no command)"
        return Finding(name=name, ok=True, required=False, sentence=when)
    with state.database.reading() as session:
        last = session.scalars(sa.select(NightlyRun).order_by(NightlyRun.id.desc())).first()
    sentence = f"scheduled ({schedule.cron} UTC), next at {schedule.next_at:%Y-%m-%d %H:%M} UTC"
    if last is None:
        return Finding(name=name, ok=True, required=False, sentence=f"{sentence}; never run yet")
    ending = "is running" if last.exit_code is None else f"ended with exit code {last.exit_code}"
    return Finding(
        name=name,
        ok=last.exit_code in (0, None),
        required=False,
        sentence=f"{sentence}; the last began {_ago(last.started_at)} and {ending}",
    )


def _clock(state: State) -> Finding:
    """Deadlines are decided by this machine's clock, order by the database's."""
    if state.database.is_sqlite:
        return Finding(
            name="clock", ok=True, required=True, sentence=f"{utcnow():%Y-%m-%d %H:%M:%S} UTC"
        )
    with state.database.reading() as session:
        theirs: datetime = session.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
    apart = abs((utcnow() - theirs).total_seconds())
    return Finding(
        name="clock",
        ok=apart < _CLOCK_SECONDS,
        required=True,
        sentence=f"this machine and the database are {apart:.1f} s apart",
    )


def _audit(state: State) -> Finding:
    with state.database.reading() as session:
        public_key = state.receipts.public_key
        own = audit_heads.file_of(state)
        kept = audit_heads.read(own, public_key) if own.exists() else ()
        checked, broken = audit.verify(session, public_key, kept)
    if broken:
        first = broken[0]
        sentence = f"chain {first.chain} is broken at event {first.number}: {first.reason}"
        return Finding(name="audit log", ok=False, required=True, sentence=sentence)
    return Finding(
        name="audit log", ok=True, required=True, sentence=f"{checked} events, every link holds"
    )


def _disk(state: State) -> Finding:
    free = state.blobs.free_bytes() // _MIB
    least = state.settings.min_free_mb
    is_writable = os.access(state.settings.state_dir, os.W_OK)
    sentence = f"{free:,} MB free; uploads are refused below {least:,} MB"
    if not is_writable:
        sentence = f"{state.settings.state_dir} cannot be written"
    return Finding(name="disk", ok=free > least and is_writable, required=True, sentence=sentence)


def _sandbox(state: State) -> list[Finding]:
    """What the sandbox says of itself; without one, CSV predictions are still scored."""
    settings = state.settings
    checks = sandbox.self_check(settings.sandbox_backend or None, runner_env=settings.runner_env)
    return [
        Finding(name=f"sandbox: {check.name}", ok=check.ok, required=False, sentence=check.sentence)
        for check in checks
    ]


def _ago(moment: datetime) -> str:
    minutes = int((utcnow() - moment).total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} min ago"
    return f"{minutes // 60} h ago"
