"""`reference explain …` on a real run: one PNG each, the same bytes again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from torch.nn import functional

from reference import cli
from reference.explain.explained import explained

COMMANDS = {
    "cam": ["cam", "--method", "grad-cam++", "--count", "4"],
    "saliency": ["saliency", "--smooth", "--count", "3"],
    "pca": ["features", "--by", "pca", "--count", "120"],
    "tsne": ["features", "--count", "60"],
    "dream": ["dream", "--channel", "2"],
    "maximise": ["dream", "--channel", "2", "--from-noise"],
    "confused": ["mistakes", "--kind", "confused", "--count", "3"],
    "surest": ["mistakes", "--count", "3"],
}


def explain(run: Path, out: Path, command: list[str]):
    name, *options = command
    return CliRunner().invoke(cli.cli, ["explain", name, str(run), "--out", str(out), *options])


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_writes_one_picture(run, tmp_path, name):
    done = explain(run, tmp_path / "one.png", COMMANDS[name])
    explain(run, tmp_path / "two.png", COMMANDS[name])

    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(tmp_path / "one.png")
    with Image.open(tmp_path / "one.png") as picture:
        assert np.asarray(picture.convert("L")).std() > 10  # something is on it
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_the_images_are_spread_over_the_classes_and_pixels_come_back(run):
    about = explained(run, 40)

    assert len(about.labels) == 40
    assert len(set(about.labels.tolist())) == 10
    alike = functional.interpolate(
        about.pixels.float() / 255, about.inputs.shape[2:], mode="bilinear"
    )
    assert np.allclose(about.to_pixels(about.inputs), alike, atol=1e-5)


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (["cam", "--method", "cam"], "averages its last maps"),
        (["cam", "--layer", "layer4"], "no layer 'layer4'"),
        (["dream", "--channel", "128"], "channels 0…127"),
        (["features", "--count", "9"], "says nothing"),
    ],
)
def test_what_can_not_be_explained_so_is_said_in_a_sentence(run, tmp_path, command, told):
    refused = explain(run, tmp_path / "no.png", command)

    assert refused.exit_code == 2
    assert told in refused.stderr
    assert not (tmp_path / "no.png").exists()


def test_another_kind_of_file_is_refused_before_anything_is_computed(tmp_path):
    refused = explain(tmp_path, tmp_path / "map.jpg", ["cam"])

    assert refused.exit_code == 2
    assert "must end in .png" in refused.stderr
