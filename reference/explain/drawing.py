"""PNGs: images in a row, heat maps over them, points in a plane. The same values, the same file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

COLUMNS = 8
HEAT = "inferno"
OPACITY = 0.55


def images_with_heat(
    images: Tensor, maps: Tensor, titles: Sequence[str], path: Path, *, about: str
) -> None:
    """Each image, and under it the same with its map laid over.

    Shapes: images N×C×H×W in 0…1 or uint8, maps N×h×w in 0…1 (made as large as the images).
    """
    shown = as_pictures(images)
    size = shown.shape[1:3]
    heat = functional.interpolate(maps[:, None], size, mode="bilinear", align_corners=False)[:, 0]
    columns = min(COLUMNS, len(shown))
    lines = -(-len(shown) // columns)
    figure, axes = _grid(2 * lines, columns, about)
    for index, picture in enumerate(shown):
        line, column = divmod(index, columns)
        above, below = axes[2 * line][column], axes[2 * line + 1][column]
        _show(above, picture)
        _show(below, picture)
        below.imshow(heat[index].numpy(), cmap=HEAT, vmin=0, vmax=1, alpha=OPACITY)
        above.set_title(titles[index], fontsize=7)
    _save(figure, path)


def gallery(images: Tensor, titles: Sequence[str], path: Path, *, about: str) -> None:
    """Images with a title each. Shapes: as `images_with_heat`."""
    columns = min(COLUMNS, len(images))
    figure, axes = _grid(-(-len(images) // columns), columns, about)
    for index, picture in enumerate(as_pictures(images)):
        line, column = divmod(index, columns)
        _show(axes[line][column], picture)
        axes[line][column].set_title(titles[index], fontsize=7)
    _save(figure, path)


def scatter(
    points: NDArray[np.float64],
    labels: NDArray[np.int64],
    classes: Sequence[str],
    path: Path,
    *,
    about: str,
    axes_named: tuple[str, str] = ("", ""),
) -> None:
    """Points by class: N×2, int64 N."""
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    colours = "tab10" if len(classes) <= 10 else "tab20"
    for number, name in enumerate(classes):
        chosen = points[labels == number]
        colour = [_colour(colours, number)]
        axes.scatter(chosen[:, 0], chosen[:, 1], s=4, c=colour, label=name, linewidths=0)
    axes.set_xlabel(axes_named[0])
    axes.set_ylabel(axes_named[1])
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(about, fontsize=9)
    axes.legend(fontsize=7, markerscale=3, loc="center left", bbox_to_anchor=(1, 0.5))
    _save(figure, path)


def as_pictures(images: Tensor) -> NDArray[np.float32]:
    """N×C×H×W (uint8, or float in 0…1) → N×H×W×3 float32 in 0…1; grey is made of three alike."""
    values = images.float() / 255 if images.dtype == torch.uint8 else images.float()
    if values.shape[1] != 3:
        values = values.mean(dim=1, keepdim=True).expand(-1, 3, -1, -1)
    return np.ascontiguousarray(values.permute(0, 2, 3, 1).numpy(), dtype=np.float32)


def _colour(name: str, number: int) -> Any:
    import matplotlib as mpl

    colours = mpl.colormaps[name]
    return colours(number % colours.N)


def _grid(lines: int, columns: int, about: str) -> tuple[Figure, NDArray[Any]]:
    figure = Figure(figsize=(0.95 * columns + 0.2, 1.02 * lines + 0.45), layout="constrained")
    figure.suptitle(about, fontsize=8)
    axes = figure.subplots(lines, columns, squeeze=False)
    for each in axes.flat:
        each.axis("off")
    return figure, axes


def _show(axes: Any, picture: NDArray[np.float32]) -> None:
    axes.imshow(picture, vmin=0, vmax=1, interpolation="nearest")


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100, metadata={"Software": None})
