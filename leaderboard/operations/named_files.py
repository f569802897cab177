"""Which files of the store the database names: what a backup copies, and what must never go."""

from __future__ import annotations

import sqlalchemy as sa

from leaderboard.models.keeping import registry


def all_named() -> sa.CompoundSelect[str]:
    """The SHA-256 of every file that is still needed, each once.

    The assignments' files of the past are among them: scores were made with those.
    """
    named: list[sa.Select[str]] = []
    for model, keeping in registry().items():
        columns = model.__table__.columns
        for name in keeping.files:
            there = sa.select(columns[name]).where(columns[name].is_not(None))
            if keeping.files_removed_at:
                there = there.where(columns[keeping.files_removed_at].is_(None))
            named.append(there)
    return sa.union(*named)
