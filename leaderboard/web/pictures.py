"""Pictures of a public sample as SVG: each is a window on the one sheet that a page loads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from markupsafe import Markup, escape

from leaderboard.assignments.samples import COLUMNS, Sample

_SIDE: Final = 56  # of a drawn picture, in pixels of the page
_GAP: Final = 6
_PER_CLASS: Final = 4
_MOST_CLASSES: Final = 24
_LONGEST: Final = 10  # letters of a name below its column


def strip(sample: Sample, url: str, classes: Sequence[str], *, title: str) -> Markup:
    """Draw some pictures of each class, a column a class, with its name."""
    shown = [
        (classes[label], [at for at, of in enumerate(sample.labels) if of == label][:_PER_CLASS])
        for label in range(min(len(classes), _MOST_CLASSES))
    ]
    shown = [(name, places) for name, places in shown if places]
    rows = max((len(places) for _, places in shown), default=0)
    step = _SIDE + _GAP
    width, height = step * len(shown), step * rows + 18
    parts = [
        f'<svg class="pictures" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        f' role="img" aria-label="{escape(title)}">'
    ]
    for column, (name, places) in enumerate(shown):
        x = column * step
        parts += [picture(sample, url, at, x, row * step) for row, at in enumerate(places)]
        text = name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
        parts.append(
            f'<text x="{x + _SIDE / 2:g}" y="{height - 4}" text-anchor="middle">{escape(text)}'
            f"<title>{escape(name)}</title></text>"
        )
    parts.append("</svg>")
    return Markup("".join(parts))  # noqa: S704 -- every text above passed through escape()


def one(sample: Sample, url: str, place: int, *, title: str) -> Markup:
    """Draw one picture of the sample by itself."""
    return Markup(  # noqa: S704 -- every text passed through escape()
        f'<svg class="pictures" viewBox="0 0 {_SIDE} {_SIDE}" width="{_SIDE}" height="{_SIDE}"'
        f' role="img" aria-label="{escape(title)}">{picture(sample, url, place, 0, 0)}</svg>'
    )


def picture(sample: Sample, url: str, place: int, x: int, y: int) -> str:
    """The window on one picture of the sheet."""
    left = place % COLUMNS * sample.width
    top = place // COLUMNS * sample.height
    rows = -(-len(sample.labels) // COLUMNS)
    return (
        f'<svg x="{x}" y="{y}" width="{_SIDE}" height="{_SIDE}"'
        f' viewBox="{left} {top} {sample.width} {sample.height}">'
        f'<image href="{escape(url)}" width="{COLUMNS * sample.width}"'
        f' height="{rows * sample.height}"/></svg>'
    )
