"""The filters of the table of submissions as an address, a request or a command writes them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from leaderboard.rules import schedule
from leaderboard.views.staff.listing import Order, Wanted

NAMES: Final = (
    "search",
    "team",
    "person",
    "verdict",
    "kind",
    "flag",
    "section",
    "since",
    "until",
    "score_from",
    "score_to",
    "order",
)
_LONGEST: Final = 100


def read(fields: Mapping[str, str], zone: ZoneInfo, *, only_sections: Sequence[str] = ()) -> Wanted:
    """What is wanted; a value that means nothing is as none.

    Days are the course's, both ends included. `only_sections` are those that the reader is confined
    to.

    >>> read({"until": "2026-11-27"}, ZoneInfo("Asia/Shanghai")).until.isoformat()
    '2026-11-28T00:00:00+08:00'
    """
    text = {name: fields.get(name, "").strip()[:_LONGEST] for name in NAMES}
    until = _day(text["until"], zone)
    return Wanted(
        **{name: text[name] for name in ("search", "team", "person", "section")},
        **{name: text[name][:20] for name in ("verdict", "kind", "flag")},
        since=_day(text["since"], zone),
        until=until + timedelta(days=1) if until else None,
        score_from=_number(text["score_from"]),
        score_to=_number(text["score_to"]),
        only_sections=only_sections,
        order=Order(text["order"]) if text["order"] in set(Order) else Order.NEWEST,
    )


def _day(text: str, zone: ZoneInfo) -> datetime | None:
    try:
        day = datetime.fromisoformat(text).date()
    except ValueError:
        return None
    return datetime.combine(day, time(), zone) if day.year in schedule.YEARS else None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
