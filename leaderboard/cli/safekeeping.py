"""Commands that keep what a course remembers: audit log, receipts, backup, retention."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from leaderboard.cli.common import REFUSED, opened_state
from leaderboard.cli.group import main


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
    from leaderboard import audit, audit_heads

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
    from leaderboard import audit, audit_heads

    with opened_state() as state, state.database.reading() as session:
        click.echo(audit_heads.as_lines(audit.heads(session)), nl=False)
