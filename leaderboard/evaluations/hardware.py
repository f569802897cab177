"""What machine this is: part of every evaluation's record, since times and memory depend on it."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from functools import cache
from pathlib import Path

_MIB = 1 << 20


@cache
def facts() -> dict[str, str]:
    """Processor, cores that this process may use, memory, and GPUs where there are any."""
    pages, page = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    found = {
        "system": f"{platform.system()} {platform.release()}",
        "cpu": _cpu_model(),
        "cpus": str(len(os.sched_getaffinity(0))),
        "memory_mb": str(pages * page // _MIB),
    }
    gpus = _gpus()
    return {**found, "gpus": gpus} if gpus else found


def _cpu_model() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _gpus() -> str:
    """The names and drivers of NVIDIA GPUs, one after the other."""
    if shutil.which("nvidia-smi") is None:
        return ""
    asked = subprocess.run(
        ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return "; ".join(asked.stdout.split("\n")).strip("; ") if asked.returncode == 0 else ""
