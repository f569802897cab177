"""GPUs for runs: which ones this worker was given, lent to one run each, watched, left empty.

`SANDBOX_GPUS` names the cards of this worker by their indexes, as `nvidia-smi` counts them: `0`,
`0,1`, or `all`; `0:4` lets four runs share card 0. Without it no run gets one. A card is lent by a
lock that the kernel releases with its holder, so that all workers of a host may name the same.

The memory that a run takes is watched from outside, through the driver. Where a card is one run's
alone that is all that is taken on it since the loan began; where it is shared, the memory of the
run's own processes, which the driver must be able to tell.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from sandbox.confinement import nvml
from sandbox.confinement.host_users import lock_folder, try_lock
from sandbox.confinement.nvml import Driver, DriverMissing
from sandbox.inside.sentences import Sentence, said
from sandbox.limits import MIB, StartFailed

SETTING = "SANDBOX_GPUS"
# Where a program inside finds the driver's libraries; /dev is its own.
DRIVER_FOLDER = "/dev/nvidia-driver"
# What CUDA and torch open at run time, by the beginnings of their names. Torch asks NVML for what
# it says in an out-of-memory error.
LIBRARIES = (
    "libcuda.so.1",
    "libnvidia-gpucomp.so",
    "libnvidia-ml.so.1",
    "libnvidia-nvvm.so",
    "libnvidia-ptxjitcompiler.so",
)
CONTROL_NODES = ("/dev/nvidiactl", "/dev/nvidia-uvm")
WATCH_SECONDS = 0.1
WAIT_SECONDS = 900.0  # for a card that others have
LOOK_SECONDS = 0.2
EMPTY_SECONDS = 10.0  # from a program's death until its memory is free again
# A CUDA context takes some hundred MB of its own, which is not the student's to save.
CONTEXT_MB = 1024
SLACK_MB = 64  # what a card's use may differ by with nobody on it
_ENTRY = re.compile(r"(?P<card>\d+)(:(?P<shares>[1-9]\d?))?")


class NoGpu(StartFailed):
    """This worker has no GPU to give; `why` says why not."""

    def __init__(self, why: Sentence) -> None:
        super().__init__(str(why))
        self.why = why


@dataclass(frozen=True, kw_only=True)
class Card:
    """One GPU of this worker and how many runs may be on it at once."""

    index: int
    name: str
    memory_mb: int
    minor: int
    shares: int = 1

    @property
    def is_shared(self) -> bool:
        """Whether a run may meet others on it."""
        return self.shares > 1


def available_gpus() -> tuple[Card, ...]:
    """The cards this worker was given; none where it was given none, or they can't be used.

    `gpu_refusal` says why there is none.
    """
    try:
        return given()
    except NoGpu:
        return ()


def gpu_refusal() -> str:
    """Why no run gets a GPU here, in one sentence; "" where one does."""
    try:
        given()
    except NoGpu as reason:
        return str(reason)
    return ""


def given(setting: str | None = None, driver: Driver | None = None) -> tuple[Card, ...]:
    """The cards that the setting names.

    Raises:
        NoGpu: it names none, or what it names is not there.
    """
    text = os.environ.get(SETTING, "") if setting is None else setting
    if not text.strip():
        raise NoGpu(said("run.no_gpu", reason=said("run.cause_no_setting", setting=SETTING)))
    try:
        driver = driver or nvml.driver()
        count = driver.count()
        named = parse(text, count)
        return tuple(
            Card(
                index=index,
                name=driver.name(index),
                memory_mb=driver.total_bytes(index) // MIB,
                minor=driver.minor(index),
                shares=shares,
            )
            for index, shares in named.items()
        )
    except DriverMissing as missing:
        raise NoGpu(said("run.no_gpu", reason=str(missing))) from missing
    except ValueError as wrong:
        raise NoGpu(said("run.no_gpu", reason=f"{SETTING} {wrong}")) from wrong


def parse(text: str, count: int) -> dict[int, int]:
    """`0,1:2` -> {0: 1, 1: 2}: card -> how many runs may share it; `count` cards are there.

    Raises:
        ValueError: it is written wrongly or names a card that is not there.
    """
    if text.strip() == "all":
        return dict.fromkeys(range(count), 1)
    named: dict[int, int] = {}
    for entry in text.split(","):
        match = _ENTRY.fullmatch(entry.strip())
        if match is None:
            raise ValueError(f"is {text!r}; it must be like 0,1 or 0:2 or all")
        card = int(match["card"])
        if card >= count:
            raise ValueError(f"names card {card}, but the driver knows {count}")
        if card in named:
            raise ValueError(f"names card {card} twice")
        named[card] = int(match["shares"] or 1)
    return named


# Lending


class Loan:
    """One card, or one share of it, for one run."""

    def __init__(self, card: Card, lock: int, limit_mb: int, driver: Driver) -> None:
        self.card = card
        self.exceeded = False
        self._lock = lock
        self._limit_mb = limit_mb
        self._driver = driver
        self._before = driver.used_bytes(card.index)
        self._seen: set[int] = set()  # processes of the run that were on the card

    def over_limit(self, tree: Collection[int]) -> bool:
        """Whether the run, whose processes are `tree`, has taken more memory than it may.

        A run is told of its limit by its own allocator first; this is for one that goes round it.
        """
        self.exceeded = self.exceeded or self._used_mb(tree) > self._limit_mb + CONTEXT_MB
        return self.exceeded

    def _used_mb(self, tree: Collection[int]) -> float:
        on_card = self._driver.processes(self.card.index)
        ours = {process: used for process, used in on_card.items() if process in tree}
        self._seen |= ours.keys()
        if self.card.is_shared:
            return sum(used or 0 for used in ours.values()) / MIB
        return max(0, self._driver.used_bytes(self.card.index) - self._before) / MIB

    def give_back(self) -> bool:
        """Wait until the dead run's memory is free, then let the next one have the card.

        Whether it is free; where not, the card is still lent on: the next run's clearing and
        its own allocator meet what is left.
        """
        try:
            return self._becomes_empty()
        finally:
            os.close(self._lock)

    def _becomes_empty(self) -> bool:
        deadline = time.monotonic() + EMPTY_SECONDS
        while not self._is_empty():
            if time.monotonic() > deadline:
                return False
            time.sleep(LOOK_SECONDS)
        return True

    def _is_empty(self) -> bool:
        if self._seen & self._driver.processes(self.card.index).keys():
            return False
        left = self._driver.used_bytes(self.card.index) - self._before
        return self.card.is_shared or left <= SLACK_MB * MIB


def lend(
    limit_mb: int,
    *,
    cards: Collection[Card] | None = None,
    driver: Driver | None = None,
    folder: Path | None = None,
    wait_seconds: float = WAIT_SECONDS,
    wanted: Callable[[], bool] = lambda: True,
) -> Loan:
    """A card with `limit_mb` of memory for one run; waits while all are lent.

    Raises:
        NoGpu: this worker has none, or none so large.
        StartFailed: none became free in time.
    """
    fit = [each for each in (given() if cards is None else cards) if _fits(each, limit_mb)]
    if not fit:
        raise NoGpu(said("run.no_gpu_so_large", memory=limit_mb))
    deadline = time.monotonic() + wait_seconds
    while True:
        for card in fit:
            lock = _try_lock(card, folder or lock_folder())
            if lock is not None:
                return Loan(card, lock, limit_mb, driver or nvml.driver())
        if time.monotonic() > deadline or not wanted():
            raise StartFailed(f"no GPU became free within {wait_seconds:g} s")
        time.sleep(LOOK_SECONDS)


def _fits(card: Card, limit_mb: int) -> bool:
    return limit_mb * card.shares <= card.memory_mb


def _try_lock(card: Card, folder: Path) -> int | None:
    """A lock on one free share of the card, held by an open descriptor; None if all are taken."""
    for share in range(card.shares):
        lock = try_lock(folder / f"gradewright-gpu-{card.index}-{share}.lock")
        if lock is not None:
            return lock
    return None


# What a backend puts inside


def nodes(card: Card) -> list[Path]:
    """The device nodes that CUDA opens for this card."""
    wanted = [Path(name) for name in CONTROL_NODES] + [Path(f"/dev/nvidia{card.minor}")]
    return [node for node in wanted if node.exists()]


def settings(card: Card) -> list[str]:
    """What the harness is told by its environment, which a student's code does not see."""
    return [] if card.is_shared else ["CLEAR_GPU=1"]


def driver_libraries(listing: str | None = None) -> dict[str, Path]:
    """The driver's libraries by the names programs open them by, from the linker's cache."""
    found: dict[str, Path] = {}
    for line in (_linker_cache() if listing is None else listing).splitlines():
        name, _, path = line.strip().partition(" => ")
        soname, _, kind = name.partition(" ")
        if soname.startswith(LIBRARIES) and "64" in kind and path:
            found.setdefault(soname, Path(path))  # the linker's first is the one it takes
    return found


def _linker_cache() -> str:
    for program in ("/sbin/ldconfig", "/usr/sbin/ldconfig"):
        with contextlib.suppress(OSError):
            return subprocess.run(
                [program, "-p"], capture_output=True, text=True, check=False
            ).stdout
    return ""
