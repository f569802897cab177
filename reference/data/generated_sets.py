"""Drawn patterns in the on-disk forms of sets that can't be had, read by those sets' readers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from reference.data import cifar, class_folders, competition, generated, places
from reference.data.image_set import ImageSet


def load(form: str) -> ImageSet:
    """The generated set in the form of this set; its notice says what it is."""
    return FORMS[form]()


def _cifar(which: cifar.PickledSet, name: str) -> ImageSet:
    write = (
        generated.write_cifar_10_form if which is cifar.CIFAR_10 else generated.write_cifar_100_form
    )
    folder = generated.once(_home(which.layout), write)
    unchecked = dataclasses.replace(
        which,
        name=name,
        title="Generated patterns in CIFAR's form",
        training=dict.fromkeys(which.training, ""),
        test=dict.fromkeys(which.test, ""),
        meta=dict.fromkeys(which.meta, ""),
    )
    return _noticed(cifar.read(unchecked, folder, "generated"), which.title)


def _folders(which: class_folders.FolderSet, name: str, classes: int) -> ImageSet:
    first = 60 if which is class_folders.MARINE else None
    write = partial(
        generated.write_class_folders,
        classes=classes,
        size=which.size,
        per_class=20 if first else 60,
        first=first,
    )
    folder = generated.once(_home(f"{which.name}-form"), write)
    other = dataclasses.replace(which, name=name, title="Generated patterns in class folders")
    return _noticed(class_folders.read(other, folder, "generated"), which.title)


def _competition() -> ImageSet:
    folder = generated.once(_home("competition-form"), generated.write_competition_form)
    other = competition.CompetitionSet(
        name="generated-competition-form", title="Generated patterns as .npy and .csv"
    )
    return _noticed(competition.read(other, folder, "generated"), "the class competition")


def _home(name: str) -> Path:
    home = places.CACHE / "generated"
    home.mkdir(parents=True, exist_ok=True)
    return home / name


def _noticed(images: ImageSet, form: str) -> ImageSet:
    notice = f"{generated.NOTICE.format(form=form)} {images.notice}".strip()
    return dataclasses.replace(images, notice=notice)


FORMS: Mapping[str, Callable[[], ImageSet]] = {
    "cifar-10": partial(_cifar, cifar.CIFAR_10, "generated-cifar-10-form"),
    "cifar-100": partial(_cifar, cifar.CIFAR_100_FINE, "generated-cifar-100-form"),
    "cifar-100-coarse": partial(_cifar, cifar.CIFAR_100_COARSE, "generated-cifar-100-coarse-form"),
    "eurosat": partial(_folders, class_folders.EUROSAT, "generated-eurosat-form", 10),
    "marine": partial(_folders, class_folders.MARINE, "generated-marine-form", 19),
    "competition": _competition,
}
