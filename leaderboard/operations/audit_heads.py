"""Heads of the audit chains, kept outside of the database: one JSON line each, oldest first.

A worker adds what is new to a file of the state folder; a copy that is sent to another machine
(`leaderboard audit heads`) protects also against whoever can write both.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path

from leaderboard import audit
from leaderboard.state import State

_FILE = "audit_heads.jsonl"
_NAMES = tuple(field.name for field in fields(audit.Head))


class UnreadableHeads(ValueError):
    """A file holds a line that is no signed head of this server."""


def keep(state: State) -> None:
    """Add the present heads to the state folder's file, those that it does not hold yet."""
    with state.database.reading() as session:
        present = audit.heads(session)
    path = file_of(state)
    known = set(read(path, state.receipts.public_key)) if path.exists() else set()
    new = [head for head in present if head not in known]
    if new:
        with path.open("a", encoding="utf-8") as file:
            file.write(as_lines(new))


def file_of(state: State) -> Path:
    return state.settings.state_dir / _FILE


def as_lines(heads: Iterable[audit.Head]) -> str:
    """One line of JSON a head."""
    return "".join(f"{json.dumps(asdict(head))}\n" for head in heads)


def read(path: Path, public_key: str) -> tuple[audit.Head, ...]:
    """The heads of a file.

    Raises:
        UnreadableHeads: a line can't be read or is not signed; with the line.
    """
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            parts = json.loads(line)
            head = audit.Head(**{name: parts[name] for name in _NAMES})
        except (ValueError, TypeError, KeyError):
            raise UnreadableHeads(f"{path}:{number} is no head of an audit chain") from None
        if not audit.is_signed(head, public_key):
            raise UnreadableHeads(f"{path}:{number} is not signed by this server's key")
        found.append(head)
    return tuple(found)
