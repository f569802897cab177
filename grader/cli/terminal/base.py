"""What every command shares: lazy loading, options, translated help, errors and exit codes."""

from __future__ import annotations

import copy
import difflib
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar
from urllib.parse import urlsplit

import click

from grader.cli.chinese.messages import language, tr
from grader.cli.terminal.config import load_config
from grader.cli.terminal.console import (
    in_words,
    show_json,
    show_problems,
    talk,
)
from grader.client.config import Config, with_scheme
from grader.errors import (
    ApiError,
    AssignmentError,
    AuthError,
    GraderError,
    InvalidSubmission,
    NetworkError,
    Owner,
)

if TYPE_CHECKING:
    from grader.client.client import Client

F = TypeVar("F", bound=Callable[..., Any])
JSON_WANTED = "grader.json"
ATTEMPTS, PATIENT_ATTEMPTS = 2, 6
LONGEST_PAUSE_OF_A_QUESTION = 5.0  # seconds


class ExitCode(IntEnum):
    """What a script learns from a command (documented in `grader --help`)."""

    OK = 0
    USAGE = 2
    REJECTED = 3
    OURS = 4
    NETWORK = 5
    INTERRUPTED = 130


class TranslatedCommand(click.Command):
    """A command whose help comes in the reader's language."""

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        original = self.help
        self.help = tr(inspect.cleandoc(original)) if original else None
        try:
            super().format_help_text(ctx, formatter)
        finally:
            self.help = original

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        pieces = " ".join(self.collect_usage_pieces(ctx))
        formatter.write_usage(ctx.command_path, pieces, prefix=f"{tr('Usage')}: ")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        records = []
        for parameter in map(copy.copy, self.get_params(ctx)):
            if not isinstance(parameter, click.Option):
                continue
            parameter.help = tr(parameter.help) if parameter.help else None
            record = parameter.get_help_record(ctx)
            if record:
                records.append(record)
        with formatter.section(tr("Options")):
            formatter.write_dl(records)


