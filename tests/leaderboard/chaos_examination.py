"""What must be true of a server's state after the storm."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import sqlalchemy as sa
from small_site import (
    Site,
)

import grader
from leaderboard import audit, receipts
from leaderboard.models import Evaluation, QuotaEntry, Split, Standing, Submission


def examine(site: Site, todo: list[HandIn], seen: Seen) -> list[str]:
    """Everything that is not as it must be."""
    problems = []
    assignment = grader.Assignment.load(site.folder)
    with site.state.database.reading() as session:
        total = session.scalar(sa.select(sa.func.count()).select_from(Submission))
        if total != len(todo):
            problems.append(f"{len(todo)} hand-ins made {total} submissions")
        for each in todo:
            problems += _examine_one(site, session, assignment, each, seen)
        problems += _examine_quotas(session)
        problems += _examine_board(session)
        problems += [
            f"audit: {link}" for link in audit.verify(session, site.state.receipts.public_key)[1]
        ]
    return problems


def _examine_one(
    site: Site, session: sa.orm.Session, assignment: grader.Assignment, each: HandIn, seen: Seen
) -> list[str]:
    receipt = seen.receipts.get(each.key)
    if receipt is None:
        return [f"{each.key}: no receipt"]
    found = session.scalars(sa.select(Submission).filter_by(public_id=receipt["id"])).one()
    made = session.scalars(sa.select(Evaluation).filter_by(submission_id=found.id)).all()
    name = f"{found.public_id} ({each.filename})"
    problems = []
    if not receipts.verify(found.receipt, site.state.receipts.public_key):
        problems.append(f"{name}: the receipt does not verify")
    if (found.status, found.verdict) != ("finished", each.verdict):
        problems.append(f"{name}: {found.status} {found.verdict}, deserved {each.verdict}")
    if [evaluation.verdict for evaluation in made] != [each.verdict]:
        problems.append(f"{name}: evaluations {[evaluation.verdict for evaluation in made]}")
    if each.filename == "predictions.csv" and not problems:
        parsed = grader.parse_predictions(each.content, assignment.expected())
        expected = grader.score(parsed, assignment.answer_key())
        scores = {score.split: score.primary for score in made[0].splits}
        if scores != {
            Split.PUBLIC: expected.public.accuracy,
            Split.PRIVATE: expected.private.accuracy,
        }:
            problems.append(f"{name}: wrong scores {scores}")
    return problems


def _examine_quotas(session: sa.orm.Session) -> list[str]:
    """Each team is charged once for each accepted hand-in, and for nothing else."""
    charged = dict(
        session.execute(
            sa.select(QuotaEntry.team_id, sa.func.sum(QuotaEntry.amount)).group_by(
                QuotaEntry.team_id
            )
        ).all()
    )
    accepted = dict(
        session.execute(
            sa.select(Submission.team_id, sa.func.count())
            .where(Submission.verdict == "OK")
            .group_by(Submission.team_id)
        ).all()
    )
    return [] if charged == accepted else [f"quotas: charged {charged}, accepted {accepted}"]


def _examine_board(session: sa.orm.Session) -> list[str]:
    """Each team stands with its best public score."""
    best = dict(
        session.execute(
            sa.text(
                "SELECT s.team_id, max(p.shown) FROM submission s JOIN split_score p "
                "ON p.evaluation_id = s.current_evaluation_id AND p.split = 'public' "
                "GROUP BY s.team_id"
            )
        ).all()
    )
    stands = dict(
        session.execute(
            sa.select(Standing.team_id, Standing.primary).where(Standing.split == Split.PUBLIC)
        ).all()
    )
    return [] if best == stands else [f"board: best {best}, shown {stands}"]


@dataclass(frozen=True, kw_only=True)
class HandIn:
    """One file of one team, the verdict it deserves, and the key it is sent under."""

    team: str
    content: bytes
    filename: str
    verdict: str
    key: str


@dataclass
class Seen:
    """What the students saw: receipts by key, and why they had to try again."""

    receipts: dict[str, dict[str, object]] = field(default_factory=dict)
    retries: Counter[str] = field(default_factory=Counter)
    probes: Counter[int] = field(default_factory=Counter)  # status while the database was away
