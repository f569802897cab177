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
    _write_pack(folder)
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
    return figures


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


def _write_pack(folder: Path) -> None:
    """A public pack of 10,000 images, as `grader check` needs it, and predictions for it."""
    program = """
import numpy as np, pathlib
from grader import Assignment
root = pathlib.Path('assignment')
for part in ('test', 'sample'):
    (root / part).mkdir(parents=True)
labels = np.arange(10_000) % 10
rows = ''.join(f'{i},{label}\\n' for i, label in enumerate(labels))
(root / 'answers.csv').write_text('id,label\\n' + rows)
(root / 'README.md').write_text('# Dots\\n')
np.save(root / 'test/images.npy', np.zeros((10_000, 2, 2), np.uint8))
np.save(root / 'sample/images.npy', np.zeros((10, 2, 2), np.uint8))
(root / 'sample/labels.csv').write_text('label\\n' + ''.join(f'{i}\\n' for i in range(10)))
classes = [f'dot {i}' for i in range(10)]
(root / 'assignment.toml').write_text(
    f'slug = "dots"\\ntitle = "Dots"\\nclasses = {classes!r}\\n[data]\\ntest_images = "public"\\n')
Assignment.load(root).write_public_pack(pathlib.Path('pack'))
pathlib.Path('predictions.csv').write_text('id,label\\n' + rows)
"""
    subprocess.run([folder / "env/bin/python", "-c", program], cwd=folder, check=True)


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
