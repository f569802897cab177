"""Names that others see: what may be in one, and when two look the same."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Final

from grader.words.message import said
from leaderboard.errors import BadRequest

REMOVED: Final = "removed"  # of a team whose only member was erased; a number follows
_REMOVED: Final = re.compile(rf"(?:erased|{REMOVED}) \d+", re.IGNORECASE)  # 0.1 said "erased"
LONGEST: Final = 60  # characters of a team's name
LONGEST_OF_PERSON: Final = 100
# controls, line ends, private use; and what reorders or hides text (bidi marks, zero width)
_UNFIT: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})
# letters and marks that nobody sees: fillers of Hangul, Braille without dots, joiners, Khmer vowels
_UNSEEN: Final = frozenset("\u115f\u1160\u3164\uffa0\u2800\u034f\u17b4\u17b5")
_JOINERS: Final = frozenset("\u200c\u200d")  # of scripts and pictures: harmless, and dropped
_SEEN: Final = frozenset("LNPS")  # the kinds of characters that make a name visible
_MOST_MARKS: Final = 3  # on one letter; more of them climb over the lines above


def clean(text: str, *, longest: int = LONGEST) -> str:
    """The name as it is kept: one line of visible characters in the order in which they are read.

    >>> clean("  Kernel \\t Panic ")
    'Kernel Panic'
    >>> clean("林梅 & Zoë’s team №1")
    '林梅 & Zoë’s team №1'

    Raises:
        BadRequest: it is empty, too long or an erased person's team's, or has characters that are
            hidden or reorder the rest.
    """
    name = _one_line(text)
    if any(_is_unfit(each) for each in name) or _has_towers(name):
        raise BadRequest(said("name.unfit"))
    if is_removed(name):
        raise BadRequest(said("name.removed"))
    if not 0 < len(name) <= longest or not _is_visible(name):
        raise BadRequest(said("name.length", most=longest))
    return name


def is_removed(name: str) -> bool:
    """Whether a team has this name because its only member was erased.

    >>> is_removed("removed 17"), is_removed("Removed")
    (True, False)
    """
    return _REMOVED.fullmatch(name) is not None


def tidy(text: str, *, instead: str, longest: int = LONGEST) -> str:
    """The same for a name that comes from elsewhere (a class list, another service): what is unfit
    is dropped, and `instead` is taken where nothing is left.

    >>> tidy("\\u202eevil\\u200b\\n team", instead="Team")
    'evil team'
    >>> tidy("\\u3164", instead="Team")
    'Team'
    """
    kept = "".join(each for each in _one_line(text) if not _is_unfit(each))
    name = " ".join(kept.split())[:longest].rstrip()
    return name if _is_visible(name) and not _has_towers(name) else instead


@lru_cache(maxsize=1 << 14)
def same_key(name: str) -> str:
    """What two names share that readers would take for one: width, case and spaces do not count,
    nor letters that look alike (Unicode's confusables).

    >>> same_key("Kernel  Panic") == same_key("ｋernel panic")
    True
    >>> same_key("Ada") == same_key("А\\u0501\\u0430")  # Cyrillic
    True
    >>> same_key("Team 1") == same_key("Team 2")
    False
    """
    folded = "".join(unicodedata.normalize("NFKC", name).casefold().split())
    return "".join(map(_prototype, folded))


def free(wanted: str, taken: Iterable[str]) -> str:
    """The wanted name, or the first of `name 2`, `name 3`… that looks like none that is taken."""
    keys = {same_key(each) for each in taken}
    return next(each for each in _numbered(wanted) if same_key(each) not in keys)


def _numbered(wanted: str) -> Iterator[str]:
    yield wanted
    number = 2
    while True:
        yield f"{wanted[: LONGEST - 8]} {number}"
        number += 1


def _one_line(text: str) -> str:
    composed = unicodedata.normalize("NFC", text.strip())
    spaced = "".join(" " if unicodedata.category(each) == "Zs" else each for each in composed)
    return " ".join(each for each in spaced.replace("\t", " ").split(" ") if each).translate(
        dict.fromkeys(map(ord, _JOINERS))
    )


def _is_unfit(each: str) -> bool:
    return unicodedata.category(each) in _UNFIT or each in _UNSEEN


def _is_visible(name: str) -> bool:
    return any(unicodedata.category(each)[0] in _SEEN for each in name)


def _has_towers(name: str) -> bool:
    marks = 0
    for each in name:
        marks = marks + 1 if unicodedata.category(each) == "Mn" else 0
        if marks > _MOST_MARKS:
            return True
    return False


@cache
def _prototype(letter: str) -> str:
    """The first of the letters that look like this one: of Latin ones, if there are any."""
    from confusable_homoglyphs import confusables  # it reads a megabyte

    known: Sequence[Mapping[str, str]] = confusables.confusables_data.get(letter, ())
    alike = (each["c"].casefold() for each in known)
    return min((letter, *(each for each in alike if len(each) == 1)))
