"""Cases about submissions, and submissions that count no more."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from leaderboard.db import UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("submission", sa.Column("voided_at", UtcDateTime(), nullable=True))
    op.create_table(
        "submission_case",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.Column("submission_id", sa.Integer(), nullable=False),
        sa.Column("cause", sa.String(length=20), nullable=False),
        sa.Column("evaluation_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("reply_until", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "cause IN ('mem', 'staff')", name=op.f("ck_submission_case_cause_known")
        ),
        sa.CheckConstraint(
            "state IN ('open', 'noticed', 'voided', 'closed')",
            name=op.f("ck_submission_case_state_known"),
        ),
        _reference("submission_case", "course_id", "course"),
        _reference("submission_case", "submission_id", "submission"),
        _reference("submission_case", "evaluation_id", "evaluation"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_submission_case")),
    )
    for column in ("course_id", "submission_id"):
        op.create_index(op.f(f"ix_submission_case_{column}"), "submission_case", [column])
    op.create_table(
        "case_entry",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(length=20), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("text_sha256", sa.String(length=64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "step IN ('opened', 'notice', 'reply', 'closed', 'voided', 'restored')",
            name=op.f("ck_case_entry_step_known"),
        ),
        _reference("case_entry", "case_id", "submission_case"),
        _reference("case_entry", "user_id", "user_account"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_entry")),
    )
    op.create_index("ix_case_entry_case", "case_entry", ["case_id", "id"])
    op.create_index(op.f("ix_case_entry_user_id"), "case_entry", ["user_id"])


def downgrade() -> None:
    op.drop_table("case_entry")
    op.drop_table("submission_case")
    op.drop_column("submission", "voided_at")


def _reference(table: str, column: str, to: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{to}.id"], name=op.f(f"fk_{table}_{column}_{to}"))
