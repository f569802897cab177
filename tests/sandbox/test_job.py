"""What a run is asked and gives back goes through bytes unchanged; anything else is refused."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest

import sandbox
from sandbox.inside.protocol import HEAT_SIDE
from sandbox.job import Job
from sandbox.limits import RunLimits
from sandbox.result import PRECEDENCE, JobResult
from sandbox.wire import MOST_JSON, Unreadable

SHA256 = "0f" * 32
JOB = Job(images_shape=(5, 8, 8, 3), num_classes=3, limits=RunLimits(), seed=1)
TEXTS = ("", "第 2 轮\n", "\x00\x1b[31m", "\ud800", "a" * 70_000)


def any_job(random: random.Random) -> Job:
    explain = random.random() < 0.5
    color = (3,) if random.random() < 0.5 else ()
    limits = {field.name: random.randrange(1 << 20) for field in fields(RunLimits)}
    return Job(
        images_shape=(
            random.randint(1, 64 if explain else 10_000),
            random.randint(1, 64),
            28,
            *color,
        ),
        num_classes=random.randint(1, 1000),
        limits=replace(RunLimits(**limits), wall_seconds=random.random() * 1e4),
        logs=random.random() < 0.5,
        explain=explain,
        seed=random.choice([None, 0, (1 << 128) - 1, random.getrandbits(128)]),
        bundle_sha256=random.choice(["", SHA256]),
        images_sha256=random.choice(["", SHA256]),
    )


def any_result(random: random.Random, rows: int, num_classes: int) -> JobResult:
    draw = np.random.default_rng(random.getrandbits(64))
    result = JobResult(
        verdict=random.choice(PRECEDENCE),
        flags=random.choice([(), ("ND",)]),
        log=random.choice(TEXTS),
        wall_seconds=random.choice([0, random.random() * 1e4]),
        peak_memory_mb=random.random() * 1e4,
        detail=random.choice(TEXTS),
        facts=random.choice([{}, {"parameters": 1 << 40, "order_seed": "0xff", "mb": 0.1 + 0.2}]),
        reason=random.choice(TEXTS),
        environment=random.choice([{}, {"backend": "bubblewrap", "torch": "2.9"}]),
    )
    if random.random() < 0.4:
        return result
    labels = draw.integers(0, num_classes, rows)
    if random.random() < 0.5:
        heat = draw.integers(0, 256, (rows, HEAT_SIDE, HEAT_SIDE), dtype=np.uint8)
        result = replace(result, heat_maps=heat)
    if random.random() < 0.5:
        copied = np.sort(draw.permutation(rows)[: rows // 8])
        return replace(
            result,
            verdict="OK",
            labels=labels,
            copied_rows=copied,
            copied_labels=draw.integers(0, num_classes, len(copied)),
            copied_first=draw.integers(0, 2, len(copied)) == 1,
        )
    scores = draw.normal(size=(rows, num_classes)).astype(np.float32)
    scores[0] = 0.0  # a tie
    if random.random() < 0.8:
        labels = scores.argmax(axis=1)
    return replace(result, verdict="OK", labels=labels, scores=scores)


@pytest.mark.parametrize("seed", range(50))
def test_any_job_comes_back_as_it_was(seed: int) -> None:
    job = any_job(random.Random(seed))

    assert Job.from_bytes(job.to_bytes()) == job


@pytest.mark.parametrize("seed", range(50))
def test_any_result_comes_back_as_it_was(seed: int) -> None:
    draw = random.Random(seed)
    rows, num_classes = draw.randint(1, 300), draw.randint(1, 20)
    result = any_result(draw, rows, num_classes)

    back = JobResult.from_bytes(result.to_bytes(), rows=rows, num_classes=num_classes)

    arrays = {"labels": np.int64, "scores": np.float32}
    arrays |= {"copied_rows": np.int64, "copied_labels": np.int64, "copied_first": np.bool_}
    arrays |= {"heat_maps": np.uint8}
    nothing = dict.fromkeys(arrays)
    assert replace(back, **nothing) == replace(result, **nothing)
    for name, kind in arrays.items():
        came, was = getattr(back, name), getattr(result, name)
        if name.startswith("copied") and was is None and result.verdict == "OK":
            was = np.empty(0, kind)
        assert (came is None) == (was is None)
        if was is not None:
            assert came.dtype == kind
            assert np.array_equal(came, was)


def test_scores_are_not_sent_with_the_labels_that_they_give() -> None:
    scores = np.eye(100, 10, dtype=np.float32)
    with_labels = JobResult(verdict="OK", scores=scores, labels=scores.argmax(axis=1))

    assert len(with_labels.to_bytes()) < scores.nbytes + 400


@pytest.mark.parametrize("seed", range(30))
def test_bytes_that_were_cut_or_changed_are_refused_or_are_another_job(seed: int) -> None:
    draw = random.Random(seed)
    raw = bytearray(any_job(draw).to_bytes())
    with pytest.raises(Unreadable):
        Job.from_bytes(bytes(raw[: draw.randrange(len(raw))]))
    with pytest.raises(Unreadable):
        Job.from_bytes(bytes(raw) + b"x")
    for _ in range(200):
        changed = bytearray(raw)
        changed[draw.randrange(len(raw))] ^= 1 << draw.randrange(8)
        try:
            job = Job.from_bytes(bytes(changed))
        except Unreadable:
            continue
        assert Job.from_bytes(job.to_bytes()) == job


def test_a_newer_format_is_refused_with_what_to_do() -> None:
    for raw, read in (
        (JOB.to_bytes(), Job.from_bytes),
        (
            JobResult(verdict="RE").to_bytes(),
            lambda raw: JobResult.from_bytes(raw, rows=5, num_classes=3),
        ),
    ):
        newer = raw[:4] + struct.pack("<H", 5) + raw[6:]
        with pytest.raises(Unreadable, match=r"newer format, 5, .* reads 4: install the same"):
            read(newer)
    with pytest.raises(Unreadable, match="no GWJB but begins with"):
        Job.from_bytes(JobResult(verdict="RE").to_bytes())


def edited(raw: bytes, change: Callable[[dict], object]) -> bytes:
    """The same with another text."""
    (length,) = struct.unpack_from("<I", raw, 6)
    content = json.loads(raw[10 : 10 + length])
    change(content)
    text = json.dumps(content).encode()
    return raw[:6] + struct.pack("<I", len(text)) + text + raw[10 + length :]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda job: job.pop("logs"), "logs is missing"),
        (lambda job: job.update(more=1), "more: unknown here"),
        (lambda job: job.update(logs=1), "logs is a int"),
        (lambda job: job.update(num_classes=True), "num_classes is a bool"),
        (lambda job: job.update(num_classes=0), "at least one class"),
        (lambda job: job.update(images_shape=[5, 8]), "images must be"),
        (lambda job: job.update(images_shape=[5, 8, -8]), "above 0"),
        (lambda job: job.update(seed="1" * 33), "128 bits"),
        (lambda job: job.update(explain=True, images_shape=[65, 8, 8]), "at most 64 images"),
        (lambda job: job.update(seed="x"), "invalid literal"),
        (lambda job: job.update(bundle_sha256="../../etc"), "no SHA-256"),
        (lambda job: job["limits"].pop("memory_mb"), "limits: memory_mb"),
        (lambda job: job["limits"].update(memory_mb=1.5), "memory_mb must be a whole number"),
        (lambda job: job["limits"].update(processes=-1), "processes is below 0"),
        (lambda job: job["limits"].update(wall_seconds=float("inf")), "no JSON"),
    ],
)
def test_a_job_that_is_not_exactly_one_is_refused(change, said: str) -> None:
    with pytest.raises(Unreadable, match=said):
        Job.from_bytes(edited(JOB.to_bytes(), change))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda result: result.update(verdict="XX"), "no verdict"),
        (lambda result: result.update(verdict="RE"), "with the verdict OK"),
        (lambda result: result.update(flags=[1]), "flags must be texts"),
        (lambda result: result["facts"].update(deep=[]), "deep is a list"),
        (lambda result: result.update(labels=False), "40 bytes of predictions, not 0"),
        (lambda result: result.update(scores=True), "40 bytes of predictions, not 100"),
        (lambda result: result.update(heat_maps=True), "40 bytes, fewer than 5 heat maps"),
    ],
)
def test_a_result_that_is_not_exactly_one_is_refused(change, said: str) -> None:
    raw = JobResult(verdict="OK", labels=np.arange(5) % 3, facts={"a": 1}).to_bytes()

    with pytest.raises(Unreadable, match=said):
        JobResult.from_bytes(edited(raw, change), rows=5, num_classes=3)


def test_predictions_are_looked_at_and_never_more_than_the_job_has() -> None:
    labels = JobResult(verdict="OK", labels=np.array([0, 1, 3])).to_bytes()
    nan = np.array([[np.nan, 1.0]], dtype=np.float32)
    scores = JobResult(verdict="OK", scores=nan, labels=np.array([0])).to_bytes()

    with pytest.raises(Unreadable, match="labels must be classes"):
        JobResult.from_bytes(labels, rows=3, num_classes=3)
    many = JobResult(verdict="OK", labels=np.zeros(100, dtype=np.int64)).to_bytes()
    with pytest.raises(Unreadable, match="longer than it may be"):
        JobResult.from_bytes(many, rows=1, num_classes=2)
    with pytest.raises(Unreadable, match="must be finite"):
        JobResult.from_bytes(scores, rows=1, num_classes=2)
    with pytest.raises(ValueError, match="are allowed"):
        JobResult(verdict="RE", log="x" * MOST_JSON).to_bytes()


def test_answers_to_copies_are_looked_at() -> None:
    def sent(rows: list[int], labels: list[int]) -> bytes:
        return JobResult(
            verdict="OK",
            labels=np.zeros(3, dtype=np.int64),
            copied_rows=np.array(rows),
            copied_labels=np.array(labels),
            copied_first=np.array([True, False]),
        ).to_bytes()

    back = JobResult.from_bytes(sent([0, 2], [1, 0]), rows=3, num_classes=2)
    assert back.copied_labels is not None
    assert back.copied_labels.tolist() == [1, 0]
    assert back.copied_first is not None
    assert back.copied_first.tolist() == [True, False]
    for rows, labels in (([2, 0], [1, 0]), ([1, 1], [1, 0]), ([0, 3], [0, 0]), ([0, 1], [0, 2])):
        with pytest.raises(Unreadable, match="copies must be"):
            JobResult.from_bytes(sent(rows, labels), rows=3, num_classes=2)


MODEL = """
import torch


