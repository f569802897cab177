"""Long tails: which images are drawn, what is held still, what is adjusted."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from reference.data import ImageSet
from reference.data.resampling import resample
from reference.errors import ModelError, RecipeError
from reference.recipe import recipe
from reference.recipe.recipe import Recipe
from reference.recipe.settings import SamplingSettings
from reference.training import train as training
from reference.training.freezing import draw_anew, freeze_all_but, lower_biases
from reference.training.learner import train_mode
from reference.training.parts import divide, epoch_order, shown
from reference.training.runs import CHECKPOINT
from reference.training.steps import log_prior, new_loss

CPU = torch.device("cpu")
SIZES = (60, 30, 10)
LABELS = torch.arange(3).repeat_interleave(torch.tensor(SIZES))


def short(epochs: int = 2, **changes: object) -> Recipe:
    """The long tail of digits, for tests' few seconds."""
    whole = recipe.load("long_tail", data="digits")
    settings = dataclasses.replace(whole.training, epochs=epochs, **changes)
    return dataclasses.replace(whole, training=settings)


def weights_of(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / CHECKPOINT)


def test_exponential_imbalance_is_the_published_formula():
    labels = np.repeat(np.arange(4), 200)

    rows = resample(labels, most=0, least=0, seed=3, imbalance=50.0)

    expected = [round(200 * 50 ** (-k / 3)) for k in range(4)]
    assert np.bincount(labels[rows]).tolist() == expected
    assert len(np.unique(rows)) == len(rows)


def test_step_imbalance_has_two_sizes():
    labels = np.repeat(np.arange(4), 200)

    rows = resample(labels, most=100, least=0, seed=3, imbalance=20.0, profile="step")

    assert np.bincount(labels[rows]).tolist() == [100, 100, 5, 5]


def test_an_uneven_set_falls_from_its_smallest_class():
    labels = np.repeat(np.arange(3), [80, 200, 90])

    rows = resample(labels, most=0, least=0, seed=0, imbalance=16.0)

    assert np.bincount(labels[rows]).tolist() == [80, 20, 5]


def test_counts_are_those_after_sampling_and_the_test_images_stay_balanced(digits: ImageSet):
    parts = divide(digits, short(), seed=0, device=CPU, smoke=False)

    assert Counter(parts.training.labels.tolist()) == dict(enumerate(parts.images_per_class))
    assert parts.images_per_class[0] == 10 * parts.images_per_class[-1] == 100
    assert len(parts.test.labels) == len(digits.test_labels)


def test_repeated_images_count_for_losses_and_not_as_different_ones(digits: ImageSet):
    many = dataclasses.replace(
        short(), sampling=SamplingSettings(most=100, imbalance=10.0, least=50)
    )

    parts = divide(digits, many, seed=0, device=CPU, smoke=False)

    assert parts.images_per_class[-1] == 10
    assert training.images_shown(parts, many)[-1] == 50


def test_class_balanced_draws_are_of_each_class_alike():
    generator = torch.Generator().manual_seed(0)

    drawn = torch.cat([epoch_order(LABELS, 3, "class_balanced", generator) for _ in range(100)])

    counts = torch.bincount(LABELS[drawn], minlength=3) / len(drawn)
    # 10,000 draws at 1/3: a standard deviation of .0047
    assert counts.tolist() == pytest.approx([1 / 3] * 3, abs=0.02)
    of_last = torch.bincount(drawn)[-10:] / len(drawn)
    assert of_last.tolist() == pytest.approx([1 / 30] * 10, abs=0.008)


def test_every_image_is_drawn_once():
    order = epoch_order(LABELS, 3, "every_image", torch.Generator().manual_seed(0))

    assert sorted(order.tolist()) == list(range(100))


def test_balanced_draws_leave_balanced_softmax_nothing_to_correct():
    settings = short(loss="balanced_softmax").training
    balanced = new_loss(settings, shown(LABELS, 3, "class_balanced"))

    logits, labels = torch.randn(8, 3, generator=torch.Generator().manual_seed(1)), LABELS[::13]
    plain = torch.nn.functional.cross_entropy(logits, labels)
    assert balanced(logits, labels).item() == pytest.approx(plain.item())


