"""What a machine with an NVIDIA card makes of this software; see `gpu_check.sh` for how to run it.

Each step stands alone: one that fails is on record with its reason and the others go on. Needs
nothing but the standard library itself, and no network; what the steps need is on the machine or in
the folder that `pack` filled elsewhere.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from gpu_pack import CHECKOUT, FOR_REFERENCE, NEEDED, pack, plain, say

PACKED = CHECKOUT / "build" / "gpu_check"
BUDGET_SECONDS = 470.0
TORCH = ("torch", "torchvision")
GPU_CASES = ("gpu_memory", "gpu_endless_kernel", "gpu_mark_for_the_next_run")
GPU_TESTS = (
    "tests/sandbox/confinement/test_gpu.py",
    "tests/sandbox/confinement/test_gpu_runs.py",
    "tests/reference/training/test_gpu.py",
)
FASTER = 20.0  # resnet50 at 224 px, card against CPU
SELF_CHECK = "import sys; from sandbox.cli import main; sys.exit(main())"


class StepFailed(Exception):
    """A step did not come to its end, with what it found until then."""

    def __init__(self, reason: str, **facts: Any) -> None:
        super().__init__(reason)
        self.facts = facts


@dataclass(kw_only=True)
class Place:
    """Where the steps work, and what the earlier ones found for the later ones."""

    packed: Path
    smoke: bool
    deadline: float
    has_card: bool = False
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    @property
    def work(self) -> Path:
        return self.packed / "work"

    def run(self, command: Sequence[str], *, seconds: float, check: bool = True) -> str:
        """A command's output, in the checkout and without a network.

        Raises:
            StepFailed: it failed, or was not done when its time or all time was up.
        """
        left = max(1.0, min(seconds, self.deadline - time.monotonic()))
        try:
            done = subprocess.run(
                [*command],
                cwd=CHECKOUT,
                env=self.environment,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=left,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise StepFailed(f"not done after {left:.0f} s: {' '.join(command[:4])}") from None
        except OSError as error:
            raise StepFailed(f"{command[0]} can't be run: {error}") from error
        if check and done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip())[-1500:]
            raise StepFailed(f"exit status {done.returncode} of {' '.join(command[:4])}: {said}")
        return done.stdout

    def python(self, *arguments: str, seconds: float, check: bool = True) -> str:
        """Output of this interpreter, with what was unpacked for it."""
        return self.run([sys.executable, *arguments], seconds=seconds, check=check)


# Steps: each returns facts


def machine(place: Place) -> dict[str, Any]:
    """The card by its driver's own tool; without one only the processor's parts are tried."""
    facts: dict[str, Any] = {
        "system": platform.platform(),
        "processors": os.cpu_count(),
        "python": f"{sys.version.split()[0]} ({sys.executable})",
        "user": os.geteuid(),
    }
    if not shutil.which("nvidia-smi"):
        return {**facts, "card": None, "note": "no NVIDIA card here: nvidia-smi is missing"}
    query = "--query-gpu=name,memory.total,driver_version,mig.mode.current"
    cards = place.run(["nvidia-smi", query, "--format=csv,noheader"], seconds=30).splitlines()
    place.has_card = bool(cards)
    place.environment.setdefault("SANDBOX_GPUS", "0")
    return {**facts, "card": cards[0] if cards else None, "memory_used_mb": _memory_used(place)}


def packages(place: Place) -> dict[str, Any]:
    """Everything importable, from this interpreter or from the wheels that were packed."""
    site = place.work / "site"
    place.environment["PYTHONPATH"] = os.pathsep.join((str(site), str(CHECKOUT)))
    missing = _missing(place, {**NEEDED, **FOR_REFERENCE, **{name: name for name in TORCH}})
    if missing:
        wheels = place.packed / "wheels"
        if not wheels.is_dir():
            names = ", ".join(sorted(missing.values()))
            raise StepFailed(f"missing here: {names}; and {wheels} is not there (`pack` fills it)")
        _unpack(place, wheels, site)
        missing = _missing(place, missing)
    if missing:
        raise StepFailed(f"neither here nor packed: {', '.join(sorted(missing.values()))}")
    return {"unpacked": sorted(each.name for each in site.glob("*.dist-info"))}


def _missing(place: Place, wanted: dict[str, str]) -> dict[str, str]:
    code = (
        "import importlib.util as u, sys, json;"
        "print(json.dumps([n for n in sys.argv[1:] if u.find_spec(n) is None]))"
    )
    found = json.loads(place.python("-c", code, *wanted, seconds=60))
    return {module: wanted[module] for module in found}


def _unpack(place: Place, wheels: Path, site: Path) -> None:
    """Only what is not here: a packed torch must not hide the one that knows the card."""
    have = place.python(
        "-c",
        "from importlib.metadata import distributions as d;"
        "print(*(x.metadata['Name'] for x in d()))",
        seconds=60,
    )
    here = {plain(name) for name in have.split()}
    lacking = [each for each in _fitting(wheels) if plain(each.name.split("-")[0]) not in here]
    for wheel in lacking:  # a zip archive that only needs to be on the path
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(site)


def _fitting(wheels: Path) -> list[Path]:
    """Wheels for this interpreter: pure ones, stable-ABI ones and its own."""
    own = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    return [
        each
        for each in sorted(wheels.glob("*.whl"))
        if "-py3-" in each.name
        or "-py2.py3-" in each.name
        or "abi3" in each.name
        or own in each.name
    ]


def bubblewrap(place: Place) -> dict[str, Any]:
    """bwrap of this machine, else from the packed package, without installing it where possible."""
    place.environment["PATH"] += os.pathsep + "/usr/sbin"
    if shutil.which("bwrap", path=place.environment["PATH"]):
        return {"from": "this machine", "version": _bwrap_version(place)}
    debs = sorted((place.packed / "debs").glob("*.deb"))
    own = [each for each in debs if each.name.startswith("bubblewrap_")]
    if not own:
        raise StepFailed(
            f"bwrap is neither here nor in {place.packed / 'debs'} (`pack` puts it there)"
        )
    root = place.work / "root"
    place.run(["dpkg", "-x", str(own[0]), str(root)], seconds=30)
    place.environment["PATH"] = f"{root}/usr/bin{os.pathsep}{place.environment['PATH']}"
    try:
        return {"from": own[0].name, "version": _bwrap_version(place)}
    except StepFailed:
        if os.geteuid() != 0:
            raise
    place.run(["dpkg", "-i", *map(str, debs)], seconds=60)  # its libraries are missing too
    return {"from": own[0].name, "installed": True, "version": _bwrap_version(place)}


def _bwrap_version(place: Place) -> str:
    return place.run(["bwrap", "--version"], seconds=10).strip()


def runner(place: Place) -> dict[str, Any]:
    """The runner environment, with the torch of this interpreter; else with its own versions."""
    kept = Path(place.environment.get("SANDBOX_RUNNER_ENV", CHECKOUT / ".runner"))
    if not place.has_card and (kept / "environment.json").exists():
        return {"folder": str(kept), "built": False}
    folder = place.work / "runner"
    place.environment |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(place.packed / "wheels")}
    build = ("-m", "sandbox.runner_env.build_runner", str(folder))
    try:
        place.python(*build, seconds=150)
        versions = "locked"
    except StepFailed as error:
        relaxed = place.work / "relaxed.txt"
        names = [*TORCH, "timm", "numpy", "pillow", "safetensors"]
        relaxed.write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
        place.python(*build, "--requirements", str(relaxed), seconds=150)
        versions = f"those of this machine, since: {error}"
    place.environment["SANDBOX_RUNNER_ENV"] = str(folder)
    return {"folder": str(folder), "built": True, "versions": versions}


def torch_sees_the_card(place: Place) -> dict[str, Any]:
    """torch without a sandbox, so that a fault of the driver is not taken for one of ours."""
    _needs_card(place)
    code = (
        "import json, torch, torchvision, time\n"
        "d = torch.device('cuda'); m = torchvision.models.resnet50().eval()\n"
        "def rate(m, x, n):\n"
        "    with torch.inference_mode():\n"
        "        m(x); torch.cuda.synchronize(); t = time.perf_counter()\n"
        "        for _ in range(n): m(x)\n"
        "        torch.cuda.synchronize()\n"
        "    return n * len(x) / (time.perf_counter() - t)\n"
        "cpu = rate(m, torch.rand(16, 3, 224, 224), 2)\n"
        "gpu = rate(m.to(d), torch.rand(64, 3, 224, 224, device=d), 20)\n"
        "print(json.dumps({'torch': torch.__version__, 'cuda': torch.version.cuda,\n"
        "  'name': torch.cuda.get_device_name(), 'resnet50_images_per_second': \n"
        "  {'cpu': round(cpu, 1), 'gpu': round(gpu, 1)}}))\n"
    )
    facts: dict[str, Any] = json.loads(place.python("-c", code, seconds=90))
    return facts


def refused_calls(place: Place) -> dict[str, Any]:
    """What a model asks of the kernel on the card, and the sandbox's list refuses; else on the CPU.

    The list for GPUs was written without a card: what it refuses here is what to look at.
    """
    device = "cuda" if place.has_card else "cpu"
    code = (
        "import torch\n"
        f"model = torch.nn.Conv2d(3, 8, 3).eval().to('{device}')\n"
        "with torch.inference_mode():\n"
        f"    model(torch.rand(64, 3, 32, 32, device='{device}')).sum().item()\n"
    )
    chosen = ["--cuda"] if place.has_card else []
    watched = ("-m", "sandbox.checking.refusals", *chosen, "--", sys.executable, "-c", code)
    said = place.python(*watched, seconds=60, check=False).strip().splitlines()
    if not said:
        raise StepFailed("this kernel, or this user, can't watch refused calls")
    found = json.loads(said[-1])
    calls = [f"{each['call']}: {each['answer']}, {each['times']} times" for each in found["calls"]]
    if found["status"]:
        raise StepFailed(f"no model runs under this list (exit {found['status']})", calls=calls)
    return {"list": "cuda" if place.has_card else "cpu", "calls": calls}


def self_check(place: Place) -> dict[str, Any]:
    """The sandbox's own checks, and on a card the attacks on it."""
    chosen = [part for name in GPU_CASES for part in ("--case", name)] if place.has_card else []
    suite = ["--suite", *chosen] if chosen else []
    said = place.python("-c", SELF_CHECK, "self-check", "--json", *suite, seconds=150, check=False)
    try:
        table = json.loads(said[said.index("{") :])
    except ValueError:
        raise StepFailed("the self-check printed no JSON", said=said[-1500:]) from None
    failed = [each["name"] for each in table["checks"] if each["required"] and not each["ok"]]
    cases = {each["case"]: each["problems"] or each["verdict"] for each in table["cases"]}
    wrong = [each["case"] for each in table["cases"] if each["problems"]]
    if failed or wrong:
        raise StepFailed(f"failed: {', '.join([*failed, *wrong])}", cases=cases)
    return {"checks": len(table["checks"]), "cases": cases}


