"""Grades: versions of scales, decisions about people, what was published, lowerings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from leaderboard.db import UtcDateTime

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_STATES = "'ready', 'pending', 'missing', 'excused', 'withdrawn', 'auditing'"


def upgrade() -> None:
    _scales()
    _marks()
    _published()
    _lowerings()


def _scales() -> None:
    op.create_table(
        "grading_scale",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assignment_id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["assignment_id"],
            ["assignment.id"],
            name=op.f("fk_grading_scale_assignment_id_assignment"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grading_scale")),
        sa.UniqueConstraint(
            "assignment_id", "number", name=op.f("uq_grading_scale_assignment_id_number")
        ),
    )


def _marks() -> None:
    op.create_table(
        "grade_mark",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("course_id", sa.Integer(), nullable=False),
        sa.Column("assignment_id", sa.Integer(), nullable=True),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("value", sa.Double(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_by", sa.Integer(), nullable=True),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('override', 'factor', 'excused', 'withdrawn', 'auditing')",
            name=op.f("ck_grade_mark_kind_known"),
        ),
        sa.CheckConstraint(
            "(value IS NOT NULL) = (kind IN ('override', 'factor'))",
            name=op.f("ck_grade_mark_value_where_needed"),
        ),
        sa.ForeignKeyConstraint(
            ["course_id"], ["course.id"], name=op.f("fk_grade_mark_course_id_course")
        ),
        sa.ForeignKeyConstraint(
            ["assignment_id"],
            ["assignment.id"],
            name=op.f("fk_grade_mark_assignment_id_assignment"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_grade_mark_user_id_user_account")
        ),
        sa.ForeignKeyConstraint(
            ["made_by"], ["user_account.id"], name=op.f("fk_grade_mark_made_by_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grade_mark")),
    )
    for column in ("course_id", "assignment_id", "user_id"):
        op.create_index(op.f(f"ix_grade_mark_{column}"), "grade_mark", [column])


def _published() -> None:
    op.create_table(
        "published_grade",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assignment_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("submission_id", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("given", sa.Double(), nullable=True),
        sa.Column("written", sa.String(length=32), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=True),
        sa.Column("explanation", sa.JSON(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(f"state IN ({_STATES})", name=op.f("ck_published_grade_state_known")),
        sa.ForeignKeyConstraint(
            ["assignment_id"],
            ["assignment.id"],
            name=op.f("fk_published_grade_assignment_id_assignment"),
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_published_grade_user_id_user_account")
        ),
        sa.ForeignKeyConstraint(
            ["submission_id"],
            ["submission.id"],
            name=op.f("fk_published_grade_submission_id_submission"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_published_grade")),
        sa.UniqueConstraint(
            "assignment_id", "user_id", name=op.f("uq_published_grade_assignment_id_user_id")
        ),
    )
    for column in ("user_id", "submission_id"):
        op.create_index(op.f(f"ix_published_grade_{column}"), "published_grade", [column])


def _lowerings() -> None:
    op.create_table(
        "grade_lowering",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("assignment_id", sa.Integer(), nullable=False),
        sa.Column("scale_number", sa.Integer(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.Integer(), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("signed_by", sa.Integer(), nullable=True),
        sa.Column("signed_at", UtcDateTime(), nullable=True),
        sa.Column("withdrawn_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["assignment_id"],
            ["assignment.id"],
            name=op.f("fk_grade_lowering_assignment_id_assignment"),
        ),
        sa.ForeignKeyConstraint(
            ["asked_by"], ["user_account.id"], name=op.f("fk_grade_lowering_asked_by_user_account")
        ),
        sa.ForeignKeyConstraint(
            ["signed_by"],
            ["user_account.id"],
            name=op.f("fk_grade_lowering_signed_by_user_account"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grade_lowering")),
    )
    op.create_index("ix_grade_lowering_assignment", "grade_lowering", ["assignment_id", "id"])


def downgrade() -> None:
    for table in ("grade_lowering", "published_grade", "grade_mark", "grading_scale"):
        op.drop_table(table)
