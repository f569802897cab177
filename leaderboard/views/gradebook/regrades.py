"""Questions about grades, as their teams and staff read them. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from leaderboard.models import Outcome, Regrade, SavedReply


@dataclass(frozen=True, kw_only=True)
class ThreadMessage:
    """What somebody wrote; `by` is None for the teaching team, and for whoever was erased."""

    is_staff: bool
    by: str | None
    text: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class RegradeThread:
    """A question about the grade that a submission got, and what was written since."""

    id: int
    submission: str
    submission_title: str
    assignment: str
    assignment_title: str
    team: str
    owner: str | None
    due_at: datetime
    outcome: Outcome | None
    opened_at: datetime
    closed_at: datetime | None
    messages: Sequence[ThreadMessage]


@dataclass(frozen=True, kw_only=True)
class ReplyToReuse:
    """A reply that staff of a course keep."""

    id: int
    title: str
    text: str


def thread(regrade: Regrade, *, named: bool) -> RegradeThread:
    """A thread; `named`: for staff, who see who of them wrote what."""
    submission = regrade.submission
    return RegradeThread(
        id=regrade.id,
        submission=submission.public_id,
        submission_title=submission.message or submission.filename,
        assignment=submission.assignment.slug,
        assignment_title=submission.assignment.title,
        team=submission.team.name,
        owner=regrade.owner.name if named and regrade.owner else None,
        due_at=regrade.due_at,
        outcome=regrade.outcome,
        opened_at=regrade.opened_at,
        closed_at=regrade.closed_at,
        messages=tuple(
            ThreadMessage(
                is_staff=each.is_staff,
                by=each.user.name or None if each.user and (named or not each.is_staff) else None,
                text=each.text,
                at=each.at,
            )
            for each in regrade.messages
        ),
    )


def to_reuse(kept: SavedReply) -> ReplyToReuse:
    """A reply that is kept."""
    return ReplyToReuse(id=kept.id, title=kept.title, text=kept.text)
