"""A grade in one sentence, with the numbers that whoever reads it needs to recompute it."""

from __future__ import annotations

from grader.scoring.grading import Grade
from grader.words.message import Message, said


def explained(grade: Grade) -> Message:
    """Say what a grade was made of, step by step.

    The scores of anchors are where their zones begin, since grades count from there. Scores have
    four decimals and grades two: the last figure of a recomputed one may differ by one.
    """
    return said(
        "grade.given",
        where=_where(grade),
        factor=_factor(grade),
        late=_late(grade),
        written=grade.written,
    )


def _where(grade: Grade) -> Message:
    below, above = grade.below, grade.above
    score, exact = f"{grade.score:.4f}", f"{grade.exact:.2f}"
    if below is not None and above is not None:
        return said(
            "grade.between",
            score=score,
            below=below.name,
            low=f"{below.score:.4f}",
            low_grade=f"{below.grade:g}",
            above=above.name,
            high=f"{above.score:.4f}",
            high_grade=f"{above.grade:g}",
            exact=exact,
        )
    if above is not None:
        return said(
            "grade.below", score=score, above=above.name, high=f"{above.score:.4f}", exact=exact
        )
    if below is not None:
        return said(
            "grade.at", score=score, below=below.name, low=f"{below.score:.4f}", exact=exact
        )
    return said("grade.plain", score=score)


def _factor(grade: Grade) -> str:
    if grade.factor == 1:
        return ""
    places = 4 if grade.is_plain else 2
    return said("grade.factor", factor=f"{grade.factor:g}", value=f"{grade.shared:.{places}f}")


def _late(grade: Grade) -> str:
    if not grade.penalty:
        return ""
    places = 4 if grade.is_plain else 2
    points, value = f"{grade.penalty:.{places}f}", f"{grade.left:.{places}f}"
    if grade.days_late == 1:
        return said("grade.day_late", points=points, value=value)
    return said("grade.days_late", days=grade.days_late, points=points, value=value)
