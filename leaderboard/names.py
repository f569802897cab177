"""Names that people choose: what may be in one, and when two look the same."""

from __future__ import annotations

import unicodedata

from leaderboard.errors import BadRequest

LONGEST = 60
# controls, line ends, private use; and what reorders or hides text (bidi marks, zero width)
_UNFIT = frozenset({"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"})


def clean(text: str) -> str:
    """The name as it is kept: one line, no invisible or reordering characters.

    Raises: BadRequest for a name that is empty or too long.

    >>> clean("  The \\u202eevil\\u200b  team ")
    'The evil team'
    """
    composed = unicodedata.normalize("NFC", text)
    seen = "".join(" " if each.isspace() else each for each in composed)
    kept = "".join(each for each in seen if unicodedata.category(each) not in _UNFIT)
    name = " ".join(kept.split())
    if not name or len(name) > LONGEST:
        raise BadRequest(f"A name has 1 to {LONGEST} characters.")
    return name


def same_key(name: str) -> str:
    """What two names share that readers would take for one: width, case and spaces do not count.

    >>> same_key("Kernel  Panic") == same_key("ｋernel panic")
    True
    """
    return "".join(unicodedata.normalize("NFKC", name).casefold().split())
