"""Inside the sandbox: the device a model runs on, and batches that are halved at need."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import torch

GPU_NODE = Path("/dev/nvidiactl")
CLEAR_SETTING = "CLEAR_GPU"  # set where nobody else computes on the card
CLEARED_BYTES = 1 << 30  # at once
MIB = 1 << 20
AnswerT = TypeVar("AnswerT")


def wake() -> None:
    """Bring up the card, where there is one, while no code of a student has run.

    A card that does not answer is our fault, so it must show before READY. CUDA hands memory out
    as it is (`cudaMalloc`: "The memory is not cleared"), so whatever an earlier run may have left
    is overwritten here, on a card that is this run's alone.
    """
    if not GPU_NODE.exists():
        return
    torch.cuda.init()
    if os.environ.get(CLEAR_SETTING):
        _clear()


def _clear() -> None:
    """Overwrite all memory that is free."""
    blocks = []
    size = CLEARED_BYTES
    while size >= MIB:
        try:
            blocks.append(torch.zeros(size, dtype=torch.uint8, device="cuda"))
        except torch.OutOfMemoryError:
            size //= 2
    torch.cuda.synchronize()
    blocks.clear()
    torch.cuda.empty_cache()


def prepare(name: str, memory_mb: int) -> torch.device:
    """The device of a run, with settings that make a run repeatable and a limit on its memory.

    The limit makes an honest program meet its end as an error that halving the batch may cure;
    it is enforced from outside.
    """
    device = torch.device(name)
    torch.backends.cudnn.benchmark = False
    if device.type == "cuda":
        # read when cuBLAS starts; without it some of its sums differ from run to run
        os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.allow_tf32 = False  # its 10-bit mantissa would move scores
        torch.backends.cuda.matmul.allow_tf32 = False
        total = torch.cuda.get_device_properties(device).total_memory
        torch.cuda.set_per_process_memory_fraction(min(1.0, memory_mb * MIB / total), 0)
    return device


class Halving(Generic[AnswerT]):
    """Answers batches, by halves where the device's memory is not enough for all of one.

    What was enough once is tried first for the batches that follow.
    """

    def __init__(self, answer: Callable[[torch.Tensor], AnswerT]) -> None:
        self._answer = answer
        self._rows: int | None = None

    def __call__(self, images: torch.Tensor) -> list[AnswerT]:
        """The answers to consecutive parts of a batch, in order.

        Raises:
            torch.OutOfMemoryError: there is no room for a single image.
        """
        answers: list[AnswerT] = []
        done = 0
        while done < len(images):
            part = images[done : done + (self._rows or len(images))]
            try:
                answers.append(self._answer(part))
            except torch.OutOfMemoryError:
                if len(part) == 1:
                    raise
                self._rows = (len(part) + 1) // 2
            else:
                done += len(part)
                continue
            # only here is the error gone, and with it the frames that held on to tensors
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        return answers
