"""Uploads that were committed to by their hash."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from leaderboard.db import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_REFERENCES = {"assignment_id": "assignment", "team_id": "team", "user_id": "user_account"}


def upgrade() -> None:
    op.create_table(
        "upload",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.String(length=16), nullable=False),
        *[sa.Column(name, sa.Integer(), nullable=False) for name in _REFERENCES],
        sa.Column("content_sha256", sa.String(length=64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("filename", sa.String(length=255), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("parts", sa.JSON(), nullable=False),
        sa.Column("received_bytes", sa.BigInteger(), nullable=False),
        sa.Column("commitment", sa.JSON(), nullable=False),
        sa.Column("committed_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("size_bytes > 0", name=op.f("ck_upload_size_positive")),
        sa.CheckConstraint(
            "received_bytes >= 0 AND received_bytes <= size_bytes",
            name=op.f("ck_upload_received_within_size"),
        ),
        *[_reference(column, table) for column, table in _REFERENCES.items()],
        sa.PrimaryKeyConstraint("id", name=op.f("pk_upload")),
        sa.UniqueConstraint("public_id", name=op.f("uq_upload_public_id")),
    )
    op.create_index("ix_upload_team", "upload", ["assignment_id", "team_id"], unique=False)
    op.create_index(op.f("ix_upload_user_id"), "upload", ["user_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_upload_user_id"), table_name="upload")
    op.drop_index("ix_upload_team", table_name="upload")
    op.drop_table("upload")


def _reference(column: str, table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_upload_{column}_{table}")
    return sa.ForeignKeyConstraint([column], [f"{table}.id"], name=name)
