"""What a worker gives to a run, as a value that may be sent elsewhere; `JobResult` comes back.

Bundle and images travel beside it, named by their hashes; callbacks stay where the worker is.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, fields, replace
from typing import Final, Self

from sandbox.limits import Limits, RunLimits
from sandbox.wire import Fields, Unreadable, pack, unpack

KIND: Final = b"GWJB"
MOST_EXPLAINED: Final = 64  # images in one run
EXPLAINING_SECONDS: Final = 60
EXPLAINING_BATCH: Final = 8  # gradients keep what each layer computed
_SHA256: Final = re.compile(r"[0-9a-f]{64}|")


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run of one bundle on one set of images.

    `images_shape` is (N, H, W) or (N, H, W, C), of uint8. `logs`: what the program prints may come
    back (a sample run; never a hidden one). `explain`: a heat map comes beside each answer.
    `seed` repeats the secret order of an earlier run.
    The hashes say what to fetch; "" where bundle and images are at hand already.

    Raises:
        ValueError: no run can be made of it.
    """

    images_shape: tuple[int, ...]
    num_classes: int
    limits: RunLimits
    logs: bool = False
    explain: bool = False
    seed: int | None = None
    bundle_sha256: str = ""
    images_sha256: str = ""

    def __post_init__(self) -> None:
        """Refuse what no run can be made of."""
        if len(self.images_shape) not in (3, 4) or not all(side > 0 for side in self.images_shape):
            raise ValueError("images must be uint8 of shape (N, H, W) or (N, H, W, C), N > 0")
        if self.num_classes < 1:
            raise ValueError("there must be at least one class")
        if self.seed is not None and not 0 <= self.seed < 1 << 128:
            raise ValueError("a seed has 128 bits")
        if self.explain and self.images_shape[0] > MOST_EXPLAINED:
            raise ValueError(f"at most {MOST_EXPLAINED} images are explained in one run")
        for sha256 in (self.bundle_sha256, self.images_sha256):
            if not _SHA256.fullmatch(sha256):
                raise ValueError(f"{sha256!r} is no SHA-256")

    def to_bytes(self) -> bytes:
        """The job, to be sent.

        >>> job = Job(images_shape=(5, 28, 28), num_classes=10, limits=RunLimits(), seed=7)
        >>> Job.from_bytes(job.to_bytes()) == job
        True
        """
        seed = None if self.seed is None else f"{self.seed:x}"  # JSON has no such numbers
        return pack(KIND, asdict(self) | {"seed": seed})

    @classmethod
    def from_bytes(cls, raw: bytes) -> Self:
        """The job that was sent.

        Raises:
            Unreadable: the bytes are no job, of a newer version, or of a job that can't be.
        """
        came = Fields(unpack(KIND, raw)[0])
        seed = came.take("seed", str, type(None))
        try:
            job = cls(
                images_shape=came.whole_numbers("images_shape"),
                num_classes=came.take("num_classes", int),
                limits=_limits(came.table("limits", int, float)),
                logs=came.take("logs", bool),
                explain=came.take("explain", bool),
                seed=None if seed is None else int(seed, 16),
                bundle_sha256=came.take("bundle_sha256", str),
                images_sha256=came.take("images_sha256", str),
            )
        except Unreadable:
            raise
        except ValueError as error:
            raise Unreadable(str(error)) from error
        came.end()
        return job


def plain(limits: Limits) -> RunLimits:
    """Anybody's limits as those of a job."""
    return RunLimits(**{field.name: getattr(limits, field.name) for field in fields(RunLimits)})


def of_explaining(limits: Limits) -> RunLimits:
    """The limits of a run that explains a few images, where these are those of a hidden run.

    >>> of_explaining(RunLimits(wall_seconds=300, memory_mb=2048)).wall_seconds
    60
    """
    return replace(
        plain(limits),
        wall_seconds=min(limits.wall_seconds, EXPLAINING_SECONDS),
        batch_size=min(limits.batch_size, EXPLAINING_BATCH),
    )


def _limits(came: dict[str, int | float]) -> RunLimits:
    known = {field.name for field in fields(RunLimits)}
    if came.keys() != known:
        raise Unreadable(f"limits: {', '.join(sorted(came.keys() ^ known))} missing or unknown")
    for name, value in came.items():
        if name != "wall_seconds" and type(value) is not int:
            raise Unreadable(f"limits: {name} must be a whole number")
        if value < 0:
            raise Unreadable(f"limits: {name} is below 0")
    return RunLimits(**came)  # type: ignore[arg-type]  # just looked at
