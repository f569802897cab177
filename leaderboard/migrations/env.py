"""Run by Alembic; the connection is brought by `leaderboard.migrations.upgrade`."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

from leaderboard import models
from leaderboard.db import Base, UtcDateTime

assert models  # its import fills Base.metadata
_OURS = frozenset(Base.metadata.tables)


def _spell(kind: str, item: Any, _: Any) -> str | Literal[False]:
    return "UtcDateTime()" if kind == "type" and isinstance(item, UtcDateTime) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,  # SQLite can; Alembic does not assume it
    render_as_batch=True,  # SQLite changes a table by making it anew
    # the queue keeps its own tables beside ours
    include_name=lambda name, kind, _: kind != "table" or name in _OURS,
    render_item=_spell,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
