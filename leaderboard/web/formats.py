"""Figures and moments as pages print them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby
from typing import Protocol
from zoneinfo import ZoneInfo

from babel.dates import get_timezone_location
from babel.numbers import format_decimal
from flask_babel import format_datetime, get_locale
from flask_babel import gettext as _
from markupsafe import Markup

from leaderboard.accounts import names


def score(value: float | None, images: int | None = None) -> str:
    """Return a score with as many places as so many images carry; a dash where there is none.

    >>> score(0.75638, 90), score(0.75638, 10_000), score(1.0, 90)
    ('.756', '.7564', '1.000')
    """
    return "–" if value is None else bare(f"{value:.{_places(images)}f}")


def bare(number: str) -> str:
    """Return a decimal number without the zero that says nothing, as tables of scores print it.

    >>> bare("0.756"), bare("-0.2"), bare("0"), bare("10.5")
    ('.756', '-.2', '0', '10.5')
    """
    sign, digits = ("-", number[1:]) if number.startswith("-") else ("", number)
    return sign + digits[1:] if digits.startswith("0.") else number


def gap(value: float, images: int | None = None) -> str:
    """Return a difference of two scores: two places tell enough, but for a smaller one."""
    return bare(f"{value:.2f}") if value >= 0.095 else score(value, images)


def _places(images: int | None) -> int:
    # one image of 1,000 is a step of 0.001
    return 3 if images is not None and images <= 1000 else 4


def interval(bounds: tuple[float, float], images: int | None = None) -> str:
    """Return an interval of scores; two places tell enough of a wide one.

    >>> interval((0.6634, 0.8292), 90), interval((0.7481, 0.7562), 10_000)
    ('.66–.83', '.7481–.7562')
    """
    low, high = bounds
    if high - low >= 0.02:
        return f"{bare(f'{low:.2f}')}–{bare(f'{high:.2f}')}"
    return f"{score(low, images)}–{score(high, images)}"


class Ranked(Protocol):
    """Whatever has a rank, which others may share."""

    @property
    def rank(self) -> int | None: ...
    @property
    def is_shared(self) -> bool: ...


def rank(place: Ranked) -> str:
    """Return a rank, with a sign where it is shared."""
    if place.rank is None:
        return "–"
    return f"{place.rank}=" if place.is_shared else str(place.rank)


def whole(value: float) -> str:
    """Return a whole number, grouped as the reader's language does."""
    return str(format_decimal(value, locale=get_locale()))


def efficiency(value: float, figure: str) -> str:
    """Return a figure of what a model costs, with its unit."""
    if figure == "parameters":
        return whole(value)
    return f"{value:.3g} {'MB' if figure == 'checkpoint_mb' else 's'}"


def ranges(ranks: Iterable[int]) -> str:
    """Return ascending whole numbers, runs of them shortened.

    >>> ranges([1, 2, 3, 5, 8, 9])
    '1–3, 5, 8–9'
    """
    runs = groupby(enumerate(ranks), key=lambda pair: pair[1] - pair[0])
    ends = [[rank for _, rank in run] for _, run in runs]
    return ", ".join(f"{run[0]}–{run[-1]}" if run[1:] else str(run[0]) for run in ends)


def team_name(name: str) -> str:
    """Return a team's name as everybody reads it: of one whose only member was erased, that."""
    return _("removed") if names.is_removed(name) else name


def size(bytes_: int) -> str:
    """Return a file's size in the unit that keeps it short (MB means MiB)."""
    value, units = float(bytes_), ["B", "KB", "MB", "GB"]
    while value >= 1024 and len(units) > 1:
        value, units = value / 1024, units[1:]
    number = f"{value:.0f}" if units[0] == "B" or value >= 100 else f"{value:.1f}"
    return f"{number} {units[0]}"


def duration(seconds: float) -> str:
    """Return a length of time, roughly: what a waiting reader wants to know."""
    if seconds < 1:
        return _("less than a second")
    if seconds < 90:
        return _("%(n)s s", n=round(seconds))
    if seconds < 5400:
        return _("%(n)s min", n=round(seconds / 60))
    return _("%(n)s h", n=round(seconds / 3600))


def moment(value: datetime | str, zone: str = "UTC", *, named: bool = True) -> Markup:
    """Return a <time> in the course's zone; the script adds the reader's own time.

    Args:
        named: whether it names its zone, as it must where the page does not name one for all.
    """
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    local = at.astimezone(ZoneInfo(zone))
    name = Markup(' <span class="muted">{}</span>').format(zone_name(zone)) if named else ""
    return Markup('<time datetime="{}" data-zone="{}">{}{}</time>').format(
        at.astimezone(ZoneInfo("UTC")).strftime("%Y-%m-%dT%H:%M:%SZ"),
        zone,
        format_datetime(local, "yyyy-MM-dd HH:mm", rebase=False),
        name,
    )


def zone_name(zone: str) -> str:
    """Return what a reader calls a time zone: its city, in their language.

    >>> from babel import Locale
    >>> get_timezone_location("America/New_York", locale=Locale("en"), return_city=True)
    'New York'
    """
    if "/" not in zone or zone.startswith("Etc/"):
        return zone
    return get_timezone_location(ZoneInfo(zone), locale=get_locale(), return_city=True)
