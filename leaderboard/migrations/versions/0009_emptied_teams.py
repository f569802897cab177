"""When the last member of a team went: such a team has no rank."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from leaderboard.db import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("team", sa.Column("emptied_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("team", "emptied_at")
