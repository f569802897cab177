"""Which rows a write transaction changed of those that decide a grade or a right, as hashes.

A model names the columns that decide (`Keeping.guarded`). Whatever changes them in a session is
noted here, and the audit chain (audit.py) takes the hash of each such row as it stands: so a row
that somebody changes past the server, adds or removes is found (operations/verifying/rows.py). What
a person is known by (`Keeping.personal`) goes into the hash by a print that only the server's key
makes: the chain stays when a person is erased, and nobody can try names or addresses on it.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, TypeAlias

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction, UOWTransaction

from leaderboard.db import SIGNER, Base
from leaderboard.models.keeping import models_where, name_of, registry
from leaderboard.receipts import Receipts, canonical_json

Hashes: TypeAlias = dict[str, dict[str, str | None]]
"""Table (with its columns' print) → row's id → hash; None where the row is gone."""

_Noted: TypeAlias = "dict[tuple[type[Base], int], Any]"
_CHANGED: Final = "leaderboard_changed_rows"
_DIGITS: Final = 32  # 128 bits: nobody finds another row with the same


def touch(session: Session, model: type[Base], *ids: int) -> None:
    """Note rows that a statement changed past the session's own bookkeeping."""
    noted: _Noted = session.info.setdefault(_CHANGED, {})
    noted.update({(model, row_id): None for row_id in ids})


def touch_object(session: Session, row: Any) -> None:
    """Note a row that an object of the session holds as it is now in the database."""
    noted: _Noted = session.info.setdefault(_CHANGED, {})
    noted.setdefault((type(row), row.id), row)


def taken(session: Session) -> Hashes:
    """The hashes of all rows noted in this transaction so far; they are noted no longer."""
    noted: _Noted = session.info.pop(_CHANGED, {})
    found: Hashes = {}
    to_read: dict[type[Base], list[int]] = {}
    for (model, row_id), row in noted.items():
        held = _held(row) if row is not None else None
        if held is None:
            to_read.setdefault(model, []).append(row_id)
        else:
            told = hash_of(model, held, session.info[SIGNER])
            found.setdefault(print_of(model), {})[str(row_id)] = told
    for model, ids in to_read.items():
        found.setdefault(print_of(model), {}).update(hashes(session, model, ids))
    return found


def is_noted(session: Session) -> bool:
    """Whether anything is noted."""
    return bool(session.info.get(_CHANGED))


def hashes(session: Session, model: type[Base], ids: Iterable[int]) -> dict[str, str | None]:
    """The hash of each row as it stands in the database, by its id; None: there is none."""
    wanted = sorted(ids)
    columns = model.__table__.columns
    rows = session.connection().execute(_columns_of(model).where(columns["id"].in_(wanted)))
    signer = session.info[SIGNER]
    found = {row["id"]: hash_of(model, row, signer) for row in rows.mappings()}
    return {str(row_id): found.get(row_id) for row_id in wanted}


def hash_of(model: type[Base], row: Mapping[Any, Any], signer: Receipts) -> str:
    """The hash of a row, given by its columns' names; the signer prints what is personal."""
    told = {name: _plain(row[name]) for name in ("id", *registry_of(model))}
    for name in _personal_of(model):
        if told[name] is not None:
            content = canonical_json([name_of(model), name, told[name]])
            told[name] = signer.keyed_print(content)
    return hashlib.sha256(canonical_json([name_of(model), told])).hexdigest()[:_DIGITS]


@cache
def print_of(model: type[Base]) -> str:
    """The table's name with a print of its guarded columns: hashes of others can't be compared."""
    columns = hashlib.sha256(canonical_json(list(registry_of(model)))).hexdigest()[:4]
    return f"{name_of(model)}.{columns}"


@cache
def guarded_models() -> tuple[type[Base], ...]:
    """The models some of whose columns decide."""
    return models_where(lambda keeping: keeping.guarded)


@cache
def registry_of(model: type[Base]) -> tuple[str, ...]:
    """The names of a model's guarded columns."""
    return registry()[model].guarded


@cache
def _personal_of(model: type[Base]) -> tuple[str, ...]:
    return registry()[model].personal


@cache
def _columns_of(model: type[Base]) -> sa.Select[Any]:
    columns = model.__table__.columns
    return sa.select(*(columns[name] for name in ("id", *registry_of(model))))


def every_row(model: type[Base], after_id: int, limit: int) -> sa.Select[Any]:
    """Some rows' guarded columns, by their ids."""
    column = model.__table__.columns["id"]
    return _columns_of(model).where(column > after_id).order_by(column).limit(limit)


def _held(row: Any) -> Mapping[str, Any] | None:
    """An object's guarded columns without asking the database; None if one is not loaded."""
    model: type[Base] = type(row)
    held: Mapping[str, Any] = sa.inspect(row).dict
    return held if all(name in held for name in ("id", *registry_of(model))) else None


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, enum.Enum):
        return value.value
    return value


@event.listens_for(Session, "after_flush")
def _note_objects(session: Session, _: UOWTransaction) -> None:
    changed = (*session.new, *session.dirty, *session.deleted)
    # another library in this process may have tables of its own
    ours: list[Any] = [row for row in changed if isinstance(row, Base)]
    for row in ours:
        names = vars(type(row))["keeping"].guarded
        if not names:
            continue
        if row in session.deleted:
            touch(session, type(row), row.id)
        elif row in session.new or _has_changed(row, names):
            touch_object(session, row)


def _has_changed(row: Any, names: Iterable[str]) -> bool:
    attributes = sa.inspect(row).attrs
    return any(attributes[name].history.has_changes() for name in names)


@event.listens_for(Session, "do_orm_execute")
def _note_statement(state: ORMExecuteState) -> None:
    """Note the rows that an UPDATE or DELETE of many is about to change."""
    if not (state.is_update or state.is_delete):
        return
    statement: Any = state.statement
    model = _model_of(statement.table)
    if model is None:
        return
    which = sa.select(statement.table.c.id)
    if statement.whereclause is not None:
        which = which.where(statement.whereclause)
    ids = state.session.connection().execute(which, state.parameters or {}).scalars()
    touch(state.session, model, *ids)


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, _: SessionTransaction) -> None:
    session.info.pop(_CHANGED, None)


def _model_of(table: sa.Table) -> type[Base] | None:
    if table.metadata is not Base.metadata:
        return None
    # by name: a statement holds an annotated copy of the table
    return next((model for model in guarded_models() if name_of(model) == table.name), None)
