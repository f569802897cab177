"""Training on a real card; skipped where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from reference.data import ImageSet
from reference.recipe import recipe
from reference.training import evaluation
from reference.training.runs import CHECKPOINT, load_model
from reference.training.train import train

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="PyTorch sees no CUDA device"),
]

# between them every kind of layer, of augmentation and of schedule
RECIPES = {
    "lenet5": "fashion-mnist",
    "mynet_pro_as_reported": "fashion-mnist-one-large",
    "vgg11": "fashion-mnist",
    "nin": "fashion-mnist",
    "se_resnet34": "fashion-mnist",
    "shake_shake:2x32d": "fashion-mnist",
    "dlresnet18:a": "fashion-mnist",
    "resnext18_ablation_as_reported:both": "fashion-mnist",
    "augmentation_as_reported:too-much": "fashion-mnist-coarse",
}


@pytest.mark.parametrize(("name", "data"), RECIPES.items(), ids=RECIPES)
def test_a_seed_gives_the_same_bits_and_a_processor_the_same_answers(
    name: str, data: str, digits: ImageSet, tmp_path: Path
):
    settings = recipe.load(name, data=data)

    first, second = (
        train(settings, digits, seed=0, out=tmp_path / out, smoke=True) for out in ("1", "2")
    )

    weights = load_file(tmp_path / "1" / CHECKPOINT)
    again = load_file(tmp_path / "2" / CHECKPOINT)
    assert all(torch.equal(value, again[key]) for key, value in weights.items())
    assert first.result["test_accuracy"] == second.result["test_accuracy"]
    assert first.environment["device"] == torch.cuda.get_device_name()
    scores = evaluation.predict(
        load_model(tmp_path / "1"), torch.from_numpy(digits.test_images.copy()), first.transform
    )
    right = int((scores.numpy().argmax(axis=1) == digits.test_labels).sum())
    # an answer between two classes that are as good as equal may turn
    on_gpu = first.result["test_accuracy"] * len(digits.test_labels)
    assert right == pytest.approx(on_gpu, abs=2)
