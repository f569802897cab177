"""How much one run can tell another: every channel that was thought of, measured.

A hidden run sends 64 bits that are in its images; a run whose log is shown, at the same time or
later, prints what it heard (`probes/channels/`). From what arrived follows how many bits the
channel carried: all of them, none where the errors look like chance.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sandbox.limits import RunLimits
from sandbox.result import JobResult
from sandbox.runner import Sandbox

PROBE = Path(__file__).parent / "probes" / "channels"
BITS = 64
# What one bit takes: the first that both ends keep to. Before the first bit both have so long to
# start, or, when that was too short, as long as the whole of the try before.
SLOTS = (0.12, 0.25, 0.6)
START_SECONDS = 3.5
MAY_MISS = 0.2  # of its moments, by more than half a slot
IN_TIME = 'HEARD ["in time", true'
CHANCE = 0.001  # errors that chance gives more often than this are no message
LIMITS = RunLimits(wall_seconds=600, memory_mb=1200, processes=96, open_files=512, tmp_mb=64)


@dataclass(frozen=True, kw_only=True)
class Channel:
    """What one channel carried. `bits` of `sent`; `refused`: why nothing could be tried."""

    name: str
    when: str  # "at the same time" or "later"
    sent: int
    wrong: int
    bits: float
    seconds: float  # that sending took; 0: next to nothing
    refused: str = ""

    def as_dict(self) -> dict[str, Any]:
        """A row of the table."""
        return asdict(self)


def measure(runner: Sandbox, bits: int = BITS, *, by_time: bool = True) -> Iterator[Channel]:
    """Send so many bits by every channel between two runs of this sandbox; a minute for 64.

    `by_time`: by how long it takes to compute, too, which is slow to measure.

    Raises:
        RuntimeError: a run failed, so that nothing was measured.
    """
    sent = _message(bits)
    with tempfile.TemporaryDirectory(prefix="channels-") as folder:
        heard = _meanwhile(runner, Path(folder), sent, by_time=by_time)
        yield from _channels(sent, heard, "at the same time")
        plan = {"role": "hear", "when": "later", "bits": bits}
        found = _run(runner, _bundle(Path(folder) / "hear", **plan), sent * 0, logs=True)
        yield from _channels(sent, found, "later")


def carried(sent: NDArray[np.uint8], heard: list[float]) -> tuple[int, float]:
    """Wrong bits and bits carried, where a high number means 1 (or 0, where that fits better).

    >>> carried(np.array([0, 1, 1, 0] * 16, dtype=np.uint8), [3.0, 9.0, 8.0, 2.0] * 16)
    (0, 64.0)
    """
    numbers = np.array(heard, dtype=float)
    low, high = np.quantile(numbers, [0.1, 0.9])
    wrong = int(np.count_nonzero((numbers > (low + high) / 2) != sent.astype(bool)))
    wrong = min(wrong, len(sent) - wrong)
    if 2 * _at_most(wrong, len(sent)) > CHANCE:
        return wrong, 0.0
    share = wrong / len(sent)
    entropy = -sum(p * math.log2(p) for p in (share, 1 - share) if p)
    return wrong, round(len(sent) * (1 - entropy), 1)


def _at_most(wrong: int, count: int) -> float:
    """How often tosses of a coin are wrong at most so often."""
    return sum(math.comb(count, number) for number in range(wrong + 1)) / 2.0**count


def _meanwhile(
    runner: Sandbox, folder: Path, sent: NDArray[np.uint8], *, by_time: bool
) -> JobResult:
    """What a run hears of one beside it, which at its end leaves what a later one may find."""
    head_start = START_SECONDS
    for slot in SLOTS:
        began = time.time()
        plan = {"when": "meanwhile", "bits": len(sent), "slot": slot, "by_time": by_time}
        plan["start"] = began + head_start
        say = _bundle(folder / "say", role="say", **plan)
        hear = _bundle(folder / "hear", role="hear", **plan)
        with ThreadPoolExecutor(2) as pool:
            saying = pool.submit(_run, runner, say, sent, logs=False)
            heard = _run(runner, hear, sent * 0, logs=True)
            said = saying.result()
        if _was_in_time(said, heard):
            return heard
        head_start = time.time() - began
    raise RuntimeError("this machine is too busy for two runs to keep time")


def _was_in_time(said: JobResult, heard: JobResult) -> bool:
    """Else nothing was tried: the sender, which shows no log, tells it by its predictions."""
    return said.labels is not None and bool(said.labels.all()) and IN_TIME in heard.log


def _message(bits: int) -> NDArray[np.uint8]:
    """As many ones as zeros, shuffled."""
    return np.random.default_rng().permutation(np.arange(bits, dtype=np.uint8) % 2)


def _bundle(folder: Path, **plan: object) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(PROBE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    told = {"may_miss": MAY_MISS, "key": 100 * os.getpid(), **plan}  # nobody else's
    (folder / "plan.json").write_text(json.dumps(told), encoding="utf-8")
    return folder


def _run(runner: Sandbox, bundle: Path, message: NDArray[np.uint8], *, logs: bool) -> JobResult:
    images = np.tile(message * np.uint8(255), (8, 4, 1))  # each image's first row is the message
    result = runner.run(bundle, images, num_classes=2, limits=LIMITS, logs=logs)
    if result.verdict != "OK":
        raise RuntimeError(f"{result.verdict} {result.detail} {result.reason}\n{result.log}")
    return result


def _channels(sent: NDArray[np.uint8], result: JobResult, when: str) -> Iterator[Channel]:
    for line in result.log.splitlines():
        if not line.startswith("HEARD ") or "in time" in line:
            continue
        name, heard, seconds = json.loads(line.removeprefix("HEARD "))
        heard = [heard] if isinstance(heard, str) else heard
        told = [each for each in heard if isinstance(each, str)]
        numbers = [0.0 if isinstance(each, str) else each for each in heard]
        wrong, bits = carried(sent, numbers) if len(numbers) == len(sent) else (len(sent) // 2, 0.0)
        yield Channel(
            name=name,
            when=when,
            sent=len(sent),
            wrong=wrong,
            bits=bits,
            seconds=round(seconds, 2),
            refused=told[0] if len(told) == len(heard) else "",
        )
