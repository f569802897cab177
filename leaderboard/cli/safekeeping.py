"""Commands that keep what a course remembers: audit log, receipts, backup, retention."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

from leaderboard.cli.common import OURS, REFUSED, opened_state, say
from leaderboard.cli.group import main

if TYPE_CHECKING:
    from leaderboard.operations.backup import Progress

_MIB = 1 << 20


@main.command()
@click.argument("dest", type=click.Path(path_type=Path))
def backup(dest: Path) -> None:
    """Write everything that the server remembers to a new folder, while it goes on running.

    The folder holds the server's signing key, its settings and everybody's work, unencrypted and
    readable by its owner only: keep it as safe as the server. It can be restored to SQLite and to
    PostgreSQL. Exit code 4 if files were missing; what fails leaves nothing behind.

    \b
    leaderboard backup /backups/$(date +%F)
    """
    from leaderboard.blobs import BlobsAway
    from leaderboard.operations import backup as service
    from leaderboard.operations.snapshots import SnapshotFailed

    with opened_state() as state, _bars() as progress, _ended_in_order():
        try:
            made = service.make(state, dest, progress=progress)
        except service.BackupRefused as error:
            _refuse(str(error), REFUSED)
        except (SnapshotFailed, BlobsAway, OSError) as error:
            _refuse(f"No backup was made: {error}", OURS)
    click.echo(f"{dest}: {made.database}, {made.blobs} files, {made.blob_bytes / _MIB:.1f} MB")
    if made.bad:
        _refuse(f"{len(made.bad)} files are missing or damaged in the store: {made.bad[0]}…", OURS)


@main.command()
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--unsigned", is_flag=True, help="Take one that no key signed, as 0.1 made them.")
def restore(source: Path, unsigned: bool) -> None:
    """Bring a backup back, into an empty state folder, database and file store.

    The database may be of the other kind: so a server moves from SQLite to PostgreSQL, and back.
    Every file is verified on its way. What was being evaluated when the backup was made is queued.
    Set LEADERBOARD_DATABASE_URL and LEADERBOARD_BLOBS_URL first, unless all is to lie in the state
    folder.

    \b
    leaderboard --state /srv/leaderboard restore /backups/2026-11-22
    """
    from leaderboard.operations import restore as service
    from leaderboard.operations.backup import BackupRefused
    from leaderboard.operations.snapshots import SnapshotFailed

    with _bars() as progress:
        try:
            done = service.restore(
                source,
                click.get_current_context().find_root().obj,
                progress=progress,
                unsigned=unsigned,
            )
        except (BackupRefused, SnapshotFailed) as error:
            _refuse(str(error), REFUSED)
    click.echo(f"Ready: {done.settings.state_dir}")
    signer = done.manifest.key_id
    say(
        f"Signed by the server with key {signer}."
        if signer
        else "Not signed: by whom, nobody knows."
    )
    for name, value in done.trusted.items():
        say(f"It sets {name}={value}: look whether you trust that before you start the server.")
    rows = sum(done.manifest.rows.values())
    say(
        f"{rows} rows, {done.manifest.blobs} files; "
        f"{done.requeued} submissions wait to be evaluated."
    )
    say("Compare it with what was promised: leaderboard verify")


@main.command()
def verify() -> None:
    """Verify every receipt, read every file, compute every score anew; exit code 3 if one differs.

    \b
    leaderboard verify
    """
    from leaderboard.operations import verification

    with opened_state() as state, _bars() as progress:
        found = verification.verify(state, progress=progress)
    for each in found.differences:
        click.echo(f"{each.subject}: {each.reason}", err=True)
    click.echo(
        f"{found.receipts} receipts, {found.files} files, {found.rows} rows, {found.scores} scores "
        f"verified; {len(found.differences)} differ"
    )
    sys.exit(REFUSED if found.differences else 0)


@main.command()
@click.option("--days", type=click.IntRange(1), help="Default: the setting content_days.")
@click.option("--dry-run", is_flag=True, help="List what would be removed, and remove nothing.")
def retention(days: int | None, dry_run: bool) -> None:
    """Remove the files of hand-ins that are no longer kept, and what never belonged to one.

    Scores, predictions and receipts stay. A file is deleted two days after it was marked, so run
    this daily. Prints the submissions marked now.

    \b
    leaderboard retention --days 365 --dry-run
    """
    from leaderboard.operations import content

    with opened_state() as state:
        kept_days = state.settings.content_days if days is None else days
        cleared = content.clear(state, days=kept_days, dry_run=dry_run)
    for public_id in cleared.marked:
        click.echo(public_id)
    say(
        f"{len(cleared.marked)} {'would be' if dry_run else 'are'} marked; "
        f"{cleared.deleted} files deleted, {cleared.freed_bytes / _MIB:.1f} MB free again."
    )


@main.group("audit")
def audit_group() -> None:
    """Look after the log of who did what."""


@audit_group.command("verify")
@click.option(
    "--against",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Heads that `audit heads` printed earlier, beside those of the state folder.",
)
def audit_verify(against: Path | None) -> None:
    """Check every link and the signed head of every course's chain; exit code 3 if one is broken.

    \b
    leaderboard audit verify --against heads-of-october.jsonl
    """
    from leaderboard import audit
    from leaderboard.operations import audit_heads

    with opened_state() as state, state.database.reading() as session:
        public_key = state.receipts.public_key
        own = audit_heads.file_of(state)
        try:
            kept = [
                head
                for path in (own if own.exists() else None, against)
                if path is not None
                for head in audit_heads.read(path, public_key)
            ]
        except audit_heads.UnreadableHeads as error:
            click.echo(str(error), err=True)
            sys.exit(REFUSED)
        checked, broken = audit.verify(session, public_key, kept)
    for link in broken:
        click.echo(f"chain {link.chain}, event {link.number}: {link.reason}", err=True)
    click.echo(f"{checked} events checked, {len(broken)} broken links")
    sys.exit(REFUSED if broken else 0)


@audit_group.command("heads")
def audit_show_heads() -> None:
    """Print the signed head of every chain; keep it on another machine, for `audit verify`.

    \b
    leaderboard audit heads | ssh archive 'cat >> heads.jsonl'
    """
    from leaderboard import audit
    from leaderboard.operations import audit_heads

    with opened_state() as state, state.database.reading() as session:
        click.echo(audit_heads.as_lines(audit.heads(session)), nl=False)


@contextmanager
def _bars() -> Iterator[Progress]:
    """A bar for each thing that takes long, on stderr; none where nobody watches."""
    from rich.console import Console
    from rich.progress import Progress as Bars

    with Bars(console=Console(stderr=True), transient=True) as bars:
        tasks = {}

        def show(title: str, done: int, total: int) -> None:
            if title not in tasks:
                tasks[title] = bars.add_task(title, total=total)
            bars.update(tasks[title], completed=done, total=total)

        yield show


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Have SIGTERM, by which a service is stopped, end a command as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(OURS))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _refuse(sentence: str, code: int) -> NoReturn:
    click.echo(sentence, err=True)
    sys.exit(code)
