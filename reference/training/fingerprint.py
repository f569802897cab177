"""One SHA-256 over the code that a training run depends on."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def of_training(family: Path, loop: Mapping[Path, str] | None = None) -> str:
    """SHA-256 of `family` and of what `training/train.py` reaches by imports within this package.

    `family` is the model's own file. The rest of `models/` is left out, so that a new model leaves
    the fingerprints of the others as they are: a run records every option of its model. `loop` is
    what `of_loop` gave when the code was loaded: a sweep goes on for hours with that, whatever is
    edited meanwhile.
    """
    digests = {**(of_loop() if loop is None else loop), family: _digest(family)}
    total = hashlib.sha256()
    for path in sorted(digests):
        total.update(f"{digests[path]}  {path.relative_to(PACKAGE).as_posix()}\n".encode())
    return total.hexdigest()


def of_loop() -> Mapping[Path, str]:
    """SHA-256 of each file that `training/train.py` reaches, models apart, as they are now."""
    reached = _reached(PACKAGE / "training" / "train.py")
    return {path: _digest(path) for path in reached if PACKAGE / "models" not in path.parents}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _reached(start: Path) -> set[Path]:
    """`start` and the files of this package that it imports, directly or not."""
    seen: set[Path] = set()
    waiting = [start]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen.add(path)
            waiting += _imports(path)
    return seen


def _imports(path: Path) -> Iterator[Path]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            for name in (node.module, *(f"{node.module}.{each.name}" for each in node.names)):
                yield from _file_of(name)
        elif isinstance(node, ast.Import):
            for each in node.names:
                yield from _file_of(each.name)


def _file_of(module: str) -> Iterator[Path]:
    """The file of a module of this package; none for other packages and for names in a module."""
    package, *parts = module.split(".")
    if package == PACKAGE.name:
        place = PACKAGE.joinpath(*parts)
        for path in (place.with_suffix(".py"), place / "__init__.py"):
            if parts and path.is_file():
                yield path
