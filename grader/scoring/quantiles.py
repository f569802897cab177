"""Quantiles of Student's t distribution, without SciPy, which a student's install lacks."""

from __future__ import annotations

import math
from statistics import NormalDist


def student_t(probability: float, freedom: int) -> float:
    """The quantile of Student's t distribution, for a probability of one half or more.

    By bisection on the distribution function in closed form (Abramowitz and Stegun 1964, 26.7.3
    and 26.7.4); from 1000 degrees of freedom on by the expansion of 26.7.5, there exact to 1e-9.

    >>> round(student_t(0.975, 4), 6), round(student_t(0.975, 9), 6)
    (2.776445, 2.262157)
    """
    if freedom >= 1000:
        return _expanded_t(probability, freedom)
    low, high = 0.0, 1.0
    while _t_below(high, freedom) < probability:
        high *= 2
    for _ in range(200):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if _t_below(middle, freedom) < probability else (low, middle)
    return high


def _t_below(value: float, freedom: int) -> float:
    """The share of the distribution below `value` ≥ 0."""
    angle = math.atan(value / math.sqrt(freedom))
    cosine, sine = math.cos(angle), math.sin(angle)
    first = 1 + freedom % 2
    term = total = cosine if first == 2 else 1.0
    for step in range(first, freedom - 1, 2):
        term *= step / (step + 1) * cosine**2
        total += term
    if freedom % 2:
        inside = 2 / math.pi * (angle + (sine * total if freedom > 1 else 0.0))
    else:
        inside = sine * total
    return 0.5 + inside / 2


def _expanded_t(probability: float, freedom: int) -> float:
    """The quantile for many degrees of freedom."""
    x = NormalDist().inv_cdf(probability)
    terms = (
        (x**3 + x) / 4,
        (5 * x**5 + 16 * x**3 + 3 * x) / 96,
        (3 * x**7 + 19 * x**5 + 17 * x**3 - 15 * x) / 384,
    )
    return x + math.fsum(term / freedom**power for power, term in enumerate(terms, start=1))
