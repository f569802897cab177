"""What frozen modules answer, computed once, as a source of batches in the place of images.

With a frozen backbone each epoch computes the same answers to the same images again. `Features`
computes them once, for each image as it is and mirrored, and trains what comes after on them: the
same logits to rounding, the same draws of the generator.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from reference.errors import ModelError
from reference.recipe.recipe import Recipe
from reference.training import evaluation
from reference.training.parts import Parts, Scored
from reference.training.transforms.evaluating import EvaluationTransform


class Features:
    """What the last of a model's frozen modules answers, computed once for each image.

    Raises:
        ModelError: something learns, or draws at random, before that module.
    """

    def __init__(
        self, model: nn.Module, parts: Parts, transform: EvaluationTransform, recipe: Recipe
    ) -> None:
        self._frozen = in_order(model, recipe.training.freeze, transform(parts.training.images[:1]))
        self._flip = recipe.augmentation.flip
        self.labels, self.num_classes = parts.training.labels, parts.num_classes
        self._held = parts.validation
        self._mirror = transform.mirror

        def answered(images: Tensor, *, both: bool) -> list[Tensor]:
            ways = [images, images.flip(-1)] if both else [images]
            return [answers_of(model, self._frozen[-1], each, transform) for each in ways]

        self._training = answered(parts.training.images, both=self._flip)
        self._validation = answered(parts.validation.images, both=self._mirror)

    def batch(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        """Answers, to mirrored images where `random_flip` would have mirrored them."""
        plain = self._training[0][rows]
        if not self._flip:
            return plain
        mirrored = torch.rand(len(rows), generator=generator).lt(0.5).to(plain.device)
        shape = (-1, *(1,) * (plain.ndim - 1))
        return torch.where(mirrored.view(shape), self._training[1][rows], plain)

    def learning(self, model: nn.Module) -> nn.Module:
        """What comes after the frozen modules."""
        return Rest(model, self._frozen)

    def validation(self, model: nn.Module) -> Scored | None:
        """By what comes after the frozen modules."""
        if not len(self._held.labels):
            return None
        rest = self.learning(model)
        model.eval()
        with torch.inference_mode():
            ways = [_in_batches(rest, each) for each in self._validation]
        return torch.stack(ways).mean(dim=0), self._held.labels.cpu()


class Rest(nn.Module):
    """A model from its last frozen module on. It shares the model's other modules.

    Takes what that module answered, and gives the model's logits.
    """

    def __init__(self, model: nn.Module, frozen: Sequence[str]) -> None:
        super().__init__()
        self._model = [model]  # in a list, so that it is not a part of this one
        self._frozen = [model.get_submodule(name) for name in frozen]

    def forward(self, answers: Tensor) -> Tensor:
        with _skipped(self._frozen, answers):
            logits: Tensor = self._model[0](answers)
        return logits


def in_order(model: nn.Module, frozen: Sequence[str], images: Tensor) -> list[str]:
    """Names of the frozen modules in the order in which the model calls them.

    Raises:
        ModelError: one is not called, or a module that learns or draws at random comes before the
            last of them.
    """
    called: list[str] = []
    own = {id(model.get_submodule(name)): name for name in frozen}
    inner = {id(each) for name in frozen for each in model.get_submodule(name).modules()}

    def note(module: nn.Module, *_: object) -> None:
        if id(module) in own:
            called.append(own[id(module)])
        elif id(module) not in inner and (_learns(module) or "Dropout" in type(module).__name__):
            called.append("")

    handles = [each.register_forward_hook(note) for each in model.modules()]
    try:
        model.eval()
        with torch.inference_mode():
            model(images)
    finally:
        for handle in handles:
            handle.remove()
    before = called[: len(frozen)]
    if sorted(before) != sorted(frozen):
        raise ModelError(
            f"cache_features: {', '.join(frozen)} are not all that is computed up to the last of "
            "them: something there learns or draws at random"
        )
    return before


def answers_of(
    model: nn.Module, name: str, images: Tensor, transform: EvaluationTransform
) -> Tensor:
    """What the module of this name answers to uint8 N×C×H×W images, in evaluation mode."""
    answers: list[Tensor] = []
    handle = model.get_submodule(name).register_forward_hook(
        lambda module, inputs, output: answers.append(output)
    )
    try:
        evaluation.predict(model, images, _once(transform))
    finally:
        handle.remove()
    return torch.cat(answers) if answers else torch.empty(0)


def _once(transform: EvaluationTransform) -> EvaluationTransform:
    """The same without the second look at mirrored images."""
    return EvaluationTransform(
        size=transform.size, mean=transform.mean, std=transform.std, enlarge=transform.enlarge
    )


def _learns(module: nn.Module) -> bool:
    own = [*module.parameters(recurse=False), *module.buffers(recurse=False)]
    return bool(own)


def _in_batches(rest: nn.Module, answers: Tensor) -> Tensor:
    parts = answers.split(evaluation.BATCH)
    return torch.cat([rest(each).float().cpu() for each in parts])


@contextmanager
def _skipped(frozen: Sequence[nn.Module], answers: Tensor) -> Iterator[None]:
    """Let these modules hand on what they get, and the last of them give `answers`."""
    *others, last = frozen
    try:
        for each in others:
            each.forward = lambda maps: maps
        last.forward = lambda maps: answers
        yield
    finally:
        for each in frozen:
            del each.forward
