"""Which defence is active on this host and which is not, found out by trying.

Behind `sandbox self-check` and the server's `doctor`. A required check that fails means that
students' code must not be run here.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sandbox.backends import confining_backends
from sandbox.checking.suite import run_suite
from sandbox.confinement import bwrap_faults
from sandbox.limits import RunLimits
from sandbox.result import JobResult
from sandbox.runner import Sandbox, get_runner
from sandbox.runner_env.environment import SandboxUnavailable

PROBES = Path(__file__).parent / "probes"
LIMITS = RunLimits(wall_seconds=30, memory_mb=700, processes=24, tmp_mb=16, output_mb=4)
HARMLESS_VARIABLES = {"HF_HUB_OFFLINE", "HOME", "LC_CTYPE", "PWD"}
# in the last two no file can be made
WRITABLE = {"/tmp", "/dev/shm", "/dev/pts", "/dev/mqueue"}


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    required: bool
    sentence: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


def self_check(
    backend: str | None = None, suite: bool = False, *, runner_env: Path | None = None
) -> list[Check]:
    """Try everything on this host; some seconds.

    Without a name, the backend that runs would get is tried, and the others are looked for.
    With `suite`, each case of the conformance suite is a check too; some minutes.
    """
    try:
        runner = get_runner(backend, runner_env)
    except SandboxUnavailable as unavailable:
        return [Check(name="sandbox", ok=False, required=True, sentence=str(unavailable))]
    if (
        runner.describe()["backend"] not in confining_backends()
    ):  # the probes would fill this machine
        sentence = "Programs are not confined at all: this backend is for one's own code."
        return [Check(name="sandbox", ok=False, required=True, sentence=sentence)]
    with runner:
        checks = [_started(runner), *_faults(runner), *_looked_around(runner), _apart(runner)]
        checks += _limited(runner)
        if backend is None:
            checks += _others(runner.describe()["backend"], runner_env)
        if suite:
            checks += [
                Check(
                    name=f"case {report.case}",
                    ok=not report.problems,
                    required=True,
                    sentence="; ".join(report.problems) or f"{report.verdict}, as it must be",
                )
                for report in run_suite(runner)
            ]
        return checks


def usable_backends(runner_env: Path | None = None) -> list[str]:
    """The backends that confine and can be started here."""
    return [name for name in confining_backends() if _why_not(name, runner_env) is None]


def _others(chosen: str, runner_env: Path | None) -> list[Check]:
    """The backends that were not chosen: whether they could be."""
    checks = []
    for name in confining_backends():
        if name != chosen:
            reason = _why_not(name, runner_env)
            sentence = reason or f"{name} could run students' code here too."
            checks.append(Check(name=name, ok=reason is None, required=False, sentence=sentence))
    return checks


def _why_not(name: str, runner_env: Path | None) -> str | None:
    try:
        with get_runner(name, runner_env):
            return None
    except SandboxUnavailable as unavailable:
        return str(unavailable)


def _run(runner: Sandbox, probe: str, limits: RunLimits, logs: bool = True) -> JobResult:
    images = np.zeros((8, 8, 8), dtype=np.uint8)
    return runner.run(PROBES / probe, images, num_classes=2, limits=limits, logs=logs)


def _started(runner: Sandbox) -> Check:
    about = runner.describe()
    return Check(
        name="sandbox",
        ok=True,
        required=True,
        sentence=(
            f"{about['backend']} starts programs with Python {about['python']} "
            f"and torch {about['torch']}."
        ),
    )


def _faults(runner: Sandbox) -> list[Check]:
    """What is known against the version of bubblewrap, where it is used."""
    bwrap = runner.describe().get("bwrap")
    if bwrap is None:
        return []
    ok, sentence = bwrap_faults.about(bwrap)
    return [Check(name="bubblewrap's version", ok=ok, required=False, sentence=f"{sentence}.")]


def _looked_around(runner: Sandbox) -> list[Check]:
    """One look from inside, told as several checks."""
    result = _run(runner, "look_around", LIMITS)
    lines = [line for line in result.log.splitlines() if line.startswith("FOUND ")]
    if result.verdict != "OK" or not lines:
        said = f"{result.detail} {result.reason}".strip()
        return [Check(name="run", ok=False, required=True, sentence=f"A run failed: {said}")]
    seen = json.loads(lines[0].removeprefix("FOUND "))
    about = runner.describe()
    variables = {
        *seen["environment"],
        *(item.partition("=")[0] for item in seen["process_1_environment"].split("\0") if item),
    }
    top = ", ".join(seen["top_level"])
    return [
        _check(
            "host user",
            about["host_uid"] != "0",
            f"programs run as user {about['host_uid']} of this host",
            "programs would run as root of this host",
        ),
        _check(
            "environment",
            variables <= HARMLESS_VARIABLES,
            "the environment inside is empty",
            f"variables are seen inside: {', '.join(sorted(variables))}",
        ),
        _check(
            "network",
            not seen["sockets"] and not seen["interfaces"],
            "there is no network and no way to make a network socket",
            f"sockets can be made: {', '.join(seen['sockets'])} {seen['interfaces']}",
        ),
        _check(
            "system calls",
            seen["seccomp"] == "2" and not seen["keyctl"],
            "a filter refuses system calls that no model needs",
            "no system call filter is active",
        ),
        Check(
            name="second wall",
            ok=not seen["opened_device"],
            required=False,
            sentence=(
                "this kernel has no Landlock: files and signals are confined by one wall, not two."
                if seen["opened_device"]
                else "files, TCP and signals are confined a second time, by Landlock."
            ),
        ),
        _check(
            "privileges",
            seen["no_new_privileges"] == "1" and int(seen["capabilities"], 16) == 0,
            "no capabilities, and none can be gained",
            f"capabilities inside: {seen['capabilities']}",
        ),
        _check(
            "processes",
            seen["processes"] == ["1"],
            "no other process is seen",
            f"processes are seen: {', '.join(seen['processes'])}",
        ),
        _check(
            "kernel settings",
            not seen["writable_settings"],
            "no kernel setting can be written",
            f"can be written: {', '.join(seen['writable_settings'][:5])}",
        ),
        _check(
            "files",
            set(seen["writable_folders"]) <= WRITABLE,
            f"the root holds {top}; only /tmp and /dev/shm can be written",
            f"can be written: {', '.join(seen['writable_folders'][:8])}",
        ),
    ]


def _apart(runner: Sandbox) -> Check:
    left = runner.describe().get("open", "")
    return Check(
        name="between runs",
        ok=not left,
        required=False,
        sentence=(
            f"by files and users one run could tell another something: {left}."
            if left
            else "no run can tell another anything by files or users that they share."
        ),
    )


def _limited(runner: Sandbox) -> list[Check]:
    about = runner.describe()
    checks = [
        Check(
            name="limits",
            ok=about["limits"].startswith("cgroup"),
            required=False,
            sentence=f"{about['limits_sentence']}.",
        )
    ]
    wanted = (
        ("time limit", "sleep", RunLimits(wall_seconds=1, memory_mb=700), "TLE"),
        ("memory limit", "memory", LIMITS, "MLE"),
        ("process limit", "fork", LIMITS, "RE"),
    )
    for name, probe, limits, verdict in wanted:
        started = time.monotonic()
        result = _run(runner, probe, limits)
        seconds = time.monotonic() - started
        said = f"{result.detail} {result.reason}".strip()
        checks.append(
            _check(
                name,
                result.verdict == verdict,
                f"a program over it was stopped ({verdict}, {seconds:.1f} s)",
                f"a program over it got {result.verdict} instead of {verdict}: {said}",
            )
        )
    return checks


def _check(name: str, ok: bool, good: str, bad: str) -> Check:
    return Check(name=name, ok=ok, required=True, sentence=f"{good if ok else bad}.")
