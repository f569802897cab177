"""The packages of a runner environment: linked from this virtual environment, else from pip."""

from __future__ import annotations

import compileall
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from sandbox.runner_env.runner_lock import (
    TORCH,
    TORCH_FILE,
    BuildFailed,
    Pin,
    is_lock,
    normal,
    pins,
)

# Headers and test data: a program inside has no compiler, and less is there to look through.
LEFT_OUT = ("torch/include/", "torch/share/", "torch/test/")

Say = Callable[[str], None]


def put_packages(
    target: Path,
    requirements: Path,
    described: dict[str, str],
    say: Say,
    *,
    torch_index: str | None = None,
) -> dict[str, str]:
    """Install what a lock names into `target`, or what fits bounds; returns name -> version.

    `described` tells the interpreter they are for (`tag`, `short`, `version`). `torch_index` is
    an index of builds of torch to use instead of the one that is here.

    Raises:
        BuildFailed: the lock or a package of it can't be had.
    """
    target.mkdir(parents=True, exist_ok=True)
    if is_lock(requirements):
        _put_locked(target, requirements, described, say)
        _put_torch(target, requirements.with_name(TORCH_FILE), described, say, torch_index)
    else:
        _put_bounded(target, requirements, described, say)
    _compile(target, described)
    return {item.name: item.version for item in metadata.distributions(path=[str(target)])}


def _put_locked(target: Path, lock: Path, described: dict[str, str], say: Say) -> None:
    """The packages of a lock: from this virtual environment in that very version, else from pip."""
    missing = []
    linked = 0
    for pin in pins(lock, described):
        distribution = _installed(pin) if _is_ours(described) else None
        if distribution is None:
            missing.append(pin.line)
        else:
            _link_distribution(distribution, target)
            linked += 1
    say(f"  {linked} packages of this virtual environment, linked")
    if missing:
        say(f"  {len(missing)} packages with pip")
        with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as wanted:
            wanted.write("\n".join(missing))
            wanted.flush()
            _pip_install(target, described, "--no-deps", "--require-hashes", "-r", wanted.name)


def _put_torch(
    target: Path, versions: Path, described: dict[str, str], say: Say, index: str | None
) -> None:
    """torch and torchvision in the locked version; the build of this virtual environment, if any.

    What else they need is in the lock, but for the libraries of a CUDA build.
    """
    known = pins(versions, described)
    wanted = [pin.line for pin in known if pin.name in TORCH]
    found = installed_closure(wanted) if index is None and _is_ours(described) else None
    if found is not None:
        names = {pin.name for pin in known}
        for distribution in found:
            if normal(distribution.name) in names:
                _link_distribution(distribution, target)
        return
    say("  torch with pip (the large one; some minutes)")
    options = ["--no-deps", *(["--extra-index-url", index] if index else [])]
    _pip_install(target, described, *options, *wanted)
    libraries = [pin.line for pin in known if pin.name not in TORCH]
    if _needs_any(target, {pin.name for pin in known} - set(TORCH)):
        _pip_install(target, described, *options, *libraries)


def _needs_any(target: Path, names: set[str]) -> bool:
    """Whether the torch in `target` asks for one of these packages."""
    from packaging.requirements import Requirement

    (torch,) = metadata.distributions(name="torch", path=[str(target)])
    asked = [Requirement(text) for text in torch.requires or []]
    return any(
        normal(each.name) in names
        for each in asked
        if each.marker is None or each.marker.evaluate({"extra": ""})
    )


def _put_bounded(target: Path, requirements: Path, described: dict[str, str], say: Say) -> None:
    """The packages that fit bounds, with what they need: those of this environment, else pip's."""
    found = installed_closure(_lines(requirements)) if _is_ours(described) else None
    if found is None:
        say("  installing packages with pip (torch is the large one; some minutes)")
        _pip_install(target, described, "--upgrade", "--requirement", str(requirements))
    else:
        say(f"  {len(found)} packages of this virtual environment, linked")
        for distribution in found:
            _link_distribution(distribution, target)


def _is_ours(described: dict[str, str]) -> bool:
    """Whether packages of this virtual environment fit that interpreter."""
    return described["tag"] == sys.implementation.cache_tag


def _installed(pin: Pin) -> metadata.Distribution | None:
    try:
        distribution = metadata.distribution(pin.name)
    except metadata.PackageNotFoundError:
        return None
    return distribution if distribution.version == pin.version else None


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
    wanted = [(Requirement(line), "") for line in requirements]
    found: dict[str, metadata.Distribution] = {}
    seen: set[tuple[str, str]] = set()
    while wanted:
        requirement, extra = wanted.pop()
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": extra}):
            continue
        try:
            distribution = metadata.distribution(requirement.name)
        except metadata.PackageNotFoundError:
            return None
        if not requirement.specifier.contains(distribution.version, prereleases=True):
            return None
        name = normal(requirement.name)
        found[name] = distribution
        # a package's extras bring requirements of their own, as cuda-toolkit's libraries
        for each in {(name, ""), *((name, extra) for extra in requirement.extras)} - seen:
            seen.add(each)
            wanted += [(Requirement(text), each[1]) for text in distribution.requires or []]
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


def _pip_install(target: Path, described: dict[str, str], *arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check"]
    command += ["--progress-bar", "off", "--target", str(target), "--no-compile"]
    if not _is_ours(described):
        command += ["--only-binary", ":all:", "--python-version", described["short"]]
    done = subprocess.run([*command, *arguments], check=False, stdout=sys.stderr)
    if done.returncode:
        raise BuildFailed("pip could not install the runner's packages; it says why above")
    for folder in (*LEFT_OUT, "bin"):
        shutil.rmtree(target / folder, ignore_errors=True)


def _compile(target: Path, described: dict[str, str]) -> None:
    """Byte code for what has none: nothing can be written inside a sandbox to cache it."""
    if described["tag"] == sys.implementation.cache_tag:
        compileall.compile_dir(str(target), quiet=2, workers=1)
        return
    command = [described["executable"], "-I", "-m", "compileall", "-qq", str(target)]
    subprocess.run(command, check=False)  # 1 where one file is a template, not a program
