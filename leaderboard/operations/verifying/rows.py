"""Every row that decides a grade or a right, against the last hash that the audit chain holds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from leaderboard.audit import ROWS
from leaderboard.db import SIGNER, Base
from leaderboard.models import AuditEvent, guarding
from leaderboard.models.keeping import name_of, registry
from leaderboard.operations.verifying.difference import Difference
from leaderboard.state import State

_BATCH: Final = 1000
_SEALED: Final = 500  # rows an event, when an older version's are taken as they are

_Known = dict[str, dict[str, str | None]]


def look(session: Session, state: State) -> Iterator[Difference | None]:
    """Compare each row; then tell of those that the chain knows and the database has not."""
    known = _known(session)
    for model in guarding.guarded_models():
        left = known.get(guarding.print_of(model), {})
        for row in _rows(session, model):
            present = guarding.hash_of(model, row, state.receipts)
            reason = _fault(left.pop(str(row["id"]), None), present)
            yield Difference(subject=_name(model, row["id"]), reason=reason) if reason else None
        # a database that was restored has none of what no backup holds
        for row_id, kept in left.items() if registry()[model].backed_up else ():
            if kept is not None:
                yield Difference(subject=_name(model, row_id), reason="its row is gone")


def count(session: Session) -> int:
    """How many rows there are to be compared."""
    return sum(
        session.scalar(sa.select(sa.func.count()).select_from(model)) or 0
        for model in guarding.guarded_models()
    )


def unsealed(session: Session) -> Iterator[guarding.Hashes]:
    """The rows that the chain has another hash of, or none, some hundreds at a time.

    For upgrades alone, which fill new columns: what was changed before one is found before it.
    """
    known = _known(session)
    signer = session.info[SIGNER]
    for model in guarding.guarded_models():
        table = guarding.print_of(model)
        there = known.get(table, {})
        every = {
            str(row["id"]): guarding.hash_of(model, row, signer) for row in _rows(session, model)
        }
        new = {name: told for name, told in every.items() if there.get(name) != told}
        names = sorted(new, key=int)
        for first in range(0, len(names), _SEALED):
            yield {table: {name: new[name] for name in names[first : first + _SEALED]}}


def _known(session: Session) -> _Known:
    """The last hash of each row, by table: in the order in which the events were written."""
    found: _Known = {}
    events = sa.select(AuditEvent.details).order_by(AuditEvent.id)
    for details in session.scalars(events.execution_options(yield_per=_BATCH)):
        for table, rows in details.get(ROWS, {}).items():
            found.setdefault(table, {}).update(rows)
    return found


def _rows(session: Session, model: type[Base]) -> Iterator[Any]:
    last = 0
    while batch := session.execute(guarding.every_row(model, last, _BATCH)).mappings().all():
        yield from batch
        last = batch[-1]["id"]


def _fault(kept: str | None, present: str) -> str:
    if kept is None:
        return "no event of the audit log tells of its row"
    return "" if kept == present else "its row is not what the audit log saw last"


def _name(model: type[Base], row_id: object) -> str:
    return f"{name_of(model)}:{row_id}"
