"""Charts as SVG text: pure functions from numbers to markup.

Nothing here carries a colour or a style. Shapes have class names and `static/site.css` paints them
for the light and the dark theme, so that the pages hold under a policy that forbids inline styles.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from markupsafe import Markup, escape

from leaderboard.web.formats import bare

COUNTS_UP_TO = 30
"""Matrices with at most this many classes show the counts; larger ones are a picture only."""

_LEVELS = 10
_CELL_PIXELS = {10: 36, 16: 34, COUNTS_UP_TO: 30, 60: 11, 120: 7}
_SMALLEST_CELL = 4
_FITS_A_PHONE = 12  # classes; of more the matrix is scrolled there
_LONGEST_LABEL = 16
_MOST_TICKS = 6
_LOZENGE = "M0-5L5 0L0 5L-5 0z"


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """Images of one class that were taken for another."""

    true: str
    predicted: str
    count: int
    share: float
    """Of the images of the true class, 0 to 1."""


def most_confused(
    counts: Sequence[Sequence[int]], classes: Sequence[str], limit: int = 5
) -> list[Confusion]:
    """Return the off-diagonal cells with the most images, largest first.

    Ties go to the pair that comes first in the order of the classes.

    >>> most_confused([[3, 1], [2, 2]], ["cat", "dog"])[0].true
    'dog'
    """
    pairs = [
        Confusion(
            true=classes[row],
            predicted=classes[column],
            count=count,
            share=count / max(1, sum(cells)),
        )
        for row, cells in enumerate(counts)
        for column, count in enumerate(cells)
        if row != column and count > 0
    ]
    return sorted(pairs, key=lambda pair: -pair.count)[:limit]


def confusion_matrix(
    counts: Sequence[Sequence[int]],
    classes: Sequence[str],
    *,
    title: str,
    true_label: str,
    predicted_label: str,
) -> Markup:
    """Draw a confusion matrix, rows true and columns predicted, shaded by share of the row.

    Args:
        counts: K × K numbers of images.
        classes: K names, in the order of the rows.
        title: what a screen reader says in place of the picture.
        true_label: the title of the vertical axis.
        predicted_label: the title of the horizontal axis.
    """
    size = len(classes)
    cell = next((pixels for most, pixels in _CELL_PIXELS.items() if size <= most), _SMALLEST_CELL)
    step = 1 if size <= COUNTS_UP_TO else 5 if size <= 60 else 10
    shown = [_shortened(name) for name in classes[::step]]
    margin = round(min(max(map(len, shown)), _LONGEST_LABEL) * 7.2) + 34
    side = cell * size
    width, height = margin + side + 8, margin + side + 8
    kind = "confusion" if size <= _FITS_A_PHONE else "confusion many"
    parts = [
        f'<svg class="{kind}" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' role="img" aria-label="{escape(title)}">',
        f'<text class="axis" x="{margin + side / 2:g}" y="14" text-anchor="middle">'
        f"{escape(predicted_label)}</text>",
        f'<text class="axis" transform="translate(14 {margin + side / 2:g}) rotate(-90)"'
        f' text-anchor="middle">{escape(true_label)}</text>',
        *_labels(shown, step=step, cell=cell, margin=margin),
        f'<rect class="ground" x="{margin}" y="{margin}" width="{side}" height="{side}"/>',
    ]
    draw = _cells_with_counts if size <= COUNTS_UP_TO else _cells_as_paths
    parts += draw(counts, classes, cell=cell, margin=margin)
    parts.append("</svg>")
    return Markup("".join(parts))  # noqa: S704 -- every text above passed through escape()


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_LABEL else name[: _LONGEST_LABEL - 1] + "…"


def _labels(shown: Sequence[str], *, step: int, cell: int, margin: int) -> list[str]:
    parts = []
    for position, name in enumerate(shown):
        middle = margin + (position * step + 0.5) * cell
        text = escape(name)
        parts.append(
            f'<text class="label" x="{margin - 8}" y="{middle + 4:g}" text-anchor="end">'
            f"{text}</text>"
            f'<text class="label" transform="translate({middle + 4:g} {margin - 8}) rotate(-90)">'
            f"{text}</text>"
        )
    return parts


def _level(count: int, total: int) -> int:
    """Return 0 for an empty cell and 1…10 for shares up to 100 %.

    The root spreads the small shares: a 2 % confusion is to be seen beside a 95 % diagonal.
    """
    return 0 if count == 0 else max(1, math.ceil(_LEVELS * math.sqrt(count / total)))


def _cells_with_counts(
    counts: Sequence[Sequence[int]], classes: Sequence[str], *, cell: int, margin: int
) -> list[str]:
    parts = []
    for row, cells in enumerate(counts):
        total = max(1, sum(cells))
        y = margin + row * cell
        for column, count in enumerate(cells):
            level = _level(count, total)
            if level == 0:
                continue
            kind = "right" if row == column else "wrong"
            x = margin + column * cell
            share = f"{100 * count / total:.1f} %"
            parts.append(
                f'<g class="{kind} l{level}"><title>{escape(classes[row])} → '
                f"{escape(classes[column])}: {count} ({share})</title>"
                f'<rect x="{x + 1}" y="{y + 1}" width="{cell - 2}" height="{cell - 2}" rx="3"/>'
                f'<text x="{x + cell / 2:g}" y="{y + cell / 2 + 4:g}">{count}</text></g>'
            )
    return parts


def _cells_as_paths(
    counts: Sequence[Sequence[int]], classes: Sequence[str], *, cell: int, margin: int
) -> list[str]:
    """One path a shade: a matrix of 100 classes stays small and quick to paint."""
    strokes: dict[str, list[str]] = {}
    for row, cells in enumerate(counts):
        total = max(1, sum(cells))
        for column, count in enumerate(cells):
            level = _level(count, total)
            if level:
                kind = "right" if row == column else "wrong"
                strokes.setdefault(f"{kind} l{level}", []).append(
                    f"M{margin + column * cell} {margin + row * cell}h{cell}v{cell}h-{cell}z"
                )
    return [f'<path class="{name}" d="{"".join(path)}"/>' for name, path in sorted(strokes.items())]


@dataclass(frozen=True, kw_only=True)
class Axis:
    """A range of scores with round ends and ticks, for dots drawn one row at a time."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def percent(self, value: float) -> float:
        """Return where `value` lies, 0 to 100; values outside sit on the edge."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * min(1.0, max(0.0, share)), 2)


def axis(values: Sequence[float]) -> Axis:
    """Return an axis with two to six round ticks that holds all values.

    >>> axis([0.81, 0.93]).ticks
    (0.8, 0.85, 0.9, 0.95)
    """
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    if high - low < 1e-3:
        low, high = low - 0.005, high + 0.005
    power = 10.0 ** (math.floor(math.log10(high - low)) - 1)
    for step in (power * factor for factor in (1, 2, 5, 10, 20, 50)):
        first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
        if last - first < _MOST_TICKS:
            break
    ticks = tuple(round(step * index, 10) for index in range(first, last + 1))
    return Axis(low=ticks[0], high=ticks[-1], ticks=ticks)


def axis_labels(scale: Axis, marks: Sequence[float] = ()) -> Markup:
    """Draw the ticks with their numbers: the head of a column of `dot` charts. It keeps the fine
    lines at `marks` (the baselines) for all of them, since on a long board they would weigh more
    than the rest."""
    every = 1 if len(scale.ticks) <= 4 else 2
    decimals = max(0, -math.floor(math.log10(scale.ticks[1] - scale.ticks[0]) + 1e-9))
    parts = ['<svg class="scale-head" width="100%" height="22" aria-hidden="true">']
    for index, tick in enumerate(scale.ticks):
        x = scale.percent(tick)
        tall = index % every == 0
        parts.append(f'<line x1="{x}%" x2="{x}%" y1="{15 if tall else 18}" y2="22"/>')
        if tall:
            anchor = "start" if x == 0 else "end" if x == 100 else "middle"
            text = bare(f"{tick:.{decimals}f}")
            parts.append(f'<text x="{x}%" y="11" text-anchor="{anchor}">{text}</text>')
    lines = "".join(
        f'<line x1="{at}%" x2="{at}%" y1="0" y2="100%"/>'
        for at in sorted({scale.percent(mark) for mark in marks})
    )
    parts.append(f'<defs><g id="marks" class="mark">{lines}</g></defs></svg>')
    return Markup("".join(parts))  # noqa: S704 -- numbers only


def dot(
    scale: Axis,
    value: float,
    *,
    kind: str,
    interval: tuple[float, float] | None = None,
) -> Markup:
    """Draw one score as a dot on the axis, with the lines that `axis_labels` keeps and its
    interval as a bar.

    Args:
        kind: `team`, `mine` or `baseline`; the class of the dot. A baseline is a lozenge, so that
            shape tells it from a team where colour can't.
    """
    x = scale.percent(value)
    shape = (
        f'<svg x="{x}%" y="50%" overflow="visible"><path d="{_LOZENGE}"/></svg>'
        if kind == "baseline"
        else f'<circle cx="{x}%" cy="50%" r="{6 if kind == "mine" else 4.5}"/>'
    )
    low, high = (scale.percent(bound) for bound in interval or (value, value))
    bar = f'<line class="interval" x1="{low}%" x2="{high}%" y1="50%" y2="50%"/>' if interval else ""
    return Markup(  # noqa: S704 -- numbers and our own class names only
        f'<svg class="dot {escape(kind)}" width="100%" height="24" aria-hidden="true">'
        f'<use href="#marks"/><line class="track" x1="0" x2="{x}%" y1="50%" y2="50%"/>'
        f"{bar}{shape}</svg>"
    )


def bands(scale: Axis, knots: Sequence[tuple[float, str]], *, title: str) -> Markup:
    """Draw which grade begins at which score: a band from each knot to the next, by turns shaded.

    Args:
        knots: score and grade, as it is written, in the order of the scores. Below the first and
            beyond the last the grade is flat.
    """
    ends = [scale.percent(score) for score, _ in knots]
    shaded = "".join(
        f'<rect class="band b{place % 2}" x="{low}%" y="20" width="{round(high - low, 2)}%"'
        ' height="18"/>'
        for place, (low, high) in enumerate(zip([0.0, *ends], [*ends, 100.0], strict=True))
    )
    marks = "".join(
        f'<line class="mark" x1="{x}%" x2="{x}%" y1="14" y2="38"/>'
        f'<text x="{x}%" y="11" text-anchor="{_anchor(x)}">{escape(grade)}</text>'
        for x, (_, grade) in zip(ends, knots, strict=True)
    )
    return Markup(  # noqa: S704 -- grades passed through escape(), the rest is numbers
        f'<svg class="bands" width="100%" height="40" role="img" aria-label="{escape(title)}">'
        f"{shaded}{marks}</svg>"
    )


def _anchor(x: float) -> str:
    """How a text at so many percent is aligned, so that it stays within the picture."""
    return "start" if x < 5 else "end" if x > 95 else "middle"


def strip(
    scale: Axis,
    *,
    teams: Sequence[float],
    baselines: Sequence[tuple[str, float]],
    mine: float | None,
    title: str,
    notes: Mapping[str, str] = MappingProxyType({}),
) -> Markup:
    """Draw where one score (None: there is none yet) lies among the teams (ticks) and the baselines
    (labelled lozenges, by name those of `notes` with what is said there).

    Labels that would run into each other go to a line below.
    """
    lanes: list[float] = []
    marks = []
    for name, value in sorted(baselines, key=lambda baseline: baseline[1]):
        x = scale.percent(value)
        text = _shortened(name) + (f" · {notes[name]}" if name in notes else "")
        reach = 0.62 * len(text) + 1.0  # half of its width, in percent of a chart 36 rem wide
        centre = min(max(x, reach), 100 - reach)
        lane = next((i for i, end in enumerate(lanes) if centre - reach > end), len(lanes))
        lanes[lane : lane + 1] = [centre + reach]
        y = 62 + 17 * lane
        anchor = "start" if x < reach else "end" if x > 100 - reach else "middle"
        marks.append(
            f'<line class="mark" x1="{x}%" x2="{x}%" y1="30" y2="{y - 11}"/>'
            f'<svg x="{x}%" y="30" overflow="visible"><path class="baseline" d="{_LOZENGE}"/></svg>'
            f'<text x="{x}%" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'
        )
    height = 50 + 17 * len(lanes) if lanes else 44
    own = (
        "" if mine is None else f'<circle class="mine" cx="{scale.percent(mine)}%" cy="30" r="7"/>'
    )
    ticks = "".join(
        f'<line class="team" x1="{x}%" x2="{x}%" y1="23" y2="37"/>'
        for x in sorted({scale.percent(value) for value in teams})
    )
    return Markup(  # noqa: S704 -- names passed through escape(), the rest is numbers
        f'<svg class="strip" width="100%" height="{height}" role="img"'
        f' aria-label="{escape(title)}">'
        f'<line class="rule" x1="0" x2="100%" y1="30" y2="30"/>{ticks}{"".join(marks)}'
        f"{own}"
        f'<text class="ends" x="0" y="12" text-anchor="start">{_tick(scale.ticks[0])}</text>'
        f'<text class="ends" x="100%" y="12" text-anchor="end">{_tick(scale.ticks[-1])}</text>'
        "</svg>"
    )


def _tick(value: float) -> str:
    return bare(f"{value:g}")
