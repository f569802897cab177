"""Tables of a TOML file into frozen dataclasses; a mistake is named with its line.

    reader = Reader(path=path, text=text)
    settings = reader.settings(TrainingSettings, reader.table()["training"])

Every key must be known and every value of its type, since a misspelt setting would otherwise do
something else in silence.
"""

from __future__ import annotations

import dataclasses
import functools
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeVar, get_args, get_origin, get_type_hints

from reference.errors import RecipeError
from reference.models.registry import nearest


class _Dataclass(Protocol):
    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]


Settings = TypeVar("Settings", bound=_Dataclass)


@dataclass(frozen=True, kw_only=True)
class Reader:
    """Reads the tables of one file; its errors name file and line."""

    path: Path
    text: str

    def table(self) -> dict[str, Any]:
        """The whole file, lists as tuples.

        Raises:
            RecipeError: it is not TOML.
        """
        try:
            table: dict[str, Any] = _frozen(tomllib.loads(self.text))
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise RecipeError(f"{self.path}: {error}") from error
        return table

    def settings(self, kind: type[Settings], table: Mapping[str, Any]) -> Settings:
        """A dataclass from a table: every key known, every value of its type.

        Raises:
            RecipeError: one that is not, or one that is missing, or that the dataclass refuses.
        """
        hints = _hints(kind)
        self.check_keys(table, hints)
        for key, value in table.items():
            if not _fits(value, hints[key]):
                raise self.error(key, f"{key} takes {_words(hints[key])}, not {value!r}")
        for each in dataclasses.fields(kind):
            needed = each.default is each.default_factory is dataclasses.MISSING
            if needed and each.name not in table:
                raise self.error("", f"{each.name!r} is missing")
        try:
            return kind(**table)
        except RecipeError as error:
            raise self.error(str(error).split(" ")[0], str(error)) from error

    def section(self, table: Mapping[str, Any], key: str) -> dict[str, Any]:
        """A table within `table`; empty where there is none.

        Raises:
            RecipeError: there is something else under `key`.
        """
        section = table.get(key, {})
        if not isinstance(section, dict):
            raise self.error(key, f"{key} must be a table: [{key}]")
        return dict(section)

    def check_keys(self, table: Mapping[str, Any], known: Iterable[str]) -> None:
        """Refuse a key that is not known, naming the nearest.

        Raises:
            RecipeError: there is one.
        """
        for key in table:
            if key not in known:
                raise self.error(key, f"unknown key {key!r}{nearest(key, dict.fromkeys(known))}")

    def error(self, key: str, message: str) -> RecipeError:
        """The error that names the first line where `key` is written."""
        quoted = rf"""["']?{re.escape(key)}["']?"""
        pattern = re.compile(rf"(^|[\s{{,.\[]){quoted}\s*[]=.]")
        lines = [line.partition("#")[0] for line in self.text.splitlines()]
        number = next((n for n, line in enumerate(lines, 1) if key and pattern.search(line)), None)
        place = f"{self.path}:{number}" if number else str(self.path)
        return RecipeError(f"{place}: {message}")


@functools.cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _frozen(each) for key, each in value.items()}
    return tuple(_frozen(each) for each in value) if isinstance(value, list) else value


def _fits(value: object, hint: Any) -> bool:
    """Whether a value of a TOML file (or one already read) may stand where `hint` is asked for."""
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(_fits(each, get_args(hint)[0]) for each in value)
    if hint is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, get_origin(hint) or hint)


def _words(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return " or ".join(repr(choice) for choice in get_args(hint))
    if get_origin(hint) is tuple:
        return f"a list, each {_words(get_args(hint)[0])}"
    return {int: "a whole number", float: "a number", bool: "true or false", str: "text"}.get(
        hint, "a table"
    )
