"""Who was in which team when, and whether a team's link lets strangers into the course."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from leaderboard.db import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_INDEXED = ("team_id", "user_id")


def upgrade() -> None:
    op.add_column(
        "course",
        sa.Column("team_links_enrol", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column("team_member", sa.Column("joined_at", UtcDateTime(), nullable=True))
    op.create_table(
        "former_member",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("team_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("joined_at", UtcDateTime(), nullable=True),
        sa.Column("left_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["team_id"], ["team.id"], name=op.f("fk_former_member_team_id_team")
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["user_account.id"], name=op.f("fk_former_member_user_id_user_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_former_member")),
    )
    for column in _INDEXED:
        op.create_index(op.f(f"ix_former_member_{column}"), "former_member", [column], unique=False)


def downgrade() -> None:
    for column in _INDEXED:
        op.drop_index(op.f(f"ix_former_member_{column}"), table_name="former_member")
    op.drop_table("former_member")
    op.drop_column("team_member", "joined_at")
    op.drop_column("course", "team_links_enrol")
