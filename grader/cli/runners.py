"""What a command runs code bundles with: the sandbox, or, for one's own code, a plain program."""

from __future__ import annotations

import sys

from grader import Runner, RunnerUnavailable
from grader.cli.console import talk
from grader.cli.messages import tr


def sandbox_runner() -> Runner:
    """The sandbox of this machine.

    Raises: RunnerUnavailable with the sandbox's one sentence where there is none.
    """
    if sys.platform == "win32":
        raise RunnerUnavailable("there is no sandbox for Windows")
    try:
        from sandbox import SandboxUnavailable, get_runner
    except ImportError as error:
        raise RunnerUnavailable(f"the package `sandbox` can't be imported: {error}") from error
    try:
        return get_runner()
    except SandboxUnavailable as error:
        raise RunnerUnavailable(str(error)) from error


def sandbox_or_own_code() -> Runner:
    """The sandbox, else a plain subprocess: only for a bundle that its own author checks."""
    try:
        return sandbox_runner()
    except RunnerUnavailable:
        talk(tr("Without a sandbox, as a plain program (`sandbox self-check` says why)"))
    from grader.cli.own_code import OwnCode

    return OwnCode()
