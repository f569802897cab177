"""`grader submit`: hand in, print the receipt, and on wish wait for the score."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from grader.cli.chinese.messages import tr
from grader.cli.terminal.base import (
    ExitCode,
    TranslatedCommand,
    json_option,
    server_options,
    signed_in,
)
from grader.cli.terminal.console import clean, progress_bar, show_json, talk
from grader.cli.terminal.views import exit_code_for, phase_of, show_receipt, show_report
from grader.cli.trying.declaring import CHOICES, declaration
from grader.client.client import Client
from grader.client.replies import SubmissionReport
from grader.errors import NetworkError, NotConnected
from grader.words.message import said


@click.command("submit", cls=TranslatedCommand)
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@click.option("-a", "--assignment", "slug", required=True, metavar="SLUG", help="The assignment.")
@click.option("-m", "--message", default="", help="A note to yourself, shown in the list.")
@click.option("--wait", is_flag=True, help="Follow the evaluation and print the score.")
@click.option(
    "--key",
    metavar="KEY",
    help="Send an earlier attempt again under its key: it counts once, however often it is sent.",
)
@click.option(
    "--claim",
    "claimed",
    multiple=True,
    metavar="METRIC=VALUE",
    help="A figure that your report claims, such as macro_f1=.83, to be held against the score.",
)
@click.option(
    "--declare",
    "declared",
    multiple=True,
    type=click.Choice(CHOICES),
    help="What went into it of what the rules speak of, or none; asked for on a terminal.",
)
@server_options
@json_option
def submit_command(
    path: Path,
    slug: str,
    message: str,
    wait: bool,
    key: str | None,
    claimed: tuple[str, ...],
    declared: tuple[str, ...],
    server: str | None,
    token: str | None,
    course: str | None,
    as_json: bool,
) -> None:
    """Hand in PATH: a prediction CSV, a code bundle folder or an archive of one.

    \b
    Example: grader submit predictions.csv -a fashion-mnist -m "first try" --wait
    """
    _refuse_bad_bundle(path)
    client, config = signed_in(server, token, course, patient=True)
    key = key or str(uuid.uuid4())
    claims = _claims(claimed)
    with client:
        used = declaration(client, slug, config.course, declared)
        report = _hand_in(client, path, slug, message, config.course, key, claims, used)
        for warning in report.warnings:
            talk(tr("Warning: {warning}", warning=clean(warning)))
        if not as_json:
            show_receipt(report)
        if wait and not report.is_done:
            report = _followed(client, report)
    if as_json:
        show_json(report.json)
    elif report.is_done:
        show_report(report)
    else:
        talk(tr("Follow it with: grader status {id}", id=report.id))
    sys.exit(exit_code_for(report) if report.is_done else ExitCode.OK)


def _claims(claimed: Sequence[str]) -> dict[str, str]:
    """`--claim`s by metric, as printed.

    Raises:
        click.UsageError: one can't be read.
    """
    if not claimed:
        return {}
    from grader.cli.claims import read_claims

    return {claim.metric: claim.printed.text for claim in read_claims(claimed)}


def _refuse_bad_bundle(path: Path) -> None:
    """Find in a moment what the server would find after a long upload.

    Raises:
        InvalidBundle: the server would reject the folder or archive.
    """
    from grader.evaluation import Submission

    if Submission.detect(path).kind == "code":
        from grader.bundles.bundle import inspect_bundle

        inspect_bundle(path)


def _hand_in(
    client: Client,
    path: Path,
    slug: str,
    message: str,
    course: str | None,
    key: str,
    claims: Mapping[str, str],
    declared: Sequence[str] | None,
) -> SubmissionReport:
    is_committed = False

    def committed() -> None:
        nonlocal is_committed
        is_committed = True
        talk(tr(said("upload.time_is_safe")))

    try:
        with progress_bar(tr("Sending {name}", name=path.name)) as on_progress:
            return client.send(
                path,
                assignment=slug,
                message=message,
                claims=claims,
                declared=declared,
                course=course,
                idempotency_key=key,
                on_committed=committed,
                on_progress=on_progress,
            )
    except NetworkError as error:
        if isinstance(error, NotConnected) and not is_committed:
            talk(tr("Nothing was sent."))
        else:
            talk(
                tr(
                    "It may have arrived. To send it again so that it counts once: --key {key}",
                    key=key,
                )
            )
        raise
    except KeyboardInterrupt:
        talk(
            tr(
                "Interrupted: it may have arrived (grader submissions -a {slug} shows it). To go "
                "on so that it counts once, call this again with --key {key}",
                slug=slug,
                key=key,
            )
        )
        raise


def _followed(client: Client, report: SubmissionReport) -> SubmissionReport:
    try:
        with _live_phases() as on_event:
            return client.wait(report.id, on_event=on_event)
    except KeyboardInterrupt:
        talk(
            tr(
                "Interrupted: your hand-in was received and goes on without you. Follow it with: "
                "grader status {id}",
                id=report.id,
            )
        )
        raise


@contextmanager
def _live_phases() -> Iterator[Callable[[SubmissionReport], None]]:
    """Say on stderr what happens: one moving line on a terminal, else a line for each change."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.text import Text

        with Console(stderr=True).status(Text(tr("waiting"))) as line:
            yield lambda report: line.update(Text(clean(phase_of(report))))
        return
    said = ""

    def say(report: SubmissionReport) -> None:
        nonlocal said
        phase = phase_of(report)
        if phase != said and not report.is_done:
            talk(clean(phase))
            said = phase

    yield say
