"""Several models as one: their answers to the same images, put together by a rule.

This file needs torch only: it travels into the code bundles of ensembles.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

RULES = ("logits", "probabilities", "votes")


def combine(logits: Sequence[Tensor], rule: str) -> Tensor:
    """One score of each image and class, from the logits of each member.

    `logits` adds them up; `probabilities` averages the members' softmax; `votes` counts the members
    whose highest logit is of the class, and of equal counts the higher mean probability wins.

    Shapes: members × (N×K) → N×K, float32.

    >>> two = [torch.tensor([[3.0, 0.0]]), torch.tensor([[0.0, 1.0]])]
    >>> combine(two, "logits").tolist()
    [[3.0, 1.0]]

    Raises:
        ValueError: there is no such rule.
    """
    each = torch.stack([member.float() for member in logits])
    if rule == "logits":
        return each.sum(dim=0)
    shares = each.softmax(dim=2).mean(dim=0)
    if rule == "probabilities":
        return shares
    if rule != "votes":
        raise ValueError(f"there is no rule {rule!r}; there are {', '.join(RULES)}")
    # a mean probability is at most 1, so that half of it decides between equal counts only
    return count_votes(each.argmax(dim=2), each.shape[2]) + shares / 2


def count_votes(labels: Tensor, classes: int) -> Tensor:
    """How many members name each class: int64 members×N → float32 N×K."""
    return nn.functional.one_hot(labels, classes).sum(dim=0).float()


class Ensemble(nn.Module):
    """Members that each see the images as their own training did.

    Shapes: N×C×H×W uint8 → N×K scores.
    """

    def __init__(
        self,
        members: Sequence[nn.Module],
        prepares: Sequence[Callable[[Tensor], Tensor]],
        rule: str,
    ) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.prepares = tuple(prepares)
        self.rule = rule

    def forward(self, images: Tensor) -> Tensor:
        pairs = zip(self.members, self.prepares, strict=True)
        return combine([member(prepare(images)) for member, prepare in pairs], self.rule)
