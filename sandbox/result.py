"""What a run gives back, as a value that may be sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray

from sandbox.inside.protocol import HEAT_SIDE
from sandbox.inside.sentences import Sentence
from sandbox.wire import Fields, Unreadable, pack, unpack

KIND: Final = b"GWJR"
RunVerdict = Literal["OK", "CE", "LE", "RE", "TLE", "MLE", "GMLE", "OLE", "PE", "IE"]

# When several faults are seen, the first of this list is the verdict: what the sandbox observed
# from outside comes before what the program said of itself.
PRECEDENCE: tuple[RunVerdict, ...] = ("IE", "TLE", "MLE", "GMLE", "OLE", "RE", "LE", "CE", "PE")


@dataclass(frozen=True, kw_only=True)
class JobResult:
    """Facts about one run; rows are in the order of the images that were given.

    `detail` may be shown to the student; `said` holds its code and values (`Sentence.as_data`), for
    other languages. `log` is what the program printed, only when logs were asked for.
    `heat_maps`, of a run that explains, are grey levels; a program can draw in them what it saw, so
    students get those of images alone that are theirs to see. `copied_labels` are the answers to
    copies with a little noise of the images in `copied_rows`; `copied_first` says which of them
    came in an earlier batch than the image itself. All three are None where `labels` are. `reason`
    is for operators: why a run failed on our side (verdict IE). `environment` says what ran it:
    backend and versions. `wall_seconds` and `peak_memory_mb` are exact; a program can encode what
    it saw in them, so students get them coarsely or not at all.
    """

    verdict: RunVerdict
    labels: NDArray[np.int64] | None = None  # (N,)
    scores: NDArray[np.float32] | None = None  # (N, K)
    copied_rows: NDArray[np.int64] | None = None  # (M,), ascending
    copied_labels: NDArray[np.int64] | None = None  # (M,)
    heat_maps: NDArray[np.uint8] | None = None  # (N, HEAT_SIDE, HEAT_SIDE)
    copied_first: NDArray[np.bool_] | None = None  # (M,)
    flags: tuple[str, ...] = ()
    log: str = ""
    wall_seconds: float = 0.0
    peak_memory_mb: float = 0.0
    detail: str = ""
    said: dict[str, Any] | None = None
    facts: dict[str, float | int | str] = field(default_factory=dict)
    reason: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    def to_bytes(self) -> bytes:
        """The result, to be sent; labels that the scores give are not sent beside them.

        Raises:
            ValueError: it is larger than a reader takes.
        """
        labels, scores = self.labels, self.scores
        if labels is not None and scores is not None and (labels == scores.argmax(axis=1)).all():
            labels = None
        arrays = b"" if labels is None else labels.astype("<i8").tobytes()
        arrays += b"" if scores is None else scores.astype("<f4").tobytes()
        copies = 0
        of_copies = (self.copied_rows, self.copied_labels, self.copied_first)
        if self.copied_rows is not None:
            copies = len(self.copied_rows)
            told = (each.astype("<i8").tobytes() for each in of_copies if each is not None)
            arrays += b"".join(told)
        arrays += b"" if self.heat_maps is None else self.heat_maps.tobytes()
        plain = {name: getattr(self, name) for name in _PLAIN}
        return pack(
            KIND,
            plain
            | {
                "flags": list(self.flags),
                "said": self.said,
                "facts": self.facts,
                "environment": self.environment,
                "labels": labels is not None,
                "scores": scores is not None,
                "copies": copies,
                "heat_maps": self.heat_maps is not None,
            },
            arrays,
        )

    @classmethod
    def from_bytes(cls, raw: bytes, *, rows: int, num_classes: int) -> Self:
        """The result that was sent, of a job with so many images and classes.

        Raises:
            Unreadable: the bytes are no result, of a newer version, or of another job.
        """
        most = rows * (8 + _OF_A_COPY + 4 * num_classes + HEAT_SIDE**2)
        fields, body = unpack(KIND, raw, most_arrays=most)
        came = Fields(fields)
        plain = {name: came.take(name, *types) for name, types in _PLAIN.items()}
        if plain["verdict"] not in get_args(RunVerdict):
            raise Unreadable(f"{plain['verdict']!r} is no verdict of a run")
        flags = came.take("flags", list)
        if not all(type(flag) is str for flag in flags):
            raise Unreadable("flags must be texts")
        said = came.take("said", dict, type(None))
        facts = came.table("facts", int, float, str)
        environment = came.table("environment", str)
        has = came.take("labels", bool), came.take("scores", bool)
        copies = came.take("copies", int)
        has_heat = came.take("heat_maps", bool)
        came.end()
        if not 0 <= copies <= rows:
            raise Unreadable(f"{copies} copies of {rows} images")
        body, heat_maps = _heat_maps(body, has_heat, rows)
        split = len(body) - _OF_A_COPY * copies
        labels, scores = _arrays(body[: max(split, 0)], has, rows, num_classes)
        copied_rows, copied_labels, copied_first = _copies(
            *(body[max(split, 0) :], copies, labels is not None, rows, num_classes)
        )
        if (plain["verdict"] == "OK") != (labels is not None):
            raise Unreadable("predictions come with the verdict OK, and with no other")
        if has_heat and plain["verdict"] != "OK":
            raise Unreadable("heat maps come with the verdict OK, and with no other")
        return cls(
            **plain,
            labels=labels,
            scores=scores,
            said=said,
            copied_rows=copied_rows,
            copied_labels=copied_labels,
            heat_maps=heat_maps,
            copied_first=copied_first,
            flags=tuple(flags),
            facts=facts,
            environment=environment,
        )


_OF_A_COPY: Final = 3 * 8  # bytes
_PLAIN: Final[dict[str, tuple[type, ...]]] = {
    "verdict": (str,),
    "log": (str,),
    "wall_seconds": (int, float),
    "peak_memory_mb": (int, float),
    "detail": (str,),
    "reason": (str,),
}


def _heat_maps(
    body: memoryview, has: bool, rows: int
) -> tuple[memoryview, NDArray[np.uint8] | None]:
    """What stands before the heat maps, and these: (N, HEAT_SIDE, HEAT_SIDE), or None."""
    if not has:
        return body, None
    size = rows * HEAT_SIDE**2
    if len(body) < size:
        raise Unreadable(f"there are {len(body)} bytes, fewer than {rows} heat maps take")
    maps = np.frombuffer(body[-size:], np.uint8).reshape(rows, HEAT_SIDE, HEAT_SIDE)
    return body[:-size], maps


def _arrays(
    body: memoryview, has: tuple[bool, bool], rows: int, num_classes: int
) -> tuple[NDArray[np.int64] | None, NDArray[np.float32] | None]:
    """Labels (N,) and scores (N, K), each None where it was not sent and can't be known."""
    sizes = [rows * 8 * has[0], rows * num_classes * 4 * has[1]]
    if len(body) != sum(sizes):
        raise Unreadable(f"there are {len(body)} bytes of predictions, not {sum(sizes)}")
    labels: NDArray[Any] | None = None
    scores: NDArray[Any] | None = None
    if has[1]:
        scores = np.frombuffer(body[sizes[0] :], "<f4").astype(np.float32).reshape(rows, -1)
        if not np.isfinite(scores).all():
            raise Unreadable("scores must be finite")
        labels = scores.argmax(axis=1).astype(np.int64)
    if has[0]:
        labels = np.frombuffer(body[: sizes[0]], "<i8").astype(np.int64)
        if not ((labels >= 0) & (labels < num_classes)).all():
            raise Unreadable("labels must be classes")
    return labels, scores


def _copies(
    body: memoryview, copies: int, has_labels: bool, rows: int, num_classes: int
) -> tuple[NDArray[np.int64] | None, NDArray[np.int64] | None, NDArray[np.bool_] | None]:
    """Rows, labels and order of copies, (M,) each: None where there are no answers at all."""
    if len(body) != _OF_A_COPY * copies:
        raise Unreadable(f"there are {len(body)} bytes about {copies} copies")
    if not has_labels:
        if copies:
            raise Unreadable("copies have answers only where the images have")
        return None, None, None
    three = np.frombuffer(body, "<i8").astype(np.int64).reshape(3, copies)
    ascending = bool((np.diff(three[0]) > 0).all())
    if not ascending or not ((three >= 0) & (three < [[rows], [num_classes], [2]])).all():
        raise Unreadable("copies must be of images, each once, and be answered with classes")
    return three[0], three[1], three[2].astype(np.bool_)


def worst(faults: dict[RunVerdict, Sentence | None]) -> tuple[RunVerdict, Sentence | None]:
    """The verdict of several faults, with its detail; OK where there is none."""
    for verdict in PRECEDENCE:
        if verdict in faults:
            return verdict, faults[verdict]
    return "OK", None
