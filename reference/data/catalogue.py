"""Every image set by name. What reads a set other than Fashion-MNIST is opened with that set."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from reference.data import idx
from reference.data.image_set import ImageSet, sha256_of
from reference.data.splits import stratified_split
from reference.errors import DataError


def load(name: str) -> ImageSet:
    """The image set of this name.

    Raises:
        DataError: it is unknown, or it is nowhere on this machine and can't be downloaded.
    """
    if name not in LOADERS:
        raise DataError(f"no image set is called {name!r}; there are {', '.join(LOADERS)}")
    return LOADERS[name]()


def names() -> tuple[str, ...]:
    """Every set's name: real ones, tasks derived from them, generated ones."""
    return tuple(LOADERS)


def digits() -> ImageSet:
    """The test part of UCI's handwritten digits as scikit-learn carries it: 1,797 of 8×8.

    It has no test set of its own: 30% of each class are drawn once, by a fixed seed. Pixel values
    0…16 are spread over 0…255.

    Raises:
        DataError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise DataError(
            "the digits come with scikit-learn: pip install 'gradewright[reference]'"
        ) from error
    bunch = load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)[:, None]
    labels = bunch.target.astype(np.int64)
    training, test = stratified_split(labels, 0.3, seed=0)
    return ImageSet(
        name="digits",
        title="Handwritten digits",
        classes=tuple("0123456789"),
        train_images=images[training],
        train_labels=labels[training],
        test_images=images[test],
        test_labels=labels[test],
        origin="scikit-learn's load_digits",
        sha256={"images": sha256_of(images), "labels": sha256_of(labels)},
    )


def _idx(which: idx.IdxSet) -> ImageSet:
    return idx.read(which, *idx.find(which))


def _cifar(which: str) -> ImageSet:
    from reference.data import cifar

    found: cifar.PickledSet = getattr(cifar, which)
    return cifar.read(found, *cifar.find(found))


def _folders(which: str) -> ImageSet:
    from reference.data import class_folders

    found: class_folders.FolderSet = getattr(class_folders, which)
    return class_folders.read(found, *class_folders.find(found))


def _competition() -> ImageSet:
    from reference.data import competition

    return competition.read(competition.COMPETITION, *competition.find(competition.COMPETITION))


def _derived(derive: str, base: str = "fashion-mnist") -> ImageSet:
    from reference.data import derived

    made: ImageSet = getattr(derived, derive)(load(base))
    return made


def _generated(form: str) -> ImageSet:
    from reference.data import generated_sets

    return generated_sets.load(form)


LOADERS: Mapping[str, Callable[[], ImageSet]] = {
    "fashion-mnist": partial(_idx, idx.FASHION),
    "mnist": partial(_idx, idx.MNIST),
    "digits": digits,
    "cifar-10": partial(_cifar, "CIFAR_10"),
    "cifar-100": partial(_cifar, "CIFAR_100_FINE"),
    "cifar-100-coarse": partial(_cifar, "CIFAR_100_COARSE"),
    "eurosat": partial(_folders, "EUROSAT"),
    "marine": partial(_folders, "MARINE"),
    "competition": _competition,
    "fashion-mnist-long-tail": partial(_derived, "long_tailed"),
    "fashion-mnist-coarse": partial(_derived, "coarse"),
    "fashion-mnist-noisy": partial(_derived, "noisy"),
    "fashion-mnist-one-large": partial(_derived, "one_large"),
    "fashion-mnist-small": partial(_derived, "small"),
    "fashion-mnist-coarse-small": partial(_derived, "small", "fashion-mnist-coarse"),
    "fashion-mnist-noisy-small": partial(_derived, "small", "fashion-mnist-noisy"),
    "fashion-mnist-one-large-small": partial(_derived, "small", "fashion-mnist-one-large"),
    **{
        f"generated-{form}-form": partial(_generated, form)
        for form in (
            "cifar-10",
            "cifar-100",
            "cifar-100-coarse",
            "eurosat",
            "marine",
            "competition",
        )
    },
}
