"""Prometheus' text format, version 0.0.4: families of samples, histograms."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPED: Final = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
Labels = Mapping[str, str]


class Histogram:
    """How many observations were at most as large as each bound; the rest counts as well."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self._counts = [0] * (len(self.bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Count one observation."""
        self._counts[bisect_left(self.bounds, value)] += 1
        self._sum += value

    def samples(self, name: str, labels: Labels) -> Iterator[str]:
        """Its lines: cumulative buckets, sum and count.

        >>> one = Histogram([1.0]); one.observe(0.5); one.observe(3)
        >>> list(one.samples("x", {}))
        ['x_bucket{le="1"} 1', 'x_bucket{le="+Inf"} 2', 'x_sum 3.5', 'x_count 2']
        """
        total = 0
        for bound, count in zip((*self.bounds, None), self._counts, strict=True):
            total += count
            upto = "+Inf" if bound is None else f"{bound:g}"
            yield sample(f"{name}_bucket", {**labels, "le": upto}, total)
        yield sample(f"{name}_sum", labels, round(self._sum, 6))
        yield sample(f"{name}_count", labels, total)


@dataclass(frozen=True, kw_only=True)
class Family:
    """Samples of one name. `kind`: gauge, counter or histogram."""

    name: str
    kind: str
    help: str
    lines: tuple[str, ...]


def family(name: str, kind: str, help_: str, samples: Iterable[tuple[Labels, float]]) -> Family:
    """A family of plain samples."""
    lines = tuple(sample(name, labels, value) for labels, value in samples)
    return Family(name=name, kind=kind, help=help_, lines=lines)


def histograms(name: str, help_: str, each: Iterable[tuple[Labels, Histogram]]) -> Family:
    """A family of histograms."""
    lines = tuple(line for labels, one in each for line in one.samples(name, labels))
    return Family(name=name, kind="histogram", help=help_, lines=lines)


def sample(name: str, labels: Labels, value: float) -> str:
    """One line.

    >>> sample("jobs", {"lane": "csv"}, 3.0)
    'jobs{lane="csv"} 3'
    """
    inner = ",".join(f'{key}="{text.translate(_ESCAPED)}"' for key, text in labels.items())
    shown = repr(float(value)).removesuffix(".0")
    return f"{name}{{{inner}}} {shown}" if inner else f"{name} {shown}"


def text(families: Iterable[Family]) -> str:
    """The page that is scraped; a family without samples is left out."""
    lines: list[str] = []
    for each in families:
        if each.lines:
            lines += (f"# HELP {each.name} {each.help}", f"# TYPE {each.name} {each.kind}")
            lines += each.lines
    return "\n".join(lines) + "\n"
