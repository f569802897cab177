"""What code submissions looked at in a few images."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from leaderboard.db import UtcDateTime

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "heat_maps",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("submission_id", sa.Integer(), nullable=False),
        sa.Column("shown", sa.String(length=20), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("verdict", sa.String(length=4), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("detail_said", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("images_sha256", sa.String(length=64), nullable=True),
        sa.Column("image_rows", sa.JSON(), nullable=False),
        sa.Column("labels", sa.JSON(), nullable=False),
        sa.Column("squares", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("shown IN ('sample', 'hidden')", name=op.f("ck_heat_maps_shown_known")),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submission.id"], name=op.f("fk_heat_maps_submission_id_submission")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_heat_maps")),
        sa.UniqueConstraint(
            "submission_id", "shown", name=op.f("uq_heat_maps_submission_id_shown")
        ),
    )


def downgrade() -> None:
    op.drop_table("heat_maps")
