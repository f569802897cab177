"""`leaderboard doctor`: is everything there that the server needs, in plain words."""

from __future__ import annotations

import os
import shutil
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

import sandbox
from grader import PlatformFault
from leaderboard import audit, migrations
from leaderboard.blobs import BlobDamaged, BlobMissing
from leaderboard.clock import CLOCK
from leaderboard.db import utcnow
from leaderboard.migrations import drift
from leaderboard.models import Assignment, NightlyRun, OutgoingMail, Submission
from leaderboard.operations import audit_heads, named_files, trial
from leaderboard.operations.audit_heads import UnreadableHeads
from leaderboard.queue import estimates, workers
from leaderboard.state import State

_MIB = 1 << 20
_CLOCK_SECONDS = 2.0
SET_CLOCK = "have the machine's clock set (Debian: systemd-timesyncd or chrony)"
_WAIT_MINUTES = 10
_SAMPLE = 50
_SHOWN = 5
_MAIL_SECONDS = 5


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing looked at. `required`: the server is not well without it; `action`: what to do,
    where the sentence does not say so."""

    name: str
    ok: bool
    required: bool
    sentence: str
    action: str = ""

    @property
    def level(self) -> str:
        """ok | warn | fail"""
        return "ok" if self.ok else "fail" if self.required else "warn"


def examine(state: State) -> list[Finding]:
    """Look at database, files, queue, workers, clock, mail, audit log, disk and sandbox; try it."""
    findings = [guarded("database", state, _database)]
    if not findings[0].ok:
        return [*findings, _disk(state)]
    for name, look in (
        ("files", _files),
        ("queue", _queue),
        ("workers", _workers),
        ("nightly rerun", _nightly),
        ("clock", _clock),
        ("workers' clocks", _worker_clocks),
        ("mail", mail),
        ("audit log", _audit),
    ):
        findings.append(guarded(name, state, look))
    return [*findings, _disk(state), *_sandbox(state), *_trial(state)]


def guarded(name: str, state: State, look: Callable[[State], Finding]) -> Finding:
    """What a look finds; that it can't be read is a finding too."""
    try:
        return look(state)
    except (SQLAlchemyError, OSError, PlatformFault, UnreadableHeads) as error:
        reason = str(error).splitlines()[0]
        return Finding(name=name, ok=False, required=True, sentence=f"cannot be read: {reason}")


def _database(state: State) -> Finding:
    wrong = migrations.mismatch(state.database)
    if wrong:
        return Finding(name="database", ok=False, required=True, sentence=wrong)
    differing = drift.differences(state.database)
    if differing:
        return Finding(name="database", ok=False, required=True, sentence=_drifted(differing))
    began = time.perf_counter()
    with state.database.write() as session:
        session.execute(sa.text("SELECT 1"))
    took = (time.perf_counter() - began) * 1000
    if state.database.is_sqlite and not _has_wal(state):
        sentence = "SQLite cannot use WAL here: is it on a network file system?"
        return Finding(name="database", ok=False, required=True, sentence=sentence)
    kind = "SQLite" if state.database.is_sqlite else "PostgreSQL"
    return Finding(
        name="database",
        ok=True,
        required=True,
        sentence=f"{kind} answers and can be written ({took:.0f} ms)",
    )


def _drifted(differing: list[str]) -> str:
    shown = "; ".join(differing[:_SHOWN])
    more = f"; and {len(differing) - _SHOWN} more" if len(differing) > _SHOWN else ""
    return (
        f"the tables are not as this version made them: {shown}{more}. Undo what was done to them "
        "by hand, or restore the last backup into a new database"
    )


def _has_wal(state: State) -> bool:
    """Whether readers and the writer do not wait for each other."""
    with state.database.reading() as session:
        return str(session.execute(sa.text("PRAGMA journal_mode")).scalar_one()) == "wal"


def _files(state: State) -> Finding:
    """The store takes, gives and deletes; assignments and a sample of the rest are unharmed."""
    state.blobs.probe()
    sample = _sample_of_files(state)
    bad = []
    for sha256 in sample:
        try:
            state.blobs.verify(sha256)
        except (BlobMissing, BlobDamaged) as error:
            bad.append(str(error))
    if bad:
        return Finding(name="files", ok=False, required=True, sentence="; ".join(bad))
    sentence = f"written, read and deleted one; {len(sample)} were read and have the right content"
    return Finding(name="files", ok=True, required=True, sentence=sentence)


def _sample_of_files(state: State) -> list[str]:
    """What every present assignment needs, and some files by chance, other ones each time."""
    columns = (Assignment.folder_sha256, Assignment.pack_sha256, Assignment.rows_sha256)
    with state.database.reading() as session:
        needed = {sha256 for row in session.execute(sa.select(*columns)) for sha256 in row}
        named = named_files.all_named().subquery()
        others = session.scalars(
            sa.select(named.c[0]).order_by(sa.func.random()).limit(_SAMPLE)
        ).all()
    return sorted({*needed, *others})


