"""Whether what won a search is better than what was there: both anew, with seeds it never saw.

The best of many trials is best partly by luck, on the very images that it was chosen on. So its
score in the search is no measurement of it; these runs are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference.data import ImageSet
from reference.recipe.recipe import Recipe, with_settings
from reference.results.collection import finished_in
from reference.results.shots import signed
from reference.results.spread import Summary, share, summarise
from reference.training.runs import discard_unfinished
from reference.training.train import train

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Confirmed:
    """Test accuracy over fresh seeds: of the winner, of the recipe as it is, and seed by seed.

    `searched`: the validation accuracy that the winner was chosen by.
    """

    searched: float
    winner: Summary
    recipe: Summary
    gain: Summary

    def __str__(self) -> str:
        gain = signed(self.gain.mean)
        low, high = self.gain.low, self.gain.high
        if low is not None and high is not None:
            gain += f" (95% interval {signed(low)} to {signed(high)})"
            gain += "" if low > 0 or high < 0 else ": not shown to differ"
        return (
            f"In the search the winner had a validation accuracy of {share(self.searched)}. With "
            f"fresh seeds it has {self.winner} on test images, the recipe as it is {self.recipe}; "
            f"seed by seed {gain}."
        )


def confirm(
    recipe: Recipe,
    values: dict[str, Any],
    searched: float,
    images: ImageSet,
    folder: Path,
    *,
    seeds: tuple[int, ...],
    say: Say = lambda line: None,
) -> Confirmed:
    """Train the recipe with these values and as it is, with each seed; finished runs are kept."""
    both = {"winner": with_settings(recipe, values), "recipe": recipe}
    reached = {
        name: [_accuracy(each, images, folder / f"{name}-{seed}", seed, say) for seed in seeds]
        for name, each in both.items()
    }
    pairs = zip(reached["winner"], reached["recipe"], strict=True)
    return Confirmed(
        searched=searched,
        winner=summarise(reached["winner"]),
        recipe=summarise(reached["recipe"]),
        gain=summarise([ours - theirs for ours, theirs in pairs]),
    )


def _accuracy(recipe: Recipe, images: ImageSet, out: Path, seed: int, say: Say) -> float:
    record = finished_in(out, recipe, images=images.fingerprint, seed=seed)
    if record is None:
        record = train(recipe, images, seed=seed, out=out, resume=True)
    else:
        discard_unfinished(out)
    accuracy: float = record.result["test_accuracy"]
    say(f"{out}: test {accuracy:.4f}")
    return accuracy
