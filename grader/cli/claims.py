"""`grader claims`: what a report claims, against its own tables or against what was measured."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from grader.bounded_toml import read_toml, told
from grader.bundles.bundle import CLAIMS
from grader.claims.claims import Claim, Evidence, WrongClaim, examine, parse_claims
from grader.claims.figures import ClassFigures, Printed
from grader.claims.reports import check_report
from grader.claims.split_sizes import splits_that_fit
from grader.cli.chinese.messages import tr
from grader.cli.terminal.base import ExitCode, TranslatedCommand, json_option
from grader.cli.terminal.claims_view import (
    check_as_dict,
    fit_as_dict,
    show_check,
    show_findings,
    show_fits,
)
from grader.cli.terminal.console import in_words, show_json
from grader.metric_list import EVERY


@click.command("claims", cls=TranslatedCommand)
@click.argument("report", required=False, type=click.File(encoding="utf-8"))
@click.option(
    "--claim",
    "claimed",
    multiple=True,
    metavar="METRIC=VALUE",
    help="A figure that the report claims, such as accuracy=.76 or macro_f1=83.1%; repeatable.",
)
@click.option(
    "--claims-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A claims.toml to read claims from.",
)
@click.option(
    "--measured",
    type=click.File(encoding="utf-8"),
    help="What grader score --json or grader status ID --json printed.",
)
@click.option("--test-size", type=click.IntRange(min=2), help="Images of the whole test set.")
@click.option("--public", "public_score", metavar="SCORE", help="The public accuracy, as printed.")
@click.option("--private", "private_score", metavar="SCORE", help="The private one, as printed.")
@json_option
def claims_command(
    report: Any,
    claimed: tuple[str, ...],
    claims_file: Path | None,
    measured: Any,
    test_size: int | None,
    public_score: str | None,
    private_score: str | None,
    as_json: bool,
) -> None:
    """Check the figures of REPORT: text or CSV that holds its tables ("-" reads a paste).

    Headline figures are held against the printed class tables and confusion matrices; claims
    against those or against a measured score; a public and a private score against the
    splits of a test set. Where figures differ, the known mistake that reproduces them is
    named. Exit code 3 says that something does not hold.

    \b
    Examples:
      grader claims report.txt
      grader claims matrix.txt --claim accuracy=.8006
      grader score assignment/ predictions.csv --json | grader claims --measured - --claim acc=.76
      grader claims --test-size 5000 --public 0.90200 --private 0.88942
    """
    claims = read_claims(claimed, claims_file)
    scores = (test_size, public_score, private_score)
    if any(scores) and not all(scores):
        raise click.UsageError(tr("--test-size, --public and --private belong together"))
    if not (report or measured or all(scores)):
        raise click.UsageError(tr("name a report, --measured or --test-size; see --help"))
    result: dict[str, Any] = {}
    holds = True
    if report:
        holds &= _report(report.read(), claims, result, as_json)
    if measured:
        holds &= _measured(measured.read(), claims, result, as_json)
    if test_size and public_score and private_score:
        holds &= _split(test_size, public_score, private_score, result, as_json)
    if as_json:
        show_json({**result, "holds": holds})
    sys.exit(ExitCode.OK if holds else ExitCode.REJECTED)


def read_claims(claimed: Sequence[str], claims_file: Path | None = None) -> tuple[Claim, ...]:
    """Read `--claim`s and a claims.toml.

    Raises:
        click.UsageError: one can't be read; the message names it.
    """
    table: dict[str, object] = {}
    try:
        if claims_file:
            table |= read_toml(claims_file.read_bytes(), CLAIMS)
        for text in claimed:
            name, equals, value = text.partition("=")
            if not equals:
                raise click.UsageError(tr("{claim!r} is not of the form metric=value", claim=text))
            table[name] = value
        return parse_claims(table)
    except WrongClaim as error:
        raise click.UsageError(in_words(error.problem)) from error
    except tomllib.TOMLDecodeError as error:
        raise click.UsageError(in_words(told(error))) from error


def _report(text: str, claims: Sequence[Claim], result: dict[str, Any], as_json: bool) -> bool:
    check = check_report(text, claims)
    if not check.checked:
        raise click.UsageError(
            tr("the report holds no class table and no confusion matrix that could be read")
        )
    result["report"] = check_as_dict(check)
    if not as_json:
        show_check(check)
    return check.holds


def _measured(text: str, claims: Sequence[Claim], result: dict[str, Any], as_json: bool) -> bool:
    if not claims:
        raise click.UsageError(tr("--measured needs a --claim or --claims-file to hold against it"))
    findings = examine(claims, _evidence(text))
    result["measured"] = [finding.as_dict() for finding in findings]
    if not as_json:
        show_findings(findings)
    return all(finding.agrees for finding in findings)


def _split(
    test_size: int, public: str, private: str, result: dict[str, Any], as_json: bool
) -> bool:
    try:
        fits = splits_that_fit(test_size, Printed.parse(public), Printed.parse(private))
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    result["splits"] = [fit_as_dict(fit) for fit in fits]
    if not as_json:
        show_fits(fits)
    return bool(fits)


def _evidence(text: str) -> Evidence:
    """The evidence in a score object or a submission: of the private split where it is shown."""
    try:
        reply = json.loads(text)
        splits = [reply[name] for name in ("private", "public") if reply.get(name)]
        figures = [_figures(split) for split in splits]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise click.UsageError(
            tr("--measured is no JSON of a score: {error}", error=error)
        ) from error
    if not figures:
        raise click.UsageError(tr("--measured holds no score"))
    known = {name: splits[0].get(name) for name in EVERY}
    both = len(splits) == 2
    return Evidence(
        test=figures[0],
        public=figures[1] if both else None,
        other_sizes={"the public split": figures[1].total} if both else {},
        extra={name: value for name, value in known.items() if value is not None},
    )


def _figures(split: Mapping[str, Any]) -> ClassFigures:
    if "confusion" in split:
        return ClassFigures.of(np.array(split["confusion"], dtype=np.int64))
    rows = split["per_class"]
    return ClassFigures(
        precision=np.array([row["precision"] for row in rows], dtype=np.float64),
        recall=np.array([row["recall"] for row in rows], dtype=np.float64),
        f1=np.array([row["f1"] for row in rows], dtype=np.float64),
        support=np.array([row["support"] for row in rows], dtype=np.int64),
    )