def build_model():
    return torch.nn.Identity()


def predict(model, images):
    print("seen", len(images))
    return images.float().mean(dim=(1, 2, 3))[:, None] * torch.tensor([1.0, -1.0, 0.0])
"""


def test_a_run_takes_a_job_that_was_sent_and_its_result_can_be_sent_back(tmp_path) -> None:
    (tmp_path / "model.py").write_text(MODEL, encoding="utf-8")
    images = np.arange(5 * 8 * 8 * 3, dtype=np.int64).reshape(5, 8, 8, 3).astype(np.uint8)
    job = replace(JOB, limits=RunLimits(wall_seconds=60), logs=True)

    with sandbox.get_runner("unconfined") as runner:
        result = runner.do(Job.from_bytes(job.to_bytes()), tmp_path, images)
        with pytest.raises(ValueError, match="of the job's shape"):
            runner.do(job, tmp_path, images[:4])
    back = JobResult.from_bytes(result.to_bytes(), rows=5, num_classes=3)

    assert back.verdict == "OK", back
    assert back.facts["order_seed"] == "0x1"
    assert back.environment["backend"] == "unconfined"
    assert "seen" in back.log
    assert back.scores is not None
    expected = images.mean(axis=(1, 2, 3)) / 255
    assert back.scores[:, 0] == pytest.approx(expected, rel=1e-5)