def models(place: Place) -> dict[str, Any]:
    """lenet5, resnet18 and resnet50 through the sandbox: equal scores, and how much faster."""
    facts = _runs(place, "models", seconds=240)
    unequal = [name for name, each in facts.items() if each.get("equal") is False]
    if unequal:
        raise StepFailed(f"the card's scores are not the CPU's: {', '.join(unequal)}", **facts)
    times = facts.get("resnet50", {}).get("times_faster")
    if place.has_card and (times is None or times < FASTER):
        raise StepFailed(f"resnet50 is {times} times as fast, not {FASTER:g}", **facts)
    return facts


def lease(place: Place) -> dict[str, Any]:
    """Two runs at once: a card serves the one, then the other."""
    facts = _runs(place, "lease", seconds=120)
    if place.has_card and not facts["one_after_the_other"]:
        raise StepFailed("two runs had one card at the same time", **facts)
    return facts


def _runs(place: Place, what: str, seconds: float) -> dict[str, Any]:
    small = ["--smoke"] if place.smoke or not place.has_card else []
    said = place.python("deploy/gpu_runs.py", what, *small, seconds=seconds)
    facts: dict[str, Any] = json.loads(said.splitlines()[-1])
    return facts


def tests(place: Place) -> dict[str, Any]:
    """The test suite's cases for cards; without one those that need one are skipped."""
    report = place.work / "tests.xml"
    report.unlink(missing_ok=True)
    chosen = GPU_TESTS if place.has_card else GPU_TESTS[:2]
    options = ("-q", "-p", "no:cacheprovider", f"--junitxml={report}", "--timeout=120")
    said = place.python("-m", "pytest", *options, *chosen, seconds=200, check=False)
    if not report.exists():
        raise StepFailed("pytest did not come to its end", said=said[-1500:])
    counts: dict[str, int] = {"passed": 0, "skipped": 0, "failed": 0}
    failed = []
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - our own file
        kinds = {child.tag for child in case}
        kind = "failed" if kinds & {"failure", "error"} else "skipped" if kinds else "passed"
        counts[kind] += 1
        if kind == "failed":
            failed.append(f"{case.get('name')}: {_first_words(case)}")
    if failed or not counts["passed"]:
        raise StepFailed(f"{len(failed)} failed", **counts, failures=failed)
    return counts


