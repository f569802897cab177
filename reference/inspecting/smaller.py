"""A trained model made smaller, without training it again: size against accuracy.

- quantised: weights as whole numbers of so many bits, a scale an output channel, evenly about 0
  (Jacob et al. 2018, arXiv:1712.05877, of weights alone).
- pruned: the smallest weights of all layers together set to 0 (Han et al. 2015, arXiv:1506.02626).
- low-rank: each matrix of a fully connected layer as a product of two (Denton et al. 2014).

Sizes are those that a file would need: bits a weight; of a pruned matrix a value and a place each;
of a product both factors. Biases and normalisation stay float32.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from reference import data
from reference.training import evaluation
from reference.training.runs import RunRecord, load_model

WHOLE, PLACE_BITS = 32, 16  # bits of a float32, and of the gap to the next weight that is kept
BITS, SHARES, RANKS = (8, 6, 4), (0.5, 0.8, 0.9), (0.5, 0.25, 0.125)
FEWEST_ROWS = 16  # a matrix of fewer gains nothing from a product


@dataclass(frozen=True, kw_only=True)
class Smaller:
    """One form of a model: what was done, its bytes, and its accuracy on test images."""

    how: str
    size_bytes: int
    accuracy: float


def smaller(run: Path) -> tuple[Smaller, ...]:
    """The model of a run as it is, then each smaller form.

    Raises:
        RunError: `run` holds no finished run.
    """
    record, model = RunRecord.read(run), load_model(run)
    images = data.load(record.data["name"])
    pixels, labels = (
        torch.from_numpy(images.test_images.copy()),
        torch.from_numpy(images.test_labels),
    )

    def measured(how: str, change: Callable[[nn.Module], int]) -> Smaller:
        changed = copy.deepcopy(model)
        bits = change(changed)
        scores = evaluation.predict(changed, pixels, record.transform)
        return Smaller(
            how=how, size_bytes=-(-bits // 8), accuracy=evaluation.accuracy(scores, labels)
        )

    return (
        measured("as it is", lambda m: WHOLE * sum(each.numel() for each in m.parameters())),
        *(measured(f"{bits} bits", partial(quantise, bits=bits)) for bits in BITS),
        *(measured(f"{share:.0%} pruned", partial(prune, share=share)) for share in SHARES),
        *(measured(f"rank × {rank:g}", partial(factorise, share=rank)) for rank in RANKS),
    )


@torch.no_grad()
def quantise(model: nn.Module, bits: int) -> int:
    """Round the weights of each output channel to 2^bits − 1 even steps; the bits of a file."""
    total = _rest(model)
    most = 2 ** (bits - 1) - 1
    for weight in _weights(model):
        flat = weight.flatten(1)
        scale = flat.abs().amax(dim=1, keepdim=True).clamp_min(1e-12) / most
        flat.copy_((flat / scale).round().clamp(-most, most) * scale)
        total += bits * flat.numel() + WHOLE * len(flat)
    return total


@torch.no_grad()
def prune(model: nn.Module, share: float) -> int:
    """Set this share of all weights, the smallest, to 0; the bits of a file of the others."""
    weights = list(_weights(model))
    sizes = torch.cat([each.flatten().abs() for each in weights])
    limit = sizes.kthvalue(max(1, round(share * len(sizes)))).values
    kept = 0
    for each in weights:
        each.masked_fill_(each.abs() <= limit, 0.0)
        kept += int(each.count_nonzero())
    return _rest(model) + kept * (WHOLE + PLACE_BITS)


@torch.no_grad()
def factorise(model: nn.Module, share: float) -> int:
    """Cut each large matrix to `share` of its rank, by singular values; bits of both factors."""
    total = _rest(model)
    for weight in _weights(model):
        rows, columns = weight.flatten(1).shape
        rank = max(1, round(share * min(rows, columns)))
        if weight.ndim > 2 or rows < FEWEST_ROWS or rank * (rows + columns) >= rows * columns:
            total += WHOLE * weight.numel()
            continue
        left, values, right = torch.linalg.svd(weight, full_matrices=False)
        weight.copy_((left[:, :rank] * values[:rank]) @ right[:rank])
        total += WHOLE * rank * (rows + columns)
    return total


def _weights(model: nn.Module) -> Iterator[Tensor]:
    for each in model.modules():
        if isinstance(each, nn.Conv2d | nn.Linear):
            yield each.weight.data


def _rest(model: nn.Module) -> int:
    """Bits of what is neither a convolution's nor a fully connected layer's weight."""
    every = sum(each.numel() for each in model.parameters())
    return WHOLE * (every - sum(each.numel() for each in _weights(model)))
