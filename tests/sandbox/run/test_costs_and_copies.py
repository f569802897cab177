"""What is counted before a program can say anything, and what its answers on copies tell."""

from __future__ import annotations

import json

import pytest

from sandbox.checking.suite import default_folder, images, load_cases, prepare

SAYS_IT_IS_SMALL = """
import os, stat, struct, sys
from torch import nn

def frame(kind, payload):
    return struct.pack("<4sB3xQ", b"GWF1", kind, len(payload)) + payload

class Small(nn.Sequential):
    def parameters(self, recurse=True):
        return iter(())

def build_model():
    conv = nn.Conv2d(1, 4, 3, padding=1)
    return Small(conv, nn.ReLU(), nn.Flatten(), nn.Linear(256, 10))
"""
COUNTS_AGAIN = """
for descriptor in range(3, 64):
    try:
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            os.write(descriptor, frame(22, bytes(16)))
            break
    except OSError:
        pass
"""


def test_the_count_of_values_is_made_before_the_program_can_say_anything(run, tmp_path):
    honest = next(case for case in load_cases(default_folder()) if case.name == "honest")
    folder = prepare(honest, tmp_path / "small")
    (folder / "model.py").write_text(SAYS_IT_IS_SMALL)
    assert run(folder, images(24)).facts["parameters"] == 4 * 9 + 4 + 2560 + 10
    (folder / "model.py").write_text(SAYS_IT_IS_SMALL + COUNTS_AGAIN)
    assert run(folder, images(24)).verdict == "PE"


def test_weights_in_a_file_of_their_own_count_as_size_and_are_flagged(run, bundle):
    kib = 1024
    assert run(bundle(**{"table.npy": b"x" * 64 * kib})).flags == ()
    result = run(bundle(**{"table.npy": b"x" * 64 * kib, "notes.txt": b"y"}))
    assert result.flags == ("DATA",)
    assert result.facts["checkpoint_mb"] == pytest.approx(64 / kib, abs=0.002)
    assert result.facts["parameters"] == 0


def test_tables_in_code_and_between_a_checkpoints_tensors_are_flagged_too(run, tmp_path):
    honest = next(case for case in load_cases(default_folder()) if case.name == "honest")
    folder = prepare(honest, tmp_path / "plain")
    assert run(folder, images(24)).flags == ()
    (folder / "table.py").write_text(f"TABLE = {'x' * 400_000!r}")
    assert run(folder, images(24)).flags == ("DATA",)
    (folder / "table.py").unlink()
    file = folder / "checkpoint.safetensors"
    length = int.from_bytes(file.read_bytes()[:8], "little")
    header = json.loads(file.read_bytes()[8 : 8 + length])
    more = json.dumps({**header, "__metadata__": {"table": "x" * 100_000}}).encode()
    file.write_bytes(len(more).to_bytes(8, "little") + more + file.read_bytes()[8 + length :])
    assert run(folder, images(24)).flags == ("DATA",)


MEMOISED = """
import os
import torch
from torch import nn

known = {}

def build_model():
    return nn.Identity()

def predict(model, images):
    keys = [image.numpy().tobytes() for image in images]
    return torch.tensor([known.setdefault(key, os.urandom(1)[0] % 10) for key in keys])

def preprocess(images):
    return images
"""


def test_answers_memoised_by_image_are_not_nd_and_are_lost_on_copies_with_noise(run, bundle):
    result = run(bundle(MEMOISED), images(400))
    assert (result.verdict, result.flags) == ("OK", ())
    assert len(result.copied_rows) == 50
    kept = result.labels[result.copied_rows] == result.copied_labels
    assert kept.mean() < 0.5


def test_a_model_hardly_notices_the_noise_and_a_sample_run_has_none(run, tmp_path):
    honest = next(case for case in load_cases(default_folder()) if case.name == "honest")
    folder = prepare(honest, tmp_path / "honest")
    result = run(folder, images(80))
    assert len(result.copied_rows) == 10
    assert (result.labels[result.copied_rows] == result.copied_labels).mean() > 0.5
    assert len(run(folder, images(80), logs=True).copied_rows) == 0
