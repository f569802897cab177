"""Line charts as SVG text, in the manner of charts.py: numbers in, shapes with class names out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from markupsafe import Markup, escape

from leaderboard.web.charts import Axis
from leaderboard.web.formats import bare

_WIDTH, _HEIGHT = 980, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 42, 160, 12, 26
_LINE_HEIGHT = 15
_LONGEST_LABEL = 20
_SQUARE, _MARGIN = 300, 40


def climbs(
    lines: Sequence[tuple[str, bool, Sequence[tuple[datetime, float]]]],
    scale: Axis,
    *,
    until: datetime,
    title: str,
) -> Markup:
    """Draw best scores over time as stairs, each with its name at the right end.

    Args:
        lines: name, whether it is the reader's own, and (moment, score) pairs, oldest first.
        scale: the vertical axis.
        until: the moment at the right edge; every line goes on to it.
        title: what a screen reader says in place of the picture.
    """
    start = min(steps[0][0] for _, _, steps in lines)
    seconds = max(1.0, (until - start).total_seconds())

    def across(at: datetime) -> float:
        share = (at - start).total_seconds() / seconds
        return round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    def up(score: float) -> float:
        share = scale.percent(score) / 100
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)

    parts = [
        f'<svg class="climbs" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"'
        f' aria-label="{escape(title)}">'
    ]
    for tick in scale.ticks:
        y = up(tick)
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y}" y2="{y}"/>'
            f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{bare(f"{tick:g}")}</text>'
        )
    places = _spread([up(steps[-1][1]) for _, _, steps in lines])
    for order, ((name, is_mine, steps), place) in enumerate(zip(lines, places, strict=True)):
        kind = "mine" if is_mine else f"n{order}"
        path = [f"M{across(steps[0][0])} {up(steps[0][1])}"]
        path += [f"H{across(at)}V{up(score)}" for at, score in steps[1:]]
        path.append(f"H{_WIDTH - _RIGHT}")
        short = name if len(name) <= _LONGEST_LABEL else name[: _LONGEST_LABEL - 1] + "…"
        parts.append(
            f'<g class="{kind}"><title>{escape(name)}</title><path d="{"".join(path)}"/>'
            f'<line class="lead" x1="{_WIDTH - _RIGHT}" x2="{_WIDTH - _RIGHT + 10}"'
            f' y1="{up(steps[-1][1])}" y2="{place}"/>'
            f'<text x="{_WIDTH - _RIGHT + 14}" y="{place + 4}">{escape(short)}</text></g>'
        )
    pattern = "%m-%d" if until.date() != start.date() else "%H:%M"
    for at, anchor in ((start, "start"), (until, "end")):
        parts.append(
            f'<text x="{across(at)}" y="{_HEIGHT - 6}" text-anchor="{anchor}">{at:{pattern}}</text>'
        )
    return Markup("".join(parts) + "</svg>")  # noqa: S704 -- names passed through escape()


def _spread(heights: Sequence[float]) -> list[float]:
    """Heights at least a line apart, in the same order, near what was asked.

    >>> _spread([20, 22, 100])
    [20, 35, 100]
    """
    placed = dict.fromkeys(range(len(heights)), 0.0)
    lowest = float("-inf")
    for index in sorted(placed, key=lambda index: heights[index]):
        lowest = placed[index] = max(heights[index], lowest + _LINE_HEIGHT)
    excess = max(0.0, lowest - (_HEIGHT - _BOTTOM))
    return [max(_TOP, placed[index] - excess) if excess else placed[index] for index in placed]


def roc(
    curves: Mapping[str, Sequence[float]],
    false_positive_rates: Sequence[float],
    *,
    title: str,
    across: str,
    upwards: str,
) -> Markup:
    """Draw the one-vs-rest ROC curves of the classes, thin, and their mean over the classes.

    Args:
        curves: class → true positive rate at each of `false_positive_rates`, which start at 0.
        title: what a screen reader says in place of the picture.
        across: the title of the horizontal axis.
        upwards: the title of the vertical axis.
    """
    side = _SQUARE - _MARGIN - 8

    def path(rates: Sequence[float]) -> str:
        points = zip(false_positive_rates, rates, strict=True)
        corners = (f"{_MARGIN + x * side:.1f} {8 + (1 - y) * side:.1f}" for x, y in points)
        return f"M{_MARGIN} {8 + side}L" + "L".join(corners)

    mean = [sum(column) / len(curves) for column in zip(*curves.values(), strict=True)]
    parts = [
        f'<svg class="roc" viewBox="0 0 {_SQUARE} {_SQUARE}" role="img"'
        f' aria-label="{escape(title)}">',
        f'<rect class="ground" x="{_MARGIN}" y="8" width="{side}" height="{side}"/>',
        f'<path class="chance" d="M{_MARGIN} {8 + side}l{side} -{side}"/>',
        *(
            f'<path class="one" d="{path(rates)}"><title>{escape(name)}</title></path>'
            for name, rates in curves.items()
        ),
        f'<path class="mean" d="{path(mean)}"/>',
        f'<text x="{_MARGIN + side / 2:g}" y="{_SQUARE - 4}" text-anchor="middle">'
        f"{escape(across)}</text>",
        f'<text transform="translate(12 {8 + side / 2:g}) rotate(-90)" text-anchor="middle">'
        f"{escape(upwards)}</text>",
    ]
    for value in (0, 0.5, 1):
        parts.append(
            f'<text x="{_MARGIN + value * side:g}" y="{8 + side + 14}" text-anchor="middle">'
            f'{bare(f"{value:g}")}</text><text x="{_MARGIN - 5}" y="{8 + (1 - value) * side + 4:g}"'
            f' text-anchor="end">{bare(f"{value:g}")}</text>'
        )
    return Markup("".join(parts) + "</svg>")  # noqa: S704 -- names passed through escape()