def _first_words(case: ElementTree.Element) -> str:
    return next((str(child.get("message"))[:300] for child in case if child.get("message")), "")


def left_over(place: Place) -> dict[str, Any]:
    """What the card's memory holds after everything, and who is on it."""
    _needs_card(place)
    query = "--query-compute-apps=pid,used_memory"
    there = place.run(["nvidia-smi", query, "--format=csv,noheader"], seconds=30).splitlines()
    facts = {"memory_used_mb": _memory_used(place), "processes": there}
    if there:
        raise StepFailed("processes are left on the card", **facts)
    return facts


def _memory_used(place: Place) -> int:
    query = "--query-gpu=memory.used"
    said = place.run(["nvidia-smi", query, "--format=csv,noheader,nounits"], seconds=30)
    return int(re.findall(r"\d+", said)[0])


def _needs_card(place: Place) -> None:
    if not place.has_card:
        raise _NotHere


class _NotHere(Exception):
    """There is no card, so there is nothing to do."""


STEPS: tuple[Callable[[Place], dict[str, Any]], ...] = (
    machine,
    packages,
    bubblewrap,
    runner,
    torch_sees_the_card,
    refused_calls,
    self_check,
    models,
    lease,
    tests,
    left_over,
)


def check(
    place: Place, steps: Sequence[Callable[[Place], dict[str, Any]]] = STEPS
) -> dict[str, Any]:
    """Every step's record, whatever becomes of the others."""
    place.work.mkdir(parents=True, exist_ok=True)
    report: dict[str, Any] = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "steps": {}}
    for step in steps:
        began = time.monotonic()
        record = _tried(step, place)
        record["seconds"] = round(time.monotonic() - began, 1)
        report["steps"][step.__name__] = record
        say(f"{record['outcome']:<8} {step.__name__:<20} {record.get('reason', '')[:200]}")
    outcomes = {record["outcome"] for record in report["steps"].values()}
    report["card"] = place.has_card
    report["ok"] = "failed" not in outcomes
    return report


