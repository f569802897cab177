"""The database: engine, sessions, transactions. SQLite (WAL) on one machine, PostgreSQL on many.

A session reads by default. Whoever writes says so with `writing(session)`, which takes SQLite's
write lock at its *start* (BEGIN IMMEDIATE): a transaction that first reads and then writes can
otherwise fail with SQLITE_BUSY however long it is ready to wait.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session, make_transient_to_detached, sessionmaker

from leaderboard.clock import CLOCK, steady_seconds
from leaderboard.recent import RECENT, Recent

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

    from leaderboard.receipts import Receipts

log = logging.getLogger(__name__)

T = TypeVar("T")

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0
# a machine that was cut off must notice within seconds, not after the kernel's fifteen minutes
_NOTICE_CUTS = {
    "connect_timeout": 10,
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
_WRITES = "leaderboard_writes"
_TURN = "leaderboard_turn"
SIGNER = "leaderboard_signer"
_BUSY_TIMEOUT_MS = 30_000
_LOOK_SECONDS = 0.0005
_CACHE_KIB = 256
_CONNECTIONS = 24  # of a process to PostgreSQL
_IDLE_SECONDS = 1.0  # a connection that lay so long is asked whether it still holds
_USED_AT = "leaderboard_used_at"


def utcnow() -> datetime:
    """The present moment by the clock that all machines share, aware, in UTC."""
    return CLOCK.now()


class UtcDateTime(sa.TypeDecorator[datetime]):
    """An aware moment, kept in UTC; a naive one is refused on the way in."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a time zone was given: {value!r}")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        # SQLite keeps no zone: what is stored there is UTC by the line above
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """Every table. Names of constraints are fixed, so that migrations can find them."""

    metadata = sa.MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    if TYPE_CHECKING:  # SQLAlchemy's own says FromClause, which nothing can be inserted into
        __table__: ClassVar[sa.Table]


class WriteOutsideTransaction(RuntimeError):
    """Code changed a row in a reading session. A bug: wrap the change in `writing(session)`."""


class Database:
    """One engine and its sessions. Make it after a fork, never before.

    `threads` is how many may use it at once: each request holds one connection. `signer` signs the
    heads of the audit chains (audit.py), as part of the transactions that move them.
    """

    def __init__(self, url: str, *, threads: int = 20, signer: Receipts | None = None) -> None:
        self.url = sa.make_url(url)
        self._signer = signer
        self._recent = Recent()
        self.engine = _make_engine(self.url, threads)
        # SQLite's waiting writers poll, and the unlucky starve: threads of a process take turns
        self._turn = threading.Lock() if self.is_sqlite else None
        # what was just committed is not read again to show it; `writing` reads everything anew
        self._sessions = sessionmaker(class_=Session, autoflush=True, expire_on_commit=False)
        event.listen(self._sessions, "before_flush", _refuse_unannounced_writes)
        # each statement sees on PostgreSQL what is committed by then, within a transaction or not:
        # a page's reads do without, and so without a BEGIN and a ROLLBACK each time
        self._reads = self.engine
        if not self.is_sqlite:
            self._reads = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    def session(self) -> Session:
        """A new session that reads; `writing(session)` lets it write. The caller closes it."""
        return self._session(self._reads)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A session for some reads in one transaction, closed at the end."""
        with self._session(self.engine) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A session in one write transaction: committed at the end, rolled back on an error."""
        with self._session(self.engine) as session, writing(session):
            yield session

    @contextmanager
    def migrating(self) -> Iterator[sa.Connection]:
        """A connection in one write transaction, for changes of the schema."""
        with self.engine.connect() as connection:
            connection.execution_options(**{_WRITES: True})
            with connection.begin():
                yield connection

    def ask_for_time(self) -> None:
        """Have the clock told before anything is stamped; where the database is away, its first
        connection does that."""
        if not self.is_sqlite:
            with suppress(OperationalError):
                self.engine.connect().close()

    def dispose(self) -> None:
        self.engine.dispose()

    def _session(self, engine: sa.Engine) -> Session:
        info = {_TURN: self._turn, SIGNER: self._signer, RECENT: self._recent}
        return self._sessions(bind=engine, info=info)


