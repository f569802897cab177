"""Every benchmark, each beside what a user would use instead, in one run.

    python tests/bench/run.py [--json PATH] [--only NAME]

Figures are medians with a ratio to the peer measured in the same run: machines are
shared and noisy, so a ratio is to be quoted, a single time is not.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Run the benchmarks `bench_*.py` of this folder and keep their figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write all figures to this file")
    parser.add_argument("--only", help="run only the benchmarks whose name contains this")
    options = parser.parse_args()
    machine = {"python": platform.python_version(), "cpus": os.cpu_count()}
    figures: dict[str, object] = {"machine": machine}
    for path in sorted(HERE.glob("bench_*.py")):
        name = path.stem.removeprefix("bench_")
        if options.only and options.only not in name:
            continue
        print(f"\n== {name}", flush=True)
        figures[name] = load(path).main()
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


def load(path: Path):
    """Import one benchmark file by its path."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    sys.exit(main())