def _queue(state: State) -> Finding:
    state.queue.check()
    with state.database.reading() as session:
        found = estimates.health(session)
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
        silent = workers.silent(
            session, now=utcnow(), dead_after_seconds=state.settings.dead_after_seconds
        )
        dead = [each.executor_id for each in silent]
    sentence = ", ".join(shown) if shown else "none lives: hand-ins are kept, and wait"
    if dead:
        sentence += f"; silent: {', '.join(dead)}"
    return Finding(name="workers", ok=bool(shown) and not dead, required=False, sentence=sentence)


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
    """This machine's clock against the database's, by which deadlines are decided, and the rows."""
    with state.database.reading() as session:
        newest = session.scalar(sa.select(sa.func.max(Submission.accepted_at)))
    ours, ahead = datetime.now(UTC), CLOCK.ahead_seconds()
    shown = f"{ours:%Y-%m-%d %H:%M:%S} UTC"
    if newest is not None and (newest - utcnow()).total_seconds() > _CLOCK_SECONDS:
        sentence = f"the time is {utcnow():%Y-%m-%d %H:%M:%S} UTC, before the last hand-in"
        return Finding(name="clock", ok=False, required=True, sentence=sentence)
    if state.database.is_sqlite:
        return Finding(name="clock", ok=True, required=True, sentence=shown)
    sentence = f"{shown}, {_apart(ahead)} the database's, by which deadlines are decided"
    is_right = abs(ahead) < _CLOCK_SECONDS
    if not is_right:
        sentence += f"; {SET_CLOCK}"
    return Finding(name="clock", ok=is_right, required=True, sentence=sentence)


def _worker_clocks(state: State) -> Finding:
    """What the workers say of their machines' clocks."""
    with state.database.reading() as session:
        live = workers.live(
            session, now=utcnow(), dead_after_seconds=state.settings.dead_after_seconds
        )
        ahead = {each.executor_id: each.facts.get(workers.CLOCK_AHEAD, 0.0) for each in live}
    wrong = [
        f"{name} is {_apart(seconds)} the database's"
        for name, seconds in ahead.items()
        if abs(seconds) >= _CLOCK_SECONDS
    ]
    sentence = f"{'; '.join(wrong)}: {SET_CLOCK}" if wrong else f"those of {len(ahead)} are right"
    return Finding(name="workers' clocks", ok=not wrong, required=False, sentence=sentence)


def _apart(ahead_seconds: float) -> str:
    return f"{abs(ahead_seconds):.1f} s {'ahead of' if ahead_seconds > 0 else 'behind'}"


def mail(state: State) -> Finding:
    """The mail server takes a connection, and nothing waits for it for long."""
    url = urlsplit(state.settings.mail_server)
    if not url.hostname:
        wanted = "none, as is wished" if state.settings.smtp_url else "none is set up"
        return Finding(name="mail", ok=True, required=False, sentence=wanted)
    port = url.port or (465 if url.scheme == "smtps" else 25)
    with socket.create_connection((url.hostname, port), _MAIL_SECONDS):
        pass
    late = utcnow() - timedelta(minutes=_WAIT_MINUTES)
    with state.database.reading() as session:
        waiting = session.scalar(
            sa.select(sa.func.count())
            .select_from(OutgoingMail)
            .where(
                OutgoingMail.sent_at.is_(None),
                OutgoingMail.gave_up_at.is_(None),
                OutgoingMail.created_at < late,
            )
        )
    sentence = f"{url.hostname}:{port} answers; {waiting} mails wait for over {_WAIT_MINUTES} min"
    return Finding(name="mail", ok=not waiting, required=False, sentence=sentence)


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
    folder = state.settings.state_dir
    free = min(state.blobs.free_bytes(), shutil.disk_usage(folder).free) // _MIB
    least = state.settings.min_free_mb
    is_writable = os.access(folder, os.W_OK)
    sentence = f"{free:,} MB free; uploads are refused below {least:,} MB"
    if not is_writable:
        sentence = f"{folder} cannot be written"
    return Finding(name="disk", ok=free > least and is_writable, required=True, sentence=sentence)


def _sandbox(state: State) -> list[Finding]:
    """What the sandbox says of itself; without one, CSV predictions are still scored."""
    settings = state.settings
    checks = sandbox.self_check(settings.sandbox_backend or None, runner_env=settings.runner_env)
    return [
        Finding(name=f"sandbox: {check.name}", ok=check.ok, required=False, sentence=check.sentence)
        for check in checks
    ]


def _trial(state: State) -> list[Finding]:
    """A tiny assignment is evaluated, each way: what the parts promise, the whole keeps."""
    with trial.published() as tried:
        csv = tried.of_csv()
        code = _trial_of_code(state, tried)
    return [Finding(name="trial: CSV", ok=csv.ok, required=True, sentence=csv.sentence), code]


def _trial_of_code(state: State, tried: trial.Trial) -> Finding:
    settings = state.settings
    name = "trial: code"
    try:
        runner = sandbox.get_runner(
            settings.sandbox_backend or None,
            settings.runner_env,
            hold_files=settings.hold_runner_files == "yes",
        )
    except sandbox.SandboxUnavailable as why:
        sentence = f"not tried, and no code is scored on this machine: {why}"
        return Finding(name=name, ok=False, required=False, sentence=sentence)
    with runner:
        ending = tried.of_code(runner)
    return Finding(name=name, ok=ending.ok, required=True, sentence=ending.sentence)


def _ago(moment: datetime) -> str:
    minutes = int((utcnow() - moment).total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} min ago"
    return f"{minutes // 60} h ago"
