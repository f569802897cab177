"""What a grade is: assignments, predictions, metrics, scores, bundles, evaluation.

Stateless: no server, no database, no torch. Each name is loaded when it is first used, so that a
command that needs no numbers does not wait for NumPy, nor one without a server for HTTP.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from grader.answers import AnswerKey
    from grader.assignment import Assignment
    from grader.bundle import (
        BundleInfo,
        inspect_bundle,
        pack_bundle,
        unpack_bundle,
    )
    from grader.client import Client
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
    from grader.evaluation import Evaluation, Runner, RunResult, Submission, evaluate
    from grader.pack import Pack
    from grader.predictions import ExpectedRows, Predictions, parse_predictions
    from grader.scoring import METRICS, ClassScore, Metric, Score, Scores, roc_curves, score
    from grader.settings import Limits
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
    "RunResult",
    "Runner",
    "RunnerUnavailable",
    "Score",
    "Scores",
    "Submission",
    "Verdict",
    "evaluate",
    "inspect_bundle",
    "pack_bundle",
    "parse_predictions",
    "roc_curves",
    "score",
    "unpack_bundle",
]

_HOME = {
    "METRICS": "scoring",
    "PRECEDENCE": "verdicts",
    "AnswerKey": "answers",
    "ApiError": "errors",
    "Assignment": "assignment",
    "AssignmentError": "errors",
    "AuthError": "errors",
    "BundleInfo": "bundle",
    "ClassScore": "scoring",
    "Client": "client",
    "ClientError": "errors",
    "Evaluation": "evaluation",
    "ExpectedRows": "predictions",
    "GraderError": "errors",
    "InvalidBundle": "errors",
    "InvalidPredictions": "errors",
    "InvalidSubmission": "errors",
    "Limits": "settings",
    "Metric": "scoring",
    "MetricUnavailable": "errors",
    "NetworkError": "errors",
    "Owner": "errors",
    "Pack": "pack",
    "PlatformFault": "errors",
    "Predictions": "predictions",
    "Problem": "errors",
    "RunResult": "evaluation",
    "Runner": "evaluation",
    "RunnerUnavailable": "errors",
    "Score": "scoring",
    "Scores": "scoring",
    "Submission": "evaluation",
    "Verdict": "verdicts",
    "evaluate": "evaluation",
    "inspect_bundle": "bundle",
    "pack_bundle": "bundle",
    "parse_predictions": "predictions",
    "roc_curves": "scoring",
    "score": "scoring",
    "unpack_bundle": "bundle",
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
