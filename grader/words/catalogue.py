"""The templates of one language, by their codes."""

from __future__ import annotations

import json
import string
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

ENGLISH: Final = "en"


@cache
def templates(language: str) -> Mapping[str, str]:
    """Code → template of a language, `en` or `zh`; nothing for a language without a catalogue.

    What a sandbox says in English stands in the sandbox, which knows nothing of this package.

    >>> templates("en")["archive.encrypted"], len(templates("xx"))
    ('the archive is encrypted', 0)
    """
    path = Path(__file__).with_name(f"{language}.json")
    if not path.is_file():
        return {}
    found: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return found


def template(code: str, language: str) -> str:
    """Give the template of a code, in English where a language lacks it.

    Raises:
        KeyError: no language has it.
    """
    return templates(language).get(code) or templates(ENGLISH)[code]


def is_known(code: str) -> bool:
    """Whether there is anything to say under a code."""
    return code in templates(ENGLISH)


def names_in(code: str) -> tuple[str, ...]:
    """Names of the values that a code's template has places for, in one order.

    >>> names_in("csv.ragged_row")
    ('expected', 'value')
    """
    parts = string.Formatter().parse(templates(ENGLISH)[code])
    return tuple(sorted({name for _, name, _, _ in parts if name}))
