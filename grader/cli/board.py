"""`grader leaderboard`, `grader quota` and `grader pick`: where a team stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

import click

from grader.cli.chinese.messages import tr
from grader.cli.terminal.base import (
    TranslatedCommand,
    csv_option,
    json_option,
    server_options,
    signed_in,
)
from grader.cli.terminal.console import show, show_csv, show_json, show_table, talk
from grader.cli.terminal.views import interval, number, when, when_utc
from grader.client.replies import BoardRow, Quota
from grader.words.message import said

EFFICIENCY = {
    "parameters": "parameters",
    "checkpoint_mb": "bundle MB",
    "seconds_per_1000": "s per 1000",
}
"""What a model costs, where the assignment shows it: the board's key → the column."""
_LEDGER = ("time", "ID", "change", "why")


@click.command("leaderboard", cls=TranslatedCommand)
@click.option("-a", "--assignment", "slug", required=True, metavar="SLUG", help="The assignment.")
@click.option(
    "--split",
    type=click.Choice(["public", "private"]),
    default="public",
    show_default=True,
    help="private: after the staff have released it.",
)
@click.option(
    "--track",
    type=click.Choice(["all", "scratch", "pretrained"]),
    help="Where pretrained weights have a track of their own: the board of one track.",
)
@click.option("--page", type=click.IntRange(min=1), default=1, help="A later page of a long board.")
@server_options
@csv_option
@json_option
def leaderboard_command(
    slug: str,
    split: str,
    track: str | None,
    page: int,
    server: str | None,
    token: str | None,
    course: str | None,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Show the leaderboard of an assignment.

    \b
    Example: grader leaderboard -a fashion-mnist
    """
    client, config = signed_in(server, token, course)
    with client:
        board = client.leaderboard(slug, course=config.course, split=split, track=track, page=page)
    if as_json:
        show_json(board.json)
        return
    costs = [name for name in EFFICIENCY if any(name in row.efficiency for row in board.rows)]
    titles = [EFFICIENCY[name] for name in costs]
    tracks = (
        [said("word.pretrained")]
        if any(row.is_pretrained is not None for row in board.rows)
        else []
    )
    columns = (
        *("rank", said("word.team"), "score", "95% interval", "≈ rank"),
        *(*tracks, *titles, "entries", "last"),
    )
    say = str if as_csv else tr
    at = partial(when_utc if as_csv else when, zone=board.time_zone)
    shared = "" if as_csv else "="
    rows = [_row(row, costs, say, at, shared, has_tracks=bool(tracks)) for row in board.rows]
    if as_csv:
        show_csv(columns, rows)
    else:
        show_table([tr(column) for column in columns], rows)
    if len(board.rows) < board.total:
        talk(
            tr(
                "{shown} of {total} rows; more with --page",
                shown=len(board.rows),
                total=board.total,
            )
        )


@click.command("quota", cls=TranslatedCommand)
@click.option("-a", "--assignment", "slug", required=True, metavar="SLUG", help="The assignment.")
@server_options
@csv_option
@json_option
def quota_command(
    slug: str,
    server: str | None,
    token: str | None,
    course: str | None,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Show how many submissions your team has left today, and where the others went.

    \b
    Example: grader quota -a fashion-mnist
    """
    client, config = signed_in(server, token, course)
    with client:
        quota = client.quota(slug, course=config.course)
    if as_json:
        show_json(quota.json)
        return
    if as_csv:
        show_csv(_LEDGER, _ledger(quota, str, when_utc))
        return
    if quota.remaining is None:
        show(tr(said("quota.no_limit")))
    else:
        show(tr("{left} of {limit} left today.", left=quota.remaining, limit=quota.limit))
    _show_ledger(quota)
    if quota.resets_at:
        time = when(quota.resets_at, quota.time_zone)
        talk(tr("The count starts again {time}.", time=time))


def _show_ledger(quota: Quota) -> None:
    """A line for each charge and refund of the day, where the server tells of them."""
    rows = _ledger(quota, _why, when)
    if rows:
        show_table([tr(column) for column in _LEDGER], rows)


def _ledger(
    quota: Quota, say: Callable[[str], str], at: Callable[[datetime | None, str | None], str]
) -> list[list[str]]:
    return [
        [at(each.at, quota.time_zone), each.submission, f"{each.amount:+d}", say(each.why)]
        for each in quota.entries
    ]


def _why(reason: str) -> str:
    reasons = {
        "reserved": tr(said("ledger.reserved")),
        "charged": tr(said("ledger.charged")),
        "taken_back": tr(said("ledger.taken_back")),
        "cancelled": tr(said("ledger.cancelled")),
        "failed_early": tr(said("ledger.failed_early")),
        "our_failure": tr(said("ledger.our_failure")),
        "coming": tr(said("ledger.coming")),
        "brought": tr(said("ledger.brought")),
        "left": tr(said("ledger.left")),
    }
    return reasons.get(reason, reason)


@click.command("pick", cls=TranslatedCommand)
@click.argument("submission_ids", nargs=-1, required=True, metavar="ID...")
@server_options
@json_option
def pick_command(
    submission_ids: tuple[str, ...],
    server: str | None,
    token: str | None,
    course: str | None,
    as_json: bool,
) -> None:
    """Make the submissions ID... your team's final picks, in place of the earlier ones.

    \b
    Example: grader pick s_7f3k9q2m s_1c8d2p4x
    """
    client, _ = signed_in(server, token, course)
    with client:
        first = client.submission(submission_ids[0])
        picks = client.pick(first.assignment, submission_ids, course=first.course or course)
    if as_json:
        show_json(picks.json)
    else:
        show(tr("Final picks: {ids}", ids=", ".join(submission_ids)))


def _rank(row: BoardRow, shared: str) -> str:
    return "" if row.rank is None else f"{row.rank}{shared if row.is_shared else ''}"


def _row(
    row: BoardRow,
    costs: Sequence[str],
    say: Callable[[str], str],
    at: Callable[[datetime | None], str],
    shared: str,
    *,
    has_tracks: bool,
) -> list[str]:
    name = f"* {row.team}" if row.is_mine else row.team
    track = say(said("word.yes")) if row.is_pretrained else ""
    return [
        say(said("word.baseline")) if row.is_baseline else _rank(row, shared),
        name,
        number(row.primary),
        interval(row.interval),
        ", ".join(map(str, row.indistinguishable_from)),
        *([track] if has_tracks else []),
        *(_cost(row.efficiency.get(name)) for name in costs),
        str(row.entries),
        at(row.last_at),
    ]


def _cost(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3g}"
