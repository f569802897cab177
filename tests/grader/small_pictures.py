"""Small made-up pictures in class folders."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image


def noise(seed, *shape):
    return np.random.default_rng(seed).integers(0, 256, size=shape).astype(np.uint8)


def write_classes(folder: Path, classes=("cat", "dog"), count=6, size=(16, 16), form="png"):
    """`count` pictures of noise a class, all different."""
    for label, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = noise(label * 1000 + number, *size, 3)
            Image.fromarray(pixels).save(folder / name / f"{number}.{form}")
    return folder


def png(pixels, **options):
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "png", **options)
    return stream.getvalue()
