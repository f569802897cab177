"""Finds the template that a sentence was made from, so that another language can say it.

Sentences are made in English, where they arise; whoever speaks to a reader translates the template
and fills in the values again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_FIELD = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True, kw_only=True)
class Found:
    """The template of a sentence, and the values that were put into it."""

    template: str
    values: dict[str, str]


class Templates:
    """Sentences with places for values, `{value}`.

    >>> Templates(["{value} is missing", "did you mean {value}?"]).find("did you mean 7?")
    Found(template='did you mean {value}?', values={'value': '7'})
    """

    def __init__(self, templates: Iterable[str]) -> None:
        # the most fixed text first: it fits by chance least
        ordered = sorted(templates, key=lambda text: -len(_FIELD.sub("", text)))
        self._patterns = [(text, re.compile(_pattern(text), re.DOTALL)) for text in ordered]

    def find(self, sentence: str) -> Found | None:
        """The template that a sentence fits; None where it fits none."""
        for template, pattern in self._patterns:
            found = pattern.fullmatch(sentence)
            if found:
                return Found(template=template, values=found.groupdict())
        return None


def _pattern(template: str) -> str:
    parts = _FIELD.split(template)
    return "".join(
        f"(?P<{part}>.+)" if index % 2 else re.escape(part) for index, part in enumerate(parts)
    )
