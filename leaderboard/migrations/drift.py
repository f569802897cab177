"""What differs between a database's tables and the models: somebody changed them by hand, a
migration was cut short by other means than ours, a dump came back in part."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from leaderboard import models
from leaderboard.db import Base, Database
from leaderboard.models.keeping import models_where, name_of

assert models  # its import fills Base.metadata
_GUARDS = {"sqlite": ("update", "delete"), "postgresql": ("change", "truncate")}
_TRIGGERS = {
    "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger'",
    "postgresql": "SELECT tgname FROM pg_trigger WHERE tgenabled <> 'D'",
}


def differences(database: Database) -> list[str]:
    """A phrase each, such as "team lacks the column pseudonym"; none where all is as it must be.

    For tables of the present revision. Reads only.
    """
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "include_name": _is_ours}
        )
        found = compare_metadata(context, Base.metadata)
        return [
            *[phrase for each in found for phrase in _phrases(each)],
            *_missing_checks(connection),
            *_missing_guards(connection),
        ]


def _is_ours(name: str | None, kind: str, _: Any) -> bool:
    """The queue keeps its own tables beside ours."""
    return kind != "table" or name in Base.metadata.tables


def _phrases(found: Any) -> Iterator[str]:
    """Alembic tells what to do to the tables, changes of one column as a list."""
    if isinstance(found, list):
        for how, _, table, column, _, is_so, should_be in found:
            what = how.removeprefix("modify_")
            yield f"{table}.{column} has the {what} {is_so}, not {should_be}"
        return
    how, item = found[0], found[-1]
    if how == "add_table":
        yield f"the table {item.name} is missing"
    elif how == "add_column":
        yield f"{found[2]} lacks the column {item.name}"
    elif how == "remove_column":
        yield f"{found[2]} has a column {item.name} that no version made"
    else:
        verb = "lacks" if how.startswith("add_") else "has, unlike any version's,"
        kind = _KINDS.get(how.partition("_")[2], "the rule")
        yield f"{item.table.name} {verb} {kind} {item.name}"


_KINDS = {"index": "the index", "fk": "the reference", "constraint": "the constraint"}


def _missing_checks(connection: sa.Connection) -> Iterator[str]:
    inspector = sa.inspect(connection)
    present = set(inspector.get_table_names())
    for table in Base.metadata.tables.values():
        if table.name not in present:
            continue
        there = {each["name"] for each in inspector.get_check_constraints(table.name)}
        for rule in sorted(_checks(table, connection.dialect) - there):
            yield f"{table.name} lacks the check {rule}"


def _checks(table: sa.Table, dialect: sa.Dialect) -> set[str]:
    return {
        str(dialect.identifier_preparer.format_constraint(each))
        for each in table.constraints
        if isinstance(each, sa.CheckConstraint) and each.name is not None
    }


def _missing_guards(connection: sa.Connection) -> Iterator[str]:
    dialect = connection.dialect.name
    there = set(connection.execute(sa.text(_TRIGGERS[dialect])).scalars())
    for table in map(name_of, models_where(lambda keeping: keeping.append_only)):
        for name in _GUARDS[dialect]:
            if f"{table}_no_{name}" not in there:
                yield f"{table} lacks the trigger {table}_no_{name}"
