"""Whether what was lost on copies with noise is more than this assignment's references lose."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.orm import Session

import grader
from grader.scoring import memorised
from grader.scoring.memorised import Losses
from leaderboard.models import Assignment, Evaluation, Submission, Team


def weigh(session: Session, submission: Submission, made: grader.Evaluation) -> grader.Evaluation:
    """The evaluation with the flag MEM as the references here speak for it.

    The grader goes by what networks lose on one task; on a harder one the references lose more,
    and a team is not suspected of what they do too. A reference itself is never flagged.
    """
    losses = Losses.of_facts(made.facts)
    if losses is None:
        return made
    losses = replace(losses, honest=_honest_loss(session, submission.assignment))
    flags = [flag for flag in made.flags if flag != memorised.FLAG]
    if losses.is_flagged and not submission.team.is_baseline:
        flags.append(memorised.FLAG)
    return replace(made, flags=tuple(flags), facts={**made.facts, **losses.as_facts()})


def _honest_loss(session: Session, assignment: Assignment) -> float:
    facts = session.scalars(
        sa.select(Evaluation.facts)
        .join(Submission, Submission.current_evaluation_id == Evaluation.id)
        .join(Team, Submission.team_id == Team.id)
        .where(Submission.assignment_id == assignment.id, Team.is_baseline.is_(True))
    )
    known = [losses for losses in map(Losses.of_facts, facts) if losses is not None]
    return memorised.honest_loss(
        sum(losses.right for losses in known), sum(losses.lost for losses in known)
    )
