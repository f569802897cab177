"""What the commands print: results to stdout, talk to stderr, tables by what reads them.

Texts that other people wrote (team names, messages, logs) pass `clean` first, so that nobody can
steer a reader's terminal.
"""

from __future__ import annotations

import csv
import json
import sys
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from grader.cli.chinese.messages import language, tr
from grader.words.message import in_language, with_data

if TYPE_CHECKING:
    from grader.client.transport import Progress

KEPT_CONTROLS = "\n\t"
FORMULA_SIGNS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "\t", "\r", "\n")


def talk(text: str) -> None:
    """Say something to the person: one line on stderr."""
    click.echo(text, err=True)


def show(text: str) -> None:
    """Print one line of the result on stdout."""
    click.echo(text)


def show_json(value: Any) -> None:
    """Print one JSON document on stdout: the result for a script."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: drawn for a terminal, tab-separated for anything else."""
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            show("\t".join(clean(cell).replace("\t", " ").replace("\n", " ") for cell in row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column, cells in zip(columns, zip(*rows, strict=True), strict=True) if rows else ():
        table.add_column(column, justify="right" if all(map(_is_number, cells)) else "left")
    for row in rows:
        table.add_row(*(Text(clean(cell)) for cell in row))
    Console().print(table)


def show_csv(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table as CSV (RFC 4180), its columns in English whoever reads; no spreadsheet runs a
    cell as a formula."""
    writer = csv.writer(sys.stdout)
    writer.writerows([columns, *([_neutral(cell) for cell in row] for row in rows)])


def show_problems(problems: Sequence[Mapping[str, Any]]) -> None:
    """Print each problem of a hand-in: its place, what is wrong, and a hint where there is one."""
    for problem in problems:
        show(f"  {clean(problem_line(problem))}")
        if problem.get("hint"):
            hint = in_words(with_data(str(problem["hint"]), problem.get("hint_said")))
            show("    " + tr("Hint: {hint}", hint=clean(hint)))


def problem_line(problem: Mapping[str, Any]) -> str:
    """One problem as a sentence that starts with its place."""
    place = []
    if problem.get("line") is not None:
        place.append(tr("line {line}", line=problem["line"]))
    if problem.get("column"):
        place.append(tr("column {column}", column=problem["column"]))
    message = str(problem.get("message") or problem.get("kind") or "")
    message = in_words(with_data(message, problem.get("message_said")))
    if int(problem.get("count") or 1) > 1:
        message += tr(" ({count} times; this is the first)", count=problem["count"])
    return f"{', '.join(place)}: {message}" if place else message


def clean(text: str) -> str:
    """The text without the characters that command a terminal or turn the reading order.

    >>> clean("team \\x1b[2J!")
    'team \\ufffd[2J!'
    """
    return "".join(
        "\ufffd"
        if unicodedata.category(character) in ("Cc", "Cf", "Zl", "Zp")
        and character not in KEPT_CONTROLS
        else character
        for character in text
    )


@contextmanager
def progress_bar(label: str) -> Iterator[Progress | None]:
    """A progress callback that draws a bar on stderr; None where nobody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TransferSpeedColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)


def in_words(text: str) -> str:
    """What an error, a problem or a hint says, in the reader's language."""
    return in_language(text, language())


def _neutral(cell: str) -> str:
    """A cell that no spreadsheet runs, whatever spaces it begins with; numbers stay numbers."""
    bare = cell.lstrip("\u00a0\u3000\ufeff ")
    return f"'{cell}" if bare.startswith(FORMULA_SIGNS) and not _is_number(cell) else cell


def _is_number(cell: str) -> bool:
    return not cell.strip("0123456789.+-–% /,")
