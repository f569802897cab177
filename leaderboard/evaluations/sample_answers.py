"""What a program said to the pictures of the public sample, as it is kept beside its evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from grader.evaluation import SampleAnswers
from leaderboard.config import Settings

_MOST = 400  # of the sample's pictures; pages show no more (assignments/samples.py)


def kept(sample: SampleAnswers | None, settings: Settings) -> dict[str, Any] | None:
    """The first answers; nothing where no run may show what its program says."""
    if sample is None or settings.run_logs == "hidden":
        return None
    sure = None if sample.sure is None else list(sample.sure[:_MOST])
    labels = list(sample.labels[:_MOST])
    return {"labels": labels, "sure": sure, "images_sha256": sample.images_sha256}


def read(stored: Mapping[str, Any] | None) -> SampleAnswers | None:
    """The answers that were kept; None where there are none."""
    if stored is None:
        return None
    sure = stored["sure"]
    return SampleAnswers(
        labels=tuple(stored["labels"]),
        sure=None if sure is None else tuple(sure),
        images_sha256=stored["images_sha256"],
    )
