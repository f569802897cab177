"""`reference explain BUNDLE IMAGES`: through a real sandbox, drawn on this side of it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from needs import runner_or_missing
from PIL import Image

from reference import cli
from reference.explain import bundles
from reference.explain.explained import explained
from reference.explain.maps import class_maps
from reference.submitting.bundling import bundle


@pytest.fixture(scope="module")
def packed(run, tmp_path_factory):
    return bundle("small", run, tmp_path_factory.mktemp("bundles")).archive


@pytest.fixture(scope="module")
def pixels(run):
    return explained(run, 6).pixels.numpy()[:, 0]


def explain(*words):
    return CliRunner().invoke(cli.cli, ["explain", *map(str, words)])


def test_the_maps_of_our_own_bundle_are_those_of_grad_cam(run, packed, pixels, tmp_path):
    np.save(tmp_path / "images.npy", pixels)
    about = explained(run, 6)
    with runner_or_missing("bubblewrap") as runner:
        asked = bundles.asked(tmp_path / "images.npy", 6, 10)
        result = bundles.run(packed, asked, runner)

    assert result.labels.tolist() == about.said.tolist()
    maps = class_maps(about.model, about.inputs, about.said, method="grad-cam", layer=about.layer)
    large = torch.nn.functional.interpolate(maps[:, None], (14, 14), mode="bilinear")[:, 0]
    # the one divides by the maximum before it is made larger, the other after
    large = large / large.amax(dim=(1, 2), keepdim=True).clamp_min(1e-9)
    assert np.abs(result.heat_maps / 255 - large.numpy()).max() < 0.02


def test_the_command_draws_one_picture(packed, pixels, tmp_path):
    runner_or_missing("bubblewrap").close()
    np.save(tmp_path / "images.npy", pixels)

    done = explain(
        *(packed, tmp_path / "images.npy", "--classes", 10, "--out", tmp_path / "heat.png")
    )

    assert done.exit_code == 0, done.output
    with Image.open(tmp_path / "heat.png") as picture:
        assert np.asarray(picture.convert("L")).std() > 10


def test_a_bundle_that_fails_is_told_and_no_picture_is_left(packed, pixels, tmp_path):
    runner_or_missing("bubblewrap").close()
    np.save(tmp_path / "images.npy", pixels)
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "model.py").write_text(
        "from torch import nn\ndef build_model(): return nn.Flatten()\n"
        "def explain(model, batch, classes): return batch / 0\n"
    )

    done = explain(
        *(broken, tmp_path / "images.npy", "--classes", 64, "--out", tmp_path / "no.png")
    )

    assert done.exit_code == 2
    assert "PE. explain() returned heat of shape (6, 1, 8, 8)" in done.stderr
    assert not (tmp_path / "no.png").exists()


def test_images_of_another_kind_are_refused(packed, tmp_path):
    np.save(tmp_path / "floats.npy", np.zeros((2, 8, 8)))
    (tmp_path / "text.npy").write_text("no array")

    assert "how many classes" in explain(packed, tmp_path / "floats.npy").stderr
    assert "not uint8 images" in explain(packed, tmp_path / "floats.npy", "--classes", 2).stderr
    assert "no .npy of images" in explain(packed, tmp_path / "text.npy", "--classes", 2).stderr
    assert (
        "holds no" in explain(packed, tmp_path).stderr or explain(packed, tmp_path).exit_code == 2
    )
