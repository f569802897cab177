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
    from sandbox.checks import Check, self_check
    from sandbox.environment import SandboxUnavailable
    from sandbox.gpu import Card, available_gpus, gpu_refusal
    from sandbox.limits import Limits, RunLimits
    from sandbox.result import RunResult
    from sandbox.runner import Sandbox, get_runner

__all__ = [
    "Card",
    "Check",
    "Limits",
    "RunLimits",
    "RunResult",
    "Sandbox",
    "SandboxUnavailable",
    "available_gpus",
    "get_runner",
    "gpu_refusal",
    "self_check",
]

_HOME = {
    "Card": "gpu",
    "Check": "checks",
    "Limits": "limits",
    "RunLimits": "limits",
    "RunResult": "result",
    "Sandbox": "runner",
    "SandboxUnavailable": "environment",
    "available_gpus": "gpu",
    "get_runner": "runner",
    "gpu_refusal": "gpu",
    "self_check": "checks",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"sandbox.{_HOME[name]}"), name)
