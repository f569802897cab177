"""What lies below a folder: pictures, what tools left there, and files of kinds not read."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from grader.errors import AssignmentError
from grader.pictures.kinds import is_of_a_tool, readable_suffixes
from grader.words.message import Message, said


@dataclass(frozen=True, kw_only=True)
class Tree:
    """The files below `folder`, at any depth.

    pictures: paths from there, sorted. tools: how many files tools left there. unread: how many
    others there are, by suffix. outside: pictures that lie elsewhere, where links lead.
    """

    folder: Path
    pictures: tuple[PurePosixPath, ...]
    tools: int
    unread: Mapping[str, int] = field(default_factory=dict)
    outside: tuple[PurePosixPath, ...] = ()

    def notices(self) -> Iterator[Message]:
        """Say what is left out: nothing is passed over in silence."""
        if self.tools:
            yield said("pictures.of_tools", count=self.tools)
        if self.outside:
            first = self.outside[0]
            target = str((self.folder / first).resolve())
            count = len(self.outside)
            yield said("pictures.linked_out", count=count, first=str(first), target=target)
        if self.unread:
            yield said("pictures.unread", kinds=_listed(self.unread))


def look(folder: Path) -> Tree:
    """Walk through a folder; links are followed, once each.

    Raises:
        AssignmentError: a folder can't be entered.
    """
    pictures: list[PurePosixPath] = []
    unread: Counter[str] = Counter()
    outside: list[PurePosixPath] = []
    tools, home = 0, folder.resolve()
    suffixes = readable_suffixes()
    for place, names, is_left_out in _files(folder):
        is_away = not (folder / place).resolve().is_relative_to(home)
        for name in names:
            suffix = PurePosixPath(name).suffix.lower()
            if is_left_out or is_of_a_tool(name):
                tools += 1
            elif suffix in suffixes:
                pictures.append(place / name)
                file = folder / place / name
                if is_away or (file.is_symlink() and not file.resolve().is_relative_to(home)):
                    outside.append(place / name)
            else:
                unread[suffix] += 1
    return Tree(
        folder=folder,
        pictures=tuple(sorted(pictures)),
        tools=tools,
        unread=dict(unread),
        outside=tuple(sorted(outside)),
    )


def _files(folder: Path) -> Iterator[tuple[PurePosixPath, list[str], bool]]:
    """Each folder below, its files, and whether it is a tool's."""
    seen = set()
    for name, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
        status = Path(name).stat()
        if (status.st_dev, status.st_ino) in seen:  # a link led back
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        place = PurePosixPath(Path(name).relative_to(folder).as_posix())
        yield place, files, any(map(is_of_a_tool, place.parts))


def _refuse(error: OSError) -> None:
    reason = str(error.strerror)
    problem = said("pictures.no_entry", path=str(error.filename), error=reason)
    raise AssignmentError([problem]) from error


def _listed(unread: Mapping[str, int]) -> str:
    """`80 .heic, 4 .txt`, most first.

    >>> _listed({".txt": 4, ".heic": 80, "": 1})
    '80 .heic, 4 .txt, 1 without suffix'
    """
    most_first = sorted(unread.items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{count} {suffix or 'without suffix'}" for suffix, count in most_first)
