"""The [search] table of a recipe: which settings a search may change, and how far."""

from __future__ import annotations

from dataclasses import dataclass

from reference.errors import RecipeError


@dataclass(frozen=True, kw_only=True)
class Range:
    """The values that one setting may take.

    Attributes:
        low, high: both within. log: drawn evenly in the logarithm. whole: whole numbers only.
        choices: instead of these, the values to choose from.
    """

    low: float = 0.0
    high: float = 0.0
    log: bool = False
    whole: bool = False
    choices: tuple[object, ...] = ()

    def __post_init__(self) -> None:
        if self.choices:
            _check(not (self.low or self.high), "choices go without low and high")
            return
        _check(self.low < self.high, "low must be below high, or choices be given")
        _check(not self.log or self.low > 0, "low must be positive with log")


def _check(holds: bool, message: str) -> None:
    if not holds:
        raise RecipeError(message)
