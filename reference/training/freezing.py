"""Parts of a model that stand still while others learn."""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn

from reference.errors import ModelError


def freeze(model: nn.Module, names: Collection[str]) -> tuple[str, ...]:
    """Let nothing in these modules take gradients; their names.

    Raises:
        ModelError: the model has no such module.
    """
    for name in names:
        try:
            model.get_submodule(name).requires_grad_(requires_grad=False)
        except AttributeError as error:
            known = ", ".join(each for each, _ in model.named_children())
            raise ModelError(f"freeze: there is no module {name!r}; it has {known}") from error
    return tuple(names)


def freeze_all_but(model: nn.Module, kept: str) -> tuple[str, ...]:
    """Let only module `kept` take gradients; the names of the modules that stand still."""
    for name, weight in model.named_parameters():
        weight.requires_grad_(_in(name, kept))
    names = [name for name, _ in model.named_modules() if name]
    return tuple(each for each in names if not (_in(each, kept) or _in(kept, each)))


def _in(name: str, outer: str) -> bool:
    """Whether a module is the other or lies in it."""
    return f"{name}.".startswith(f"{outer}.")


def draw_anew(module: nn.Module, *, seed: int) -> None:
    """Fresh weights for a module and what is in it; torch's own generators stay as they are."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for each in module.modules():
            if callable(reset := getattr(each, "reset_parameters", None)):
                reset()


@torch.no_grad()
def lower_biases(model: nn.Module, classifier: str, by: Tensor) -> None:
    """Subtract `by` (K) from the logits, by way of the biases that the last layer adds.

    Raises:
        ModelError: that layer is not linear with a bias.
    """
    last = model.get_submodule(classifier)
    if not isinstance(last, nn.Linear) or last.bias is None:
        raise ModelError(f"{classifier} is not linear with a bias, so logits can't be adjusted")
    last.bias.sub_(by.to(last.bias))
