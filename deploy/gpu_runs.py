"""Runs through the sandbox for `gpu_check.py`: models on the card beside the CPU, and two at once.

    python deploy/gpu_runs.py models|lease [--smoke]

Prints one JSON object on its last line.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import sandbox

CASES = Path(__file__).resolve().parents[1] / "tests/sandbox/confinement/test_gpu_runs.py"
CPU = sandbox.RunLimits(wall_seconds=200, cpus=4, memory_mb=16_384, batch_size=64)
CARD = replace(CPU, gpu_memory_mb=8192)
SMALL = replace(CPU, cpus=1, memory_mb=2048, batch_size=8)
COMPARED = {"lenet5": 2048, "resnet18": 512, "resnet50": 128}  # images that both predict
MANY = {"lenet5": 60_000, "resnet18": 16_384, "resnet50": 4096}  # for the card's speed
TOLERANCE = 1e-3  # of scores, relative and absolute: other kernels sum in another order
SLEEPS = """
import time

import torch


def build_model():
    return torch.nn.Identity()


def predict(model, images):
    time.sleep({seconds})
    return torch.zeros(len(images), dtype=torch.int64)
"""


def cases() -> ModuleType:
    """The models of the tests, so that both tell of the same."""
    spec = importlib.util.spec_from_file_location("gpu_cases", CASES)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def runner() -> sandbox.Sandbox:
    """The strongest sandbox there is, else none at all: the models are ours."""
    try:
        return sandbox.get_runner()
    except sandbox.SandboxUnavailable:
        return sandbox.get_runner("unconfined")


def models(smoke: bool) -> dict[str, Any]:
    """For each model: verdicts, the largest difference of scores, images a second on both."""
    made = cases()
    facts: dict[str, Any] = {}
    with runner() as box:
        for name, (model, channels, side) in made.MODELS.items():
            text = made.ZOO.format(model=model, channels=channels) + made.NO_CHECKPOINT
            size = min(side, 32) if smoke else side
            facts[name] = _model(box, name, text, channels, size, smoke)
    return facts


def _model(
    box: sandbox.Sandbox, name: str, text: str, channels: int, side: int, smoke: bool
) -> dict[str, Any]:
    count = 4 if smoke else COMPARED[name]
    pixels = _images(count, channels, side)
    here = _run(box, text, pixels, SMALL if smoke else CPU)
    facts: dict[str, Any] = {"pixels": side, "images": count, "cpu": _told(here)}
    if smoke:
        again = _run(box, text, pixels, SMALL)
        return facts | _compared(here, again)
    there = _run(box, text, pixels, CARD)
    facts |= {"card": _told(there)} | _compared(here, there)
    many = _run(box, text, _images(MANY[name], channels, side), CARD)
    facts |= {"card_with_many": {**_told(many), "images": MANY[name]}}
    if here.verdict == many.verdict == "OK":
        rates = [float(each.facts["seconds_per_1000"]) for each in (here, many)]
        facts["times_faster"] = round(rates[0] / max(rates[1], 1e-9), 1)
    return facts


def _images(count: int, channels: int, side: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    shape = (count, side, side) if channels == 1 else (count, side, side, 3)
    return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)


def _run(
    box: sandbox.Sandbox, text: str, pixels: np.ndarray[Any, Any], limits: sandbox.RunLimits
) -> sandbox.JobResult:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "model.py").write_text(text, encoding="utf-8")
        return box.run(Path(folder), pixels, num_classes=10, limits=limits, logs=True)


def _told(result: sandbox.JobResult) -> dict[str, Any]:
    if result.verdict != "OK":
        return {"verdict": result.verdict, "detail": result.detail or result.reason}
    seconds = float(result.facts["seconds_per_1000"])
    return {
        "verdict": "OK",
        "images_per_second": round(1000 / max(seconds, 1e-9), 1),
        "wall_seconds": round(result.wall_seconds, 2),
        "backend": result.facts["backend"],
    }


def _compared(one: sandbox.JobResult, other: sandbox.JobResult) -> dict[str, Any]:
    if one.scores is None or other.scores is None or one.labels is None or other.labels is None:
        return {"equal": False}
    return {
        "equal": bool(np.allclose(one.scores, other.scores, rtol=TOLERANCE, atol=TOLERANCE)),
        "largest_difference": float(np.abs(one.scores - other.scores).max()),
        "same_labels": float((one.labels == other.labels).mean()),
    }


def lease(smoke: bool) -> dict[str, Any]:
    """Two programs that sleep, started together."""
    seconds = 0.5 if smoke else 4.0
    pixels = np.zeros((4, 8, 8), dtype=np.uint8)
    limits = SMALL if smoke else replace(CARD, gpu_memory_mb=1024)
    spans: list[tuple[float, float]] = []

    def one(box: sandbox.Sandbox) -> str:
        result = _run(box, SLEEPS.format(seconds=seconds), pixels, limits)
        ended = time.monotonic()
        spans.append((ended - result.wall_seconds, ended))
        return result.verdict if result.verdict == "OK" else f"{result.verdict} {result.reason}"

    with runner() as box, ThreadPoolExecutor(2) as pool:
        verdicts = list(pool.map(one, [box, box]))
    (_, first), (second, _) = sorted(spans)
    return {
        "verdicts": verdicts,
        "one_after_the_other": verdicts == ["OK", "OK"] and second >= first - 1.0,
        "seconds_between": round(second - first, 2),
    }


def main() -> int:
    """Print the facts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("models", "lease"))
    parser.add_argument("--smoke", action="store_true")
    options = parser.parse_args()
    facts = (models if options.what == "models" else lease)(options.smoke)
    print(json.dumps(facts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
