"""What the teaching team notes about submissions; an index that counts of an assignment read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from leaderboard.db import UtcDateTime

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "submission_note",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("submission_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("author_id", sa.Integer(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["submission_id"],
            ["submission.id"],
            name=op.f("fk_submission_note_submission_id_submission"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["user_account.id"],
            name=op.f("fk_submission_note_user_id_user_account"),
        ),
        sa.ForeignKeyConstraint(
            ["author_id"],
            ["user_account.id"],
            name=op.f("fk_submission_note_author_id_user_account"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submission_note")),
    )
    for column in ("submission_id", "user_id", "author_id"):
        op.create_index(op.f(f"ix_submission_note_{column}"), "submission_note", [column])
    op.create_index(
        "ix_submission_state", "submission", ["assignment_id", "status", "verdict", "team_id"]
    )


def downgrade() -> None:
    op.drop_index("ix_submission_state", "submission")
    op.drop_table("submission_note")
