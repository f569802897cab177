"""The decisions about an assignment's labels, as pages, commands and the API show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from leaderboard.evaluations.rescoring import Move
from leaderboard.labels import deciding
from leaderboard.models import Assignment, LabelChoice, LabelDecision


@dataclass(frozen=True, kw_only=True)
class LabelLine:
    """A decision; `label` is None where the image keeps its label or is withdrawn."""

    id: int
    image: str
    choice: LabelChoice
    label_before: str
    label: str | None
    reason: str
    decided_by: str
    decided_at: datetime
    confirmed_at: datetime | None
    published_at: datetime | None
    is_waiting: bool


@dataclass(frozen=True, kw_only=True)
class LabelWork:
    """How far the correction of an assignment's labels is.

    `edition` is to be sent along when the corrected answers are published; `moves_shown`: whether
    who would move may be looked at and was asked for.
    """

    edition: str
    needs_confirming: bool
    moves_shown: bool
    decisions: tuple[LabelLine, ...]

    @property
    def waiting(self) -> tuple[LabelLine, ...]:
        """Those that change something, and are not published."""
        return tuple(each for each in self.decisions if each.is_waiting)

    @property
    def unconfirmed(self) -> int:
        """How many wait for a second person."""
        return sum(each.confirmed_at is None for each in self.waiting) * self.needs_confirming


@dataclass(frozen=True, kw_only=True)
class LabelMove:
    """A team that the corrected answers would move; None: it has no place."""

    team: str
    old_rank: int | None
    new_rank: int | None
    old_score: float
    new_score: float

    @classmethod
    def of(cls, move: Move) -> LabelMove:
        """The same of a rescore that was tried."""
        return cls(
            team=move.team,
            old_rank=move.old_rank,
            new_rank=move.new_rank,
            old_score=move.old_score,
            new_score=move.new_score,
        )


@dataclass(frozen=True, kw_only=True)
class LabelMoves:
    """Who would move, on either board."""

    public: tuple[LabelMove, ...]
    private: tuple[LabelMove, ...]


def label_work(session: Session, assignment: Assignment) -> LabelWork:
    """What was decided about an assignment's labels, newest first."""
    found = deciding.of_assignment(session, assignment)
    waiting = [each for each in found if deciding.is_waiting(each)]
    return LabelWork(
        edition=assignment.folder_sha256,
        needs_confirming=deciding.needs_confirming(assignment),
        moves_shown=bool(waiting) and all(each.shown_at for each in waiting),
        decisions=_lines(found),
    )


def _lines(found: Sequence[LabelDecision]) -> tuple[LabelLine, ...]:
    return tuple(
        LabelLine(
            id=each.id,
            image=each.image,
            choice=each.choice,
            label_before=each.label_before,
            label=each.label,
            reason=each.reason,
            decided_by=each.decider.name,
            decided_at=each.decided_at,
            confirmed_at=each.confirmed_at,
            published_at=each.published_at,
            is_waiting=deciding.is_waiting(each),
        )
        for each in found
    )
