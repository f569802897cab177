"""What confinement costs: processor time of the same evaluation with and without it, in turns.

    python tests/bench/bench_walls.py [--pairs N] [--models lenet5,resnet18]

Processor time, since other programs may share the machine: of the program from its first batch to
its last answer, and of the trusted side's thread that feeds it. A backend is compared with itself
when nothing keeps its runs apart and batches are sent ahead, and with a plain process of the same
interpreter and packages. A ratio is the median over pairs, each run one right after the other.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from bench_sandbox import LIMITS, PLAIN, Contest, PlainPython, docker_engine

import sandbox

INSTRUMENTS = """
import time

import torch
from torch import nn

began = None


def preprocess(images):
    global began
    began = began or (time.process_time(), time.monotonic())
    return images.float() / 255


def predict(model, batch):
    scores = model(batch)
    print("SPENT", time.process_time() - began[0], time.monotonic() - began[1], flush=True)
    return scores


"""
BETWEEN_RUNS = frozenset({"answers_first", "users", "overlay", "proc", "entries", "landlock"})
IMAGES = {"lenet5": 10_000, "resnet18": 500}
SPENT = re.compile(r"SPENT (\S+) (\S+)")


def spent(said: str) -> tuple[float, float]:
    """Seconds of processor and wall from the first batch to the last answer."""
    processor, wall = SPENT.findall(said)[-1]
    return float(processor), float(wall)


def confined(contest: Contest, runner: sandbox.Sandbox) -> float:
    """Processor seconds of the program and of the thread that feeds it."""
    times: list[float] = []  # of this thread, while the program runs
    result = runner.run(
        contest.bundle,
        contest.images,
        num_classes=10,
        limits=LIMITS,
        logs=True,
        on_wait=lambda: times.append(time.thread_time()),
    )
    outside = times[-1] - times[0]
    if result.verdict != "OK":
        raise RuntimeError(f"{result.verdict} {result.detail} {result.reason} {result.log}")
    batches = len(SPENT.findall(result.log))
    rows = -(-(len(contest.images) + 8) // batches) * batches
    return (spent(result.log)[0] + outside) * len(contest.images) / rows


def plain(contest: Contest, python: PlainPython) -> float:
    """Processor seconds of a process that has the images and keeps its answers."""
    return spent(python.run(PLAIN, contest.bundle, contest.images_file, LIMITS.batch_size))[0]


def compare(pairs: int, one: Callable[[], float], other: Callable[[], float]) -> dict[str, float]:
    """The median of one / other, with its quartiles; each pair in the other's order.

    `least`: the least of all of one / the least of all of other, which a busy machine moves less.
    """
    ratios = []
    least = {one: float("inf"), other: float("inf")}
    for pair in range(pairs):
        first, second = (one, other) if pair % 2 else (other, one)
        figures = {first: first(), second: second()}
        least = {which: min(least[which], seconds) for which, seconds in figures.items()}
        ratios.append(figures[one] / figures[other])
    low, middle, high = statistics.quantiles(ratios, n=4)
    return {"ratio": middle, "low": low, "high": high, "least": least[one] / least[other]}


def measure(contest: Contest, python: PlainPython, pairs: int) -> dict[str, object]:
    """Each comparison that this machine allows."""
    figures: dict[str, object] = {}
    for backend in ("bubblewrap", "docker"):
        try:
            runner = sandbox.get_runner(backend)
        except sandbox.SandboxUnavailable as unavailable:
            print(f"   {backend}: {unavailable}")
            continue
        with runner, sandbox.get_runner(backend, hold_files=False, _without=BETWEEN_RUNS) as bare:
            comparisons: dict[str, Callable[[], float]] = {
                "a plain process": lambda: plain(contest, python),
                "walls between runs off": lambda bare=bare: confined(contest, bare),  # type: ignore[misc]
            }
            for against, other in comparisons.items():
                with_walls = lambda runner=runner: confined(contest, runner)  # noqa: E731
                seen = compare(pairs, with_walls, other)
                figures[f"{backend}/{against}"] = seen
                print(
                    f"   {contest.name:10} {backend:10} against {against:22} {seen['ratio']:.3f}"
                    f"   (quartiles {seen['low']:.3f}–{seen['high']:.3f}, {pairs} pairs; "
                    f"least of each {seen['least']:.3f})",
                    flush=True,
                )
    return figures


def run(pairs: int = 9, models: tuple[str, ...] = ("lenet5", "resnet18")) -> dict[str, object]:
    """Measure everything and print a table."""
    import bench_sandbox

    bench_sandbox.INSTRUMENTS = INSTRUMENTS
    figures: dict[str, object] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        stack.enter_context(docker_engine())
        python = PlainPython()
        for name in models:
            contest = Contest.make(name, folder, python, IMAGES[name])
            figures[name] = measure(contest, python, pairs)
    return figures


def main() -> dict[str, object]:
    """Measure everything, briefly."""
    return run(pairs=3)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--models", default="lenet5,resnet18")
    options = parser.parse_args()
    sys.exit(not run(options.pairs, tuple(options.models.split(","))))
