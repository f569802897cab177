"""What grader, sandbox and services say, in the reader's language.

It arises as a `Message`, a code and values. What was stored before there were codes stays English.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from grader.claims.claims import mistake_said
from grader.metric_list import EVERY
from grader.words.message import in_language, with_data
from leaderboard.messages.language import language


def in_words(sentence: str, data: Mapping[str, Any] | None = None) -> str:
    """Return a sentence in the reader's language.

    data: its code and values, where it was stored or sent and they stand beside it.
    """
    return in_language(with_data(sentence, data) if data else sentence, language())


def of_mistake(mistake: Mapping[str, Any]) -> str:
    """Return one slip of a claim's explanation in the reader's language."""
    return in_words(mistake_said(mistake))


def extract(*_: Any, **__: Any) -> Iterator[tuple[int, None, str, list[str]]]:
    """Give pybabel the metrics' headings (babel.cfg names this function)."""
    for metric in EVERY.values():
        yield 1, None, metric.heading, []
