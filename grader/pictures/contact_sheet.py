"""One picture that shows pairs side by side, for a person to judge."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

MOST_PAIRS: Final = 60
_TILE: Final = 96  # pixels, of the longer side of a picture
_EDGE: Final = 4
_CAPTION: Final = 14
_ACROSS: Final = 5  # pairs in a line
_GROUND, _INK = (238, 238, 238), (0, 0, 0)


def write_sheet(
    path: Path, pairs: Sequence[tuple[NDArray[np.uint8], NDArray[np.uint8]]], names: Sequence[str]
) -> None:
    """Write a PNG of the pairs, each under its name in plain letters: uint8 (H, W) or (H, W, 3)."""
    from PIL import Image, ImageDraw

    wide, high = 2 * (_TILE + _EDGE) + 2 * _EDGE, _TILE + _CAPTION + 2 * _EDGE
    lines = -(-len(pairs) // _ACROSS)
    sheet = Image.new("RGB", (wide * min(len(pairs), _ACROSS), high * lines), _GROUND)
    drawing = ImageDraw.Draw(sheet)
    for at, (pair, name) in enumerate(zip(pairs, names, strict=True)):
        line, column = divmod(at, _ACROSS)
        x, y = column * wide + _EDGE, line * high + _EDGE
        drawing.text((x, y), name, fill=_INK)
        for side, pixels in enumerate(pair):
            tile = Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")
            scale = _TILE / max(tile.size)
            size = (max(1, round(tile.width * scale)), max(1, round(tile.height * scale)))
            sheet.paste(
                tile.resize(size, Image.Resampling.BOX if scale < 1 else Image.Resampling.NEAREST),
                (x + side * (_TILE + _EDGE), y + _CAPTION),
            )
    sheet.save(path)
