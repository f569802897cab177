"""What was decided about labels, from the picture."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from leaderboard.db import UtcDateTime

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

_PEOPLE = ("decided_by", "confirmed_by", "dropped_by")


def upgrade() -> None:
    op.create_table(
        "label_decision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assignment_id", sa.Integer(), nullable=False),
        sa.Column("image", sa.Text(), nullable=False),
        sa.Column("choice", sa.String(length=20), nullable=False),
        sa.Column("label_before", sa.Text(), nullable=False),
        sa.Column("label", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.Integer(), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=False),
        sa.Column("shown_at", UtcDateTime(), nullable=True),
        sa.Column("confirmed_by", sa.Integer(), nullable=True),
        sa.Column("confirmed_at", UtcDateTime(), nullable=True),
        sa.Column("dropped_by", sa.Integer(), nullable=True),
        sa.Column("dropped_at", UtcDateTime(), nullable=True),
        sa.Column("published_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "choice IN ('keep', 'relabel', 'withdraw')",
            name=op.f("ck_label_decision_choice_known"),
        ),
        sa.CheckConstraint(
            "(label IS NOT NULL) = (choice = 'relabel')",
            name=op.f("ck_label_decision_label_where_needed"),
        ),
        sa.ForeignKeyConstraint(
            ["assignment_id"],
            ["assignment.id"],
            name=op.f("fk_label_decision_assignment_id_assignment"),
        ),
        *(
            sa.ForeignKeyConstraint(
                [column],
                ["user_account.id"],
                name=op.f(f"fk_label_decision_{column}_user_account"),
            )
            for column in _PEOPLE
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_label_decision")),
    )
    op.create_index("ix_label_decision_assignment", "label_decision", ["assignment_id", "id"])


def downgrade() -> None:
    op.drop_table("label_decision")