def test_adjusted_logits_answer_by_bayes_rule_for_even_classes():
    """Logits that are exact under the tail's prior p(k)·p(x|k) name argmax p(x|k) once adjusted."""
    generator = torch.Generator().manual_seed(2)
    likelihoods = torch.rand(200, 3, generator=generator)
    prior = torch.tensor(SIZES) / 100
    layer = nn.Sequential(nn.Linear(3, 3))
    with torch.no_grad():
        layer[0].weight.copy_(torch.eye(3))
        layer[0].bias.zero_()

    lower_biases(layer, "0", log_prior(torch.tensor(SIZES)))

    answers = layer((likelihoods * prior).log()).argmax(dim=1)
    assert torch.equal(answers, likelihoods.argmax(dim=1))
    assert not torch.equal((likelihoods * prior).argmax(dim=1), likelihoods.argmax(dim=1))


def test_a_classifier_without_biases_is_not_adjusted():
    with pytest.raises(ModelError, match="not linear with a bias"):
        lower_biases(nn.Sequential(nn.Linear(3, 3, bias=False)), "0", torch.zeros(3))


def test_logit_adjustment_is_in_the_checkpoint_and_nothing_else_differs(
    digits: ImageSet, tmp_path: Path
):
    training.train(short(1), digits, seed=0, out=tmp_path / "plain")
    adjusted = short(1, adjust=2.0)
    record = training.train(adjusted, digits, seed=0, out=tmp_path / "adjusted")

    plain, moved = weights_of(tmp_path / "plain"), weights_of(tmp_path / "adjusted")
    assert {name for name in plain if not torch.equal(plain[name], moved[name])} == {
        "classifier.1.bias"
    }
    by = 2 * log_prior(torch.tensor(record.images_per_class))
    assert torch.allclose(plain["classifier.1.bias"] - by, moved["classifier.1.bias"])


def test_retraining_moves_the_classifier_alone(digits: ImageSet, tmp_path: Path):
    training.train(short(), digits, seed=0, out=tmp_path / "first")

    training.train(short(retrain=1), digits, seed=0, out=tmp_path / "both")

    first, both = weights_of(tmp_path / "first"), weights_of(tmp_path / "both")
    moved = {name for name in first if not torch.equal(first[name], both[name])}
    assert moved == {"classifier.1.weight", "classifier.1.bias"}


@pytest.mark.parametrize("stopped", [2, 3])
def test_retraining_that_was_interrupted_goes_on_to_the_same_bits(
    stopped: int, digits: ImageSet, tmp_path: Path
):
    settings = short(retrain=2)
    training.train(settings, digits, seed=4, out=tmp_path / "whole")

    def watch(measured: dict[str, object]) -> None:
        if measured["epoch"] == stopped:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        training.train(settings, digits, seed=4, out=tmp_path / "halves", watch=watch)
    record = training.train(settings, digits, seed=4, out=tmp_path / "halves", resume=True)

    assert record.result["epoch"] == 4
    whole, halves = weights_of(tmp_path / "whole"), weights_of(tmp_path / "halves")
    assert all(torch.equal(whole[name], halves[name]) for name in whole)


def test_frozen_modules_keep_their_batch_statistics():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))
    frozen = freeze_all_but(model, "3")
    before = {name: value.clone() for name, value in model.state_dict().items()}

    train_mode(model, frozen)
    model(torch.randn(5, 1, 4, 4)).sum().backward()

    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    taking = [name for name, weight in model.named_parameters() if weight.grad is not None]
    assert taking == ["3.weight", "3.bias"]
    assert model[3].training


def test_fresh_weights_leave_torchs_generator_alone():
    layer = nn.Linear(3, 3)
    before, state = layer.weight.clone(), torch.get_rng_state()

    draw_anew(layer, seed=1)

    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(layer.weight, before)


def test_settings_that_contradict_each_other_are_refused():
    with pytest.raises(RecipeError, match='adjust needs select = "last"'):
        short(adjust=1.0, select="best", validation=0.1)
    with pytest.raises(RecipeError, match="retrain does not go with early_stopping"):
        short(retrain=1, early_stopping=2, validation=0.1)
