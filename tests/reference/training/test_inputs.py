"""What frozen modules answer is computed once, and training on that is the same training."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from reference.data import ImageSet
from reference.errors import ModelError, RecipeError
from reference.recipe import recipe
from reference.recipe.recipe import ModelSettings, Recipe
from reference.recipe.settings import AugmentationSettings, EvaluationSettings
from reference.training.cached_features import Features
from reference.training.learner import new_learner, new_model
from reference.training.parts import Pixels, divide, evaluation_transform
from reference.training.runs import CHECKPOINT, Answers
from reference.training.train import train

MODELS = {
    "efficientnet_lite0": (32, ("stem", "blocks", "head")),
    "resnet18": (32, ("conv1", "bn1", "layer1", "layer2", "layer3")),
    "small_cnn": (8, ("features",)),
}


def frozen(name: str, **training: object) -> Recipe:
    whole = recipe.load("small_cnn", data="digits")
    size, modules = MODELS[name]
    settings = dataclasses.replace(
        whole.training, epochs=2, precision="float32", freeze=modules, **training
    )
    return dataclasses.replace(
        whole,
        model=ModelSettings(name=name, size=size, channels=3),
        training=settings,
        augmentation=AugmentationSettings(flip=True, normalise="imagenet"),
        evaluation=EvaluationSettings(mirror=True),
    )


@pytest.mark.parametrize("name", MODELS)
def test_logits_are_those_without_the_cache(name: str, digits: ImageSet):
    settings = frozen(name)
    cpu = torch.device("cpu")
    parts = divide(digits, settings, seed=0, device=cpu, smoke=True)
    transform = evaluation_transform(settings, parts.originals)
    torch.manual_seed(0)
    model = new_model(settings, 10, 3)
    new_learner(model, settings, parts, seed=0)
    whole = Pixels(parts, transform, settings)
    cached = Features(model, parts, transform, settings)
    rows = torch.arange(40).flip(0)

    with torch.inference_mode():
        logits = [
            each.learning(model)(each.batch(rows, torch.Generator().manual_seed(3)))
            for each in (whole, cached)
        ]

    assert torch.allclose(*logits, rtol=1e-4, atol=1e-5)
    scored = [each.validation(model) for each in (whole, cached)]
    assert scored[0] is not None
    assert scored[1] is not None
    assert torch.allclose(scored[0][0], scored[1][0], rtol=1e-4, atol=1e-5)
    assert torch.equal(scored[0][1], scored[1][1])


def test_a_run_with_the_cache_is_the_run_without_it(digits: ImageSet, tmp_path: Path):
    for cached in (False, True):
        settings = frozen("small_cnn", cache_features=cached)
        train(settings, digits, seed=2, out=tmp_path / str(cached), smoke=True)

    plain, ours = (load_file(tmp_path / each / CHECKPOINT) for each in ("False", "True"))
    assert all(torch.allclose(plain[key], ours[key], rtol=1e-3, atol=1e-5) for key in plain)
    test = [Answers.read(tmp_path / each).test for each in ("False", "True")]
    assert torch.allclose(*test, rtol=1e-3, atol=1e-4)


def test_frozen_modules_see_each_image_once(digits: ImageSet):
    settings = frozen("small_cnn", cache_features=True)
    parts = divide(digits, settings, seed=0, device=torch.device("cpu"), smoke=True)
    model = new_model(settings, 10, 3)
    new_learner(model, settings, parts, seed=0)
    source = Features(model, parts, evaluation_transform(settings, parts.originals), settings)
    seen: list[int] = []
    model.features[0].register_forward_hook(lambda module, given, out: seen.append(len(out)))

    for epoch in range(3):
        source.learning(model)(source.batch(torch.arange(30), torch.Generator()))
        assert source.validation(model) is not None, epoch

    assert seen == []


def test_what_learns_before_a_frozen_module_is_named(digits: ImageSet, tmp_path: Path):
    settings = frozen("resnet18", cache_features=True)
    late = dataclasses.replace(settings.training, freeze=("layer3",))

    with pytest.raises(ModelError, match="cache_features: layer3 are not all that is computed"):
        train(
            dataclasses.replace(settings, training=late), digits, seed=0, out=tmp_path, smoke=True
        )


@pytest.mark.parametrize(
    "augmentation",
    [{"shift": 2}, {"mixup": 0.2}, {"cutout": 4}, {"order": ("rotate",), "rotate": 9.0}],
)
def test_a_cache_of_images_that_change_anew_is_refused(augmentation: dict[str, object]):
    settings = frozen("small_cnn", cache_features=True)

    with pytest.raises(RecipeError, match="cache_features goes with no augmentation but flip"):
        dataclasses.replace(settings, augmentation=AugmentationSettings(**augmentation))
