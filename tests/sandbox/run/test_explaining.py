"""Heat maps come out of real sandboxes; a bundle that misuses `explain` gets nothing more out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save

from sandbox.checking.suite import LIMITS, images
from sandbox.inside.explaining import as_grey, heat
from sandbox.inside.protocol import HEAT_SIDE
from sandbox.job import of_explaining

NETWORK = """
from torch import nn


def build_model():
    return nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 10))


BATCH_SIZE = 5
"""
# the brightness of each image as its answer, and its picture as its heat
DRAWS_WHAT_IT_SEES = """
import torch
from torch import nn

BATCH_SIZE = 5


def build_model():
    return nn.Identity()


def predict(model, images):
    return (images.mean(dim=(1, 2, 3)) * 9.99).long()


def explain(model, batch, classes):
    assert classes.dtype == torch.int64 and len(classes) == len(batch)
    return batch[:, 0]
"""
EXPLAINS = """
import torch
from torch import nn

def build_model():
    return nn.Identity()

def predict(model, images):
    return torch.zeros(len(images), dtype=torch.long)

def explain(model, batch, classes):
    {body}
"""
# the channel's descriptor is found as an attacker would: the highest pipe that can be written
FORGES = """
import fcntl, os, struct, torch
from torch import nn

def build_model():
    return nn.Identity()

def frame(kind, payload):
    return struct.pack("<4sB3sQ", b"GWF1", kind, bytes(3), len(payload)) + payload

def channel():
    for number in range(3, 64):
        try:
            if fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY:
                found = number
        except OSError:
            pass
    return found

def predict(model, images):
    {body}
    return torch.zeros(len(images), dtype=torch.long)
"""

ANSWERS = "answers = frame(18, bytes(8 * len(images)))"


def explained(run, bundle, model: str, count: int = 12, **options):
    options.setdefault("limits", of_explaining(LIMITS))
    return run(bundle(model), images(count), explain=True, **options)


def test_each_image_gets_its_own_map_whatever_the_secret_order(run, bundle):
    result = explained(run, bundle, DRAWS_WHAT_IT_SEES)

    assert result.verdict == "OK", result
    assert result.heat_maps.shape == (12, HEAT_SIDE, HEAT_SIDE)
    assert result.heat_maps.dtype == np.uint8
    assert len(result.copied_rows) == 0
    assert result.heat_maps.tobytes() == as_grey(torch.from_numpy(images(12)), 12)


def test_a_network_is_explained_by_grad_cam_and_answers_as_without(run, bundle):
    scope: dict = {}
    exec(NETWORK, scope)
    torch.manual_seed(0)
    network = scope["build_model"]()
    folder = {"model": NETWORK, "checkpoint.safetensors": save(network.state_dict())}
    plain = run(bundle(**folder), images(12))

    result = run(bundle(**folder), images(12), explain=True, limits=of_explaining(LIMITS))

    assert result.verdict == plain.verdict == "OK", result
    assert np.array_equal(result.labels, plain.labels)
    assert np.allclose(result.scores, plain.scores, atol=1e-5)
    batch = torch.from_numpy(images(12))[:, None].float() / 255
    here = heat(network.eval(), batch, torch.from_numpy(result.labels), None)
    expected = np.frombuffer(here, np.uint8).reshape(result.heat_maps.shape)
    assert np.abs(result.heat_maps.astype(int) - expected).max() <= 1


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return torch.full((len(batch), 4, 4), torch.nan)", "NaN or infinite"),
        ("return torch.zeros(len(batch), 3)", "heat of shape"),
        ("return torch.zeros(1, dtype=torch.uint8).expand(1 << 40).view(1, 1 << 20, 1 << 20)", ""),
        ("return classes.tolist()", "returned list"),
        ("raise RuntimeError('no idea')", "no idea"),
    ],
)
def test_a_wrong_explanation_is_the_programs_failure(run, bundle, body, told):
    result = explained(run, bundle, EXPLAINS.format(body=body), logs=True)

    assert result.verdict in {"PE", "RE", "MLE"}, result
    assert told in result.detail
    assert result.heat_maps is result.labels is None


def test_of_a_hidden_run_a_failing_explanation_tells_nothing(run, bundle):
    body = "raise RuntimeError(str(batch.tolist()))"

    result = explained(run, bundle, EXPLAINS.format(body=body))

    assert result.verdict == "RE"
    assert result.detail == "The program failed while predicting."
    assert result.log == ""


def test_an_explanation_that_hangs_ends_at_the_time_limit(run, bundle):
    limits = replace(of_explaining(LIMITS), wall_seconds=3)
    body = "\n    while True: pass"

    assert explained(run, bundle, EXPLAINS.format(body=body), limits=limits).verdict == "TLE"


@pytest.mark.parametrize(
    "body",
    [
        # a heat map before its answers; one as large as all images; two; the end in place of one
        "os.write(channel(), frame(23, bytes(196 * len(images))))",
        f"{ANSWERS}; os.write(channel(), answers + frame(23, bytes(60000)))",
        f"{ANSWERS}; os.write(channel(), answers + 2 * frame(23, bytes(196 * len(images))))",
        f"{ANSWERS}; os.write(channel(), answers + frame(20, b''))",
    ],
)
def test_a_heat_map_has_one_place_and_one_size(run, bundle, body):
    result = explained(run, bundle, FORGES.format(body=body))

    assert result.verdict == "PE", result
    assert result.heat_maps is None


def test_a_heat_map_has_no_place_in_a_run_that_does_not_explain(run, bundle):
    body = f"{ANSWERS}; os.write(channel(), answers + frame(23, bytes(196 * len(images))))"

    result = run(bundle(FORGES.format(body=body)), images(12))

    assert result.verdict == "PE"
    assert result.heat_maps is None
