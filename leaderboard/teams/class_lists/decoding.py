"""The text of a class list, whatever program saved it: its encoding and its separator."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from grader.words.message import said
from leaderboard.errors import BadRequest
from leaderboard.teams.class_lists.headings import columns_of

SEPARATORS: Final = (",", ";", "\t", "|", "，")
LINES_ABOVE: Final = 15  # titles and dates that stand above the header at most
_MARKS: Final = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_NO_TEXT: Final = (b"PK\x03\x04", b"%PDF", b"{\\rtf", b"\xd0\xcf\x11\xe0", b"\x1f\x8b")
# What computers of other languages save, the likelier first. Nothing in a file says which.
_OLD: Final = (
    *("gb18030", "mac_roman", "cp1252", "cp1250", "cp1251"),
    *("big5", "shift_jis", "euc_kr", "latin-1"),
)
_LOOKED_AT: Final = 1 << 16  # characters, enough to tell
# a sign within or beside a word that is part of no word: what a letter of another encoding becomes
_STRAY: Final = re.compile(
    r"[^\W\d_][\x80-\x9f¡-©«-´¶-¹»-¿×÷†‡•…‰€™]|[\x80-\x9f¡-©«-´¶-¹»-¿×÷†‡•‰€™][^\W\d_]"
    r"|[a-zà-ÿ][ŸŽŠŒÀ-Þ]|[A-Za-z][\u3000-\u9fff\uac00-\ud7af\uff61-\uff9f]"
    r"|[\u3000-\u9fff\uac00-\ud7af\uff61-\uff9f][A-Za-z]|[A-Za-z][А-я]|[А-я][A-Za-z]"
    r"|[а-я][А-Я]|[À-ÿ]{4}|[\uff61-\uff9f\ue000-\uf8ff]"
)


def decoded(content: bytes) -> tuple[str, str]:
    """The text and its encoding: by its mark, else UTF-8 where it is that, else the one of the old
    encodings in which most columns are understood and fewest signs stand within words.

    Raises:
        BadRequest: it is no text.
    """
    if content.startswith(_NO_TEXT):
        raise BadRequest(said("class_list.no_text"))
    for encoding in _told(content):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text, encoding
        break
    else:
        if b"\0" not in content and (possible := list(_possible(content))):
            return max(possible, key=lambda each: _likeness(each[0]))
    raise BadRequest(said("class_list.no_text"))


def separated(text: str) -> tuple[str, str]:
    """The text without Excel's `sep=` line, and its separator: what makes most of the header."""
    stated = re.match(r"sep=(.)\n", text, re.IGNORECASE)
    if stated and stated[1] in SEPARATORS:
        return text[stated.end() :], stated[1]
    text = text.lstrip("\n")
    lines = text.split("\n", LINES_ABOVE)[:LINES_ABOVE]
    return text, max(SEPARATORS, key=lambda separator: _understood(lines, separator))


def _understood(lines: list[str], separator: str) -> tuple[int, int]:
    """How many columns have a meaning, and how many there are, in the best of the lines."""
    named = ([each.strip().strip('"') for each in line.split(separator)] for line in lines)
    return max((len(columns_of(names)), len(names)) for names in named)


def _told(content: bytes) -> tuple[str, ...]:
    """The encoding that a mark or every other byte tells; else UTF-8, which other text is not."""
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            return (encoding,)
    halves = [content[place:400:2].count(0) for place in (0, 1)]
    if max(halves) > 20:
        return ("utf-16-be" if halves[0] > halves[1] else "utf-16-le",)
    return ("utf-8",)


def _possible(content: bytes) -> Iterator[tuple[str, str]]:
    """The text in each old encoding that it can be in."""
    runs = re.findall(rb"[\x80-\xff]+", content)
    # GBK has its bytes beyond ASCII in pairs, and of names few beyond its first level; Cyrillic too
    pairs = all(len(run) % 2 == 0 for run in runs)
    leads = [lead for run in runs for lead in run[::2]]
    rare = sum(lead >= 0xD8 for lead in leads)
    is_mac = b"\r" in content and b"\n" not in content  # as Excel ends lines there
    for encoding in _OLD:
        if encoding == "gb18030" and (not pairs or 2 * rare > len(leads)):
            continue
        if encoding == "mac_roman" and not is_mac:
            continue
        try:
            yield content.decode(encoding), encoding
        except UnicodeDecodeError:
            continue


def _likeness(text: str) -> tuple[int, int]:
    """How many columns are understood, and how few signs stand where letters should."""
    head = text[:_LOOKED_AT].replace("\r\n", "\n").replace("\r", "\n").lstrip("\n")
    lines = head.split("\n", LINES_ABOVE)[:LINES_ABOVE]
    known = max(_understood(lines, separator)[0] for separator in SEPARATORS)
    return known, -len(_STRAY.findall(head))
