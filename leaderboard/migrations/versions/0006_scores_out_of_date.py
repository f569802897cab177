"""Which answers and images a score is of; places that await rescoring; what failed in a rescore."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_MEASURED = ("assignment", "evaluation")


def upgrade() -> None:
    for table in _MEASURED:
        # None: of an earlier version, which compared nothing
        op.add_column(table, sa.Column("measure_sha256", sa.String(64), nullable=True))
        op.add_column(table, sa.Column("images_sha256", sa.String(64), nullable=True))
    op.add_column(
        "standing",
        sa.Column("is_outdated", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column("rescore", sa.Column("problems", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("rescore", "problems")
    op.drop_column("standing", "is_outdated")
    for table in _MEASURED:
        op.drop_column(table, "images_sha256")
        op.drop_column(table, "measure_sha256")
