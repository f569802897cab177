"""How far two teams must lie apart before so many images tell them apart."""

from __future__ import annotations

from typing import Final

from grader.scoring.significance import ALPHA, mcnemar_p_value

USUAL_ACCURACY: Final = 0.85


def images_to_tell_apart(
    total: int, *, accuracy: float = USUAL_ACCURACY, alpha: float = ALPHA
) -> int | None:
    """Give the smallest lead, in images, that McNemar's exact test finds; None: no lead does.

    Two teams that are both right about a share `accuracy` of the images, each independently of the
    other, differ on 2·a·(1 - a)·N of them (rounded). Of those only the split counts (McNemar,
    Psychometrika 12, 1947; the exact form is the sign test). Teams that err on the same images
    differ on fewer, and are told apart by a smaller lead.

    >>> images_to_tell_apart(1500)
    40
    >>> images_to_tell_apart(10) is None
    True
    """
    differing = round(2 * accuracy * (1 - accuracy) * total)
    for fewer in range(differing // 2, -1, -1):
        if mcnemar_p_value(fewer, differing - fewer) <= alpha:
            return differing - 2 * fewer
    return None
