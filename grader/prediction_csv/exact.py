"""Reads one line to the letter of the contract: what is tolerated, and what is wrong with it."""

from __future__ import annotations

import math
import re
from typing import Final

from grader.words.letters import one_form

NUMBER: Final = re.compile(r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NON_FINITE: Final = re.compile(
    r"[+-]?(?:nan|inf|infinity)|null|none|n/a|na|<na>", re.IGNORECASE | re.ASCII
)
_DECIMAL: Final = re.compile(r"[+-]?[0-9]*\.[0-9]*", re.ASCII)
_EXPONENT: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)[eE][+-]?[0-9]+", re.ASCII)
_SIGNED: Final = re.compile(r"[+-][0-9]+", re.ASCII)
_SEPARATOR_LINE: Final = re.compile(rb'"?sep=.?"?[ ,;]*\r?', re.IGNORECASE)
# what a label looks like that was printed from within a program, not taken out of it
_PRINTED: Final = {
    "label_tensor": re.compile(
        r"(?:(?:torch|tf|jnp|np|numpy)\.)?(?:[Tt]ensor|[Aa]rray|u?int\d*|float\d*|str_|bool_?)\(.*\)"
        r"|<tf\.Tensor.*>"
    ),
    "label_list": re.compile(r"\[[^,;\s]*,?\]|\([^,;\s]*,?\)"),
    "label_scores": re.compile(r"\[.*\]|\(.*\)"),
    "label_bool": re.compile(r"true|false", re.IGNORECASE),
}


class BadLine(Exception):
    """The line is no row; `kind` names the problem."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class BadValue(Exception):
    """The field holds no value; `kind` names the problem."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def is_blank(line: bytes) -> bool:
    """Say whether a line, given without its newline, holds nothing but spaces."""
    return not line.removesuffix(b"\r").strip(b" ")


def is_separator_line(line: bytes) -> bool:
    """Say whether a line, given without its newline, tells a spreadsheet what separates columns.

    >>> is_separator_line(b"sep=,\\r"), is_separator_line(b"sep,label")
    (True, False)
    """
    return _SEPARATOR_LINE.fullmatch(line) is not None


def split_line(line: bytes) -> list[str]:
    """Split one line, given without its newline, into values without quotes and outer spaces.

    A blank line gives one empty value.

    >>> split_line(b' 7 ,"a ""b"", c"\\r')
    ['7', 'a "b", c']

    Raises:
        BadLine: NUL, invalid UTF-8, a lone carriage return, an unclosed or stray quote.
    """
    if b"\0" in line:
        raise BadLine("nul")
    try:
        text = one_form(line.decode("utf-8"))
    except UnicodeDecodeError:
        raise BadLine("invalid_utf8") from None
    text = text.removesuffix("\r")
    if "\r" in text:
        raise BadLine("lone_cr")
    if '"' not in text:
        return [field.strip(" ") for field in text.split(",")]
    return _split_quoted(text)


def _split_quoted(text: str) -> list[str]:
    fields: list[str] = []
    at = 0
    while True:
        while text.startswith(" ", at):
            at += 1
        if text.startswith('"', at):
            field, at = _quoted(text, at + 1)
        else:
            end = text.find(",", at)
            end = len(text) if end < 0 else end
            field, at = text[at:end], end
            if '"' in field:
                raise BadLine("stray_quote")
        fields.append(field.strip(" "))
        if at == len(text):
            return fields
        at += 1


def _quoted(text: str, at: int) -> tuple[str, int]:
    """Read a quoted field from behind its opening quote to the comma or the end."""
    parts: list[str] = []
    while True:
        end = text.find('"', at)
        if end < 0:
            raise BadLine("unclosed_quote")
        parts.append(text[at:end])
        if not text.startswith('"', end + 1):
            break
        parts.append('"')
        at = end + 2
    at = end + 1
    while text.startswith(" ", at):
        at += 1
    if at < len(text) and text[at] != ",":
        raise BadLine("stray_quote")
    return "".join(parts), at


def read_index(value: str, num_classes: int) -> int:
    """Read a label that is no class name: an index in ASCII digits.

    >>> read_index("07", 10)
    7

    Raises:
        BadValue: it is anything else; the kind says what.
    """
    if value.isascii() and value.isdigit():
        digits = value.lstrip("0") or "0"
        if len(digits) < 10 and int(digits) < num_classes:
            return int(digits)
        raise BadValue("label_out_of_range")
    if not value:
        raise BadValue("empty_value")
    if _NON_FINITE.fullmatch(value):
        raise BadValue("non_finite")
    if _DECIMAL.fullmatch(value):
        raise BadValue("label_decimal")
    if _EXPONENT.fullmatch(value):
        raise BadValue("label_exponent")
    if _SIGNED.fullmatch(value):
        raise BadValue("label_sign")
    if value.isdigit():
        raise BadValue("label_unicode_digits")
    printed = (kind for kind, form in _PRINTED.items() if form.fullmatch(value))
    raise BadValue(next(printed, "label_unknown"))


def read_score(value: str) -> float:
    """Read one score: a plain decimal number, correctly rounded.

    >>> read_score("2.5e-1")
    0.25

    Raises:
        BadValue: it is empty, not finite or no such number.
    """
    if NUMBER.fullmatch(value):
        number = float(value)
        if math.isfinite(number):
            return number
        raise BadValue("non_finite")
    if not value:
        raise BadValue("empty_value")
    raise BadValue("non_finite" if _NON_FINITE.fullmatch(value) else "score_not_number")
