"""The conformance suite: folders of hostile and honest bundles, each with what must happen.

    tests/verdicts/<case>/
        expect.toml     what must happen (below)
        model.py …      the bundle
        prepare.py      optional: run in a copy of the folder before, to write checkpoints; it
                        may import what lies beside the cases

    verdict = "TLE"               or a list, where the machine decides
    note = "why this is here"
    hidden = false                a hidden run (no log) instead of a sample run
    runs = 1                      times in a row, for traces one run leaves for the next
    images = 64
    flags = ["ND"]
    detail = "missing: weight"    must be part of the detail
    log = "…"                     must be part of the log
    in_order = false              the answers come back as the places the images had
    gpu = false                   needs a GPU that this worker may lend
    [limits]                      over the small ones of the suite
    [without]                     the proof that the case is not vacuous: what happens when its
    defences = ["network"]        defence (or all that stand in the way) is switched off
    backends = ["docker"]         none named: all
    verdict = "OK"                of these, those named must then hold; if none is, the attack
    detail = "…"                  must say that it worked
    flags = []
    in_order = true
    excepted = "exhausting: …"    or why there is no proof

An attack prints `ATTACK WORKED` and what it got where it succeeds; no case may ever show that, or
the canaries, in what a student sees. After some cases at the most, an honest bundle must give what
it gave before, to the bit, and nothing may be left behind after any.
"""

from __future__ import annotations

import dataclasses
import os
import platform
import secrets
import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sandbox.confinement import gpu
from sandbox.confinement.cgroup import PARENT
from sandbox.limits import RunLimits
from sandbox.names import run_name
from sandbox.result import JobResult
from sandbox.runner import Sandbox

ATTACK_WORKED = "ATTACK WORKED"
HONEST = "honest"
CLASSES = 10
STAGE = "/run/gradewright-sandbox"
CANARY_VARIABLE = "GRADEWRIGHT_SUITE_SECRET"
# Small, so that a case that uses them up does so at once; importing torch takes about 180 MB.
LIMITS = RunLimits(
    wall_seconds=20,
    cpus=1,
    memory_mb=700,
    processes=32,
    open_files=128,
    tmp_mb=16,
    output_mb=4,
    batch_size=16,
)


@dataclass(frozen=True, kw_only=True)
class Without:
    """What a case does when its defence is off; or why that is not tried."""

    defences: tuple[str, ...] = ()
    backends: tuple[str, ...] = ()  # none named: all
    verdict: str | None = None
    detail: str | None = None
    flags: tuple[str, ...] | None = None
    in_order: bool | None = None
    excepted: str = ""

    def missing(self, result: JobResult) -> list[str]:
        """What should have happened and did not: empty where the attack worked."""
        found = {
            "verdict": (self.verdict, result.verdict == self.verdict),
            "detail": (self.detail, (self.detail or "") in result.detail),
            "flags": (self.flags, result.flags == self.flags),
            "in_order": (self.in_order, in_order(result) == self.in_order),
        }
        expected = {name: held for name, (wanted, held) in found.items() if wanted is not None}
        if not expected:
            expected = {ATTACK_WORKED: ATTACK_WORKED in f"{result.detail}\n{result.log}"}
        return [name for name, held in expected.items() if not held]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One folder of the suite."""

    name: str
    folder: Path
    verdicts: tuple[str, ...]
    note: str = ""
    hidden: bool = False
    runs: int = 1
    images: int = 64
    flags: tuple[str, ...] = ()
    detail: str = ""
    log: str = ""
    in_order: bool | None = None
    gpu: bool = False
    without: Without
    backends: tuple[str, ...] = ()  # none named: all
    machines: tuple[str, ...] = ()  # none named: all
    limits: RunLimits = LIMITS

    @classmethod
    def load(cls, folder: Path) -> Case:
        """Read `expect.toml`.

        Raises:
            ValueError: a key is unknown.
        """
        table = tomllib.loads((folder / "expect.toml").read_text(encoding="utf-8"))
        verdict = table.pop("verdict")
        try:
            return cls(
                name=folder.name,
                folder=folder,
                verdicts=(verdict,) if isinstance(verdict, str) else tuple(verdict),
                limits=dataclasses.replace(LIMITS, **table.pop("limits", {})),
                without=Without(**_frozen(table.pop("without", {}))),
                **_frozen(table),
            )
        except TypeError as error:
            raise ValueError(f"{folder}/expect.toml: {error}") from error


def _frozen(table: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(item) if isinstance(item, list) else item for key, item in table.items()}


def in_order(result: JobResult) -> bool:
    """Whether the answers count up, as those of a program that answers with places do."""
    labels = result.labels
    return labels is not None and labels.tolist() == [row % CLASSES for row in range(len(labels))]


@dataclass(frozen=True, kw_only=True)
class CaseReport:
    """What happened; `problems` is empty where all was as it must be."""

    case: str
    backend: str
    verdict: str
    seconds: float
    problems: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """A row of the table case × backend × verdict."""
        return dataclasses.asdict(self)


def load_cases(folder: Path) -> list[Case]:
    """All cases of a suite folder, by name."""
    return [Case.load(path.parent) for path in sorted(folder.glob("*/expect.toml"))]


def default_folder() -> Path:
    """The suite of the checkout this package lies in."""
    return Path(__file__).resolve().parents[2] / "tests" / "verdicts"


def images(count: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Random images, uint8 (count, 8, 8), always the same."""
    return np.random.default_rng(7).integers(0, 256, (count, 8, 8), dtype=np.uint8)