@contextmanager
def writing(session: Session) -> Iterator[Session]:
    """Turn a reading session into one write transaction; commit at the end, roll back on an error.

    Objects loaded before stay usable; they are read anew, so that decisions rest on what is true
    inside the transaction. Keep slow work (uploads, hashing, parsing) outside of it.
    """
    if session.info.get(_WRITES):
        raise WriteOutsideTransaction("a write transaction is open already")
    session.rollback()
    session.expire_all()  # also what a transaction that is over has left
    with _turn(session.info[_TURN]):
        options: dict[str, Any] = {_WRITES: True}
        if session.get_bind().dialect.name != "sqlite":
            options["isolation_level"] = "READ COMMITTED"
        session.connection(execution_options=options)
        session.info[_WRITES] = True
        try:
            yield session
            session.commit()
        except BaseException:
            session.rollback()
            raise
        finally:
            session.info[_WRITES] = False


@contextmanager
def _turn(lock: threading.Lock | None) -> Iterator[None]:
    """Wait for one's turn, but not for ever: of two nested writes the inner would never come."""
    if lock is None:
        yield
        return
    if not lock.acquire(timeout=_BUSY_TIMEOUT_MS / 1000):
        raise TimeoutError("the database was busy with other writes for too long")
    try:
        yield
    finally:
        lock.release()


def outlast(action: Callable[[], T]) -> T:
    """Repeat an action that is safe to repeat until the database, if it is away, is back.

    For work that nobody waits for at the other end of a connection.
    """
    pause = _FIRST_PAUSE_SECONDS
    while True:
        try:
            return action()
        except DBAPIError as error:
            if not _is_away(error):
                raise
            log.warning("the database is away; again in %g s: %s", pause, error.orig)
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _is_away(error: DBAPIError) -> bool:
    """Whether a connection failed rather than what was asked through it; on SQLite, whether
    others held the file for too long, or its disk is full."""
    if error.connection_invalidated:
        return True
    if not isinstance(error, OperationalError):
        return False
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)
    return True


def insert_whole(session: Session, row: Base) -> None:
    """Insert a new row by one plain statement; then it is in the session as if it had been loaded.

    For what every hand-in makes: by way of the unit of work it takes several times as long.
    Columns that were not set get their defaults, and are read when somebody asks for them.
    """
    insert, columns, keys = _whole(type(row))
    held = sa.inspect(row).dict
    values = {columns[name]: held[name] for name in columns if name in held}
    made = session.connection().execute(insert, values)
    for key, value in zip(keys, made.inserted_primary_key or (), strict=True):
        setattr(row, key, value)
    make_transient_to_detached(row)
    session.add(row)


@cache
def _whole(kind: type[Base]) -> tuple[sa.Insert, dict[str, str], tuple[str, ...]]:
    """The insert of a table, its columns by attribute, and the attributes of its key."""
    mapper = sa.inspect(kind)
    columns = {each.key: each.columns[0].key for each in mapper.column_attrs}
    keys = tuple(mapper.get_property_by_column(column).key for column in mapper.primary_key)
    return sa.insert(kind.__table__), columns, keys


def changed_rows(session: Session, change: sa.Update | sa.Delete) -> int:
    """Carry out a conditional change; on how many rows its condition held."""
    result = session.connection().execute(change)
    return result.rowcount


def _refuse_unannounced_writes(session: Session, *_: Any) -> None:
    if not session.info.get(_WRITES):
        raise WriteOutsideTransaction("rows changed outside `with writing(session):`")