class LazyGroup(TranslatedCommand, click.Group):
    """A group that imports a command's module when that command is called, and not before.

    `commands_table` maps a command's name to its module, the function in it, and its one-line help.
    """

    def __init__(self, *args: Any, commands_table: Mapping[str, Sequence[str]], **kw: Any) -> None:
        super().__init__(*args, **kw)
        self._table = commands_table

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._table:
            return None
        module, function, _ = self._table[cmd_name]
        command = getattr(importlib.import_module(module), function)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        nearest = difflib.get_close_matches(name.lower(), self._table, n=1)
        if name not in self._table and nearest:
            raise click.UsageError(
                tr(
                    "there is no command {name}; is {nearest} meant?", name=name, nearest=nearest[0]
                ),
                ctx,
            )
        return super().resolve_command(ctx, args)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_options(ctx, formatter)
        with formatter.section(tr("Commands")):
            formatter.write_dl([(name, tr(entry[2])) for name, entry in self._table.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except GraderError as error:
            explain(error, as_json=bool(ctx.meta.get(JSON_WANTED)))
            ctx.exit(exit_code_of(error))


def run(group: click.Group, name: str) -> NoReturn:
    """Run the group as a program; a wrong usage is told in the reader's language."""
    if language() == "zh":
        from grader.cli.chinese.usage import have_click_speak_chinese

        have_click_speak_chinese()
    try:
        ended = group.main(prog_name=name, standalone_mode=False)
    except click.ClickException as error:
        _show_misuse(error)
        sys.exit(error.exit_code)
    except click.Abort as abort:
        talk(tr("Aborted."))
        interrupted = isinstance(abort.__cause__, KeyboardInterrupt)
        sys.exit(ExitCode.INTERRUPTED if interrupted else ExitCode.USAGE)
    sys.exit(ended if isinstance(ended, int) else 0)


def _show_misuse(error: click.ClickException) -> None:
    """What Click's `show` prints, in words of ours."""
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is not None:
        talk(context.get_usage())
        talk(tr("Help: {command} --help", command=context.command_path) + "\n")
    talk(tr("Error: {detail}", detail=error.format_message()))


def exit_code_of(error: GraderError) -> ExitCode:
    """The exit code that an error ends a command with."""
    if isinstance(error, NetworkError | AuthError):
        return ExitCode.NETWORK
    if isinstance(error, AssignmentError):
        return ExitCode.USAGE
    if isinstance(error, ApiError) and error.status in (404, 405):
        return ExitCode.USAGE
    return ExitCode.REJECTED if error.owner is Owner.STUDENT else ExitCode.OURS


def explain(error: GraderError, *, as_json: bool) -> None:
    """Tell the person what went wrong and what to do; tell a script the same as JSON."""
    problems = problems_of(error)
    rejected = isinstance(error, InvalidSubmission)
    if as_json and rejected:
        show_json({"verdict": "REJ", "errors": problems})
    elif as_json:
        reply = {"code": error.code, "detail": str(error), "owner": str(error.owner)}
        show_json({**reply, "errors": problems})
    if rejected:
        talk(f"REJ: {tr('rejected at upload')}")
    else:
        talk(tr("Error: {detail}", detail=_told(error)))
    if not as_json:
        show_problems(problems)
    advice = _advice(error)
    if advice:
        talk(advice)


def _told(error: GraderError) -> str:
    """What an error says, in the reader's language."""
    told = error.problems if isinstance(error, AssignmentError) else (error.said,)
    return "\n".join(map(in_words, told))


def problems_of(error: GraderError) -> list[dict[str, Any]]:
    """The problems an error lists, as JSON objects."""
    if isinstance(error, InvalidSubmission):
        return [problem.as_dict() for problem in error.problems]
    if isinstance(error, ApiError):
        return [dict(problem) for problem in error.errors]
    return []


def json_option(function: F) -> F:
    """Add `--json`; errors then come as JSON too."""

    def remember(ctx: click.Context, _: click.Parameter, value: bool) -> bool:
        ctx.meta[JSON_WANTED] = value
        return value

    help_text = "Print one JSON document for a script."
    return click.option("--json", "as_json", is_flag=True, callback=remember, help=help_text)(
        function
    )


def csv_option(function: F) -> F:
    """Add `--csv`."""
    return click.option("--csv", "as_csv", is_flag=True, help="Print the table as CSV.")(function)


def server_options(function: F) -> F:
    """Add `--server`, `--token` and `--course`, which go before environment and file."""
    for flag, text in (
        ("--course", "The course, where several have this assignment (or GRADER_COURSE)."),
        ("--token", "An API token (or GRADER_TOKEN); default: that of grader login."),
        ("--server", "The server's address (or GRADER_SERVER); default: that of grader login."),
    ):
        function = click.option(flag, metavar=flag[2:].upper(), help=text)(function)
    return function


def signed_in(
    server: str | None, token: str | None, course: str | None, *, patient: bool = False
) -> tuple[Client, Config]:
    """A client for the configured server and token; `patient` as for `connect`.

    Raises:
        click.BadParameter: the server is no address.
        AuthError: no server is configured, or there is no token.
    """
    config = load_config(Config(server=server, token=token, course=course))
    if not config.server:
        raise AuthError(tr("you are not signed in: no server is known"))
    address = checked_address(config.server)
    if not config.token:
        raise AuthError(tr("you are not signed in to {server}", server=address))
    return connect(address, config.token, patient=patient), config


def checked_address(url: str) -> str:
    """A server's address: without a scheme it is https, and http on this machine.

    Raises:
        click.BadParameter: it is none.
    """
    address = with_scheme(url)
    try:
        parts = urlsplit(address)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise click.BadParameter(tr("{url} is not an http(s) address", url=url), param_hint="URL")
    return address


def connect(server: str, token: str | None, *, patient: bool = False) -> Client:
    """A client that tells the person when it has to try again.

    `patient` is for what is worth waiting half a minute for: a hand-in, a download. Whatever only
    asks tries once more, after a second.
    """
    from grader.client.client import Client
    from grader.client.transport import LONGEST_PAUSE_SECONDS

    def on_retry(reason: str, seconds: float) -> None:
        talk(
            tr(
                "The server is away ({reason}); again in {seconds:.0f} s.",
                reason=in_words(reason),
                seconds=seconds,
            )
        )

    return Client(
        server,
        token,
        language=language(),
        attempts=PATIENT_ATTEMPTS if patient else ATTEMPTS,
        longest_pause_seconds=LONGEST_PAUSE_SECONDS if patient else LONGEST_PAUSE_OF_A_QUESTION,
        on_retry=on_retry,
    )


def _advice(error: GraderError) -> str:
    if isinstance(error, AuthError):
        return tr("Sign in with grader login URL, or set GRADER_TOKEN.")
    if isinstance(error, NetworkError):
        return tr(
            "Nothing is lost: grader check works offline, and the same hand-in can be sent again."
        )
    return ""
