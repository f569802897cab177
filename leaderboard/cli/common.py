"""What the commands share: refusals in a sentence, settings, the open state."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

import click

# Everything else is imported in the functions: `leaderboard --help` must not wait for a web server.
if TYPE_CHECKING:
    from leaderboard.config import Settings
    from leaderboard.state import State

P = ParamSpec("P")

USAGE = 2
REFUSED = 3
OURS = 4
INSTALL = "pip install 'gradewright[server]'"


class Refusals(click.Group):
    """Turns refusals into one sentence and an exit code."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return self._invoke(ctx)
        except ModuleNotFoundError as error:
            if _comes_with_every_install(error.name or ""):
                raise
            click.echo(f"this command needs {error.name}: {INSTALL}", err=True)
            ctx.exit(USAGE)

    def _invoke(self, ctx: click.Context) -> Any:
        from leaderboard.config import ConfigError

        try:
            return super().invoke(ctx)
        except ConfigError as error:
            for problem in error.problems:
                click.echo(problem, err=True)
            ctx.exit(OURS)
        except FileNotFoundError as error:
            click.echo(f"{error.filename or error}: not found; run `leaderboard init`?", err=True)
            ctx.exit(OURS)
        except Exception as error:
            sentence = _of_what_is_away(error)
            if not sentence:
                raise
            click.echo(sentence, err=True)
            ctx.exit(OURS)


def _comes_with_every_install(module: str) -> bool:
    return module.partition(".")[0] in ("grader", "leaderboard", "sandbox")


def _of_what_is_away(error: Exception) -> str:
    """One sentence for what the operator can mend; "" for a bug, whose traceback is wanted."""
    from sqlalchemy.exc import OperationalError

    from leaderboard.blobs import BlobsAway

    if isinstance(error, BlobsAway):
        return str(error)
    if isinstance(error, OperationalError):
        return f"The database cannot be used: {error.orig}"
    if isinstance(error, PermissionError) or getattr(error, "errno", None) == errno.ENOSPC:
        return str(error)
    return ""


def refusable(command: Callable[P, None]) -> Callable[P, None]:
    """Say why something was refused, instead of a traceback."""

    @wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        from grader import AssignmentError
        from leaderboard.errors import RequestError

        try:
            command(*args, **kwargs)
        except RequestError as error:
            click.echo(error.detail, err=True)
            sys.exit(REFUSED)
        except AssignmentError as error:
            for problem in error.problems:
                click.echo(problem, err=True)
            sys.exit(REFUSED)

    return guarded


def settings_now() -> Settings:
    """The settings of this call, `--state` included.

    Raises:
        ConfigError: a setting is wrong.
    """
    from leaderboard.config import load_settings

    return load_settings(click.get_current_context().obj)


@contextmanager
def opened_state() -> Iterator[State]:
    """The open state for the length of a command.

    Raises:
        ConfigError: the database is unfit.
    """
    from sqlalchemy.exc import DBAPIError, OperationalError

    from leaderboard import migrations
    from leaderboard.config import ConfigError
    from leaderboard.state import open_state

    state = open_state(settings_now())
    try:
        yield state
    except DBAPIError as error:
        try:
            wrong = migrations.mismatch(state.database)
        except OperationalError as away:
            wrong = f"The database cannot be reached: {away.orig}"
        if wrong:
            raise ConfigError([wrong]) from error
        raise
    finally:
        state.close()


def checked_settings() -> Settings:
    """The settings, once the tables are known to be of this version.

    Raises:
        ConfigError: a setting is wrong, or the tables are of another version.
    """
    from sqlalchemy.exc import OperationalError

    from leaderboard import migrations
    from leaderboard.blobs import open_store
    from leaderboard.config import ConfigError
    from leaderboard.db import Database

    settings = settings_now()
    open_store(settings)  # says so where its keys are missing
    database = Database(settings.database_url)
    try:
        wrong = migrations.mismatch(database)
    except OperationalError as error:
        raise ConfigError([f"The database cannot be reached: {error.orig}"]) from error
    finally:
        database.dispose()
    if wrong:
        raise ConfigError([wrong])
    return settings


def say(sentence: str) -> None:
    """Tell whoever watches; results go to stdout instead."""
    click.echo(sentence, err=True)
