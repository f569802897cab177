"""Questions about grades, and saved replies."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from leaderboard.db import UtcDateTime

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "regrade",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.Column("submission_id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "outcome IN ('changed', 'unchanged')", name=op.f("ck_regrade_outcome_known")
        ),
        sa.CheckConstraint(
            "(outcome IS NULL) = (closed_at IS NULL)",
            name=op.f("ck_regrade_closed_with_outcome"),
        ),
        sa.ForeignKeyConstraint(
            ["course_id"], ["course.id"], name=op.f("fk_regrade_course_id_course")
        ),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submission.id"], name=op.f("fk_regrade_submission_id_submission")
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["user_account.id"], name=op.f("fk_regrade_owner_id_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_regrade")),
        sa.UniqueConstraint("submission_id", name=op.f("uq_regrade_submission_id")),
    )
    op.create_index("ix_regrade_course", "regrade", ["course_id", "closed_at", "due_at"])
    op.create_table(
        "regrade_message",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("regrade_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("is_staff", sa.Boolean(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["regrade_id"], ["regrade.id"], name=op.f("fk_regrade_message_regrade_id_regrade")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_regrade_message_user_id_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_regrade_message")),
    )
    for column in ("regrade_id", "user_id"):
        op.create_index(op.f(f"ix_regrade_message_{column}"), "regrade_message", [column])
    op.create_table(
        "saved_reply",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=100), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["course_id"], ["course.id"], name=op.f("fk_saved_reply_course_id_course")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_reply")),
    )
    op.create_index(op.f("ix_saved_reply_course_id"), "saved_reply", ["course_id"])


def downgrade() -> None:
    for table in ("saved_reply", "regrade_message", "regrade"):
        op.drop_table(table)
