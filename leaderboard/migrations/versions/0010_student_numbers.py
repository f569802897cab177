"""Student numbers, and codes by which people sign in who have no password yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from leaderboard.db import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("enrolment", sa.Column("number", sa.String(64), nullable=True))
    op.create_index(
        "ix_enrolment_course_id_number", "enrolment", ["course_id", "number"], unique=True
    )
    op.add_column("user_account", sa.Column("code_sha256", sa.String(64), nullable=True))
    op.add_column("user_account", sa.Column("code_expires_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("user_account", "code_expires_at")
    op.drop_column("user_account", "code_sha256")
    op.drop_index("ix_enrolment_course_id_number", "enrolment")
    op.drop_column("enrolment", "number")
