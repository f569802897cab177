"""`Message`: an English sentence that knows its code and its values, to be said in any language."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from grader.words.catalogue import ENGLISH, templates


class Message(str):
    """An English sentence with the code of its template and the values that were put into it.

    It is a text wherever one is wanted (a log, JSON, the text of an exception). A value may be a
    message itself.
    """

    code: str
    values: Mapping[str, str | int | float]

    def __new__(cls, text: str, code: str, values: Mapping[str, str | int | float]) -> Self:
        """`text` is what the code and the values say in English."""
        made = super().__new__(cls, text)
        made.code, made.values = code, dict(values)
        return made

    def __getnewargs__(self) -> tuple[str, str, Mapping[str, str | int | float]]:  # type: ignore[override]
        """What a copy is made of."""
        return str(self), self.code, self.values

    def as_data(self) -> dict[str, Any]:
        """Give code and values as JSON, to stand beside the sentence; a value's text is within.

        >>> said("file.too_large", size="7.1", most=5).as_data()
        {'code': 'file.too_large', 'values': {'size': '7.1', 'most': 5}}
        """
        values = {
            name: {"text": str(value), **value.as_data()} if isinstance(value, Message) else value
            for name, value in self.values.items()
        }
        return {"code": self.code, "values": values}


def said(code: str, **values: str | int | float) -> Message:
    """Say something, in English for now.

    >>> said("bundle.too_many_files", most="2,000")
    'the bundle holds more than 2,000 files and folders'

    Raises:
        KeyError: the code is in no catalogue, or a value is missing.
    """
    return Message(templates(ENGLISH)[code].format(**values), code, values)


def data_of(text: str) -> dict[str, Any] | None:
    """Give code and values of a sentence as JSON; None where it is one without a code."""
    return text.as_data() if isinstance(text, Message) else None


def with_data(text: str, data: Mapping[str, Any] | None) -> str:
    """Read a sentence that came as JSON, with the code and the values that stood beside it.

    It may come from another version, or from somebody who made it up: without a code, or with
    values of another kind, it is a text and no more.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("code"), str):
        return text
    values = data.get("values")
    if not isinstance(values, Mapping):
        return text
    read: dict[str, str | int | float] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and isinstance(value.get("text"), str):
            read[name] = with_data(value["text"], value)
        elif isinstance(value, str | int | float):
            read[name] = value
    return Message(text, data["code"], read)


def in_language(text: str, language: str) -> str:
    """Say a message in a language; what has no code, or no template there, stays as it is.

    >>> in_language(said("bundle.no_model"), "zh"), in_language("Killed", "zh")
    ('缺少 model.py', 'Killed')
    """
    if language == ENGLISH or not isinstance(text, Message):
        return str(text)
    template = templates(language).get(text.code)
    if template is None:
        return str(text)
    values = {
        name: in_language(value, language) if isinstance(value, str) else value
        for name, value in text.values.items()
    }
    try:
        return template.format(**values)
    except (LookupError, ValueError):  # values of another version
        return str(text)
