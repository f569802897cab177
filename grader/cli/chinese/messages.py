"""The language of the command line: English is the source, `chinese.py` the translation.

GRADER_LANG decides, then the locale (LC_ALL, LC_MESSAGES, LANG): anything that begins with "zh" is
Chinese, everything else English.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from grader.words.message import Message, in_language

VARIABLES = ("GRADER_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


def language(environment: Mapping[str, str] = os.environ) -> str:
    """The reader's language: "zh" or "en".

    >>> language({"LANG": "zh_CN.UTF-8"}), language({"GRADER_LANG": "en", "LANG": "zh_CN.UTF-8"})
    ('zh', 'en')
    """
    chosen = next((environment[name] for name in VARIABLES if environment.get(name)), "en")
    return "zh" if chosen.lower().startswith("zh") else "en"


def tr(text: str, **values: object) -> str:
    """The text in the reader's language, with the values filled in; a message has its own."""
    if isinstance(text, Message):
        return in_language(text, language())
    if language() == "zh":
        from grader.cli.chinese.talk import CHINESE

        text = CHINESE.get(text, text)
    return text.format(**values) if values else text