def run_suite(
    runner: Sandbox, names: Collection[str] = (), folder: Path | None = None, threads: int = 2
) -> Iterator[CaseReport]:
    """Run the cases (all, or those named), each followed by the honest one; reports in order."""
    suite = Suite(runner)
    cases = [case for case in load_cases(folder or default_folder()) if suite.concerns(case)]
    chosen = [case for case in cases if not names or case.name in names]
    with suite, ThreadPoolExecutor(threads) as pool:
        for reports in pool.map(suite.run, groups(chosen, size=1)):
            yield from reports


def groups(cases: Sequence[Case], *, size: int) -> list[list[Case]]:
    """Cases that share one honest run after them."""
    return [list(cases[first : first + size]) for first in range(0, len(cases), size)]


class Suite:
    """Runs cases with one runner, with canaries planted around it; safe to share by threads."""

    def __init__(self, runner: Sandbox) -> None:
        self.runner = runner
        self.backend = runner.describe()["backend"]
        self._canaries: list[str] = []
        self._clean_up = ExitStack()

    def __enter__(self) -> Suite:
        """Plant the canaries and learn what the honest bundle answers."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="suite-")))
            honest = Case.load(default_folder() / HONEST)
            self._honest = prepare(honest, folder / HONEST)
            for place in {Path(tempfile.gettempdir()), folder, Path.home(), Path.cwd()}:
                if os.access(place, os.W_OK):
                    stack.callback(self._plant(place).unlink)
            os.environ[CANARY_VARIABLE] = self._new_canary()
            stack.callback(os.environ.pop, CANARY_VARIABLE)
            self._expected = self._honest_answers()
            self._clean_up = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Take the canaries away."""
        self._clean_up.close()

    def concerns(self, case: Case) -> bool:
        """Whether a case is about this backend and this kind of machine."""
        here = not case.machines or platform.machine() in case.machines
        here = here and (not case.gpu or bool(gpu.available_gpus()))
        return here and (not case.backends or self.backend in case.backends)

    def _plant(self, folder: Path) -> Path:
        """Fake answers where a worker's files lie."""
        canary = self._new_canary()
        path = folder / f"{canary}-answers.csv"
        path.write_text(f"id,label\n0,{canary}\n", encoding="utf-8")
        return path

    def _new_canary(self) -> str:
        self._canaries.append(f"CANARY-{secrets.token_hex(8)}")
        return self._canaries[-1]

    def run(self, cases: Sequence[Case]) -> list[CaseReport]:
        """Run some cases, then the honest bundle, and look for what is wrong."""
        reports = [self._run_case(case) for case in cases]
        if self._honest_answers() == self._expected:
            return reports
        problem = "the honest bundle gave other predictions after these cases"
        return [
            dataclasses.replace(report, problems=(*report.problems, problem)) for report in reports
        ]

    def _run_case(self, case: Case) -> CaseReport:
        """Run a case as often as it says."""
        problems: list[str] = []
        with tempfile.TemporaryDirectory(prefix="suite-") as folder:
            bundle = prepare(case, Path(folder) / "bundle")
            for _ in range(case.runs):
                result = self._run_once(case, bundle)
                problems += self._wrong(case, result)
        problems += self._left_behind()
        return CaseReport(
            case=case.name,
            backend=self.backend,
            verdict=result.verdict,
            seconds=round(result.wall_seconds, 3),
            problems=tuple(problems),
        )

    def _left_behind(self) -> list[str]:
        """What is left of runs that were over before and after the look: others come and go."""
        left = leftovers(self.runner.active)
        left += self._kept(self.runner.active)
        active = self.runner.active
        return [item for item in left if not any(name in item for name in active)]

    def _kept(self, active: Collection[str]) -> list[str]:
        ours = [name for name in self.runner.kept_runs() if name.startswith(process_mark())]
        return [f"left behind: {self.backend} keeps {name}" for name in ours if name not in active]

    def _run_once(self, case: Case, bundle: Path) -> JobResult:
        return self.runner.run(
            bundle,
            images(case.images),
            num_classes=CLASSES,
            limits=case.limits,
            logs=not case.hidden,
        )

    def _honest_answers(self) -> bytes:
        result = self.runner.run(self._honest, images(64), num_classes=CLASSES, limits=LIMITS)
        if result.verdict != "OK" or result.labels is None:
            return f"{result.verdict} {result.detail} {result.reason}".encode()
        return result.labels.tobytes()

    def _wrong(self, case: Case, result: JobResult) -> list[str]:
        seen = f"{result.detail}\n{result.log}"
        problems = []
        if result.verdict not in case.verdicts:
            said = f"{result.detail} {result.reason}".strip()
            problems.append(
                f"the verdict is {result.verdict} ({said}), not {'/'.join(case.verdicts)}"
                f"; it printed: {result.log[-1500:]}"
            )
        if result.flags != case.flags:
            problems.append(f"the flags are {result.flags}, not {case.flags}")
        if case.detail not in result.detail:
            problems.append(f"the detail {result.detail!r} does not say {case.detail!r}")
        if case.log not in result.log:
            problems.append(f"the log does not say {case.log!r}: {result.log[-1500:]}")
        if case.in_order is not None and in_order(result) != case.in_order:
            problems.append(f"the answers are {'not ' * case.in_order}in the images' order")
        if case.hidden and result.log:
            problems.append("a hidden run gave a log")
        if ATTACK_WORKED in seen:
            problems.append(f"the attack worked: {seen[-1500:]}")
        problems += ["a canary was seen" for canary in self._canaries if canary in seen]
        return problems


