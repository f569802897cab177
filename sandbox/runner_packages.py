"""The packages of a runner environment: linked from this virtual environment, else from pip."""

from __future__ import annotations

import compileall
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

# Headers and test data: a program inside has no compiler, and less is there to look through.
LEFT_OUT = ("torch/include/", "torch/share/", "torch/test/")

Say = Callable[[str], None]


def put_packages(
    target: Path, requirements: Path, described: dict[str, str], say: Say
) -> dict[str, str]:
    """Install `requirements` and what they need into `target`; returns name -> version.

    `described` tells the interpreter they are for (`tag`, `short`).
    """
    target.mkdir(parents=True, exist_ok=True)
    found = None
    if described["tag"] == sys.implementation.cache_tag:
        found = installed_closure(_lines(requirements))
    if found is None:
        say("  installing packages with pip (torch is the large one; some minutes)")
        _pip_install(target, requirements, described)
    else:
        say(f"  {len(found)} packages of this virtual environment, linked")
        for distribution in found:
            _link_distribution(distribution, target)
    _compile(target, described)
    return {item.name: item.version for item in metadata.distributions(path=[str(target)])}


def installed_closure(requirements: list[str]) -> list[metadata.Distribution] | None:
    """Distributions of this environment that satisfy the requirements, with what they need.

    None where one is missing or of another version: pip decides then.
    """
    try:
        from packaging.requirements import Requirement
    except ImportError:  # a base install has no `packaging`
        return None
    if any(line.startswith("-") for line in requirements):
        return None  # options such as an index of its own are pip's business
    wanted = [Requirement(line) for line in requirements]
    found: dict[str, metadata.Distribution] = {}
    while wanted:
        requirement = wanted.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            distribution = metadata.distribution(requirement.name)
        except metadata.PackageNotFoundError:
            return None
        if not requirement.specifier.contains(distribution.version, prereleases=True):
            return None
        name = re.sub(r"[-_.]+", "-", requirement.name).lower()
        if name not in found:
            found[name] = distribution
            wanted += [Requirement(text) for text in distribution.requires or []]
    return list(found.values())


def link_or_copy(source: Path, target: Path) -> None:
    """The same file by hard link where that is allowed and everybody may read it, else a copy."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists():
        return
    source = source.resolve()
    if source.stat().st_mode & 0o004:
        try:
            target.hardlink_to(source)
        except OSError:  # another file system, or somebody else's file: copied below
            pass
        else:
            return
    shutil.copy2(source, target)
    target.chmod(target.stat().st_mode | 0o444)


def _lines(requirements: Path) -> list[str]:
    lines = requirements.read_text(encoding="utf-8").splitlines()
    return [line for line in (line.partition("#")[0].strip() for line in lines) if line]


def _link_distribution(distribution: metadata.Distribution, target: Path) -> None:
    for file in distribution.files or []:
        outside = file.parts[0] == ".."  # scripts, manual pages
        if not outside and not str(file).startswith(LEFT_OUT):
            source = Path(str(distribution.locate_file(file)))
            if source.is_file():
                link_or_copy(source, target / file)


def _pip_install(target: Path, requirements: Path, described: dict[str, str]) -> None:
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
    command += ["--target", str(target), "--requirement", str(requirements), "--no-compile"]
    if described["tag"] != sys.implementation.cache_tag:
        command += ["--only-binary", ":all:", "--python-version", described["short"]]
    subprocess.run(command, check=True, stdout=sys.stderr)
    for folder in (*LEFT_OUT, "bin"):
        shutil.rmtree(target / folder, ignore_errors=True)


def _compile(target: Path, described: dict[str, str]) -> None:
    """Byte code for what has none: nothing can be written inside a sandbox to cache it."""
    if described["tag"] == sys.implementation.cache_tag:
        compileall.compile_dir(str(target), quiet=2, workers=1)
        return
    command = [described["executable"], "-I", "-m", "compileall", "-qq", str(target)]
    subprocess.run(command, check=False)  # 1 where one file is a template, not a program
