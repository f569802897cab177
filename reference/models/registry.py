"""What is known of each model without importing torch, and how to build it.

Entries name their family file instead of importing it: `reference list` stays quick, and a family
file stays free of this registry, so that it can be copied into a bundle as it is.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from reference.errors import ModelError

if TYPE_CHECKING:
    from torch import nn

Option = bool | int | float | str | tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One model: where its code is and what it takes.

    Attributes:
        family: name of the file in `reference/models/`, without `.py`.
        builder: the class in it, called as `builder(num_classes, channels, size, **options)`.
        options: every option with its value for this model.
        channels: channels of the input. size: its height and width in pixels.
        smallest: the smallest valid height and width.
        normalisation: how pixels are scaled; `training_set` is mean and SD of the training images.
        parameters: trainable values for `classes` classes at `channels` and `size`.
        first_conv, classifier, cam_layer: module names, for stems, heads and class activation maps.
        source: the paper, and the row of the report that used it.
        library: what the family's file imports; torchvision is in the runner's packages too.
    """

    name: str
    family: str
    builder: str
    options: Mapping[str, Option]
    channels: int
    size: int
    smallest: int
    normalisation: str
    parameters: int
    first_conv: str
    classifier: str
    cam_layer: str
    source: str
    classes: int = 10
    library: Literal["torch", "torchvision"] = "torch"

    @property
    def source_file(self) -> Path:
        """The family's file, which bundles carry a copy of."""
        return Path(__file__).with_name(f"{self.family}.py")

    def with_options(self, changes: Mapping[str, Option]) -> Mapping[str, Option]:
        """This model's options with some changed.

        Raises:
            ModelError: an option that the model does not have, a value of another type, a negative
                number, or 0 where it does not stand for "none".
        """
        for key, value in changes.items():
            if key not in self.options:
                raise ModelError(f"{self.name} has no option {key!r}{nearest(key, self.options)}")
            if type(value) is not type(self.options[key]):
                kind = type(self.options[key]).__name__
                raise ModelError(f"option {key!r} of {self.name} takes {kind}, not {value!r}")
            if type(value) is int and value < bool(self.options[key]):
                raise ModelError(f"option {key!r} of {self.name} can't be {value}")
        return {**self.options, **changes}

    def build(
        self,
        num_classes: int,
        *,
        channels: int | None = None,
        size: int | None = None,
        **changes: Option,
    ) -> nn.Module:
        """A new model with freshly drawn weights (from torch's global generator)."""
        if self.library == "torchvision":
            from sandbox.inside.torchvision_compat import define_missing_schemas

            define_missing_schemas()
        family = importlib.import_module(f"reference.models.{self.family}")
        model: nn.Module = getattr(family, self.builder)(
            num_classes,
            self.channels if channels is None else channels,
            self.size if size is None else size,
            **self.with_options(changes),
        )
        return model


_entries: dict[str, Entry] = {}


def register(entry: Entry) -> Entry:
    """Add a model under its name.

    Raises:
        ValueError: the name is taken.
    """
    if entry.name in _entries:
        raise ValueError(f"a model named {entry.name!r} is registered already")
    _entries[entry.name] = entry
    return entry


def find(name: str) -> Entry:
    """The model of this name.

    Raises:
        ModelError: there is none; the message names the nearest.
    """
    if name not in _entries:
        raise ModelError(f"there is no model {name!r}{nearest(name, _entries)}")
    return _entries[name]


def names() -> tuple[str, ...]:
    """All model names, in order of registration."""
    return tuple(_entries)


def nearest(word: str, choices: Mapping[str, object]) -> str:
    """A clause that helps after a misspelling: the nearest choice, or all of them.

    >>> nearest("kernl", {"kernel": 5, "pool": 2})
    '; did you mean kernel?'
    >>> nearest("depth", {"kernel": 5, "pool": 2})
    '; it has kernel, pool'
    """
    close = get_close_matches(word, choices, n=1)
    if close:
        return f"; did you mean {close[0]}?"
    return f"; it has {', '.join(choices)}" if choices else ""
