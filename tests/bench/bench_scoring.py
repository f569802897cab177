"""Scoring side by side with what users would use instead, in one run on one machine.

    python tests/bench/bench_scoring.py [--rows N ...] [--repeats R] [--rounds R]

Every contestant starts from the same bytes: shuffled integer ids, 100 classes. Ours gives the full
report with confusion matrices on both splits; pandas + scikit-learn gives `classification_report`
on both splits; polars only reads the file. Times are medians of warm repeats.

Then the whole process, from a folder of files on disk: `grader score FOLDER CSV --json`, intervals
included, and in turns with it a script of pandas + scikit-learn that reads both files and prints
the reports of both splits. Wall time, and processor time as well, which a busy machine stretches
less.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import polars
from sklearn.metrics import classification_report

from grader import AnswerKey, ExpectedRows, InvalidPredictions, parse_predictions, score

CLASSES = 100
SIZES = (10_000, 100_000, 1_000_000)
ROWS_PER_ERROR = 1_000
ROUNDS = 7

PANDAS_SCRIPT = """\
import json, sys
import pandas as pd
from sklearn.metrics import classification_report

answers = pd.read_csv(sys.argv[1]).set_index("id")
predicted = pd.read_csv(sys.argv[2]).set_index("id")["label"].reindex(answers.index)
reports = {}
for split in ("public", "private"):
    rows = answers["split"] == split
    reports[split] = classification_report(
        answers["label"][rows], predicted[rows], output_dict=True, zero_division=0
    )
print(json.dumps(reports))
"""


class Task:
    """One test set with its answers and one prediction file."""

    def __init__(self, rows: int, seed: int = 7) -> None:
        rng = np.random.default_rng(seed)
        self.rows = rows
        labels = rng.integers(0, CLASSES, rows)
        predicted = np.where(rng.random(rows) < 0.8, labels, rng.integers(0, CLASSES, rows))
        self.ids = tuple(map(str, range(rows)))
        names = tuple(f"class {index}" for index in range(CLASSES))
        self.expected = ExpectedRows(ids=self.ids, classes=names)
        self.key = AnswerKey(
            ids=self.ids,
            labels=labels,
            public=rng.random(rows) < 0.3,
            num_classes=CLASSES,
            classes=names,
            sha256="",
        )
        self.truth = pd.DataFrame({"label": labels, "public": self.key.public})
        order = rng.permutation(rows)
        self.lines = [f"{row},{predicted[row]}" for row in order]
        self.file = self._joined(self.lines)

    def with_errors(self, count: int, seed: int = 8) -> bytes:
        """The same file with one error of a changing kind on each of `count` scattered lines."""
        lines = list(self.lines)
        at = np.random.default_rng(seed).choice(self.rows, count, replace=False)
        for number, line in enumerate(at.tolist()):
            row, label = lines[line].split(",")
            kinds = (f"{row},{label}.0", f"{row}.jpg,{label}", f"{row},", f"{row},999", row)
            lines[line] = kinds[number % len(kinds)]
        return self._joined(lines)

    @staticmethod
    def _joined(lines: list[str]) -> bytes:
        return ("id,label\n" + "\n".join(lines) + "\n").encode()

    def write(self, folder: Path) -> None:
        """Write an assignment that takes CSVs, and the prediction file beside its answers."""
        settings = {"slug": "rows", "title": "Rows", "classes": list(self.expected.classes)}
        lines = [f"{key} = {json.dumps(value)}\n" for key, value in settings.items()]
        kinds = '[submission]\nkinds = ["csv"]\n'
        (folder / "assignment.toml").write_text("".join(lines) + kinds)
        answers = self.truth.rename_axis("id").reset_index()
        answers["split"] = np.where(answers.pop("public"), "public", "private")
        answers.to_csv(folder / "answers.csv", index=False)
        (folder / "predictions.csv").write_bytes(self.file)

    def ours_from_nothing(self, file: bytes) -> None:
        """As `ours`, for the first submission of all: the index of the ids is built as well."""
        score(parse_predictions(file, ExpectedRows(self.ids, self.expected.classes)), self.key)

    def ours(self, file: bytes) -> float:
        scores = score(parse_predictions(file, self.expected), self.key)
        return scores.private.macro_f1

    def rejected(self, file: bytes) -> None:
        with suppress(InvalidPredictions):
            parse_predictions(file, self.expected)
            raise AssertionError("a file with errors was accepted")

    def pandas_and_sklearn(self, file: bytes) -> float:
        frame = pd.read_csv(io.BytesIO(file)).set_index("id")["label"].reindex(self.truth.index)
        reports = [
            classification_report(
                self.truth["label"][rows], frame[rows], output_dict=True, zero_division=0
            )
            for rows in (self.truth["public"], ~self.truth["public"])
        ]
        return float(reports[1]["macro avg"]["f1-score"])

    def polars_read(self, file: bytes) -> int:
        return polars.read_csv(io.BytesIO(file)).height


def medians_ms(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median wall times in milliseconds after one warm-up each.

    The contestants take turns, so that a busy moment of the machine meets all of them.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeats + 1):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            if turn:
                times[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in times.items()}


def peak_mb(call: Callable[[], object]) -> float:
    """Peak of memory allocated by one call, in MiB (NumPy reports its arrays to tracemalloc)."""
    tracemalloc.start()
    call()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20


def measure(rows: int, repeats: int) -> dict[str, float]:
    """Measure one size; times in milliseconds, memory in MiB."""
    task = Task(rows)
    start = time.perf_counter()
    task.ours_from_nothing(task.file)
    first = (time.perf_counter() - start) * 1000
    assert abs(task.ours(task.file) - task.pandas_and_sklearn(task.file)) < 1e-12
    bad = task.with_errors(rows // ROWS_PER_ERROR)
    times = medians_ms(
        {
            "ours": lambda: task.ours(task.file),
            "pandas_sklearn": lambda: task.pandas_and_sklearn(task.file),
            "polars_read": lambda: task.polars_read(task.file),
            "rejecting": lambda: task.rejected(bad),
        },
        repeats,
    )
    ours = times["ours"]
    peak = peak_mb(lambda: task.ours_from_nothing(task.file))
    size = len(task.file) / 2**20
    return {
        "rows": rows,
        "file_mb": size,
        "ours_first_ms": first,
        **{f"{name}_ms": value for name, value in times.items()},
        "peak_mb": peak,
        "faster_than_pandas_sklearn": times["pandas_sklearn"] / ours,
        "times_polars_read": ours / times["polars_read"],
        "rejecting_to_scoring": times["rejecting"] / ours,
        "peak_to_file": peak / size,
    }


def run_program(command: list[str | Path]) -> tuple[str, float, float]:
    """Run a program: what it prints, its wall time and its processor time in seconds."""
    start = time.perf_counter()
    with (
        tempfile.TemporaryFile() as output,
        subprocess.Popen(command, stdout=output, stderr=subprocess.DEVNULL) as process,
    ):
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - start
        assert process.returncode == 0, command
        output.seek(0)
        return output.read().decode(), wall, usage.ru_utime + usage.ru_stime


def same_reports(ours: str, peers: str) -> bool:
    """Whether both programs print the same macro F1 of both splits."""
    first, second = json.loads(ours), json.loads(peers)
    return all(
        abs(first[split]["macro_f1"] - second[split]["macro avg"]["f1-score"]) < 1e-12
        for split in ("public", "private")
    )


def measure_whole_process(rows: int, rounds: int) -> dict[str, float]:
    """Measure both programs on one size, in turns after one warm-up each; medians in seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Task(rows).write(folder)
        answers, predictions = folder / "answers.csv", folder / "predictions.csv"
        programs: dict[str, list[str | Path]] = {
            "ours": [sys.executable, "-m", "grader", "score", folder, predictions, "--json"],
            "pandas_sklearn": [sys.executable, "-c", PANDAS_SCRIPT, answers, predictions],
        }
        printed = [run_program(command)[0] for command in programs.values()]
        assert same_reports(*printed)
        times = [
            {name: run_program(command)[1:] for name, command in programs.items()}
            for _ in range(rounds)
        ]
    figures: dict[str, float] = {"rows": rows}
    for at, clock in enumerate(("wall", "cpu")):
        for name in programs:
            figures[f"{name}_{clock}_s"] = statistics.median(turn[name][at] for turn in times)
        figures[f"faster_{clock}"] = statistics.median(
            turn["pandas_sklearn"][at] / turn["ours"][at] for turn in times
        )
    return figures


