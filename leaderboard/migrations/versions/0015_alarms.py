"""What is wrong with the server itself, from when to when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from leaderboard.db import UtcDateTime

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "alarm",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("condition", sa.String(length=20), nullable=False),
        sa.Column("place", sa.String(length=100), nullable=False),
        sa.Column("began_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("going_on", sa.String(length=121), nullable=True),
        sa.CheckConstraint(
            "condition IN ('internal_errors', 'queue_old', 'no_worker', 'backup', 'disk', 'drift')",
            name=op.f("ck_alarm_condition_known"),
        ),
        sa.CheckConstraint(
            "(going_on IS NULL) = (ended_at IS NOT NULL)", name=op.f("ck_alarm_ended_or_going_on")
        ),
        sa.UniqueConstraint("going_on", name=op.f("uq_alarm_going_on")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm")),
    )


def downgrade() -> None:
    op.drop_table("alarm")
