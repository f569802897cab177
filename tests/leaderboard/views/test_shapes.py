"""Shapes as JSON and as schemas."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal

import pytest

from leaderboard.views.shapes import OMITTED, Beside, Schemas, as_json


class Colour(enum.StrEnum):
    """What a thing looks like."""

    RED = "red"


@dataclass(frozen=True, kw_only=True)
class Thing:
    """A thing.

    More about it.
    """

    at: datetime
    colour: Colour | None
    figures: Annotated[Mapping[str, float | None], Beside(("mass", "size"))]
    pair: tuple[float, float] | None = None
    note: Annotated[str | None, OMITTED] = None


@dataclass(frozen=True, kw_only=True)
class Heap(Thing):
    """Several."""

    note: str
    things: tuple[Thing, ...] = ()
    kind: Annotated[Literal["big", "small"], {"description": "by eye"}] = "big"


AT = datetime(2026, 1, 2, tzinfo=UTC)


def test_a_shapes_json_has_its_members_in_order_and_omits_what_is_none_where_it_may() -> None:
    thing = Thing(at=AT, colour=Colour.RED, figures={"mass": 2.0})

    assert list(as_json(thing).items()) == [
        ("at", "2026-01-02T00:00:00+00:00"),
        ("colour", "red"),
        ("mass", 2.0),
        ("pair", None),
    ]


def test_what_a_subclass_declares_comes_last() -> None:
    inner = Thing(at=AT, colour=None, figures={}, note="x")
    heap = Heap(at=AT, colour=None, figures={}, note="all", things=(inner,), pair=(1.0, 2.0))

    found = as_json(heap)

    assert list(found) == ["at", "colour", "pair", "note", "things", "kind"]
    assert found["things"] == [{"at": found["at"], "colour": None, "pair": None, "note": "x"}]
    assert found["pair"] == [1.0, 2.0]


def test_a_schema_says_what_the_json_is() -> None:
    schemas = Schemas({Heap: "Pile"})

    assert schemas.of(Heap) == {"$ref": "#/components/schemas/Pile"}
    assert list(schemas.found) == ["Pile", "Colour", "Thing"]
    assert schemas.found["Colour"]["enum"] == ["red"]
    thing, heap = schemas.found["Thing"], schemas.found["Pile"]
    assert thing["description"] == "A thing."
    assert thing["required"] == ["at", "colour", "pair"]
    assert thing["properties"]["colour"] == {
        "anyOf": [{"$ref": "#/components/schemas/Colour"}, {"type": "null"}]
    }
    assert thing["properties"]["size"] == {"type": ["number", "null"]}
    assert thing["properties"]["note"] == {"type": "string"}
    assert heap["properties"]["kind"] == {"enum": ["big", "small"], "description": "by eye"}
    assert heap["properties"]["things"]["items"] == {"$ref": "#/components/schemas/Thing"}


def test_a_type_without_json_is_refused() -> None:
    with pytest.raises(TypeError, match="has no JSON"):
        Schemas().of(tuple[complex, ...])
