"""Commands that start and examine the server."""

from __future__ import annotations

import json
import sys

import click

from leaderboard.cli.common import (
    OURS,
    REFUSED,
    checked_settings,
    opened_state,
    say,
    settings_now,
)
from leaderboard.cli.group import main


@main.command()
def init() -> None:
    """Make the state folder: secret keys, tables, folders. Upgrades an older one.

    \b
    leaderboard --state /srv/leaderboard init
    """
    from leaderboard.operations.installation import initialise

    settings = initialise(click.get_current_context().obj)
    click.echo(f"Ready: {settings.state_dir}")


@main.command()
@click.option("--no-worker", is_flag=True, help="Web only; run `leaderboard worker` elsewhere.")
@click.option("--host", help="Address to listen on, for this time.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port, for this time; 0: any free one.")
def serve(no_worker: bool, host: str | None, port: int | None) -> None:
    """Serve until stopped, with one worker beside; prints the address.

    \b
    leaderboard serve --port 8000
    """
    from dataclasses import replace

    from leaderboard.server import serve as run

    settings = checked_settings()
    settings = replace(
        settings, host=host or settings.host, port=settings.port if port is None else port
    )
    try:
        run(settings, with_worker=not no_worker, say=say)
    except OSError as error:
        say(f"Cannot listen on {settings.host}:{settings.port}: {error}")
        sys.exit(OURS)


@main.command(hidden=True)
@click.option("--fd", type=int)
@click.option("--parent", type=int)
def web(fd: int | None, parent: int | None) -> None:
    """Run the web server alone (`serve` starts this)."""
    from leaderboard.server import die_with, run_web
    from leaderboard.web.request_ids import log_to_stderr

    if parent is not None:
        die_with(parent)
    log_to_stderr()
    run_web(settings_now(), fd=fd)


@main.command()
@click.option("--name", default="1", show_default=True, help="Unlike any other on this machine.")
@click.option("--parent", type=int, hidden=True)
def worker(name: str, parent: int | None) -> None:
    """Evaluate submissions until stopped.

    A worker takes up what it left unfinished when it starts again under the same name.

    \b
    leaderboard worker --name gpu-0
    """
    import logging

    from leaderboard.server import die_with
    from leaderboard.worker import NameTaken, run_worker

    if parent is not None:
        die_with(parent)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("leaderboard").setLevel(logging.INFO)
    try:
        run_worker(checked_settings(), name=name)
    except (NameTaken, ValueError) as error:
        click.echo(str(error), err=True)
        sys.exit(REFUSED)


@main.command()
@click.option("--production", is_flag=True, help="Insist on what students' work relies on.")
@click.option(
    "--backup-days",
    default=2,
    show_default=True,
    type=click.IntRange(1),
    help="How old the last backup may be, with --production.",
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def doctor(production: bool, backup_days: int, as_json: bool) -> None:
    """Say in plain words whether everything is there that the server needs.

    Exit code 4 if something required is not. With --production each line is ok, warn or fail, and
    says what to do: https, proxies, slow senders, mail, secrets, disk, clock, sandbox, backup.

    \b
    leaderboard doctor --production
    """
    from leaderboard.operations.doctor import examine
    from leaderboard.operations.production import insisting

    with opened_state() as state:
        if production:
            findings = insisting.examine(state, backup_days=backup_days)
        else:
            findings = examine(state)
    if as_json:
        told = [{**vars(finding), "level": finding.level} for finding in findings]
        click.echo(json.dumps(told, indent=2))
    else:
        for finding in findings:
            mark = finding.level if production else _MARKS[finding.level]
            click.echo(f"{mark:4} {finding.name}: {finding.sentence}")
            if finding.action:
                click.echo(f"     → {finding.action}")
    sys.exit(OURS if any(each.level == "fail" for each in findings) else 0)


_MARKS = {"ok": "ok", "fail": "BAD", "warn": "note"}


@main.command("settings")
def showsettings_now() -> None:
    """List every setting: variable, default, what it is."""
    from leaderboard.settings.table import SETTINGS

    for setting in SETTINGS:
        click.echo(f"{setting.variable} (default: {setting.default or 'empty'})")
        click.echo(f"    {setting.help}")
