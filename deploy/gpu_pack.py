"""Carries what gpu_check needs to a machine without a network: wheels and Debian packages."""

from __future__ import annotations

import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

DEBS = ("bubblewrap", "libcap2", "libselinux1", "libpcre2-8-0")


# module: distribution
NEEDED = {
    "numpy": "numpy",
    "PIL": "pillow",
    "safetensors": "safetensors",
    "click": "click",
    "httpx": "httpx",
    "platformdirs": "platformdirs",
    "rich": "rich",
    "tqdm": "tqdm",
    "pynvml": "nvidia-ml-py",
    "docker": "docker",
    "pytest": "pytest",
    "pytest_socket": "pytest-socket",
    "pytest_timeout": "pytest-timeout",
}


FOR_REFERENCE = {"scipy": "scipy", "sklearn": "scikit-learn", "matplotlib": "matplotlib"}


def pack(folder: Path, *, lean: bool, cuda: bool, python: str) -> None:
    """Gather packages and wheels in `folder`, and say what was taken.

    Raises:
        SystemExit: something can't be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    debs, wheels = folder / "debs", folder / "wheels"
    debs.mkdir(exist_ok=True)
    if shutil.which("apt-get"):
        subprocess.run(["apt-get", "download", *DEBS], cwd=debs, check=False)
    if not list(debs.glob("bubblewrap_*.deb")):
        say("no package of bubblewrap: apt-get could not fetch one; the machine must have its own")
    names = [*NEEDED.values(), *BESIDE, *([] if lean else FOR_REFERENCE.values())]
    chosen = folder / "requirements.txt"
    chosen.write_text(_locked((LOCKS / "dev.txt").read_text(encoding="utf-8"), names), "utf-8")
    for lock in (chosen, LOCKS / "runner.txt"):
        _download(wheels, python, "-r", str(lock))
    if cuda:
        _download(wheels, python, "-r", str(LOCKS / "torch.txt"))
    say(f"{folder}: {_megabytes(folder)} MB; bring it to the machine with this checkout, then:")
    say(f"  deploy/gpu_check.sh --from {folder}")


def _download(wheels: Path, python: str, *what: str) -> None:
    platforms = [f"manylinux_2_{minor}_{platform.machine()}" for minor in (17, 27, 28)]
    tags = [part for each in platforms for part in ("--platform", each)]
    only = ("--no-deps", "--only-binary", ":all:", "--python-version", python, *tags)
    command = [sys.executable, "-m", "pip", "download", "-q", "-d", str(wheels), *only, *what]
    if subprocess.run(command, check=False).returncode != 0:
        raise SystemExit("pip could not fetch the wheels; see above.")


def _locked(lock: str, names: Sequence[str]) -> str:
    """The entries of a lock file for these names, with their hashes."""
    wanted = {plain(name) for name in names}
    kept, keep = [], False
    for line in lock.splitlines():
        keep = _name(line) in wanted if _name(line) else keep
        if keep and not line.lstrip().startswith("#"):
            kept.append(line)
    return "\n".join(kept) + "\n"


def _name(line: str) -> str:
    """The distribution that an entry of a lock file begins with; empty for its other lines."""
    found = re.match(r"[A-Za-z0-9][\w.-]*", line)
    return plain(found[0]) if found else ""


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _megabytes(folder: Path) -> int:
    return round(sum(each.stat().st_size for each in folder.rglob("*") if each.is_file()) / 1e6)


CHECKOUT = Path(__file__).resolve().parent.parent


LOCKS = CHECKOUT / "deploy" / "locks"


# what those import in turn
BESIDE = """
anyio certifi charset-normalizer contourpy cycler fonttools h11 httpcore idna iniconfig joblib
kiwisolver markdown-it-py mdurl packaging pluggy pygments pyparsing python-dateutil requests six
threadpoolctl typing-extensions urllib3
""".split()  # noqa: SIM905 - readable


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
