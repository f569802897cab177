"""`grader check`: everything that the server would check, offline."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from grader import (
    InvalidSubmission,
    Predictions,
    Submission,
    unpack_bundle,
)
from grader.cli.chinese.messages import tr
from grader.cli.terminal.base import TranslatedCommand, json_option
from grader.cli.terminal.console import clean, in_words, show, show_json, talk
from grader.cli.terminal.views import exit_code_for_verdict, show_verdict
from grader.cli.trying.hints import Hint, hints_for
from grader.cli.trying.runners import sandbox_or_own_code
from grader.cli.trying.target import Target, find_pack
from grader.words.message import with_data

DEFAULT_UPLOAD_MB = 1024
CHECKPOINTS = (".pt", ".safetensors")


@click.command("check", cls=TranslatedCommand)
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@click.option(
    "-a",
    "--assignment",
    "pack",
    metavar="PACK",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="The folder of grader data; default: one found near PATH.",
)
@json_option
def check_command(path: Path, pack: Path | None, as_json: bool) -> None:
    """Check PATH, a prediction CSV or a code bundle, without a server.

    A bundle is run on the pack's public sample: in the sandbox where this machine has one,
    else, since it is your own code, as a plain program.

    \b
    Example: grader check predictions.csv -a pack
    """
    pack = pack or find_pack(path)
    target = Target.load(pack) if pack else None
    try:
        kind = _kind(path, target)
        report = _check_csv(path, target) if kind == "csv" else _check_code(path, target)
    except InvalidSubmission as error:
        report = {"verdict": "REJ", "errors": [problem.as_dict() for problem in error.problems]}
    if as_json:
        show_json(report)
    else:
        _show(report)
    sys.exit(exit_code_for_verdict(report["verdict"]))


def _kind(path: Path, target: Target | None) -> str:
    """What is handed in.

    Raises:
        InvalidSubmission: the server would not look into it.
    """
    if target is None:
        return Submission.detect(path).kind
    if path.is_file():
        target.requirements.check_size(path.stat().st_size)
    return target.requirements.check_kind(path)


def _check_csv(path: Path, target: Target | None) -> dict[str, Any]:
    if target is None:
        raise click.UsageError(tr("name the public pack with -a: it says which ids are expected"))
    with path.open("rb") as stream:
        predictions = target.requirements.read_csv(stream, target.expected())
    return {
        "verdict": "OK",
        "rows": len(predictions.labels),
        "scores": predictions.scores is not None,
        "hints": [hint.as_dict() for hint in _csv_hints(path.name, predictions, target)],
    }


def _csv_hints(name: str, predictions: Predictions, target: Target) -> list[Hint]:
    """What is valid but hardly meant."""
    classes = target.requirements.classes
    counts = np.bincount(predictions.labels, minlength=len(classes))
    if len(predictions.labels) > 1 and np.count_nonzero(counts) == 1:
        predicted = classes[int(counts.argmax())]
        text = tr("every row says {name!r}; is that the sample submission?", name=predicted)
        return [Hint(file=name, message=text)]
    never = [each for each, count in zip(classes, counts, strict=True) if not count]
    if never:
        text = tr("never predicted: {names}", names=", ".join(never[:5]))
        return [Hint(file=name, message=text)]
    return []


def _check_code(path: Path, target: Target | None) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="grader-") as scratch:
        bundle = Path(scratch) / "bundle"
        limit = target.requirements.max_upload_mb if target else DEFAULT_UPLOAD_MB
        info = unpack_bundle(path, bundle, max_mb=limit)
        report: dict[str, Any] = {
            "verdict": "OK",
            "files": len(info.files),
            "bytes": info.total_bytes,
            "hints": [hint.as_dict() for hint in hints_for(bundle)],
        }
        report["hints"] += [
            {"file": path.name, "message": in_words(text)} for text in info.warnings
        ]
        if target is None:
            talk(tr("Not run: name the public pack with -a to try it on the sample."))
            return report
        try:
            sample = _sample_run(bundle, target)
        except click.UsageError:  # torch is missing: what was found without it is worth saying
            _show_hints(report["hints"])
            raise
        # of the checkpoints, the run itself has said what there is to say
        hints = [one for one in report["hints"] if not one["file"].endswith(CHECKPOINTS)]
        return report | sample | {"hints": hints}


def _sample_run(bundle: Path, target: Target) -> dict[str, Any]:
    images, labels = target.sample()
    runner = sandbox_or_own_code()
    result = runner.run(
        bundle,
        images,
        num_classes=len(target.requirements.classes),
        limits=target.sample_limits,
        logs=True,
    )
    sample: dict[str, Any] = {
        "runner": runner.describe().get("backend", ""),
        "n": len(labels),
        "log": result.log,
    }
    if result.labels is not None:
        sample["accuracy"] = float(np.mean(result.labels == labels))
    return {
        "verdict": result.verdict,
        "detail": result.detail or result.reason,  # whose machine it is may read both
        "detail_said": result.said,
        "flags": list(result.flags),
        "sample": sample,
    }


def _show(report: Mapping[str, Any]) -> None:
    sample = report.get("sample")
    if sample and sample["log"].strip():
        talk(tr("Log of the sample run:"))
        talk(clean(sample["log"].rstrip()))
    if report["verdict"] != "OK":
        show_verdict(
            report["verdict"],
            with_data(report.get("detail", ""), report.get("detail_said")),
            report.get("errors", ()),
            report.get("flags", ()),
        )
    elif "rows" in report:
        show(tr("OK: {rows} rows, as the server expects them.", rows=report["rows"]))
    elif sample:
        show(
            tr(
                "OK: it ran on {n} sample images ({runner}); accuracy there {accuracy:.3f}.",
                n=sample["n"],
                runner=sample["runner"],
                accuracy=sample["accuracy"],
            )
        )
    else:
        show(tr("OK: the bundle has the right form ({files} files).", files=report["files"]))
    _show_hints(report.get("hints", ()))


def _show_hints(hints: Sequence[Mapping[str, Any]]) -> None:
    for hint in hints:
        place = f"{hint['file']}:{hint['line']}" if hint.get("line") else hint["file"]
        show(tr("Hint: {hint}", hint=clean(f"{place}: {hint['message']}")))
