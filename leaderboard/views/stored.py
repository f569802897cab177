"""What reports are made of, read once for any number of submissions: as many queries for a hundred
as for one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.orm import Session, undefer

from leaderboard.cases import reading
from leaderboard.db import utcnow
from leaderboard.models import (
    Assignment,
    Case,
    Evaluation,
    Split,
    SplitScore,
    Submission,
    Team,
)
from leaderboard.queue import estimates, live_logs
from leaderboard.rules import quotas
from leaderboard.rules.quotas import Quota


@dataclass(frozen=True, kw_only=True)
class Stored:
    """The rows that belong to some submissions."""

    evaluations: Mapping[int, Evaluation]  # by their id: those that stand
    scores: Mapping[tuple[int, Split], SplitScore]  # by evaluation and split
    quotas: Mapping[tuple[int, int], Quota]  # by assignment and team
    logs: Mapping[int, str]  # by submission, of those that run
    ahead: Mapping[int, int]  # by submission, of those that are queued: how many go before it
    cases: Mapping[int, Case]  # by submission: the newest that its team was told of
    histories: Mapping[int, Sequence[Evaluation]] = field(default_factory=dict)  # for staff

    def evaluation(self, submission: Submission) -> Evaluation | None:
        """The one that stands."""
        return self.evaluations.get(submission.current_evaluation_id or 0)

    def score(self, submission: Submission, split: Split) -> SplitScore | None:
        """Its score on a part of the test set."""
        return self.scores.get((submission.current_evaluation_id or 0, split))

    def quota(self, submission: Submission) -> Quota:
        """What is left of its team's limit now."""
        return self.quotas[submission.assignment_id, submission.team_id]


def read(
    session: Session,
    submissions: Sequence[Submission],
    *,
    staff: bool = False,
    bits: bool = False,
    quota: Quota | None = None,
) -> Stored:
    """Read what belongs to these submissions.

    Args:
        staff: with private scores before their release, and each submission's history.
        bits: with the scores' answers image by image, which comparisons are made from.
        quota: of the one team whose they are, for whoever knows it already.
    """
    return Stored(
        evaluations=_evaluations(session, submissions),
        scores=_scores(session, submissions, staff=staff, bits=bits),
        quotas=_quotas(session, submissions, quota),
        logs=live_logs.read(session, submissions),
        ahead=estimates.before(session, submissions),
        cases=_cases(session, submissions),
        histories=_histories(session, submissions) if staff else {},
    )


def _evaluations(session: Session, submissions: Sequence[Submission]) -> dict[int, Evaluation]:
    wanted = [each.current_evaluation_id for each in submissions if each.current_evaluation_id]
    if not wanted:
        return {}
    found = session.scalars(sa.select(Evaluation).where(Evaluation.id.in_(wanted)))
    return {each.id: each for each in found}


def _cases(session: Session, submissions: Sequence[Submission]) -> dict[int, Case]:
    """What has no result yet is in no case."""
    wanted = [each.id for each in submissions if each.current_evaluation_id]
    return reading.told_of(session, wanted) if wanted else {}


def _scores(
    session: Session, submissions: Sequence[Submission], *, staff: bool, bits: bool
) -> dict[tuple[int, Split], SplitScore]:
    """Before the release a student's report is made without the private score being read."""
    wanted: dict[Split, list[int]] = {Split.PUBLIC: [], Split.PRIVATE: []}
    for each in submissions:
        if each.current_evaluation_id:
            wanted[Split.PUBLIC].append(each.current_evaluation_id)
            if staff or each.assignment.released_at is not None:
                wanted[Split.PRIVATE].append(each.current_evaluation_id)
    if not wanted[Split.PUBLIC]:
        return {}
    query = sa.select(SplitScore).where(
        sa.or_(
            *(
                sa.and_(SplitScore.split == split, SplitScore.evaluation_id.in_(ids))
                for split, ids in wanted.items()
                if ids
            )
        )
    )
    if bits:
        query = query.options(undefer(SplitScore.right))
    return {(each.evaluation_id, each.split): each for each in session.scalars(query)}


def _quotas(
    session: Session, submissions: Sequence[Submission], known: Quota | None
) -> dict[tuple[int, int], Quota]:
    if known is not None:
        return {(each.assignment_id, each.team_id): known for each in submissions}
    now = utcnow()
    teams: dict[int, tuple[Assignment, set[Team]]] = {}
    for each in submissions:
        teams.setdefault(each.assignment_id, (each.assignment, set()))[1].add(each.team)
    return {
        (assignment.id, team_id): left
        for assignment, theirs in teams.values()
        for team_id, left in quotas.of_teams(session, assignment, theirs, now).items()
    }


def _histories(session: Session, submissions: Sequence[Submission]) -> dict[int, list[Evaluation]]:
    found: dict[int, list[Evaluation]] = defaultdict(list)
    of_these = Evaluation.submission_id.in_([each.id for each in submissions])
    for each in session.scalars(sa.select(Evaluation).where(of_these).order_by(Evaluation.number)):
        found[each.submission_id].append(each)
    return found
