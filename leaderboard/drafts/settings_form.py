"""assignment.toml as a form: one field a key of its reference, each with a value in TOML."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, Final

from grader.settings.key_reference import Key, keys
from grader.words.message import said
from leaderboard.errors import BadRequest

_LONGEST: Final = 40_000  # of one value: a thousand classes with their names


@dataclass(frozen=True, kw_only=True)
class Field:
    """A key with what is set for it; "": nothing is, and the default holds."""

    key: Key
    value: str


def fields_of(settings_toml: str) -> tuple[Field, ...]:
    """Every key that there is, with its value in this file."""
    document = tomllib.loads(settings_toml)
    return tuple(Field(key=key, value=_value(document, key)) for key in keys())


def text_of(values: Mapping[str, str]) -> str:
    """The file with these values, by the keys' paths; empty ones are left out.

    >>> text_of({"slug": '"a"', "schedule.due": "2026-12-14T23:59:59+08:00", "title": " "})
    'slug = "a"\\n\\n[schedule]\\ndue = 2026-12-14T23:59:59+08:00\\n'

    Raises:
        BadRequest: a value is no TOML, or more than one.
    """
    lines, table = [], ""
    for key in keys():
        value = values.get(key.path, "").strip()
        if not value:
            continue
        _check(key, value)
        if key.table != table:
            table = key.table
            lines += ["", f"[{table}]"]
        lines.append(f"{key.name} = {value}")
    return "\n".join(lines) + "\n"


def differences(before: str, after: str) -> Iterator[tuple[str, str, str]]:
    """Each key whose value is another one: its path, and what was and is set."""
    for old, new in zip(fields_of(before), fields_of(after), strict=True):
        if old.value != new.value:
            yield old.key.path, old.value, new.value


def _check(key: Key, value: str) -> None:
    try:
        found = tomllib.loads(f"value = {value}\n")
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadRequest(said("draft.no_value", key=key.path, example=key.example)) from error
    if found.keys() != {"value"} or len(value) > _LONGEST:
        raise BadRequest(said("draft.no_value", key=key.path, example=key.example))


def _value(document: Mapping[str, Any], key: Key) -> str:
    table = document.get(key.table, {}) if key.table else document
    return _toml(table[key.name]) if key.name in table else ""


def _toml(value: object) -> str:
    """A value as TOML on one line.

    >>> _toml({"a b": [1.5, True]})
    '{ "a b" = [1.5, true] }'
    """
    if isinstance(value, Mapping):
        inside = ", ".join(f"{json.dumps(name)} = {_toml(each)}" for name, each in value.items())
        return f"{{ {inside} }}" if inside else "{}"
    if isinstance(value, list):
        return f"[{', '.join(_toml(each) for each in value)}]"
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return json.dumps(value, ensure_ascii=False)
