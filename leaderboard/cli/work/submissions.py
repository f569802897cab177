"""`leaderboard submissions`: what the table of submissions shows, in a terminal."""

from __future__ import annotations

import json
from typing import Any

import click

from leaderboard.cli.common import opened_state, refusable, say
from leaderboard.cli.course import find_assignment
from leaderboard.cli.group import main

_SHOWN = 1000


@main.command()
@click.argument("course")
@click.argument("slug")
@click.option("--search", default="", help="Part of a team, person, note or file; or an id.")
@click.option("--status", "verdict", default="", help="OK, TLE, … or queued, running, cancelled.")
@click.option("--kind", default="", type=click.Choice(["", "csv", "code"]))
@click.option("--flag", default="", help="ND, MEM, DATA or OUTDATED.")
@click.option("--section", default="")
@click.option("--since", default="", metavar="DAY", help="In the course's time.")
@click.option("--until", default="", metavar="DAY")
@click.option("--score-from", default="", help="Of the private part.")
@click.option("--score-to", default="")
@click.option("--order", default="newest", help="newest, oldest, public or private.")
@click.option("--rerun", is_flag=True, help="Run them again; at most 50.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, in UTC.")
@refusable
def submissions(course: str, slug: str, rerun: bool, as_json: bool, **wanted: str) -> None:
    """List an assignment's submissions with both scores, at most a thousand.

    \b
    leaderboard submissions dl-2026 homework-2 --status TLE --since 2026-12-14
    """
    from leaderboard.models import Cause
    from leaderboard.rules import schedule
    from leaderboard.submissions import several
    from leaderboard.views import shapes
    from leaderboard.views.staff import filters, listing

    with opened_state() as state, state.database.session() as session:
        found, assignment = find_assignment(session, course, slug)
        which = filters.read(wanted, schedule.zone_of(found))
        page = listing.page(session, assignment, which, limit=_SHOWN)
        rows = shapes.as_json(page.rows)
        if rerun:
            chosen = several.chosen(session, assignment, [row["id"] for row in rows])
            count = several.judge_again(session, state, chosen, cause=Cause.RERUN, actor=None)
            say(f"{count} run again")
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False, indent=2))
    else:
        _print(rows)


def _print(rows: list[dict[str, Any]]) -> None:
    names = ("id", "upload_started_at", "team_name", "person", "kind", "verdict")
    click.echo("\t".join((*names, "public", "private", "flags")))
    for row in rows:
        scores = [
            "-" if row[name] is None else f"{row[name]:.4f}" for name in ("public", "private")
        ]
        cells = [str(row[name] or row["status"]) for name in names]
        click.echo("\t".join((*cells, *scores, " ".join(row["flags"]) or "-")))