def run_whole_process(sizes: tuple[int, ...], rounds: int = ROUNDS) -> dict[str, dict[str, float]]:
    """Measure every size and print a table; a ratio is the median of the turns' ratios."""
    results = {}
    print(f"{'rows':>9}  {'whole process, wall':>45}  {'processor time':>45}")
    for rows in sizes:
        one = measure_whole_process(rows, rounds)
        results[str(rows)] = one
        columns = (
            f"{one[f'ours_{clock}_s']:>6.2f} s, pandas+sklearn"
            f" {one[f'pandas_sklearn_{clock}_s']:>6.2f} s ({one[f'faster_{clock}']:.1f}×)"
            for clock in ("wall", "cpu")
        )
        print(f"{rows:>9,}  {'  '.join(f'{column:>45}' for column in columns)}")
    return results


def run(sizes: tuple[int, ...], repeats: int = 7) -> dict[str, dict[str, float]]:
    """Measure every size and print a table."""
    results = {}
    print(
        f"{'rows':>9}  {'ours':>9}  {'pandas+sklearn':>21}  {'polars read only':>20}"
        f"  {'1 in 1,000 wrong':>18}  {'peak memory':>20}"
    )
    for rows in sizes:
        one = measure(rows, repeats)
        results[str(rows)] = one
        print(
            f"{rows:>9,}  {one['ours_ms']:>6.1f} ms"
            f"  {one['pandas_sklearn_ms']:>8.1f} ms ({one['faster_than_pandas_sklearn']:.1f}×)"
            f"  {one['polars_read_ms']:>8.1f} ms ({one['times_polars_read']:.1f}×)"
            f"  {one['rejecting_ms']:>7.1f} ms ({one['rejecting_to_scoring']:.1f}×)"
            f"  {one['peak_mb']:>7.1f} MB ({one['peak_to_file']:.1f}× file)"
        )
    return results


def main() -> dict[str, dict[str, dict[str, float]]]:
    """Measure every size."""
    return {"in one process": run(SIZES), "whole process": run_whole_process(SIZES)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=SIZES)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of whole processes")
    options = parser.parse_args()
    run(tuple(options.rows), options.repeats)
    run_whole_process(tuple(options.rows), options.rounds)
