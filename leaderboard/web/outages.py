"""When something that the server needs is away: what whoever asks is told, and when to come back.

A failure of ours is never shown as a student's, and a bug stays a bug: what is not recognised here
is raised again.
"""

from __future__ import annotations

import errno
import logging
import sqlite3

from sqlalchemy.exc import (
    DBAPIError,
    OperationalError,
    ProgrammingError,
    SQLAlchemyError,
)
from sqlalchemy.exc import (
    TimeoutError as NoFreeConnection,
)

import grader
from grader.words.message import Message, said
from leaderboard import migrations
from leaderboard.blobs import BlobsAway
from leaderboard.db import Database
from leaderboard.errors import DiskFull, OutOfService

log = logging.getLogger(__name__)

# what a handler of the web application is registered for
OUTAGES: tuple[type[Exception], ...] = (
    DBAPIError,
    NoFreeConnection,
    TimeoutError,
    OSError,
    grader.PlatformFault,
)
_AGAIN_SECONDS = 5
_DISK_FULL_STATE = "53100"  # PostgreSQL's
DISK_FULL_ERRORS = (errno.ENOSPC, errno.EDQUOT)


def refusal(error: Exception, database: Database) -> OutOfService:
    """What to answer in place of an error.

    Raises:
        Exception: the error itself, where it is no outage.
    """
    if isinstance(error, BlobsAway):
        log.error("%s", error)
        return _away(said("server.files_away"))
    if isinstance(error, grader.PlatformFault):
        log.error("%s", error, exc_info=error)
        return _away(said("server.failed"))
    if isinstance(error, DBAPIError):
        return _of_database(error, database)
    if isinstance(error, (NoFreeConnection, TimeoutError)):
        log.error("the database is overloaded: %s", error)
        return _away(said("server.overloaded"))
    if isinstance(error, OSError) and error.errno in DISK_FULL_ERRORS:
        log.error("the disk is full: %s", error)
        return DiskFull()
    raise error


def _of_database(error: DBAPIError, database: Database) -> OutOfService:
    if _is_full(error):
        log.error("the database's disk is full: %s", error)
        return DiskFull()
    wrong = _schema_mismatch(error, database)
    if wrong:
        log.error("%s", wrong)
        return _away(said("server.upgrading"))
    if not isinstance(error, OperationalError) and not error.connection_invalidated:
        raise error
    if _code(error) == sqlite3.SQLITE_ERROR:
        raise error  # wrong SQL: a bug
    log.error("the database cannot be reached: %s", error)
    return _away(said("server.database_away"))


def _schema_mismatch(error: DBAPIError, database: Database) -> str:
    """What is wrong with the tables, if an unknown table or column is because of that."""
    may_be = isinstance(error, ProgrammingError) or _code(error) == sqlite3.SQLITE_ERROR
    if not may_be:
        return ""
    try:
        return migrations.mismatch(database)
    except SQLAlchemyError:
        return ""


def _is_full(error: DBAPIError) -> bool:
    return (
        _code(error) == sqlite3.SQLITE_FULL
        or getattr(error.orig, "sqlstate", None) == _DISK_FULL_STATE
    )


def _code(error: DBAPIError) -> int | None:
    """SQLite's own code of an error, without its extension; None for another database's."""
    found = getattr(error.orig, "sqlite_errorcode", None)
    return None if found is None else found & 0xFF


def _away(detail: Message) -> OutOfService:
    return OutOfService(detail, retry_after=_AGAIN_SECONDS)
