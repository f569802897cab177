"""The command line in a fresh environment: how long it takes to install, and to say something.

The peer of a command is the bare interpreter of the same environment; that of the installation is
pip with the dependencies alone.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 11
DEPENDENCIES = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
COMMANDS = {
    "grader --help": ("grader", "--help"),
    "grader submit --help": ("grader", "submit", "--help"),
    "grader check, a CSV of 10,000 rows": ("grader", "check", "predictions.csv", "-a", "pack"),
}

# a public pack of random images in the folder `pack`, and predictions for it
_PACK = """
import numpy as np, pathlib
from grader import Assignment, write_public_pack
root, rng = pathlib.Path('assignment'), np.random.default_rng(0)
for part, count in (('test', {test}), ('train', {train}), ('sample', 10)):
    (root / part).mkdir(parents=True)
    images = rng.integers(0, 256, (count, {side}, {side}), dtype=np.uint8)
    np.save(root / part / 'images.npy', images)
    lines = ''.join(f'{{i % 10}}\\n' for i in range(count))
    (root / part / 'labels.csv').write_text('label\\n' + lines)
rows = 'id,label\\n' + ''.join(f'{{i}},{{i % 10}}\\n' for i in range({test}))
(root / 'answers.csv').write_text(rows)
pathlib.Path('predictions.csv').write_text(rows)
(root / 'README.md').write_text('# Dots\\n')
classes = [f'dot {{i}}' for i in range(10)]
head = f'slug = "dots"\\ntitle = "Dots"\\nclasses = {{classes!r}}\\n'
(root / 'assignment.toml').write_text(head + '[data]\\ntest_images = "public"\\n')
write_public_pack(Assignment.load(root), pathlib.Path('pack'))
"""


def main() -> dict[str, object]:
    """Install and run; figures in seconds, and as ratios to the bare interpreter."""
    with tempfile.TemporaryDirectory() as folder:
        figures = _measure(Path(folder))
    for name, value in figures.items():
        print(f"{name:<52} {value}")
    return figures


def _measure(folder: Path) -> dict[str, object]:
    sources = _sources(folder / "sources")
    _install(folder / "first", [str(sources)])  # what comes from an index is in pip's store then
    ours = _install(folder / "env", [str(sources)])
    peer = _install(folder / "peer", DEPENDENCIES)
    _run(folder, folder, "python", "-c", _PACK.format(test=10_000, train=10, side=2))
    figures: dict[str, object] = {
        "install, warm store": round(ours, 1),
        "install, as a ratio to its dependencies alone": round(ours / peer, 2),
    }
    programs = {"python -c pass": ("python", "-c", "pass"), **COMMANDS}
    times = _time(folder, programs)
    bare = times["python -c pass"]
    for name, seconds in times.items():
        figures[name] = round(seconds, 3)
        if name in COMMANDS:
            figures[f"{name}, as a ratio to python -c pass"] = round(seconds / bare, 2)
    figures |= _train_a_kit(folder)
    return figures


def _train_a_kit(folder: Path) -> dict[str, object]:
    """From `grader init` to a checked prediction file, on as many images as Fashion-MNIST has."""
    program = _PACK.format(test=10_000, train=60_000, side=28)
    work = folder / "kit"
    work.mkdir()
    _run(folder, work, "python", "-c", program)
    began = time.perf_counter()
    _run(folder, work, "grader", "init", "--kind", "csv", "mine")
    _run(folder, work, "python", "mine/train.py", "pack")
    _run(folder, work, "grader", "check", "mine/predictions.csv", "-a", "pack")
    return {"grader init, train, check, 60,000 images": round(time.perf_counter() - began, 1)}


def _run(folder: Path, work: Path, *command: str) -> None:
    environment = {"PATH": f"{folder / 'env/bin'}:{os.defpath}", "HOME": str(folder)}
    subprocess.run(command, cwd=work, env=environment, capture_output=True, check=True)


def _sources(target: Path) -> Path:
    for name in ("grader", "sandbox", "leaderboard", "reference"):
        ignored = shutil.ignore_patterns("__pycache__", "cards")
        shutil.copytree(ROOT / name, target / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, target / name)
    return target


def _install(environment: Path, packages: Sequence[str]) -> float:
    """Make an environment and install into it. Returns the seconds of the installation."""
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    began = time.perf_counter()
    command = [environment / "bin/python", "-m", "pip", "install", "-q", *packages]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def _time(folder: Path, programs: dict[str, tuple[str, ...]]) -> dict[str, float]:
    """The median seconds of each, taken in turns: a busy moment meets them all."""
    environment = {"PATH": f"{folder / 'env/bin'}:{os.defpath}", "HOME": str(folder)}
    times: dict[str, list[float]] = {name: [] for name in programs}
    for _ in range(ROUNDS):
        for name, command in programs.items():
            began = time.perf_counter()
            subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=True)
            times[name].append(time.perf_counter() - began)
    return {name: statistics.median(each) for name, each in times.items()}


if __name__ == "__main__":
    main()