def _tried(step: Callable[[Place], dict[str, Any]], place: Place) -> dict[str, Any]:
    if time.monotonic() > place.deadline:
        return {"outcome": "failed", "reason": "no time was left"}
    try:
        return {"outcome": "ok", **step(place)}
    except _NotHere:
        return {"outcome": "skipped", "reason": "there is no card here"}
    except StepFailed as error:
        return {"outcome": "failed", "reason": str(error), **error.facts}
    except Exception as error:  # noqa: BLE001 - whatever breaks one step, the others go on
        return {"outcome": "failed", "reason": f"{type(error).__name__}: {error}"}


# Packing


def main(arguments: list[str] | None = None) -> int:
    """0: all is well (or there is no card and the CPU's parts are); 4: something failed."""
    parser = argparse.ArgumentParser(prog="deploy/gpu_check.sh", description=__doc__)
    parser.add_argument("--from", dest="packed", type=Path, default=PACKED, metavar="DIR")
    parser.add_argument("--json", type=Path, metavar="FILE", help="where the record goes")
    parser.add_argument("--smoke", action="store_true", help="small, on the CPU, anywhere")
    commands = parser.add_subparsers(dest="command")
    packing = commands.add_parser("pack", help="gather what a machine without a network lacks")
    packing.add_argument("folder", type=Path)
    packing.add_argument(
        "--lean", action="store_true", help="without SciPy, scikit-learn, Matplotlib"
    )
    packing.add_argument("--cuda", action="store_true", help="torch built for CUDA too (3 GB)")
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    packing.add_argument("--python", default=own, help="the machine's version, such as 3.12")
    options = parser.parse_args(arguments)
    if options.command == "pack":
        pack(options.folder, lean=options.lean, cuda=options.cuda, python=options.python)
        return 0
    deadline = time.monotonic() + BUDGET_SECONDS
    place = Place(packed=options.packed.absolute(), smoke=options.smoke, deadline=deadline)
    report = check(place)
    text = json.dumps(report, indent=1)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(text + "\n", encoding="utf-8")
    print(text)
    return 0 if report["ok"] else 4


if __name__ == "__main__":
    sys.exit(main())
