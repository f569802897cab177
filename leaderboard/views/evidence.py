"""What speaks for answers that were looked up: for staff, who judge; nothing here takes a point.

Two kinds. Copies of images with a little noise: what a table of images loses there (the flag MEM,
`grader.scoring.memorised`). And images that every reference misses: a network of their strength
misses most of them too, and a table of the right labels none; a far stronger network rises as well,
so it is told and not flagged. The second is there for CSVs too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.orm import Session, defer, undefer

from grader.scoring import memorised
from leaderboard.models import Case, Evaluation, Split, SplitScore, Submission, Team
from leaderboard.views import stored
from leaderboard.views.stored import Stored

FEWEST_REFERENCES: Final = 2  # one alone misses what the next one knows
_STAFFS_OWN: Final = frozenset({memorised.FLAG})


def for_students(flags: Sequence[str]) -> list[str]:
    """The flags that a team reads: those that it can do something about."""
    return [flag for flag in flags if flag not in _STAFFS_OWN]


def of(
    session: Session, submission: Submission, *, read: Stored | None = None
) -> dict[str, Any] | None:
    """The evidence about a scored submission; None where there is none of either kind.

    `copies` {n, right, lost, p_value, flagged, first, first_missed, order_p_value}: of `n` images
    that were copied with noise, `right` were answered rightly, and `lost` of those wrongly on the
    copy; the copy came before the image for `first` of them, of which `first_missed` were answered
    wrongly. `missed` {references, n, right, above}: images of both splits that all references of
    the assignment miss, how many of them this one has right, and whether it has more images right
    than any reference. Each may be None.
    `read` is what belongs to the submission, if that was read already, as for staff.
    """
    read = read or stored.read(session, [submission], staff=True, bits=True)
    evaluation = read.evaluation(submission)
    if evaluation is None or submission.team.is_baseline:
        return None
    found = {
        "copies": _copies(evaluation),
        "missed": _missed(session, submission, evaluation, read),
    }
    return found if any(found.values()) else None


def of_case(session: Session, case: Case) -> dict[str, Any] | None:
    """The evidence of a case: what was lost on copies when it was opened, the rest as it is now."""
    found = of(session, case.submission) or {"copies": None, "missed": None}
    if case.evaluation is not None:
        found["copies"] = _copies(case.evaluation)
    return found if any(found.values()) else None


def _copies(evaluation: Evaluation) -> dict[str, Any] | None:
    facts = evaluation.facts
    if "copies" not in facts:
        return None
    found = {
        "n": facts["copies"],
        "right": facts["copies_right"],
        "lost": facts["copies_lost"],
        "p_value": facts["copies_p"],
        "flagged": memorised.FLAG in evaluation.flags,
    }
    if memorised.ORDER_P in facts:  # results of older workers don't tell which came first
        found["first"], found["first_missed"] = facts["copies_first"], facts["copies_first_missed"]
        found["order_p_value"] = facts[memorised.ORDER_P]
    return found


def _missed(
    session: Session, submission: Submission, evaluation: Evaluation, read: Stored
) -> dict[str, Any] | None:
    ours = _right({split: read.score(submission, split) for split in Split})
    theirs = [
        bits
        for bits in map(_right, _of_references(session, submission, evaluation))
        if len(bits) == len(ours)
    ]
    if len(ours) == 0 or len(theirs) < FEWEST_REFERENCES:
        return None
    missed = ~np.any(theirs, axis=0)
    return {
        "references": len(theirs),
        "n": int(missed.sum()),
        "right": int((ours & missed).sum()),
        "above": bool(ours.sum() > max(int(bits.sum()) for bits in theirs)),
    }


def _of_references(
    session: Session, submission: Submission, evaluation: Evaluation
) -> Iterable[Mapping[Split, SplitScore]]:
    """The scores of the assignment's references by the same answers, in one query."""
    rows = session.scalars(
        sa.select(SplitScore)
        .join(Evaluation, Evaluation.id == SplitScore.evaluation_id)
        .join(Submission, Submission.current_evaluation_id == Evaluation.id)
        .join(Team, Submission.team_id == Team.id)
        .where(
            Submission.assignment_id == submission.assignment_id,
            Team.is_baseline.is_(True),
            Evaluation.answers_sha256 == evaluation.answers_sha256,
        )
        .options(undefer(SplitScore.right), defer(SplitScore.report))
    )
    found: dict[int, dict[Split, SplitScore]] = defaultdict(dict)
    for row in rows:
        found[row.evaluation_id][row.split] = row
    return found.values()


def _right(scores: Mapping[Split, SplitScore | None]) -> NDArray[np.bool_]:
    """Which images of both splits were answered rightly: bool (N,), public ones first."""
    parts = [
        np.unpackbits(np.frombuffer(score.right, np.uint8))[: score.n]
        for split in (Split.PUBLIC, Split.PRIVATE)
        if (score := scores.get(split)) is not None
    ]
    return np.concatenate(parts).astype(np.bool_) if parts else np.empty(0, np.bool_)
