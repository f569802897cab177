"""Which places above it an entry can't be told apart from, image by image.

The rule is `indistinguishable_groups` of `grader.scoring`: exact McNemar on the images that both
answered, Holm over an entry's comparisons, and so at most a 5 % chance for each row to be wrongly
said to be worse than any of the places it is compared with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Row
from sqlalchemy.orm import Session

from grader.scoring.significance import not_told_apart
from leaderboard.boards import standings
from leaderboard.models import Assignment, Split, Standing, Track

# A row is compared with at most so many places above the page it stands on: a long board's last
# page would otherwise compare with thousands, of which the far ones are told apart anyway.
REACH = 500

_Place = tuple[float, datetime, int]


class _Entry(NamedTuple):
    place: _Place
    right: bytes
    rank: int | None  # None: a baseline


def indistinguishable_from(
    session: Session, assignment: Assignment, split: Split, track: Track, page: range
) -> Mapping[int, tuple[int, ...]]:
    """For each team of a page, given by its places (0 is the best), and for each baseline: by team
    id, the ranks above it that the answers can't tell it apart from, best first."""
    if not page:
        return {}
    first = max(0, page.start - REACH)
    teams = session.execute(
        standings.ranked(assignment, split, track)
        .with_only_columns(*_COLUMNS)
        .offset(first)
        .limit(page.stop - first)
    ).all()
    baselines = session.execute(
        standings.baselines(assignment, split, track).with_only_columns(*_COLUMNS)
    ).all()
    ranks = standings.ranks((row.rank_key for row in teams), first + 1)
    entries = {row.team_id: _entry(row, rank) for row, rank in zip(teams, ranks, strict=True)}
    above = list(entries.values())
    bits = _unpack(above)
    wanted = dict(list(entries.items())[page.start - first :])
    wanted |= {row.team_id: _entry(row, None) for row in baselines}
    return {team: _ranks(entry, above, bits) for team, entry in wanted.items()}


def _entry(row: Row[float, datetime, int, bytes], rank: int | None) -> _Entry:
    rank_key, achieved_at, team_id, right = row
    return _Entry(place=(rank_key, achieved_at, team_id), right=right, rank=rank)


def _ranks(entry: _Entry, teams: Sequence[_Entry], bits: NDArray[np.bool_]) -> tuple[int, ...]:
    """The ranks of the teams above `entry` that it can't be told apart from."""
    # entries scored on another set of images (a rejudge under way) can't be compared
    above = [
        index
        for index, team in enumerate(teams)
        if team.place < entry.place and len(team.right) == len(entry.right) > 0
    ]
    if not above:
        return ()
    same = not_told_apart(_unpack([entry])[0], bits[above, : len(entry.right) * 8])
    ranks = dict.fromkeys(teams[above[index]].rank for index in same)  # each once, in order
    return tuple(rank for rank in ranks if rank and rank != entry.rank)


def _unpack(entries: Sequence[_Entry]) -> NDArray[np.bool_]:
    """(T, 8·bytes) bools; the padding at the end is false everywhere and so changes nothing."""
    longest = max((len(entry.right) for entry in entries), default=0)
    rows = np.zeros((len(entries), longest), dtype=np.uint8)
    for row, entry in zip(rows, entries, strict=True):
        row[: len(entry.right)] = np.frombuffer(entry.right, dtype=np.uint8)
    return np.unpackbits(rows, axis=1).astype(np.bool_)


_COLUMNS = (Standing.rank_key, Standing.achieved_at, Standing.team_id, Standing.right)
