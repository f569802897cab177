"""Formulas of a description: from LaTeX to MathML, which browsers set without a script."""

from __future__ import annotations

import itertools
from html import escape
from typing import Any, Final

from latex2mathml import exceptions
from latex2mathml.converter import convert

_LONGEST: Final = 2000  # characters
_DEEPEST: Final = 50  # braces in braces
_REFUSED: Final[tuple[type[Exception], ...]] = (
    RecursionError,
    LookupError,
    ValueError,
    *(each for each in vars(exceptions).values() if isinstance(each, type)),  # no common base
)

TAGS: Final = {
    *("math", "mrow", "mi", "mo", "mn", "mtext", "mspace", "mstyle", "mpadded", "mphantom"),
    *("msup", "msub", "msubsup", "mover", "munder", "munderover", "mmultiscripts"),
    *("mfrac", "msqrt", "mroot", "mtable", "mtr", "mtd"),
}
ATTRIBUTES: Final = {
    *("display", "displaystyle", "scriptlevel", "mathvariant", "linethickness", "columnalign"),
    *("accent", "fence", "form", "separator", "stretchy", "lspace", "rspace", "width"),
}


def set_formula(latex: str, options: dict[str, Any]) -> str:
    """Give a formula's MathML, to be cleaned; its source as code where it can't be read.

    >>> set_formula("x^", {"display_mode": False})
    '<code>x^</code>'
    """
    depths = itertools.accumulate({"{": 1, "}": -1}.get(letter, 0) for letter in latex)
    if len(latex) > _LONGEST or max(depths, default=0) > _DEEPEST:
        return f"<code>{escape(latex)}</code>"
    try:
        return convert(latex, display="block" if options["display_mode"] else "inline")
    except _REFUSED:
        return f"<code>{escape(latex)}</code>"
