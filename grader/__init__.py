"""What a grade is: assignments, predictions, metrics, scores, bundles, evaluation.

Stateless: no server, no database, no torch. Each name is loaded when it is first used, so that a
command that needs no numbers does not wait for NumPy, nor one without a server for HTTP.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grader.assignments.answers import AnswerKey
    from grader.assignments.assignment import Assignment
    from grader.assignments.pack import Pack, write_public_pack
    from grader.bundles.archives import unpack_archive
    from grader.bundles.bundle import BundleInfo, inspect_bundle, pack_bundle, unpack_bundle
    from grader.errors import (
        ApiError,
        AssignmentError,
        AuthError,
        ClientError,
        GraderError,
        InvalidBundle,
        InvalidPredictions,
        InvalidSubmission,
        MetricUnavailable,
        NetworkError,
        Owner,
        PlatformFault,
        Problem,
        RunnerUnavailable,
    )
    from grader.evaluation import (
        Evaluation,
        Runner,
        RunResult,
        Submission,
        evaluate,
        evaluate_predictions,
    )
    from grader.metric_list import METRICS, Metric
    from grader.notebook.client import Client
    from grader.prediction_csv.expected import ExpectedRows
    from grader.prediction_csv.predictions import Predictions, parse_predictions
    from grader.requirements import Requirements
    from grader.scoring.scoring import ClassScore, Score, Scores, right_images, roc_curves, score
    from grader.settings.tables import Limits
    from grader.verdicts import PRECEDENCE, Verdict

__all__ = [
    "METRICS",
    "PRECEDENCE",
    "AnswerKey",
    "ApiError",
    "Assignment",
    "AssignmentError",
    "AuthError",
    "BundleInfo",
    "ClassScore",
    "Client",
    "ClientError",
    "Evaluation",
    "ExpectedRows",
    "GraderError",
    "InvalidBundle",
    "InvalidPredictions",
    "InvalidSubmission",
    "Limits",
    "Metric",
    "MetricUnavailable",
    "NetworkError",
    "Owner",
    "Pack",
    "PlatformFault",
    "Predictions",
    "Problem",
    "Requirements",
    "RunResult",
    "Runner",
    "RunnerUnavailable",
    "Score",
    "Scores",
    "Submission",
    "Verdict",
    "evaluate",
    "evaluate_predictions",
    "inspect_bundle",
    "pack_bundle",
    "parse_predictions",
    "right_images",
    "roc_curves",
    "score",
    "unpack_archive",
    "unpack_bundle",
    "write_public_pack",
]

_HOME = {
    "METRICS": "metric_list",
    "PRECEDENCE": "verdicts",
    "AnswerKey": "assignments.answers",
    "ApiError": "errors",
    "Assignment": "assignments.assignment",
    "AssignmentError": "errors",
    "AuthError": "errors",
    "BundleInfo": "bundles.bundle",
    "ClassScore": "scoring.scoring",
    "Client": "notebook.client",
    "ClientError": "errors",
    "Evaluation": "evaluation",
    "ExpectedRows": "prediction_csv.predictions",
    "GraderError": "errors",
    "InvalidBundle": "errors",
    "InvalidPredictions": "errors",
    "InvalidSubmission": "errors",
    "Limits": "settings.tables",
    "Metric": "metric_list",
    "MetricUnavailable": "errors",
    "NetworkError": "errors",
    "Owner": "errors",
    "Pack": "assignments.pack",
    "PlatformFault": "errors",
    "Predictions": "prediction_csv.predictions",
    "Problem": "errors",
    "Requirements": "requirements",
    "RunResult": "evaluation",
    "Runner": "evaluation",
    "RunnerUnavailable": "errors",
    "Score": "scoring.scoring",
    "Scores": "scoring.scoring",
    "Submission": "evaluation",
    "Verdict": "verdicts",
    "evaluate": "evaluation",
    "evaluate_predictions": "evaluation",
    "inspect_bundle": "bundles.bundle",
    "pack_bundle": "bundles.bundle",
    "parse_predictions": "prediction_csv.predictions",
    "right_images": "scoring.scoring",
    "roc_curves": "scoring.scoring",
    "score": "scoring.scoring",
    "unpack_archive": "bundles.archives",
    "unpack_bundle": "bundles.bundle",
    "write_public_pack": "assignments.pack",
}

if not TYPE_CHECKING:  # a checker sees the imports above, and so a misspelt name

    def __getattr__(name):
        if name not in _HOME:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"grader.{_HOME[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
