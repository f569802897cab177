"""An index for what a person handed in to an assignment, in whichever team."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    columns = ["assignment_id", "user_id", "id"]
    op.create_index("ix_submission_person", "submission", columns, unique=False)


def downgrade() -> None:
    op.drop_index("ix_submission_person", table_name="submission")
