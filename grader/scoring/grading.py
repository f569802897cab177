"""From a score to a grade: piecewise linear between anchors, with the benefit of the doubt.

Pure. An anchor is a baseline, rerun with several seeds, and the grade of whoever does as well. Its
place on the scale is not its mean score but the lower end of its zone: whoever the seeds and the
finite test set can't tell from the baseline gets the baseline's grade in full. Between two anchors
the grade is linear, outside them it is flat; rank never enters.

With d_i the distances by which the anchors of another calibration lie elsewhere, its scale is the
old one after a piecewise linear map of scores that moves none by more than max |d_i|; so no exact
grade differs by more than `steepest × max |d_i|` (the Lipschitz constant of the old scale).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Final

from grader.metric_list import METRICS
from grader.scoring.quantiles import student_t
from grader.settings.tables import Grading
from grader.words.message import Message, said

CONFIDENCE: Final = 0.95
GERMAN: Final = (5.0, 4.0, 3.7, 3.3, 3.0, 2.7, 2.3, 2.0, 1.7, 1.3, 1.0)
FEWEST_SEEDS: Final = 5
FEWEST_SEEDS_AT_AN_EDGE: Final = 10


class ScaleError(ValueError):
    """These anchors make no scale. `problems` says all that is wrong, a sentence each."""

    def __init__(self, problems: Sequence[Message]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True, kw_only=True)
class Anchor:
    """A baseline and the grade of whoever does as well.

    Attributes:
        scores: of the baseline's runs on the split that decides, one a seed, in the metric's unit.
        test_error: standard error of such a score by the finite test set, in the same unit; for a
            share p of n images √(p(1 − p)/n).
    """

    name: str
    grade: float
    scores: tuple[float, ...]
    test_error: float = 0.0

    @property
    def mean(self) -> float:
        """The mean over seeds."""
        return math.fsum(self.scores) / len(self.scores)

    @property
    def sd(self) -> float:
        """The sample standard deviation over seeds (n − 1); 0 with fewer than two."""
        if len(self.scores) < 2:
            return 0.0
        squares = math.fsum((score - self.mean) ** 2 for score in self.scores)
        return math.sqrt(squares / (len(self.scores) - 1))

    @property
    def seed_zone(self) -> float:
        """How far the mean of as many other seeds lies, with 95%: t·sd·√(2/K).

        The prediction interval for a mean (Hahn and Meeker 1991, section 4.7, with m = n = K).
        """
        count = len(self.scores)
        if count < 2:
            return 0.0
        return student_t(1 - (1 - CONFIDENCE) / 2, count - 1) * self.sd * math.sqrt(2 / count)

    @property
    def zone(self) -> float:
        """Half the width of the zone of indifference: seeds and test set together."""
        normal = NormalDist().inv_cdf(1 - (1 - CONFIDENCE) / 2)
        return math.hypot(self.seed_zone, normal * self.test_error)


@dataclass(frozen=True, kw_only=True)
class Steps:
    """The grades that are given, and how an exact grade becomes one of them.

    Attributes:
        grades: the numbers that may be given, the worst first; empty: any number.
        names: number → what is written ("B+", "pass"); a number without a name is written itself.
        best_is_high: False where the smaller grade is the better one.
        pass_mark: the worst grade that passes; None: nobody fails.
        rounding: "nearest" (ties to the student), "favour" (the better step), "strict".
    """

    grades: tuple[float, ...] = ()
    names: Mapping[float, str] = field(default_factory=dict)
    best_is_high: bool = True
    pass_mark: float | None = None
    rounding: str = "nearest"

    def is_better(self, grade: float, other: float) -> bool:
        """Whether `grade` is better than `other`."""
        return grade > other if self.best_is_high else grade < other

    def better(self, grade: float, other: float) -> float:
        """The better of two."""
        return other if self.is_better(other, grade) else grade

    def given(self, exact: float) -> float:
        """The step that an exact grade becomes.

        A hair of 1e-9 below a step counts as the step, since sums of decimals miss it.
        """
        if not self.grades:
            return exact
        reached = [step for step in self.grades if not self.is_better(step, self._up(exact))]
        below = reached[-1] if reached else self.grades[0]
        above = next((step for step in self.grades if self.is_better(step, below)), below)
        if self.rounding == "strict" or not reached or abs(exact - below) <= 1e-9:
            return below
        if self.rounding == "favour":
            return above
        return above if abs(above - exact) <= abs(exact - below) + 1e-9 else below

    def passes(self, given: float) -> bool:
        """Whether a grade that is given passes."""
        return self.pass_mark is None or not self.is_better(self.pass_mark, given)

    def written(self, given: float) -> str:
        """A grade that is given, as it is written; what any number may be, with two decimals."""
        if given in self.names:
            return self.names[given]
        return f"{given:.2f}" if not self.grades else f"{given:g}" if given % 1 else f"{given:.0f}"

    def _up(self, exact: float) -> float:
        return exact + (1e-9 if self.best_is_high else -1e-9)


@dataclass(frozen=True, kw_only=True)
class Knot:
    """Where an anchor stands on the scale: from `score` on, its grade."""

    name: str
    score: float
    grade: float
    mean: float
    zone: float


@dataclass(frozen=True, kw_only=True)
class Grade:
    """A grade and all that it was made of.

    Attributes:
        exact: by the scale alone. below, above: the knots it lies between; None outside of them.
        factor: of the person within a team; `shared` is what it makes of the exact grade.
        penalty: points that were then taken off for days late; `left` is what remains.
        given: the step that `left` becomes. is_plain: there is no scale, the score is the grade.
    """

    score: float
    exact: float
    below: Knot | None
    above: Knot | None
    factor: float
    shared: float
    days_late: int
    penalty: float
    left: float
    given: float
    written: str
    passed: bool
    is_plain: bool = False


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A grading scale: knots, the worst first, and the steps. Made by `scale_of`."""

    metric: str
    knots: tuple[Knot, ...]
    steps: Steps

    @property
    def steepest(self) -> float:
        """Points of the grade a unit of the score, where the scale is steepest."""
        return max(
            abs(above.grade - below.grade) / abs(above.score - below.score)
            for below, above in itertools.pairwise(self.knots)
        )

    @property
    def zone(self) -> float:
        """The most that an exact grade moves when every anchor moves within its zone, in points."""
        return self.steepest * max(knot.zone for knot in self.knots)

    def exact(self, score: float) -> float:
        """The exact grade of a score: continuous, and no better score has a worse grade.

        Raises:
            ValueError: the score is not a finite number.
        """
        below, above = self.around(score)
        if below is None or above is None:
            return self.knots[0 if below is None else -1].grade
        share = (score - below.score) / (above.score - below.score)
        return below.grade + share * (above.grade - below.grade)

    def around(self, score: float) -> tuple[Knot | None, Knot | None]:
        """The knot that a score reaches and the next one; None before the first, after the last.

        Raises:
            ValueError: the score is not a finite number.
        """
        if not math.isfinite(score):
            raise ValueError(f"a score must be a finite number, not {score}")
        sign = 1 if METRICS[self.metric].higher_is_better else -1
        reached = sum(sign * score >= sign * knot.score for knot in self.knots)
        return (
            self.knots[reached - 1] if reached else None,
            self.knots[reached] if reached < len(self.knots) else None,
        )

    def grade(
        self,
        score: float,
        *,
        days_late: int = 0,
        penalty_per_day: float = 0.0,
        factor: float = 1.0,
    ) -> Grade:
        """The grade of a score that came `days_late` unpaid days late.

        A person's factor multiplies the exact grade or, where the low grades are the good ones, its
        distance from the worst. Then a penalty is taken off, before it becomes a step. Neither
        leads beyond the scale's ends.

        Raises:
            ValueError: the score is not a finite number, or days, points or factor are negative.
        """
        if days_late < 0 or penalty_per_day < 0 or factor < 0:
            raise ValueError("days late, points a day and a factor can't be negative")
        exact = self.exact(score)
        below, above = self.around(score)
        worst, _best = self.ends
        shared = exact if factor == 1 else self._within(exact, factor)
        points = days_late * penalty_per_day
        after = shared - points if self.steps.best_is_high else shared + points
        left = self.steps.better(after, worst) if points else shared
        given = self.steps.given(left)
        return Grade(
            score=score,
            exact=exact,
            below=below,
            above=above,
            factor=factor,
            shared=shared,
            days_late=days_late,
            penalty=abs(shared - left),
            left=left,
            given=given,
            written=self.steps.written(given),
            passed=self.steps.passes(given),
        )

    def _within(self, exact: float, factor: float) -> float:
        """The exact grade times a person's factor, between the scale's ends."""
        worst, best = self.ends
        scaled = exact * factor if self.steps.best_is_high else worst - factor * (worst - exact)
        scaled = self.steps.better(scaled, worst)
        return best if self.steps.is_better(scaled, best) else scaled

    @property
    def ends(self) -> tuple[float, float]:
        """The worst and the best grade that there is."""
        grades = self.steps.grades or tuple(knot.grade for knot in self.knots)
        return grades[0], grades[-1]

    def grades_within(self, low: float, high: float) -> tuple[Grade, Grade]:
        """The worst and the best grade of scores from `low` to `high`, both included.

        Raises:
            ValueError: the scores are not finite numbers.
        """
        first, second = self.grade(low), self.grade(high)
        return (
            (second, first)
            if self.steps.is_better(first.given, second.given)
            else (
                first,
                second,
            )
        )


