"""Every image set by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from reference.data import (
    cifar,
    class_folders,
    competition,
    derived,
    generated,
    idx,
    places,
)
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


def _cifar(which: cifar.PickledSet) -> ImageSet:
    return cifar.read(which, *cifar.find(which))


def _folders(which: class_folders.FolderSet) -> ImageSet:
    return class_folders.read(which, *class_folders.find(which))


def _competition() -> ImageSet:
    return competition.read(competition.COMPETITION, *competition.find(competition.COMPETITION))


def _derived(derive: Callable[[ImageSet], ImageSet]) -> ImageSet:
    return derive(load("fashion-mnist"))


def _small(name: str) -> ImageSet:
    return derived.small(load(name))


def _generated_cifar(which: cifar.PickledSet, name: str) -> ImageSet:
    write = (
        generated.write_cifar_10_form if which is cifar.CIFAR_10 else generated.write_cifar_100_form
    )
    folder = generated.once(_generated_home(which.layout), write)
    unchecked = dataclasses.replace(
        which,
        name=name,
        title="Generated patterns in CIFAR's form",
        training=dict.fromkeys(which.training, ""),
        test=dict.fromkeys(which.test, ""),
        meta=dict.fromkeys(which.meta, ""),
    )
    return _noticed(cifar.read(unchecked, folder, "generated"), which.title)


def _generated_folders(which: class_folders.FolderSet, name: str, classes: int) -> ImageSet:
    first = 60 if which is class_folders.MARINE else None
    write = partial(
        generated.write_class_folders,
        classes=classes,
        size=which.size,
        per_class=20 if first else 60,
        first=first,
    )
    folder = generated.once(_generated_home(f"{which.name}-form"), write)
    other = dataclasses.replace(which, name=name, title="Generated patterns in class folders")
    return _noticed(class_folders.read(other, folder, "generated"), which.title)


def _generated_competition() -> ImageSet:
    folder = generated.once(_generated_home("competition-form"), generated.write_competition_form)
    other = competition.CompetitionSet(
        name="generated-competition-form", title="Generated patterns as .npy and .csv"
    )
    return _noticed(competition.read(other, folder, "generated"), "the class competition")


def _generated_home(name: str) -> Path:
    home = places.CACHE / "generated"
    home.mkdir(parents=True, exist_ok=True)
    return home / name


def _noticed(images: ImageSet, form: str) -> ImageSet:
    notice = f"{generated.NOTICE.format(form=form)} {images.notice}".strip()
    return dataclasses.replace(images, notice=notice)


LOADERS: Mapping[str, Callable[[], ImageSet]] = {
    "fashion-mnist": partial(_idx, idx.FASHION),
    "mnist": partial(_idx, idx.MNIST),
    "digits": digits,
    "cifar-10": partial(_cifar, cifar.CIFAR_10),
    "cifar-100": partial(_cifar, cifar.CIFAR_100_FINE),
    "cifar-100-coarse": partial(_cifar, cifar.CIFAR_100_COARSE),
    "eurosat": partial(_folders, class_folders.EUROSAT),
    "marine": partial(_folders, class_folders.MARINE),
    "competition": _competition,
    "fashion-mnist-long-tail": partial(_derived, derived.long_tailed),
    "fashion-mnist-coarse": partial(_derived, derived.coarse),
    "fashion-mnist-noisy": partial(_derived, derived.noisy),
    "fashion-mnist-one-large": partial(_derived, derived.one_large),
    "fashion-mnist-small": partial(_small, "fashion-mnist"),
    "fashion-mnist-coarse-small": partial(_small, "fashion-mnist-coarse"),
    "fashion-mnist-noisy-small": partial(_small, "fashion-mnist-noisy"),
    "fashion-mnist-one-large-small": partial(_small, "fashion-mnist-one-large"),
    "generated-cifar-10-form": partial(_generated_cifar, cifar.CIFAR_10, "generated-cifar-10-form"),
    "generated-cifar-100-form": partial(
        _generated_cifar, cifar.CIFAR_100_FINE, "generated-cifar-100-form"
    ),
    "generated-cifar-100-coarse-form": partial(
        _generated_cifar, cifar.CIFAR_100_COARSE, "generated-cifar-100-coarse-form"
    ),
    "generated-eurosat-form": partial(
        _generated_folders, class_folders.EUROSAT, "generated-eurosat-form", 10
    ),
    "generated-marine-form": partial(
        _generated_folders, class_folders.MARINE, "generated-marine-form", 19
    ),
    "generated-competition-form": _generated_competition,
}
