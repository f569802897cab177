"""A page of /metrics as Prometheus reads it, and the part of PromQL that the alert rules use."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_SAMPLE = re.compile(
    r"(?P<name>[a-zA-Z_:][\w:]*)(?:\{(?P<labels>[^}]*)\})? (?P<value>\+Inf|-?[\d.]+(?:e[+-]?\d+)?)"
)
_LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"(?:,|$)')
_COMMENT = re.compile(r"# (HELP [\w:]+ .+|TYPE [\w:]+ (gauge|counter|histogram))")
_TOKEN = re.compile(r"\s*([A-Za-z_:][\w:]*|\d+(?:\.\d+)?|==|[<>*()])")

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Vector:
    """What an expression is: values by labels; a number where `scalar` is given."""

    values: dict[Labels, float]
    scalar: float | None = None


class Scrape:
    """The samples of one scrape; a line that is none fails."""

    def __init__(self, page: str) -> None:
        self._samples: dict[str, dict[Labels, float]] = {}
        assert page.endswith("\n")
        for line in page.splitlines():
            if line.startswith("#"):
                assert _COMMENT.fullmatch(line), line
                continue
            found = _SAMPLE.fullmatch(line)
            assert found, line
            labels = tuple(sorted(_LABEL.findall(found["labels"] or "")))
            family = self._samples.setdefault(found["name"], {})
            assert labels not in family, f"twice: {line}"
            family[labels] = float(found["value"])

    def value(self, name: str, **labels: str) -> float:
        return self._samples[name][tuple(sorted(labels.items()))]

    def labels(self, name: str) -> list[dict[str, str]]:
        return [dict(labels) for labels in self._samples[name]]

    def names(self) -> set[str]:
        return set(self._samples)

    def series(self, name: str) -> dict[Labels, float]:
        return self._samples.get(name, {})

    def fires(self, expression: str) -> list[dict[str, str]]:
        """The labels of each series for which a rule's expression holds at once."""
        reader = _Reader(self, expression)
        result = reader.either()
        assert reader.rest == [], reader.rest
        return [dict(labels) for labels in result.values]


class _Reader:
    """`sum(x)`, `x > 2 * y`, `a and on (lane) b`, `a or b`: by descent, one method a level."""

    def __init__(self, scrape: Scrape, expression: str) -> None:
        self._scrape = scrape
        text = expression.strip()
        self.rest = _TOKEN.findall(text)
        assert "".join(self.rest) == "".join(text.split()), f"not understood: {text}"

    def either(self) -> Vector:
        left = self._both()
        while self._takes("or"):
            left = Vector({**self._both().values, **left.values})
        return left

    def _both(self) -> Vector:
        left = self._compared()
        while self._takes("and"):
            on = self._on()
            right = {_only(labels, on) for labels in self._compared().values}
            kept = {
                labels: each for labels, each in left.values.items() if _only(labels, on) in right
            }
            left = Vector(kept)
        return left

    def _on(self) -> str:
        assert [self.rest.pop(0) for _ in range(2)] == ["on", "("]
        label = self.rest.pop(0)
        assert self._takes(")")
        return label

    def _compared(self) -> Vector:
        left = self._times()
        holds: dict[str, Callable[[float, float], bool]] = {
            ">": float.__gt__,
            "<": float.__lt__,
            "==": float.__eq__,
        }
        if self.rest and self.rest[0] in holds:
            test = holds[self.rest.pop(0)]
            right = self._times()
            pairs = {
                labels: (value, right.values.get(labels) if right.scalar is None else right.scalar)
                for labels, value in left.values.items()
            }
            return Vector({k: a for k, (a, b) in pairs.items() if b is not None and test(a, b)})
        return left

    def _times(self) -> Vector:
        left = self._atom()
        if self._takes("*"):
            assert left.scalar is not None
            return Vector({k: left.scalar * each for k, each in self._atom().values.items()})
        return left

    def _atom(self) -> Vector:
        word = self.rest.pop(0)
        if word[0].isdigit():
            return Vector({}, float(word))
        if word == "sum":
            assert self._takes("(")
            inner = self.either().values
            assert self._takes(")")
            return Vector({(): sum(inner.values())} if inner else {})
        return Vector(self._scrape.series(word))

    def _takes(self, word: str) -> bool:
        if self.rest and self.rest[0] == word:
            self.rest.pop(0)
            return True
        return False


def _only(labels: Labels, name: str) -> Labels:
    return tuple(pair for pair in labels if pair[0] == name)
