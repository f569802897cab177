"""Addresses that accounts had before, by which class lists still know people."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from leaderboard.db import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "former_address",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column("left_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("email = lower(email)", name=op.f("ck_former_address_email_lower_case")),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_former_address_user_id_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_former_address")),
        sa.UniqueConstraint("email", name=op.f("uq_former_address_email")),
    )
    op.create_index(op.f("ix_former_address_user_id"), "former_address", ["user_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_former_address_user_id"), table_name="former_address")
    op.drop_table("former_address")
