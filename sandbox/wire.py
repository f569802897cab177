"""How a job and its result are written as bytes: a kind, a format version, JSON, then arrays.

Whoever reads comes from another process or machine and may be of another version: nothing is read
beyond what was promised, and what is not exactly as it must be is refused with a sentence.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from typing import Any

FORMAT = 4  # 3: without which of a copy and its image came first; 2: without heat maps
_HEADER = struct.Struct("<4sHI")  # kind, format version, bytes of JSON
MOST_JSON = 1 << 20


class Unreadable(ValueError):
    """The bytes are no job, or no result, that this version can read; says why."""


def pack(kind: bytes, fields: Mapping[str, Any], arrays: bytes = b"") -> bytes:
    """The bytes of a job or a result; `kind` is four letters.

    Raises:
        ValueError: the fields are larger than a reader takes.
    """
    text = json.dumps(fields, allow_nan=False).encode()
    if len(text) > MOST_JSON:
        raise ValueError(f"a job's fields take {len(text)} bytes; {MOST_JSON} are allowed")
    return _HEADER.pack(kind, FORMAT, len(text)) + text + arrays


def unpack(kind: bytes, raw: bytes, *, most_arrays: int = 0) -> tuple[dict[str, Any], memoryview]:
    """Fields and the bytes of the arrays, of which there may be `most_arrays`.

    Raises:
        Unreadable: another kind, a newer version, or bytes that are cut off or too many.
    """
    if len(raw) < _HEADER.size:
        raise Unreadable("what came is cut off")
    found, version, length = _HEADER.unpack_from(raw)
    if found != kind:
        raise Unreadable(f"what came is no {kind.decode()} but begins with {found!r}")
    if version != FORMAT:
        age = "a newer" if version > FORMAT else "an unknown"
        raise Unreadable(
            f"what came is of {age} format, {version}, and this version reads {FORMAT}: "
            "install the same version on both sides"
        )
    rest = len(raw) - _HEADER.size - length
    if length > MOST_JSON or not 0 <= rest <= most_arrays:
        raise Unreadable("what came is cut off, or longer than it may be")
    body = memoryview(raw)[_HEADER.size :]
    try:
        fields = json.loads(bytes(body[:length]), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"what came holds no JSON: {error}") from error
    if not isinstance(fields, dict):
        raise Unreadable("what came holds no JSON object")
    return fields, body[length:]


class Fields:
    """The fields of what came, each taken once with its type; `end` refuses what is left over."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self._left = dict(fields)

    def take(self, name: str, *types: type) -> Any:
        """The value of a field that must be there, of exactly one of these types.

        Raises:
            Unreadable: it is missing or something else.
        """
        if name not in self._left:
            raise Unreadable(f"{name} is missing")
        value = self._left.pop(name)
        if type(value) not in types:
            raise Unreadable(f"{name} is a {type(value).__name__}")
        if type(value) is float and not math.isfinite(value):
            raise Unreadable(f"{name} is not finite")
        return value

    def table(self, name: str, *types: type) -> dict[str, Any]:
        """An object whose values are each of one of these types.

        Raises:
            Unreadable: it is missing or something else.
        """
        table: dict[str, Any] = self.take(name, dict)
        inner = Fields(table)
        return {key: inner.take(key, *types) for key in table}

    def whole_numbers(self, name: str) -> tuple[int, ...]:
        """A list of whole numbers above 0.

        Raises:
            Unreadable: it is missing or something else.
        """
        values = self.take(name, list)
        if not all(type(value) is int and value > 0 for value in values):
            raise Unreadable(f"{name} must hold whole numbers above 0")
        return tuple(values)

    def end(self) -> None:
        """Refuse what nobody took.

        Raises:
            Unreadable: there is a field that this version does not know.
        """
        if self._left:
            raise Unreadable(f"{', '.join(sorted(self._left))}: unknown here")


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")
