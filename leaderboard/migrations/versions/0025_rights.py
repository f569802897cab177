"""Auditing students, external examiners, assistants of some sections, places that end."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from leaderboard.db import UtcDateTime

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_BEFORE = "role IN ('student', 'assistant', 'instructor', 'baseline')"
_NOW = "role IN ('student', 'auditor', 'examiner', 'assistant', 'instructor', 'baseline')"
_TABLES = ("enrolment", "invitation")


def upgrade() -> None:
    op.add_column("enrolment", sa.Column("sees", sa.JSON(), nullable=True))
    op.add_column("enrolment", sa.Column("ends_at", UtcDateTime(), nullable=True))
    op.add_column(
        "team", sa.Column("is_auditing", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    for table in _TABLES:
        _known(table, _NOW)


def downgrade() -> None:
    """An auditor is a student again; whoever only read what others may not is in no course."""
    op.execute("UPDATE enrolment SET role = 'student' WHERE role = 'auditor'")
    op.execute("DELETE FROM enrolment WHERE role = 'examiner'")
    op.execute("UPDATE invitation SET role = 'student' WHERE role IN ('auditor', 'examiner')")
    for table in _TABLES:
        _known(table, _BEFORE)
    op.drop_column("team", "is_auditing")
    op.drop_column("enrolment", "ends_at")
    op.drop_column("enrolment", "sees")


def _known(table: str, roles: str) -> None:
    name = op.f(f"ck_{table}_role_known")
    with op.batch_alter_table(table) as altered:
        altered.drop_constraint(name, type_="check")
        altered.create_check_constraint(name, roles)
