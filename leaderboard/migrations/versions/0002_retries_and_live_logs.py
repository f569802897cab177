"""A first time-out is tried again; the log of a sample run can be followed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_CAUSES = ("hand_in", "rescore", "rerun")
_WITH_RETRY = (*_CAUSES, "retry")
_CAUSE_COLUMNS = (("submission", "evaluation_cause"), ("evaluation", "cause"))


def upgrade() -> None:
    for table, column in _CAUSE_COLUMNS:
        _change_words(table, column, "cause_known", _CAUSES, _WITH_RETRY)
    op.create_table(
        "live_log",
        sa.Column("submission_id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["submission_id"],
            ["submission.id"],
            name=op.f("fk_live_log_submission_id_submission"),
        ),
        sa.PrimaryKeyConstraint("submission_id", name=op.f("pk_live_log")),
    )


def downgrade() -> None:
    op.drop_table("live_log")
    # the earlier code knows a retry as what it is to it: the code run again
    for table, column in _CAUSE_COLUMNS:
        op.execute(f"UPDATE {table} SET {column} = 'rerun' WHERE {column} = 'retry'")  # noqa: S608
        _change_words(table, column, "cause_known", _WITH_RETRY, _CAUSES)


def _change_words(
    table: str, column: str, constraint: str, old: tuple[str, ...], new: tuple[str, ...]
) -> None:
    """Change the words that a column's CHECK allows."""
    before, after = (f"{column} IN ({', '.join(map(repr, words))})" for words in (old, new))
    if op.get_bind().dialect.name == "sqlite":
        _edit_sqlite_schema(table, before, after)
        return
    name = op.f(f"ck_{table}_{constraint}")
    op.drop_constraint(name, table, type_="check")
    op.create_check_constraint(name, table, after)


def _edit_sqlite_schema(table: str, before: str, after: str) -> None:
    """Change a CHECK in place, as https://sqlite.org/lang_altertable.html (section 7) allows.

    Making the table anew would copy every row, and can't be done while others refer to it.
    """
    connection = op.get_bind()
    version = connection.exec_driver_sql("PRAGMA schema_version").scalar_one()
    connection.exec_driver_sql("PRAGMA writable_schema = ON")
    changed = connection.exec_driver_sql(
        "UPDATE sqlite_schema SET sql = replace(sql, ?, ?) "
        "WHERE type = 'table' AND name = ? AND instr(sql, ?)",
        (before, after, table, before),
    )
    assert changed.rowcount == 1, f"the CHECK of {table} is not as the first schema made it"
    connection.exec_driver_sql(f"PRAGMA schema_version = {version + 1}")
    connection.exec_driver_sql("PRAGMA writable_schema = OFF")