def _make_engine(url: sa.URL, threads: int) -> sa.Engine:
    # some are kept open, the rest are opened at need; the same few are used again and again, whose
    # statements PostgreSQL has prepared and whose pages SQLite has read
    pool: dict[str, Any] = {
        "pool_size": min(threads, 10),
        "max_overflow": threads,
        "pool_use_lifo": True,
    }
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(
            url,
            connect_args={
                "timeout": _BUSY_TIMEOUT_MS / 1000,
                "check_same_thread": False,
                "factory": FrugalConnection,
            },
            **pool,
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    # PostgreSQL takes a hundred connections where nobody tells it otherwise, and refuses the next:
    # whoever comes then waits for another's, which is soon free
    pool["max_overflow"] = min(threads, _CONNECTIONS) - pool["pool_size"]
    pool["pool_timeout"] = _BUSY_TIMEOUT_MS / 1000
    engine = sa.create_engine(url, connect_args=_NOTICE_CUTS, **pool)
    _ask_the_idle(engine)
    _keep_time(engine)
    return engine


def _keep_time(engine: sa.Engine) -> None:
    """Have the clock told the database's time: by new connections, and again now and then."""

    def tell(driver: DBAPIConnection, *_: Any) -> None:
        if not CLOCK.wants_to_know:
            return
        asked_at = steady_seconds()
        # where that fails, so does what the connection is wanted for, which is told of
        with suppress(engine.dialect.loaded_dbapi.Error), closing(driver.cursor()) as cursor:
            cursor.execute("SELECT clock_timestamp()")
            [(now,)] = cursor.fetchall()
            driver.rollback()
            CLOCK.tell(now, asked_at=asked_at)

    event.listen(engine, "connect", tell)
    event.listen(engine, "checkout", tell)


def _ask_the_idle(engine: sa.Engine) -> None:
    """Have a connection that lay idle asked whether it still holds, before it is given out again.

    As the pool's own `pool_pre_ping`, but without a round trip each time for those in use.
    """

    def note_use(_: Any, record: ConnectionPoolEntry) -> None:
        record.info[_USED_AT] = time.monotonic()

    def ask(driver: DBAPIConnection, record: ConnectionPoolEntry, _: Any) -> None:
        used_at = record.info.get(_USED_AT)
        if used_at is None or time.monotonic() - used_at < _IDLE_SECONDS:
            return
        try:
            engine.dialect.do_ping(driver)
        except engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error  # the pool connects anew

    event.listen(engine, "checkin", note_use)
    event.listen(engine, "checkout", ask)


class FrugalConnection(sqlite3.Connection):
    """Keeps few pages of its own: the system's cache has them for all connections together.

    With SQLite's two megabytes for each of dozens, a process grows for hours.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.execute(f"PRAGMA cache_size=-{_CACHE_KIB}").close()


def _prepare_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    connection.isolation_level = None  # BEGIN is ours (below), not the driver's
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")
    cursor.execute("PRAGMA journal_mode=WAL")
    # NORMAL could lose the last commits at a power cut: a receipt must outlive that
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    driver: Any = connection.connection.driver_connection
    if not connection.get_execution_options().get(_WRITES, False):
        try:
            driver.execute("BEGIN")  # by way of the engine it takes as long as what is then asked
        except sqlite3.Error:
            connection.exec_driver_sql("BEGIN")  # whose errors callers know
        return
    if not _took_turn(driver):
        # once more by way of the engine, as above
        connection.exec_driver_sql("BEGIN IMMEDIATE")


def _took_turn(driver: sqlite3.Connection) -> bool:
    """Begin to write once no other process does; False after a while, or where it is not that.

    SQLite's own wait looks ever more rarely, up to ten times a second: beside processes that write
    all the time, whoever has waited longest would be the last to come.
    """
    until = time.monotonic() + _BUSY_TIMEOUT_MS / 1000
    driver.execute("PRAGMA busy_timeout=0")
    try:
        while time.monotonic() < until:
            try:
                driver.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    return False
                time.sleep(_LOOK_SECONDS)
            else:
                return True
        return False
    finally:
        driver.execute(f"PRAGMA busy_timeout={_BUSY_TIMEOUT_MS}")


def sqlite_url(path: Path) -> str:
    """The URL of an SQLite file."""
    return f"sqlite:///{path}"
