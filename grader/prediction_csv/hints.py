"""Says what the cause of a problem is, where it is known."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from grader.prediction_csv.tally import Tally, shown
from grader.words.message import Message, said

if TYPE_CHECKING:
    from grader.prediction_csv.expected import ExpectedRows

_A_FEW: Final = 1000  # of the expected ids: enough to know what they look like
_EXPONENT: Final = re.compile(r"([0-9])(?:[.,]([0-9]+))?[eE]([+-]?[0-9]{1,3})", re.ASCII)
_WHOLE_DECIMAL: Final = re.compile(r"[+-]?[0-9]*\.0*", re.ASCII)
_THOUSANDS: Final = re.compile(r"[0-9]{1,3}(?:[.,'’\s][0-9]{3})+")
_NUMBERED: Final = re.compile(r"([^\W\d]*[\s_-]*)(\d+)")
_QUOTES: Final = "'\"`´“”„‘’‚«»「」"
_FAILED_FORMULAS: Final = frozenset(
    {"#N/A", "#NV", "#REF!", "#BEZUG!", "#NAME?", "#VALUE!", "#WERT!", "#DIV/0!", "#NUM!", "#ZAHL!"}
)
_WHOLE: Final = re.compile(r"[0-9]+(?:[eE]\+?[0-9]{1,3})?", re.ASCII)
# as spreadsheets write them in the languages of this program's readers, and in ISO 8601
_DATE: Final = re.compile(
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?: .*)?"
    r"|\d{1,2}\.?[- ][A-Za-zä]{3}(?:[- ]\d{2,4})?|[A-Za-zä]{3}[- ]\d{1,4}"
    r"|(?:\d{4}年)?\d{1,2}月(?:\d{1,2}日)?"
)


def add_hints(tally: Tally, expected: ExpectedRows, *, starts_at_1: bool) -> None:
    """Look at the first place of each kind of problem and add what it shows.

    starts_at_1: no row that could be read has label 0.
    """
    if "unknown_id" in tally and tally.first_value("unknown_id") == expected.id_column:
        tally.hint("unknown_id", said("hint.header_again"))
    elif "unknown_id" in tally:
        hint = _hint_on_id(tally.first_value("unknown_id"), expected)
        if hint is not None:
            tally.hint("unknown_id", hint)
        elif "missing_id" in tally and _count_from_1(tally, expected.ids):
            tally.hint("unknown_id", said("hint.ids_from_0"))
    if "label_out_of_range" in tally:
        one_too_high = tally.first_value("label_out_of_range") == str(len(expected.classes))
        if starts_at_1 and one_too_high:
            tally.hint("label_out_of_range", said("hint.labels_from_0"))
    if "label_decimal" in tally and not _WHOLE_DECIMAL.fullmatch(
        tally.first_value("label_decimal")
    ):
        tally.hint("label_decimal", said("hint.score_for_label"))
    if "label_unknown" in tally:
        hint = _hint_on_label(tally.first_value("label_unknown"), expected)
        if hint is not None:
            tally.hint("label_unknown", hint)


def _hint_on_label(value: str, expected: ExpectedRows) -> Message | None:
    if value == expected.label_column:
        return said("hint.header_again")
    if value in _FAILED_FORMULAS:
        return said("hint.spreadsheet_error")
    indices = {str(index) for index in range(len(expected.classes))}
    bare = value.strip().strip(_QUOTES).strip()
    if bare != value and (bare in expected.classes or bare in indices):
        has_quotes = bare != value.strip()
        code = "hint.without_quotes" if has_quotes else "hint.did_you_mean"
        return said(code, name=shown(bare))
    near = _nearest(value, expected.classes)
    return None if near is None else said("hint.did_you_mean", name=shown(near))


def _hint_on_id(value: str, expected: ExpectedRows) -> Message | None:
    """Say what happened to an id that is not expected."""
    for candidate, hint in _repairs(value, expected.ids[0]):
        if expected.id_lookup.find_all([candidate])[0] >= 0:
            return said(f"hint.{hint}", write=shown(candidate))
    if match := _EXPONENT.fullmatch(value):
        meant = _same_number(match, expected.ids)
        return said("hint.ids_as_numbers", write=shown(meant)) if meant else _rounded(expected.ids)
    if (counted := _NUMBERED.fullmatch(value)) and (told := _numbered(counted, expected)):
        return told
    some = expected.ids[:_A_FEW]
    if _DATE.fullmatch(value) and not any(_DATE.fullmatch(name) for name in some):
        return said("hint.ids_as_dates")
    return None


def _numbered(value: re.Match[str], expected: ExpectedRows) -> Message | None:
    """Say what happened to a number in an id: a word in front of it, or missing there."""
    word, number = value.groups()
    example = expected.ids[0]
    front = example.rstrip("0123456789")
    counted = f"{front}{number.zfill(len(example) - len(front))}"
    for write in (number, number.lstrip("0") or "0", counted):
        if expected.id_lookup.find_all([write])[0] >= 0:
            hint = "ids_with_prefix" if word else "ids_are_positions"
            return said(f"hint.{hint}", write=shown(write))
    return None


def _same_number(value: re.Match[str], ids: Sequence[str]) -> str | None:
    """Give the expected id that is the same number, such as 1E5 or 100000 for 1.00E+05."""
    number = Decimal(f"{value[1]}.{value[2] or 0}E{value[3]}")
    numeric = (name for name in ids if _WHOLE.fullmatch(name))
    return next((name for name in numeric if Decimal(name) == number), None)


def _rounded(ids: Sequence[str]) -> Message | None:
    """What is written with an exponent was rounded where ids are numbers of many digits."""
    return said("hint.ids_rounded") if ids[0].isdigit() and len(ids[0]) > 11 else None


def _count_from_1(tally: Tally, ids: Sequence[str]) -> bool:
    starts_at_1 = tally.first_value("missing_id") == "0"
    return starts_at_1 and tally.first_value("unknown_id") == str(len(ids))


def _repairs(value: str, example: str) -> Iterator[tuple[str, str]]:
    """Give what the id may have been meant to be, and the hint that says what happened to it."""
    name = re.split(r"[/\\]", value)[-1]
    if name != value:
        yield name, "ids_with_folder"
    stem, dot, _ = name.rpartition(".")
    if dot and stem:
        yield stem, "ids_with_extension"
    zeroless = stem.lstrip("0") if dot and stem else name.lstrip("0")
    yield zeroless or "0", "ids_padded"
    yield value.zfill(len(example)), "ids_lost_zeros"
    _, dot, suffix = example.rpartition(".")
    if dot:
        yield f"{value}.{suffix}", "ids_without_extension"
    yield value.lower(), "ids_in_capitals"
    yield value.upper(), "ids_in_small_letters"
    yield value.strip(), "ids_with_space"
    yield value.strip(_QUOTES), "ids_with_quotes"
    if _THOUSANDS.fullmatch(value):
        number = re.sub(r"\D", "", value)
        for write in (number, number.lstrip("0") or "0"):
            yield write, "ids_with_thousands"


def _nearest(value: str, classes: Sequence[str]) -> str | None:
    folded = value.casefold().strip()
    same = [name for name in classes if name.casefold() == folded]
    # A long list of classes is not searched: the hint is not worth the time.
    near = difflib.get_close_matches(value[:200], classes[:2000], n=1)
    return next(iter([*same, *near]), None)
