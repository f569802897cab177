"""Who somebody is, is watched as well: `leaderboard init` has the rows hashed anew (audit.seal)."""

from __future__ import annotations

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """The tables stay as they are."""


def downgrade() -> None:
    """The tables stay as they are."""
