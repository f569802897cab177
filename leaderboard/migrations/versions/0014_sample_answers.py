"""What a program said to the public sample, for the eyes of those who handed it in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("evaluation", sa.Column("sample_answers", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("evaluation", "sample_answers")
