"""Grades as a table for other programs, with all that a grade is recomputed from."""

from __future__ import annotations

from sqlalchemy.orm import Session, joinedload

from grader.scoring.grading import Grade, Knot
from leaderboard.boards import standings
from leaderboard.grades import reckoning, scales
from leaderboard.grades.reckoning import PersonGrade
from leaderboard.models import Assignment, Split, Standing, Submission
from leaderboard.rules import declarations, lateness
from leaderboard.views.tables import table_csv

Row = dict[str, object]


def grades_csv(session: Session, assignment: Assignment) -> str:
    """`grade_rows` as a CSV in UTF-8."""
    return table_csv(grade_rows(session, assignment))


def grade_rows(session: Session, assignment: Assignment, section: str | None = None) -> list[Row]:
    """One row a student, by e-mail: number, section, team, entries, scores, ranks and the grade.

    Staff only. `number` is the student number of the institution, as class lists gave it.

    `decided_by` is the submission that the private score is of (the better of the final picks);
    `days_late` is how late it was, `penalty_days` what of that no late day paid: those that
    `penalty_per_day` is for; `declared` what its team said went into it, of what the rules speak of
    (`none`: it said that nothing did; empty: it said nothing). The score lies between the anchors
    `below` and `above`, of which the scale knows score and grade: linear between them, flat beyond
    where one is empty. `exact`, whose distance from `zero` the factor multiplies, less the penalty
    is `left`, between `worst` and `best`; `rounding` makes one of the two steps beside it of that.
    Without a scale the score itself is the grade. `stays`: what was published is better.
    Students without a scored submission have empty cells, never a zero.

    Args:
        section: only of its students.
    """
    ranked = {split: _ranked(session, assignment, split) for split in (Split.PUBLIC, Split.PRIVATE)}
    held = scales.holding(session, assignment)
    return [
        _person(each) | _standing(each, ranked) | _grade(each, held)
        for each in reckoning.of_assignment(session, assignment)
        if section is None or each.section == section
    ]


def _person(found: PersonGrade) -> Row:
    return {
        "email": found.user.address,
        "name": found.user.name,
        "number": found.number,
        "section": found.section,
        "team": found.team.name if found.team else None,
    }


def _standing(found: PersonGrade, ranked: dict[Split, dict[int, tuple[int, Standing]]]) -> Row:
    team_id = found.team.id if found.team else 0
    public, private = (ranked[split].get(team_id) for split in (Split.PUBLIC, Split.PRIVATE))
    decided = private[1].submission if private else None
    return {
        "entries": public[1].entries if public else None,
        "public_score": f"{public[1].primary:.6f}" if public else None,
        "public_rank": public[0] if public else None,
        "private_score": f"{private[1].primary:.12g}" if private else None,
        "private_rank": private[0] if private else None,
        "decided_by": decided.public_id if decided else None,
        "days_late": decided.days_late if decided else None,
        "penalty_days": lateness.penalty_days(decided) if decided else None,
        "declared": declarations.as_text(decided.declared) if decided else None,
    }


def _grade(found: PersonGrade, held: scales.Holding) -> Row:
    grade = found.grade
    figures: Row = {
        "exact": _figure(grade.exact) if grade else None,
        "factor": f"{found.factor:g}",
        "penalty_per_day": f"{held.penalty_per_day:g}",
        "left": _figure(grade.left) if grade else None,
    }
    return {
        "state": found.state.value,
        **_knot("below", grade.below if grade else None),
        **_knot("above", grade.above if grade else None),
        **figures,
        **_ends(held),
        **_steps(grade, held),
        "override": None if found.override is None else f"{found.override:g}",
        "grade": found.written,
        "stays": "yes" if found.stays else None,
        "published": found.published.written if found.published else None,
        "explanation": " ".join(found.said),
    }


def _knot(side: str, knot: Knot | None) -> Row:
    return {
        side: knot.name if knot else None,
        f"{side}_score": _figure(knot.score) if knot else None,
        f"{side}_grade": f"{knot.grade:g}" if knot else None,
    }


def _ends(held: scales.Holding) -> Row:
    """What a factor counts from, and the ends that neither it nor a penalty leads beyond."""
    if held.newest is None:
        ends: Row = {"worst": 0, "best": 1} if held.rises else {"worst": None, "best": None}
        return {"zero": 0, **ends}
    worst, best = held.newest.ends
    return {
        "zero": "0" if held.rises else f"{worst:g}",
        "worst": f"{worst:g}",
        "best": f"{best:g}",
    }


def _steps(grade: Grade | None, held: scales.Holding) -> Row:
    """The two steps that a grade lies between, and how one of them is chosen."""
    steps = held.newest.steps if held.newest else None
    if grade is None or steps is None or not steps.grades:
        return {"worse_step": None, "better_step": None, "rounding": None}
    reached = [step for step in steps.grades if not steps.is_better(step, grade.left)]
    worse = reached[-1] if reached else steps.grades[0]
    better = next((step for step in steps.grades if steps.is_better(step, worse)), worse)
    return {
        "worse_step": steps.written(worse),
        "better_step": steps.written(better),
        "rounding": steps.rounding,
    }


def _figure(value: float) -> str:
    return f"{value:.12g}"


def _ranked(
    session: Session, assignment: Assignment, split: Split
) -> dict[int, tuple[int, Standing]]:
    """Rank and row of every team; one ordered pass, however many they are."""
    rows = session.scalars(
        standings.ranked(assignment, split).options(
            joinedload(Standing.submission).load_only(
                Submission.public_id,
                Submission.declared,
                Submission.days_late,
                Submission.late_days_spent,
            )
        )
    ).all()
    ranks = standings.ranks(row.rank_key for row in rows)
    return {row.team_id: (rank, row) for rank, row in zip(ranks, rows, strict=True)}
