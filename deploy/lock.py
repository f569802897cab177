"""Write the lock files in deploy/locks: `make lock`; `LATEST=1 make lock` takes newer releases.

One file an extra, each whole in itself, with hashes, for every Python and system we support; all
hold the same version of a package. torch and what its CUDA builds bring stand apart, without
hashes (`torch.txt`, a constraints file): one version is built for CPUs and for each CUDA release,
and which build is right is the machine's business (DECISIONS.md).
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from pathlib import Path

DEPLOY = Path(__file__).resolve().parent
ROOT = DEPLOY.parent
LOCKS = DEPLOY / "locks"
OLDEST_PYTHON = "3.11"
UV = Path(sys.executable).parent / "uv"
PROJECT, RUNNER = "pyproject.toml", "deploy/runner.txt"
HEADER = f"# Written by `make lock` from {PROJECT} and {RUNNER}.\n"
# One entry: a line that starts with a name, and the hashes that continue it.
ENTRY = re.compile(r"^\w.*?(?:\\\n.*?)*$\n", re.MULTILINE)
TORCH = re.compile(r"(?:torch|torchvision|triton|nvidia-(?!ml-py\b)[\w-]+|cuda-[\w-]+)==")


def main() -> int:
    """Command line; 0 when the files are written, uv's code when it finds no solution."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="take newer releases")
    options = parser.parse_args()
    LOCKS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        try:
            lock_all(Path(folder), _present() if not options.upgrade else "")
        except subprocess.CalledProcessError as error:
            return int(error.returncode)
    return 0


def lock_all(folder: Path, preferred: str) -> None:
    """Resolve everything together, then each lock within that; `folder` is for work on the way.

    Raises:
        subprocess.CalledProcessError: there is no solution; uv has said why.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    building = folder / "build.in"
    building.write_text("\n".join(project["build-system"]["requires"]), encoding="utf-8")
    together, ours = folder / "together.txt", folder / "ours.txt"
    together.write_text(preferred, encoding="utf-8")
    resolve(["--all-extras", PROJECT, RUNNER, str(building)], together)
    ours.write_text("".join(entries(together, of_torch=False)), encoding="utf-8")

    wanted = {"base": [PROJECT], "build": [str(building)], "runner": [RUNNER]}
    wanted |= {x: ["--extra", x, PROJECT] for x in project["project"]["optional-dependencies"]}
    for name, arguments in wanted.items():
        lock = folder / f"{name}.txt"
        resolve(["--constraints", str(ours), *arguments], lock)
        write(name, entries(lock, of_torch=False))
    write("torch", [entry.partition(" \\")[0] + "\n" for entry in entries(together, of_torch=True)])


def resolve(arguments: Sequence[str], into: Path) -> None:
    """Let uv find versions; those that `into` holds already are preferred."""
    fixed = ["--universal", "--generate-hashes", "--no-annotate", "--no-header", "--quiet"]
    fixed += ["--python-version", OLDEST_PYTHON, "--output-file", str(into)]
    subprocess.run([UV, "pip", "compile", *fixed, *arguments], cwd=ROOT, check=True)


def entries(lock: Path, *, of_torch: bool) -> list[str]:
    """The entries of a lock file that are torch's, or the others."""
    text = lock.read_text(encoding="utf-8")
    return [entry for entry in ENTRY.findall(text) if bool(TORCH.match(entry)) is of_torch]


def write(name: str, found: Sequence[str]) -> None:
    """Write one lock file."""
    (LOCKS / f"{name}.txt").write_text(HEADER + "".join(found), encoding="utf-8")


def _present() -> str:
    """What is locked now, each entry once."""
    texts = [lock.read_text(encoding="utf-8") for lock in sorted(LOCKS.glob("*.txt"))]
    return "".join(dict.fromkeys(entry for text in texts for entry in ENTRY.findall(text)))


if __name__ == "__main__":
    sys.exit(main())
