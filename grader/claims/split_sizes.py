"""Which split of a test set two printed scores allow, and whether their difference is noise.

Pure. An accuracy on n images is a whole number over n, so a score printed to many digits tells
which n it can have been measured on.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from grader.claims.figures import Figure, Printed
from grader.scoring.significance import difference_z

ROUND_FRACTIONS: Final = tuple(percent / 100 for percent in range(5, 100, 5))
NOISE_Z: Final = 1.96  # two-sided 5 %


@dataclass(frozen=True, kw_only=True)
class SplitFit:
    """A split on which both scores are possible, with the right answers that give them.

    `cut_off`: at least one of the two fits only if its digits were cut off, not rounded.
    """

    public_n: int
    private_n: int
    public_right: int
    private_right: int
    cut_off: bool

    @property
    def z(self) -> float:
        """The difference public − private in standard errors (unpooled)."""
        return difference_z(self.public_right, self.public_n, self.private_right, self.private_n)

    @property
    def is_noise(self) -> bool:
        """Whether two samples of one accuracy differ as much in more than 5 % of cases."""
        return abs(self.z) < NOISE_Z

    def __str__(self) -> str:
        public = round(100 * self.public_n / (self.public_n + self.private_n))
        cut = ", if the digits were cut off, not rounded" if self.cut_off else ""
        return (
            f"{public}/{100 - public}: {self.public_right}/{self.public_n} and "
            f"{self.private_right}/{self.private_n}{cut}; z = {self.z:.2f}"
        )


def splits_that_fit(
    total: int,
    public: Printed,
    private: Printed,
    *,
    fractions: Iterable[float] = ROUND_FRACTIONS,
) -> tuple[SplitFit, ...]:
    """The splits of `total` images, by public fraction, on which both scores are possible.

    >>> fits = splits_that_fit(5000, Printed.parse("0.90200"), Printed.parse("0.88942"))
    >>> [str(fit) for fit in fits]
    ['30/70: 1353/1500 and 3113/3500, if the digits were cut off, not rounded; z = 1.35']
    """
    found = []
    for fraction in fractions:
        public_n = round(total * fraction)
        on_public = _right_answers(public, public_n)
        on_private = _right_answers(private, total - public_n)
        if on_public is None or on_private is None:
            continue
        (public_right, public_cut), (private_right, private_cut) = on_public, on_private
        found.append(
            SplitFit(
                public_n=public_n,
                private_n=total - public_n,
                public_right=public_right,
                private_right=private_right,
                cut_off=public_cut or private_cut,
            )
        )
    return tuple(found)


def _right_answers(printed: Printed, n: int) -> tuple[int, bool] | None:
    """A number of right answers of `n` that is printed so, and whether that needs cutting off."""
    if n < 1:
        return None
    near = range(
        max(0, math.floor(printed.value * n)), min(n, math.ceil(printed.value * n) + 1) + 1
    )
    figures = [(count, Figure(value=count / n)) for count in near]
    for count, figure in figures:
        if printed.fits(figure):
            return count, False
    for count, figure in figures:
        if printed.fits_cut_off(figure):
            return count, True
    return None
