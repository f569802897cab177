"""Each architecture leaves as a bundle of its own that the sandbox scores as training does."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from needs import runner_or_missing
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch import Tensor, nn

import sandbox
from reference import models
from reference.models.lenet import RadialBasis
from reference.submitting import bundling
from reference.training import evaluation
from reference.training.learner import copy_weights
from reference.training.runs import CHECKPOINT, RunRecord, load_model
from sandbox.run.feed import Order, copies_of

CLASSES = tuple("abcdefg")
SIDE = 20  # smaller than any model of ImageNet takes, so that resizing is part of what is compared
PULLS = 5  # a squashed mean is not at nought after the first
AT_WORK = 2  # sandboxes at a time
# hidden layers of thousands of units make checkpoints of half a gigabyte and nothing else
NARROWER = {"units": 128}
LIMITS = sandbox.RunLimits(wall_seconds=200, memory_mb=4096)
# the same layers as a shallower or narrower one of their family, more often or more of them
DEEPER = {
    *("vgg13", "vgg16", "vgg19", "vgg13_bn", "vgg16_bn", "vgg19_bn"),
    *("resnet34", "resnet101", "resnet152", "se_resnet34", "resnext101", "wide_resnet50"),
    *("wide_resnet101", "densenet161", "mlp_2"),
}
NAMES = [
    pytest.param(name, marks=pytest.mark.long) if name in DEEPER else name
    for name in models.names()
]


@dataclass(frozen=True, kw_only=True)
class Answered:
    """What both sides answer: scores of the training process and the sandbox's result."""

    expected: NDArray[np.float32]
    result: sandbox.JobResult


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    """24 colour pictures with large and small structure, N×H×W×C as the sandbox takes them."""
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (24, 4, 4, 3)).repeat(SIDE // 4, 1).repeat(SIDE // 4, 2)
    fine = generator.integers(0, 64, (24, SIDE, SIDE, 3))
    return ((3 * coarse + fine) // 4).astype(np.uint8)


@pytest.fixture(scope="module")
def answered(
    images: NDArray[np.uint8],
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[dict[str, Future[Answered]]]:
    """The chosen models' answers. Models are built while earlier ones are in their sandboxes."""
    runner = runner_or_missing()
    home = tmp_path_factory.mktemp("bundles")
    ended = threading.Event()
    turns = threading.Semaphore(AT_WORK + 1)  # no more checkpoints than that on the disk at once
    with runner, ThreadPoolExecutor(AT_WORK) as pool, ThreadPoolExecutor(1) as builder:

        def leave(name: str) -> tuple[Path, NDArray[np.float32]]:
            turns.acquire()
            if ended.is_set():
                raise RuntimeError("the tests are over")
            folder = leave_bundle(name, home / name, images)
            return folder, expected_scores(home / name, images)

        def score(left: Future[tuple[Path, NDArray[np.float32]]], name: str) -> Answered:
            try:
                bundle, expected = left.result()
                result = runner.run(bundle, images, num_classes=len(CLASSES), limits=LIMITS)
                return Answered(expected=expected, result=result)
            finally:
                shutil.rmtree(home / name, ignore_errors=True)
                turns.release()

        items = [item for item in request.session.items if item.path == request.path]
        chosen = [item.callspec.params["name"] for item in items]
        left = {name: builder.submit(leave, name) for name in chosen}
        yield {name: pool.submit(score, future, name) for name, future in left.items()}
        ended.set()


def leave_bundle(name: str, run: Path, images: NDArray[np.uint8]) -> Path:
    """Write a run of untrained weights, as training writes it, and its bundle."""
    torch.manual_seed(0)
    entry = models.find(name)
    narrower = {
        key: value for key, value in NARROWER.items() if isinstance(entry.options.get(key), int)
    }
    record = RunRecord(
        recipe=name,
        title=name,
        seed=0,
        quick=True,
        model=name,
        options=entry.with_options(narrower),
        classes=CLASSES,
        channels=3,
        size=entry.smallest,
        mean=(0.5, 0.4, 0.3),
        std=(0.25, 0.25, 0.25),
        data={"name": "generated patterns"},
        settings={},
        environment={},
        code="",
        confusion=[],
        result={},
    )
    run.mkdir()
    model = told_apart(record.build_model(), entry.classifier, record.transform(as_tensor(images)))
    save_file(copy_weights(model), run / CHECKPOINT)
    record.write(run)
    bundling.write_bundle(run, record, run / "bundle")
    return run / "bundle"


def told_apart(model: nn.Module, classifier: str, images: Tensor) -> nn.Module:
    """The model with statistics and last biases of these images, so that it names several classes.

    An untrained one says the same of everything, and then a wrong order would not be seen.
    """
    norms = [each for each in model.modules() if isinstance(each, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
    with torch.no_grad():
        model.train()(images)
        model.eval()
        if isinstance(last := model.get_submodule(classifier), RadialBasis):
            # the codes stand still: what is compared with them is put in their middle
            before: list[Tensor] = []
            last.register_forward_pre_hook(lambda _, given: before.append(given[0]))
            for _ in range(PULLS):
                model(images)
                model.get_submodule("f6").bias -= before[-1].mean(dim=0)
        else:
            last.bias -= model(images).mean(dim=0)
    return model


def expected_scores(run: Path, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What the training process answers, from the files of the run.

    With as many threads and as large batches as in the sandbox: torch takes other kernels for other
    ones, and the 50 layers of an untrained network make 1e-4 of what these round otherwise.
    """
    torch.set_num_threads(LIMITS.cpus)
    transform, model = RunRecord.read(run).transform, load_model(run)
    sent = Order.draw(len(images), LIMITS.batch_size, copies=copies_of(len(images)))
    parts = as_tensor(images).split(sent.batch_size)
    return torch.cat([evaluation.predict(model, part, transform) for part in parts]).numpy()


def as_tensor(images: NDArray[np.uint8]) -> Tensor:
    """N×H×W×C → N×C×H×W."""
    return torch.from_numpy(np.moveaxis(images, -1, 1).copy())


@pytest.mark.parametrize("name", NAMES)
def test_sandbox_answers_what_the_training_process_answers(
    name: str, answered: dict[str, Future[Answered]]
):
    both = answered[name].result()

    assert both.result.verdict == "OK", both.result.detail
    assert both.result.flags == ()
    assert len(set(both.expected.argmax(axis=1))) > 1
    assert np.array_equal(both.result.labels, both.expected.argmax(axis=1))
    # of logits of the order of one the mean was taken off
    largest = np.abs(both.expected).max()
    assert np.allclose(both.result.scores, both.expected, rtol=0, atol=1e-5 * largest + 1e-7)
