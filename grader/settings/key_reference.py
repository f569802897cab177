"""The reference of assignment.toml, made from the settings themselves: every key with what it
means, what is valid, its default and an example; the meanings stand in the catalogue (`key.`)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from typing import Any, Final

from grader.settings.checks import Check, WrongValue
from grader.settings.tables import TABLES
from grader.words.catalogue import ENGLISH, template
from grader.words.message import Message, in_language

REQUIRED: Final = "required"
NOT_SET: Final = ""  # a key without a default: left out, it says nothing
# where the default would show nothing
_EXAMPLES: Final = {
    "slug": '"fashion-mnist"',
    "title": '"Fashion-MNIST"',
    "classes": '["cat", "dog"]',
    "group": '"homework-2"',
    "data.train_url": '"https://example.edu/train.zip"',
    "data.train_sha256": f'"{"0123456789abcdef" * 4}"',
    "schedule.opens": "2026-09-01T00:00:00+08:00",
    "schedule.due": "2026-12-14T23:59:59+08:00",
    "schedule.closes": "2026-12-17T23:59:59+08:00",
    "schedule.late_penalty_per_day": "5.0",
    "schedule.time_zone": '"Asia/Shanghai"',
    "scoring.efficiency": '["parameters", "checkpoint_mb"]',
    "scoring.baseline_minutes": "{ lenet5 = 2, resnet18 = 30 }",
    "limits.gpu_memory_mb": "8192",
    "grading.anchors": "{ lenet5 = 60, resnet18 = 80 }",
    "grading.letters": "{ A = 90, B = 75, C = 60 }",
    "grading.pass_mark": "60.0",
}


@dataclass(frozen=True, kw_only=True)
class Key:
    """One key. `default` and `example` are TOML; `valid` is as the checks word it."""

    table: str  # "": above the first table
    name: str
    default: str  # REQUIRED, or NOT_SET
    valid: Message
    example: str

    @property
    def path(self) -> str:
        """The key with its table: `schedule.due`."""
        return f"{self.table}.{self.name}" if self.table else self.name

    def meaning(self, language: str = ENGLISH) -> str:
        """What it is for, on one line."""
        return template(f"key.{self.table or 'top'}.{self.name}", language)


def keys() -> tuple[Key, ...]:
    """Every key there is, in the order of the file."""
    return tuple(_key(table, entry) for table, shape in TABLES.items() for entry in fields(shape))


def as_toml(language: str = ENGLISH) -> str:
    """An assignment.toml in which each key stands with its meaning; all but the first are off."""
    lines = [line for table in TABLES for line in _table_lines(table, language)]
    return "\n".join(lines) + "\n"


def as_markdown(language: str = ENGLISH) -> str:
    """One table of keys for each table of the file."""
    lines = ["# assignment.toml", "", template("key.introduction", language)]
    for table in TABLES:
        heading = f"[{table}]" if table else template("key.top", language)
        titles = (
            template(f"key.{part}", language)
            for part in ("key", "means", "valid", "default", "example")
        )
        lines += ["", f"## {heading}", "", _row(titles), "|---|---|---|---|---|"]
        lines += [_row(_cells(each, language)) for each in keys() if each.table == table]
    return "\n".join(lines) + "\n"


def commented_schedule() -> str:
    """The table [schedule], every key with its meaning and all of it off: for a new assignment."""
    return "\n".join(_table_lines("schedule", ENGLISH)) + "\n"


def _key(table: str, entry: Field[Any]) -> Key:
    path = f"{table}.{entry.name}" if table else entry.name
    default = _default(entry)
    return Key(
        table=table,
        name=entry.name,
        default=default,
        valid=_valid(entry.metadata["check"]),
        example=_EXAMPLES.get(path, default),
    )


def _default(entry: Field[Any]) -> str:
    if entry.default is not MISSING:
        return NOT_SET if entry.default is None else _toml(entry.default)
    return REQUIRED if entry.default_factory is MISSING else _toml(entry.default_factory())


def _toml(value: object) -> str:
    """A default as TOML; nothing where it is an empty text.

    >>> _toml(("csv", "code")), _toml(True), _toml(0.3), _toml({})
    ('["csv", "code"]', 'true', '0.3', '{}')
    """
    if isinstance(value, Mapping):
        return "{}" if not value else json.dumps(value)
    return json.dumps(value, ensure_ascii=False) if value != "" else NOT_SET


def _valid(check: Check) -> Message:
    """What a check asks for, in its own words."""
    try:
        check(object())
    except WrongValue as error:
        if error.expected is not None:
            return error.expected
    raise ValueError(f"{check} takes anything")


def _table_lines(table: str, language: str) -> Iterator[str]:
    off = "" if table == "" else "# "
    if table:
        yield ""
        yield f"{off}[{table}]"
    for key in (each for each in keys() if each.table == table):
        is_off = "" if key.default == REQUIRED else "# "
        line = f"{is_off}{key.name} = {key.example}"
        yield f"{line:<42}  # {key.meaning(language)}"


def _cells(key: Key, language: str) -> Iterator[str]:
    yield f"`{key.name}`"
    yield key.meaning(language)
    yield in_language(key.valid, language)
    yield template("key.required", language) if key.default == REQUIRED else _code(key.default)
    yield _code(key.example)


def _code(toml: str) -> str:
    return f"`{toml}`" if toml else "–"


def _row(cells: Iterator[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
