"""Run untrusted model code under limits.

    with sandbox.get_runner() as runner:
        result = runner.run(bundle, images, num_classes=10, limits=sandbox.RunLimits())

It takes a bundle, images and limits and returns facts; it knows no answers, names or scores.
Importing this package is light; its parts are loaded when they are used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sandbox.backends import confining_backends
    from sandbox.checking.checks import Check, self_check
    from sandbox.confinement.gpu import Card, available_gpus, gpu_refusal
    from sandbox.inside.protocol import HEAT_SIDE
    from sandbox.job import MOST_EXPLAINED, Job, of_explaining
    from sandbox.limits import Limits, RunLimits
    from sandbox.result import JobResult
    from sandbox.runner import Sandbox, get_runner
    from sandbox.runner_env.environment import (
        SandboxUnavailable,
        environment_drift,
        environment_refusal,
    )
    from sandbox.wire import Unreadable

__all__ = [
    "HEAT_SIDE",
    "MOST_EXPLAINED",
    "Card",
    "Check",
    "Job",
    "JobResult",
    "Limits",
    "RunLimits",
    "Sandbox",
    "SandboxUnavailable",
    "Unreadable",
    "available_gpus",
    "confining_backends",
    "environment_drift",
    "environment_refusal",
    "get_runner",
    "gpu_refusal",
    "of_explaining",
    "self_check",
]

_HOME = {
    "HEAT_SIDE": "inside.protocol",
    "MOST_EXPLAINED": "job",
    "Card": "confinement.gpu",
    "Check": "checking.checks",
    "Job": "job",
    "JobResult": "result",
    "Limits": "limits",
    "RunLimits": "limits",
    "Sandbox": "runner",
    "SandboxUnavailable": "runner_env.environment",
    "Unreadable": "wire",
    "available_gpus": "confinement.gpu",
    "confining_backends": "backends",
    "environment_drift": "runner_env.environment",
    "environment_refusal": "runner_env.environment",
    "get_runner": "runner",
    "gpu_refusal": "confinement.gpu",
    "of_explaining": "job",
    "self_check": "checking.checks",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"sandbox.{_HOME[name]}"), name)
