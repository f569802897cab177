"""`grader status`, `submissions` and `cancel`: what became of what was handed in."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import datetime

import click

from grader.cli.chinese.messages import tr
from grader.cli.terminal.base import (
    ExitCode,
    TranslatedCommand,
    csv_option,
    json_option,
    server_options,
    signed_in,
)
from grader.cli.terminal.console import clean, show, show_csv, show_json, show_table
from grader.cli.terminal.views import (
    exit_code_for,
    number,
    phase_of,
    show_log,
    show_receipt,
    show_report,
    when,
    when_utc,
)
from grader.client.client import Client
from grader.client.replies import SubmissionReport
from grader.words.message import said


@click.command("status", cls=TranslatedCommand)
@click.argument("submission_id", required=False, metavar="[ID]")
@server_options
@csv_option
@json_option
def status_command(
    submission_id: str | None,
    server: str | None,
    token: str | None,
    course: str | None,
    as_csv: bool,
    as_json: bool,
) -> None:
    """Show submission ID; without an ID, who you are and your assignments.

    \b
    Example: grader status s_7f3k9q2m
    """
    if submission_id and as_csv:
        raise click.UsageError(tr("--csv is for the list of assignments: leave the ID out"))
    client, config = signed_in(server, token, course)
    with client:
        if not submission_id:
            _show_account(client, config.course, as_csv=as_csv, as_json=as_json)
            return
        report = client.submission(submission_id)
    if as_json:
        show_json(report.json)
    else:
        show_receipt(report)
        if report.is_done:
            show_report(report)
        else:
            show(phase_of(report))
            show_log(report)
    sys.exit(exit_code_for(report) if report.is_done else ExitCode.OK)


@click.command("submissions", cls=TranslatedCommand)
@click.option("-a", "--assignment", "slug", required=True, metavar="SLUG", help="The assignment.")
@server_options
@csv_option
@json_option
def submissions_command(
    slug: str,
    server: str | None,
    token: str | None,
    course: str | None,
    as_csv: bool,
    as_json: bool,
) -> None:
    """List your team's submissions, newest first.

    \b
    Example: grader submissions -a fashion-mnist
    """
    client, config = signed_in(server, token, course)
    with client:
        reports = client.submissions(slug, course=config.course)
    if as_json:
        show_json([report.json for report in reports])
        return
    columns = ("ID", "accepted", "kind", "status", "public", "private", "message")
    at = when_utc if as_csv else when
    rows = [_row(report, at) for report in reports]
    if as_csv:
        show_csv(columns, rows)
    else:
        show_table([tr(column) for column in columns], rows)


@click.command("cancel", cls=TranslatedCommand)
@click.argument("submission_id", metavar="ID")
@server_options
@json_option
def cancel_command(
    submission_id: str,
    server: str | None,
    token: str | None,
    course: str | None,
    as_json: bool,
) -> None:
    """Withdraw submission ID, which waits or runs. What has a result stays.

    It costs nothing unless its code runs on hidden images already.

    \b
    Example: grader cancel s_7f3k9q2m
    """
    client, _ = signed_in(server, token, course)
    with client:
        report = client.cancel(submission_id)
    if as_json:
        show_json(report.json)
    else:
        show_report(report)


def _row(report: SubmissionReport, at: Callable[[datetime | None, str | None], str]) -> list[str]:
    return [
        report.id,
        at(report.accepted_at, report.time_zone),
        report.kind,
        report.verdict or phase_of(report),
        number((report.public or {}).get(report.metric)),
        number((report.private or {}).get(report.metric)),
        report.message,
    ]


def _show_account(client: Client, course: str | None, *, as_csv: bool, as_json: bool) -> None:
    account = client.me()
    assignments = client.assignments(course)
    if as_json:
        show_json({"me": account.json, "assignments": [each.json for each in assignments]})
        return
    columns = ("course", "assignment", "title", said("word.due"))
    at = when_utc if as_csv else when
    rows = [[each.course, each.slug, each.title, at(each.due, each.zone)] for each in assignments]
    if as_csv:
        show_csv(columns, rows)
        return
    show(clean(f"{account.name} <{account.email}>, {client.server}"))
    show_table([tr(column) for column in columns], rows)
