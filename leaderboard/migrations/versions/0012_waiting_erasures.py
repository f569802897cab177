"""Erasures that wait, and until when a course keeps its records."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from leaderboard.db import UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("course", sa.Column("records_until", UtcDateTime(), nullable=True))
    op.add_column("user_account", sa.Column("erasure_asked_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("user_account", "erasure_asked_at")
    op.drop_column("course", "records_until")
