"""Real tasks made of Fashion-MNIST, for what reports did on data that can't be had.

Every picture is a real one. What is changed (which pictures, which label, which noise) follows
from a fixed seed and is said in the set's notice.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from reference.data.image_set import ImageSet, sha256_of
from reference.data.resampling import exponential_counts, long_tail
from reference.data.splits import Rows, stratified_split

SEED = 20_260_101
IMBALANCE = 600.0  # 6,000 against 10: the report's rarest classes have 10 to 36 images
COARSE: dict[str, tuple[str, ...]] = {
    "Top": ("T-shirt/top", "Pullover", "Coat", "Shirt"),
    "Trousers or dress": ("Trouser", "Dress"),
    "Shoe": ("Sandal", "Sneaker", "Ankle boot"),
    "Bag": ("Bag",),
}
SALT_AND_PEPPER = 0.1
NOISE_SD = 25.0  # of 255
LARGE_CLASS = "Sandal"
LARGE, OTHERS = 6_000, 1_500  # four to one, as 2,000 turtles are to 500 of the other animals
SMALL = 2_000  # images: a deep network passes over them in seconds on one core


def long_tailed(base: ImageSet) -> ImageSet:
    """6,000 images of the first class, 10 of the last; the test set is left balanced."""
    counts = exponential_counts(len(base.classes), 6_000, IMBALANCE)
    rows = long_tail(base.train_labels, counts, seed=SEED)
    shown = ", ".join(str(count) for count in counts.values())
    return _with_training_rows(
        base,
        rows,
        name="fashion-mnist-long-tail",
        title="Fashion-MNIST, long-tailed",
        notice=f"A task derived from Fashion-MNIST: {shown} training images of its ten classes.",
    )


def coarse(base: ImageSet) -> ImageSet:
    """The same pictures with four superclasses as labels."""
    groups = list(COARSE)
    to_group = np.array(
        [next(i for i, g in enumerate(groups) if name in COARSE[g]) for name in base.classes]
    )
    return _described(
        dataclasses.replace(
            base,
            name="fashion-mnist-coarse",
            title="Fashion-MNIST, four superclasses",
            classes=tuple(groups),
            train_labels=to_group[base.train_labels],
            test_labels=to_group[base.test_labels],
            notice="A task derived from Fashion-MNIST: its ten classes in four groups.",
        )
    )


def noisy(base: ImageSet) -> ImageSet:
    """30,000 training and 5,000 test pictures, each with noise on its pixels."""
    _, training = stratified_split(base.train_labels, 0.5, seed=SEED)
    _, test = stratified_split(base.test_labels, 0.5, seed=SEED)
    return _described(
        dataclasses.replace(
            base,
            name="fashion-mnist-noisy",
            title="Fashion-MNIST, noisy, 30,000 + 5,000",
            train_images=with_noise(base.train_images[training], seed=SEED),
            train_labels=base.train_labels[training],
            test_images=with_noise(base.test_images[test], seed=SEED + 1),
            test_labels=base.test_labels[test],
            notice="A task derived from Fashion-MNIST: half of its images, with noise on the "
            "pixels.",
        )
    )


def one_large(base: ImageSet) -> ImageSet:
    """One class with four times as many training images as each of the others."""
    large = base.classes.index(LARGE_CLASS)
    counts = dict.fromkeys(range(len(base.classes)), OTHERS) | {large: LARGE}
    return _with_training_rows(
        base,
        long_tail(base.train_labels, counts, seed=SEED),
        name="fashion-mnist-one-large",
        title="Fashion-MNIST, one class over-represented",
        notice=f"A task derived from Fashion-MNIST: {LARGE:,} training images of "
        f"{LARGE_CLASS!r}, {OTHERS:,} of each other class.",
    )


def small(base: ImageSet) -> ImageSet:
    """2,000 training and 2,000 test pictures of a set, class by class in its proportions."""
    _, training = stratified_split(base.train_labels, SMALL / len(base.train_labels), seed=SEED)
    _, test = stratified_split(base.test_labels, SMALL / len(base.test_labels), seed=SEED)
    notice = base.notice or "A task derived from Fashion-MNIST."
    return _described(
        dataclasses.replace(
            base,
            name=f"{base.name}-small",
            title=f"{base.title}, small",
            train_images=base.train_images[training],
            train_labels=base.train_labels[training],
            test_images=base.test_images[test],
            test_labels=base.test_labels[test],
            notice=f"{notice} {len(training):,} + {len(test):,} images of it.",
        )
    )


def with_noise(images: NDArray[np.uint8], *, seed: int) -> NDArray[np.uint8]:
    """Gaussian noise on every pixel, and one in ten set to black or white."""
    generator = np.random.default_rng(seed)
    noise = generator.standard_normal(images.shape, dtype=np.float32) * NOISE_SD
    noised = np.clip(np.rint(images + noise), 0, 255).astype(np.uint8)
    draws = generator.random(images.shape, dtype=np.float32)
    noised[draws < SALT_AND_PEPPER / 2] = 0
    noised[draws > 1 - SALT_AND_PEPPER / 2] = 255
    return noised


def _with_training_rows(
    base: ImageSet, rows: Rows, *, name: str, title: str, notice: str
) -> ImageSet:
    return _described(
        dataclasses.replace(
            base,
            train_images=base.train_images[rows],
            train_labels=base.train_labels[rows],
            name=name,
            title=title,
            notice=notice,
        )
    )


def _described(images: ImageSet) -> ImageSet:
    """The set with a manifest of its own content."""
    arrays: dict[str, NDArray[np.generic]] = {
        "train_images": images.train_images,
        "train_labels": images.train_labels,
        "test_images": images.test_images,
        "test_labels": images.test_labels,
    }
    return dataclasses.replace(
        images, sha256={name: sha256_of(array) for name, array in arrays.items()}
    )
