"""`grader check` runs one's own bundle where there is no sandbox, with the same words as in one."""

import numpy as np
import pytest
import torch
from torch import nn

from grader import Limits
from grader.cli.trying.runners import own_code

IMAGES = np.arange(7 * 8 * 8, dtype=np.int64).reshape(7, 8, 8).astype(np.uint8)
MODEL = """
import torch
from torch import nn

def build_model():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
"""


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "bundle"
    folder.mkdir()
    (folder / "model.py").write_text(MODEL)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    torch.save(model.state_dict(), folder / "checkpoint.pt")
    return folder


def run(bundle, **limits):
    limits = Limits(batch_size=3, **limits)
    return own_code().run(bundle, IMAGES, num_classes=3, limits=limits, logs=True)


def test_predictions_come_back_in_the_order_of_the_images(bundle):
    result = run(bundle)

    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    model.load_state_dict(torch.load(bundle / "checkpoint.pt", weights_only=True))
    with torch.inference_mode():
        expected = model(torch.from_numpy(IMAGES).float()[:, None] / 255)
    assert result.verdict == "OK"
    assert np.allclose(result.scores, expected.numpy(), atol=1e-5)
    assert result.labels.tolist() == expected.argmax(1).tolist()


def test_labels_may_be_predicted_and_what_is_printed_is_the_log_and_no_prediction(bundle):
    with (bundle / "model.py").open("a") as file:
        file.write("\ndef predict(model, batch):\n    return model(batch).argmax(1)\n")
        file.write("\nprint('hello from model.py')\n")

    result = run(bundle)

    assert result.verdict == "OK"
    assert "hello from model.py" in result.log
    assert result.scores is None
    assert len(result.labels) == len(IMAGES)


@pytest.mark.parametrize(
    ("source", "verdict", "detail"),
    [
        ("x = 1", "CE", "build_model"),
        (MODEL + "\ndef predict(model, batch):\n    raise ValueError('boom')\n", "RE", "boom"),
        (MODEL + "\ndef predict(model, batch):\n    import os; os._exit(3)\n", "RE", "ended"),
    ],
)
def test_a_broken_program_gets_the_verdict_it_would_get_in_the_sandbox(
    bundle, source, verdict, detail
):
    (bundle / "model.py").write_text(source)

    result = run(bundle)

    assert result.verdict == verdict
    assert detail in result.detail


def test_a_program_that_never_ends_is_stopped(bundle):
    (bundle / "model.py").write_text("while True: pass")

    assert run(bundle, wall_seconds=0.1).verdict == "TLE"
