"""`compile = true` in a recipe: the same network, its operations fused."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file

from reference.data import ImageSet
from reference.recipe import recipe
from reference.training.runs import CHECKPOINT, load_model
from reference.training.train import train


@pytest.mark.long
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs g++")
@pytest.mark.filterwarnings("default")  # the compiler's own, of what it does not fuse
def test_compiled_training_learns_and_leaves_a_plain_checkpoint(digits: ImageSet, tmp_path: Path):
    whole = recipe.load("lenet5", data="digits")
    training = dataclasses.replace(whole.training, epochs=6, compile=True)

    record = train(
        dataclasses.replace(whole, training=training), digits, seed=0, out=tmp_path, smoke=False
    )

    assert record.result["test_accuracy"] > 0.5
    assert load_file(tmp_path / CHECKPOINT).keys() == load_model(tmp_path).state_dict().keys()
