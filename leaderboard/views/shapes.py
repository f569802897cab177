"""Frozen dataclasses as JSON, and as the JSON schemas of the OpenAPI document.

A member's type says what its JSON is. `Annotated` adds what the type cannot say: OMITTED, that the
member is left out while it is None; OPTIONAL, that whoever sends it may leave it out; Beside, that
a mapping's entries stand beside the other members; a dictionary, more of the schema.
"""

from __future__ import annotations

import enum
import inspect
import types
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from functools import cache, cached_property
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

Json = dict[str, Any]
OMITTED: Final = object()
OPTIONAL: Final = object()  # unlike what is omitted, it may be null as well
_PLAIN: Final[Mapping[type, Json]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    datetime: {"type": "string", "format": "date-time"},
    type(None): {"type": "null"},
}

_JSON_ALREADY: Final = frozenset({str, bool, int, float, type(None), list, dict})


@dataclass(frozen=True, eq=False)
class Beside:
    """Marks a mapping whose entries stand beside the other members of the JSON."""

    names: Iterable[str]  # all that there can be


@dataclass(frozen=True, kw_only=True)
class _Member:
    name: str
    kind: Any
    notes: tuple[Any, ...]

    # told once a member: a report asks each of its sixty
    @cached_property
    def is_omitted(self) -> bool:
        return OMITTED in self.notes

    @cached_property
    def beside(self) -> Beside | None:
        return next((each for each in self.notes if isinstance(each, Beside)), None)


def as_json(value: Any) -> Any:
    """A dataclass, or a tuple of such, in JSON. Lists and mappings are JSON already, as stored."""
    if type(value) in _JSON_ALREADY:
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return _object(value)
    if isinstance(value, tuple):
        return [as_json(each) for each in value]
    if isinstance(value, enum.Enum):
        return value.value
    return value.isoformat() if isinstance(value, datetime) else value


def _object(shape: Any) -> Json:
    found: Json = {}
    kind: type = type(shape)
    for each in _members(kind):
        value = getattr(shape, each.name)
        if each.beside:
            found |= value
        elif value is not None or not each.is_omitted:
            found[each.name] = as_json(value)
    return found


@cache
def _members(kind: type) -> tuple[_Member, ...]:
    """In the order of the JSON: what a subclass declares, anew too, comes last."""
    own = list(inspect.get_annotations(kind))
    place = {name: number for number, name in enumerate(own, start=1)}
    hints = get_type_hints(kind, include_extras=True)
    return tuple(
        _member(each.name, hints[each.name])
        for each in sorted(fields(kind), key=lambda each: place.get(each.name, 0))
    )


def _member(name: str, hint: Any) -> _Member:
    if get_origin(hint) is Annotated:
        return _Member(name=name, kind=get_args(hint)[0], notes=get_args(hint)[1:])
    return _Member(name=name, kind=hint, notes=())


class Schemas:
    """The schemas of dataclasses and enums, each once, under its name.

    Args:
        names: what one is called there, where that is not its own name.
    """

    def __init__(self, names: Mapping[type, str] | None = None) -> None:
        self._names = names or {}
        self.found: Json = {}

    def of(self, kind: Any) -> Json:
        """A type's schema; of a dataclass or an enum, a reference to what `found` then holds.

        Raises:
            TypeError: a type that has no JSON here.
        """
        if kind in _PLAIN:
            return dict(_PLAIN[kind])
        if kind is Any:
            return {}
        if isinstance(kind, type) and (is_dataclass(kind) or issubclass(kind, enum.Enum)):
            return self._reference(kind)
        return self._of_many(kind)

    def _of_many(self, kind: Any) -> Json:
        origin, parts = get_origin(kind), get_args(kind)
        if origin is Literal:
            return {"enum": [as_json(part) for part in parts]}
        if origin in (Union, types.UnionType):
            return _union([self.of(part) for part in parts])
        if origin in (tuple, list, Sequence):
            return {"type": "array", **self._of_items(parts)}
        if origin in (dict, Mapping):
            of_value = self.of(parts[1])
            return {"type": "object", **({"additionalProperties": of_value} if of_value else {})}
        raise TypeError(f"{kind} has no JSON")

    def _of_items(self, parts: tuple[Any, ...]) -> Json:
        items = {"items": self.of(parts[0])}
        if len(parts) == 1 or parts[1] is Ellipsis:
            return items
        return {**items, "minItems": len(parts), "maxItems": len(parts)}

    def _reference(self, kind: type) -> Json:
        name = self._names.get(kind, kind.__name__)
        if name not in self.found:
            self.found[name] = {}  # one that refers to itself finds it
            is_enum = issubclass(kind, enum.Enum)
            self.found[name] = _of_words(kind) if is_enum else self._of_members(kind)
        return {"$ref": f"#/components/schemas/{name}"}

    def _of_members(self, kind: type) -> Json:
        required: list[str] = []
        properties: Json = {}
        for each in _members(kind):
            if each.beside:
                of_value = self.of(get_args(each.kind)[1])
                properties |= dict.fromkeys(each.beside.names, of_value)
                continue
            held = _without_none(each.kind) if each.is_omitted else each.kind
            more = [note for note in each.notes if isinstance(note, Mapping)]
            properties[each.name] = {**self.of(held), **(more[0] if more else {})}
            if not (each.is_omitted or OPTIONAL in each.notes):
                required.append(each.name)
        return {
            "type": "object",
            **_told(kind),
            "required": required,
            "properties": properties,
        }


def _of_words(kind: type[enum.Enum]) -> Json:
    return {"type": "string", **_told(kind), "enum": [member.value for member in kind]}


def _told(kind: type) -> Json:
    """The first paragraph of its docstring, where it has one of its own."""
    text = (inspect.cleandoc(kind.__doc__ or "")).partition("\n\n")[0].replace("\n", " ")
    return {"description": text} if text else {}


def _without_none(kind: Any) -> Any:
    rest = [part for part in get_args(kind) if part is not type(None)]
    return Union[tuple(rest)]  # noqa: UP007 — made at run time


def _union(schemas: list[Json]) -> Json:
    """
    >>> _union([{"type": "string", "format": "date-time"}, {"type": "null"}])
    {'type': ['string', 'null'], 'format': 'date-time'}
    >>> _union([{"enum": ["csv"]}, {"type": "null"}])
    {'enum': ['csv', None]}
    """
    null = {"type": "null"}
    rest = [each for each in schemas if each != null]
    if len(rest) == len(schemas) or len(rest) > 1:
        return {"anyOf": schemas}
    [only] = rest
    if "enum" in only:
        return {**only, "enum": [*only["enum"], None]}
    if isinstance(only.get("type"), str):
        return {**only, "type": [only["type"], "null"]}
    return {"anyOf": [only, null]}
