"""Anybody's bundle, explained: its heat maps come out of the sandbox, and are drawn here."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import grader
import sandbox
from reference.errors import ExplainError
from sandbox import JobResult, RunLimits, Sandbox, SandboxUnavailable


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Images that a bundle is asked about.

    `images` are uint8 (N, H, W) or (N, H, W, C); `labels` int64 (N,), where they are known.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    classes: tuple[str, ...]
    limits: RunLimits


def asked(source: Path, count: int, num_classes: int | None) -> Asked:
    """Up to `count` images: the sample of a public pack, or those of a `.npy`.

    Of a pack they are spread over the classes; of a `.npy`, which needs `num_classes`, the first.

    Raises:
        ExplainError: the file holds no images, or the number of classes is missing.
        AssignmentError: the pack is damaged.
    """
    if source.is_dir():
        from reference.explain.explained import spread_over_classes

        pack = grader.Pack.load(source)
        images, labels = pack.sample()
        rows = spread_over_classes(labels, count)
        return Asked(
            images=np.array(images[rows]),
            labels=labels[rows],
            classes=pack.classes,
            limits=sandbox.of_explaining(pack.limits),
        )
    if num_classes is None:
        raise ExplainError(f"{source} does not say how many classes there are: --classes N")
    try:
        images = np.load(source, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ExplainError(f"{source} is no public pack and no .npy of images: {error}") from error
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise ExplainError(
            f"{source} holds {images.dtype} of shape {images.shape}, not uint8 images"
        )
    return Asked(
        images=np.array(images[:count]),
        labels=None,
        classes=tuple(str(number) for number in range(num_classes)),
        limits=sandbox.of_explaining(RunLimits()),
    )


def run(bundle: Path, about: Asked, runner: Sandbox) -> JobResult:
    """Answers and heat maps of a bundle, a folder or an archive of one; its log is shown.

    Raises:
        InvalidBundle: it is none.
        ExplainError: it failed; with the verdict, what it said and what was seen.
    """
    with tempfile.TemporaryDirectory() as folder:
        grader.unpack_bundle(bundle, Path(folder) / "bundle")
        result = runner.run(
            Path(folder) / "bundle",
            about.images,
            num_classes=len(about.classes),
            limits=about.limits,
            logs=True,
            explain=True,
        )
    if result.verdict != "OK":
        why = result.detail or result.reason
        raise ExplainError(f"{bundle}: {result.verdict}. {why}\n{result.log}".rstrip())
    return result


def get_runner(*, own_code: bool) -> Sandbox:
    """The sandbox of this machine; with `own_code` a plain subprocess, which confines nothing.

    Raises:
        ExplainError: there is none; with the sandbox's one sentence.
    """
    try:
        return sandbox.get_runner("unconfined" if own_code else None, hold_files=False)
    except SandboxUnavailable as error:
        raise ExplainError(f"{error} (of your own code: --own-code)") from error
