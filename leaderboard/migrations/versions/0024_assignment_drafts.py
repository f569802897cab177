"""Assignments that are being made or changed in the browser."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from leaderboard.db import UtcDateTime

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "assignment_draft",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.Column("folder_sha256", sa.String(length=64), nullable=False),
        sa.Column("notices", sa.JSON(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["course_id"], ["course.id"], name=op.f("fk_assignment_draft_course_id_course")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assignment_draft")),
    )
    op.create_index(op.f("ix_assignment_draft_course_id"), "assignment_draft", ["course_id"])


def downgrade() -> None:
    op.drop_table("assignment_draft")