def scale_of(
    anchors: Iterable[Anchor], *, metric: str = "accuracy", steps: Steps | None = None
) -> Scale:
    """Make the scale of these anchors.

    Raises:
        ScaleError: fewer than two anchors; too few seeds (5 each, 10 for the two at the edges);
            grades that don't rise with the mean score; or two anchors whose zones leave nothing
            between them. All of it, at once.
    """
    rules = steps or Steps()
    sign = 1 if METRICS[metric].higher_is_better else -1
    listed = [anchor for anchor in anchors if anchor.scores]
    ordered = sorted(listed, key=lambda anchor: sign * anchor.mean)
    problems = _few_seeds(ordered) + _out_of_order(ordered, rules, sign)
    if len(ordered) < 2:
        problems.append(said("scale.few_anchors", count=len(ordered)))
    if problems:
        raise ScaleError(problems)
    knots = tuple(
        Knot(
            name=anchor.name,
            score=anchor.mean - sign * anchor.zone,
            grade=anchor.grade,
            mean=anchor.mean,
            zone=anchor.zone,
        )
        for anchor in ordered
    )
    return Scale(metric=metric, knots=knots, steps=rules)


def steps_of(grading: Grading) -> Steps:
    """The steps that the table `[grading]` of an assignment states."""
    mark = grading.pass_mark
    if grading.steps == "1.0-5.0":
        passing = 4.0 if mark is None else mark
        return Steps(
            grades=GERMAN, best_is_high=False, pass_mark=passing, rounding=grading.rounding
        )
    if grading.steps == "letters":
        least = sorted((points, letter) for letter, points in grading.letters.items())
        return Steps(
            grades=tuple(points for points, _ in least),
            names=dict(least),
            pass_mark=mark,
            rounding="strict",
        )
    if grading.steps == "pass":
        passing = 50.0 if mark is None else mark
        names = {0.0: "fail", passing: "pass"}
        return Steps(grades=(0.0, passing), names=names, pass_mark=passing, rounding="strict")
    whole = tuple(float(points) for points in range(101)) if grading.steps == "0-100" else ()
    ordered = whole if grading.best == "high" else whole[::-1]
    return Steps(
        grades=ordered,
        best_is_high=grading.best == "high",
        pass_mark=mark,
        rounding=grading.rounding,
    )