def prepare(case: Case, bundle: Path) -> Path:
    """A copy of the case's folder that is ready to be handed in."""
    shutil.copytree(
        case.folder, bundle, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
    )
    (bundle / "expect.toml").unlink()
    script = bundle / "prepare.py"
    if script.exists():
        beside = {**os.environ, "PYTHONPATH": str(case.folder.parent)}  # checkpoint_files.py
        subprocess.run([sys.executable, "-B", script.name], cwd=bundle, env=beside, check=True)
        script.unlink()
    return bundle


def leftovers(active: Collection[str] = ()) -> list[str]:
    """What runs of this process left on this host: folders, control groups, mounts.

    A control group can be removed only when no process is in it. Runs in `active`, which go on in
    other threads, left nothing yet.
    """
    mark = process_mark()
    # other programs' groups come and go while they are walked, which os.walk passes over
    holders = (each for each, below, _ in os.walk("/sys/fs/cgroup") if PARENT in below)
    places = [Path(tempfile.gettempdir()), *(Path(each) / PARENT for each in holders)]
    found = [path for place in places for path in place.glob(f"{mark}*")]
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace")
    left = [str(path) for path in found if path.name not in active]
    left += [line for line in mounts.splitlines() if mark in line or STAGE in line]
    return [f"left behind: {item}" for item in left]


def process_mark() -> str:
    """What the names of all runs of this process begin with."""
    return run_name().rpartition("-")[0]


def sandboxed_processes() -> list[str]:
    """Sandboxes that this process started; none may be there when no run goes on.

    Its children only: a server that it started may keep some of its own waiting.
    """
    lists = [
        path.read_text(encoding="ascii") for path in Path("/proc/self/task").glob("*/children")
    ]
    found = []
    for process in " ".join(lists).split():
        try:
            command = Path(f"/proc/{process}/cmdline").read_bytes().replace(b"\0", b" ")
        except OSError:
            continue
        if b"/opt/harness" in command:
            found.append(f"{process}: {command[:80].decode(errors='replace')}")
    return found
