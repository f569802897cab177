"""Later dates, late days and daily limits of single teams."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from leaderboard.db import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_INDEXED = ("course_id", "team_id", "user_id", "assignment_id")


def upgrade() -> None:
    op.create_table(
        "extension",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.Column("team_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("assignment_id", sa.Integer(), nullable=True),
        sa.Column("due", UtcDateTime(), nullable=True),
        sa.Column("closes", UtcDateTime(), nullable=True),
        sa.Column("hours", sa.Integer(), nullable=False),
        sa.Column("late_days", sa.Integer(), nullable=False),
        sa.Column("daily_limit", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=20), nullable=False),
        sa.Column("reference", sa.String(length=200), nullable=False),
        sa.Column("granted_by", sa.Integer(), nullable=True),
        sa.Column("granted_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "reason IN ('illness', 'accommodation', 'family', 'technical', 'other')",
            name=op.f("ck_extension_reason_known"),
        ),
        sa.CheckConstraint(
            "hours >= 0 AND late_days >= 0 AND daily_limit >= 0",
            name=op.f("ck_extension_only_more"),
        ),
        sa.CheckConstraint(
            "assignment_id IS NOT NULL OR (due IS NULL AND closes IS NULL)",
            name=op.f("ck_extension_dates_of_one"),
        ),
        *[_reference(column, table) for column, table in _REFERENCES.items()],
        sa.PrimaryKeyConstraint("id", name=op.f("pk_extension")),
    )
    for column in _INDEXED:
        op.create_index(op.f(f"ix_extension_{column}"), "extension", [column], unique=False)


def downgrade() -> None:
    for column in _INDEXED:
        op.drop_index(op.f(f"ix_extension_{column}"), table_name="extension")
    op.drop_table("extension")


_REFERENCES = {
    "course_id": "course",
    "team_id": "team",
    "user_id": "user_account",
    "assignment_id": "assignment",
    "granted_by": "user_account",
}


def _reference(column: str, table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_extension_{column}_{table}")
    return sa.ForeignKeyConstraint([column], [f"{table}.id"], name=name)