def plain_grade(
    score: float,
    *,
    metric: str,
    days_late: int = 0,
    penalty_per_day: float = 0.0,
    factor: float = 1.0,
) -> Grade:
    """The grade where there is no scale: the score itself, with penalty and factor in its unit.

    Scores that rise stay between 0 and 1; of those that fall only the penalty counts.

    Raises:
        ValueError: a score that is not finite, or negative days, points or factor.
    """
    if not math.isfinite(score) or days_late < 0 or penalty_per_day < 0 or factor < 0:
        raise ValueError("a score must be finite, and nothing else negative")
    rises, points = METRICS[metric].higher_is_better, days_late * penalty_per_day
    shared = min(1.0, score * factor) if rises and factor != 1 else score
    left = shared
    if points:
        left = max(0.0, shared - points) if rises else shared + points
    return Grade(
        score=score,
        exact=score,
        below=None,
        above=None,
        factor=factor,
        shared=shared,
        days_late=days_late,
        penalty=abs(shared - left),
        left=left,
        given=left,
        written=f"{left:.4f}",
        passed=True,
        is_plain=True,
    )


def never_lower(steps: Steps, standing: float | None, now: float) -> float:
    """The grade that stands after a later version of a scale: nobody's is lowered by it."""
    return now if standing is None else steps.better(standing, now)


def _few_seeds(ordered: Sequence[Anchor]) -> list[Message]:
    found: list[Message] = []
    for place, anchor in enumerate(ordered):
        at_edge = place in (0, len(ordered) - 1)
        needed = FEWEST_SEEDS_AT_AN_EDGE if at_edge else FEWEST_SEEDS
        if len(anchor.scores) < needed:
            where = said("scale.at_edge") if at_edge else said("scale.between")
            count = len(anchor.scores)
            found.append(
                said("scale.seeds", name=anchor.name, count=count, where=where, needed=needed)
            )
    return found


def _told_apart(worse: Anchor, better: Anchor) -> float:
    """How far two means must lie apart: beyond chance (t·√(s₁²/K₁ + s₂²/K₂)); knots too."""
    return max(math.hypot(worse.zone, better.zone) / math.sqrt(2), better.zone - worse.zone)


def _out_of_order(ordered: Sequence[Anchor], steps: Steps, sign: int) -> list[Message]:
    found: list[Message] = []
    for worse, better in itertools.pairwise(ordered):
        one, other = (f"{each.name} ({each.mean:.4f})" for each in (worse, better))
        if not steps.is_better(better.grade, worse.grade):
            grade, before = f"{better.grade:g}", f"{worse.grade:g}"
            found.append(said("scale.order", one=one, other=other, grade=grade, before=before))
        elif sign * (better.mean - worse.mean) <= _told_apart(worse, better):
            found.append(said("scale.not_told_apart", one=one, other=other))
    return found
