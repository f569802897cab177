"""Pictures with their classes, whatever they came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from grader.pictures import decoding
from grader.pictures.decoding import Facts
from grader.words.message import Message


class Reader(Protocol):
    """Reads one file: in this process (`decoding`), or in one of its own (`apart`)."""

    def facts_of(self, source: Path | bytes, name: str) -> Facts:
        """As `decoding.facts_of`."""

    def decoded(self, source: Path | bytes, name: str) -> NDArray[np.uint8]:
        """As `decoding.decoded`."""


HERE: Final[Reader] = decoding
"""Reads in this process: for whoever's own pictures they are."""


class Pictures(Protocol):
    """Pictures in some order, each with a name that its owner knows it by."""

    def __len__(self) -> int:
        """How many there are."""

    def name(self, row: int) -> str:
        """Say which one this is."""

    def content(self, row: int) -> bytes:
        """Give what it is stored as.

        Raises:
            BadPicture: it can't be read.
        """

    def facts(self, row: int) -> Facts:
        """Look at it without decoding it.

        Raises:
            BadPicture: it can't be read.
        """

    def pixels(self, row: int) -> NDArray[np.uint8]:
        """Decode it: uint8 (H, W) or (H, W, 3).

        Raises:
            BadPicture: it can't be read.
        """


@dataclass(frozen=True, kw_only=True)
class PictureFiles:
    """Pictures that are files; their names are their places below `folder`."""

    folder: Path
    paths: Sequence[Path]
    reader: Reader = HERE

    def __len__(self) -> int:
        return len(self.paths)

    def name(self, row: int) -> str:
        """Give its place below the folder."""
        return self.paths[row].relative_to(self.folder).as_posix()

    def content(self, row: int) -> bytes:
        """Give the file's content."""
        return decoding.content_of(self.paths[row], self.name(row))

    def facts(self, row: int) -> Facts:
        """As `Pictures.facts`."""
        return self.reader.facts_of(self.paths[row], self.name(row))

    def pixels(self, row: int) -> NDArray[np.uint8]:
        """As `Pictures.pixels`."""
        return self.reader.decoded(self.paths[row], self.name(row))


@dataclass(frozen=True, kw_only=True)
class PictureContents:
    """Pictures that are the contents of files, each with a name."""

    names: Sequence[str]
    contents: Sequence[bytes] = field(repr=False)

    def __len__(self) -> int:
        return len(self.contents)

    def name(self, row: int) -> str:
        """Give its name."""
        return self.names[row]

    def content(self, row: int) -> bytes:
        """Give it."""
        return self.contents[row]

    def facts(self, row: int) -> Facts:
        """As `Pictures.facts`."""
        return HERE.facts_of(self.contents[row], self.name(row))

    def pixels(self, row: int) -> NDArray[np.uint8]:
        """As `Pictures.pixels`."""
        return HERE.decoded(self.contents[row], self.name(row))


@dataclass(frozen=True, kw_only=True)
class PictureRows:
    """Pictures that are rows of one array, uint8 N×H×W or N×H×W×3; `label` is the array's name."""

    label: str
    array: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.array)

    def name(self, row: int) -> str:
        """Give the array's name and the row."""
        return f"{self.label}[{row}]"

    def content(self, row: int) -> bytes:
        """Give the row's bytes."""
        content: bytes = self.array[row].tobytes()
        return content

    def facts(self, row: int) -> Facts:
        """Give what the array's shape says."""
        _, height, width = self.array.shape[:3]
        grey = self.array.ndim == 3
        return Facts(
            height=height,
            width=width,
            grey=grey,
            kind="array",
            transparent=False,
            deep=False,
            frames=1,
        )

    def pixels(self, row: int) -> NDArray[np.uint8]:
        """Give the row."""
        return np.asarray(self.array[row])


@dataclass(frozen=True, kw_only=True)
class Collection:
    """Labelled pictures.

    labels: int64 (N,), indices of `classes`. is_test: bool (N,), where the source divides its
    pictures, what it keeps for testing; None where it does not. parts: the names of these parts.
    is_public: bool (N,), which of those for testing the source shows scores of; None where it does
    not say. looks_like_classes: whether the parts are folders that could be taken for classes.
    notices: what was left out or understood, to be told.
    """

    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    pictures: Pictures
    is_test: NDArray[np.bool_] | None = None
    parts: tuple[str, ...] = ()
    is_public: NDArray[np.bool_] | None = None
    looks_like_classes: bool = False
    notices: tuple[Message, ...] = field(default=(), repr=False)

    def joined(self) -> Collection:
        """Forget how the source divides them."""
        return replace(self, is_test=None, is_public=None, parts=())

    def counts(self) -> NDArray[np.int64]:
        """How many pictures each class has: int64 (K,)."""
        return np.bincount(self.labels, minlength=len(self.classes)).astype(np.int64)
