"""All rows of our tables, from one database to another of the same revision, SQLite or PostgreSQL.

Values arrive as they were: moments in UTC, JSON with its very text, numbers bit by bit. The queue's
own tables stay behind; what waits is queued anew from our rows (restore.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa

from leaderboard.db import UtcDateTime

_BATCH = 1000
_VERSION_TABLE = "alembic_version"


class _JsonText(sa.TypeDecorator[str]):
    """JSON as it is written: read as values and written again, null and no value would be one."""

    impl = sa.Text
    cache_ok = True

    def column_expression(self, column: sa.ColumnElement[Any]) -> sa.ColumnElement[Any]:
        return sa.cast(column, sa.Text)


def copy(
    source: sa.Connection, target: sa.Connection, without: Collection[str] = ()
) -> dict[str, int]:
    """Copy every row of every table that the target has; how many each of its tables has then.

    Tables named in `without` stay empty.

    The target's tables are empty and of the source's revision, and its transaction writes. What
    rows refer to is checked at its end.

    Raises:
        sqlalchemy.exc.DBAPIError: the target refuses a row.
    """
    tables = _tables(target)
    with _references_checked_at_the_end(target):
        copied = {
            table.name: 0 if table.name in without else _copy_table(source, target, table)
            for table in tables
        }
    if target.dialect.name == "postgresql":
        for table in tables:
            _count_on(target, table)
    return copied


def _tables(connection: sa.Connection) -> list[sa.Table]:
    """The tables as they are, so that those of an older version can be copied too."""
    found = sa.MetaData()
    found.reflect(connection, resolve_fks=False)
    return [
        sa.Table(
            table.name,
            sa.MetaData(),
            *[
                sa.Column(each.name, _neutral(each.type), primary_key=each.primary_key)
                for each in table.columns
            ],
        )
        for name, table in sorted(found.tables.items())
        if name != _VERSION_TABLE
    ]


def _neutral(kind: sa.types.TypeEngine[Any]) -> sa.types.TypeEngine[Any]:
    if isinstance(kind, sa.JSON):
        return _JsonText()
    return UtcDateTime() if isinstance(kind, sa.DateTime) else kind.as_generic()


def _copy_table(source: sa.Connection, target: sa.Connection, table: sa.Table) -> int:
    to_json = target.dialect.name == "postgresql"
    statement = sa.insert(table).values(
        {column.name: _bound(column, to_json=to_json) for column in table.columns}
    )
    rows = source.execute(
        sa.select(table).order_by(*table.primary_key), execution_options={"yield_per": _BATCH}
    )
    for batch in rows.mappings().partitions():
        target.execute(statement, [dict(row) for row in batch])
    return target.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def _bound(column: sa.Column[Any], *, to_json: bool) -> sa.ColumnElement[Any]:
    value = sa.bindparam(column.name, type_=column.type)
    return sa.cast(value, sa.JSON) if to_json and isinstance(column.type, _JsonText) else value


@contextmanager
def _references_checked_at_the_end(target: sa.Connection) -> Iterator[None]:
    """Rows come table by table, and some tables refer to each other."""
    if target.dialect.name == "sqlite":
        target.exec_driver_sql("PRAGMA defer_foreign_keys=ON")  # until the commit
        yield
        return
    references = [
        (quoted(table), quoted(name))
        for quoted in (target.dialect.identifier_preparer.quote,)
        for (_, table), found in sa.inspect(target).get_multi_foreign_keys().items()
        for each in found
        if (name := each["name"])  # PostgreSQL gives one to each
    ]
    _alter(target, references, "DEFERRABLE INITIALLY DEFERRED")
    yield
    target.exec_driver_sql("SET CONSTRAINTS ALL IMMEDIATE")
    _alter(target, references, "NOT DEFERRABLE")


def _alter(target: sa.Connection, references: list[tuple[str, str]], how: str) -> None:
    for table, name in references:
        target.exec_driver_sql(f"ALTER TABLE {table} ALTER CONSTRAINT {name} {how}")


def _count_on(target: sa.Connection, table: sa.Table) -> None:
    """New rows are numbered from behind the copied ones."""
    for column in table.primary_key:
        sequence = sa.func.pg_get_serial_sequence(
            target.dialect.identifier_preparer.quote(table.name), column.name
        )
        last = sa.select(sa.func.max(column)).scalar_subquery()
        numbered = target.execute(sa.select(sequence)).scalar_one()
        if numbered is not None:
            target.execute(sa.select(sa.func.setval(numbered, last)).where(last.is_not(None)))
