"""What a command runs code bundles with: the sandbox, or, for one's own code, a plain program."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import click

from grader import Runner, RunnerUnavailable
from grader.cli.chinese.messages import tr
from grader.cli.terminal.console import talk
from grader.words.message import said


def sandbox_runner() -> Runner:
    """The sandbox of this machine.

    Raises:
        RunnerUnavailable: there is none; with the sandbox's one sentence.
    """
    if sys.platform == "win32":
        raise RunnerUnavailable(said("runner.windows"))
    try:
        from sandbox import SandboxUnavailable, get_runner
    except ImportError as error:
        raise RunnerUnavailable(said("runner.not_installed", error=str(error))) from error
    try:
        return get_runner(hold_files=False)
    except SandboxUnavailable as error:
        raise RunnerUnavailable(str(error)) from error


def sandbox_or_own_code() -> Runner:
    """The sandbox, else a plain subprocess: only for a bundle that its own author checks."""
    try:
        return sandbox_runner()
    except RunnerUnavailable:
        talk(tr("Without a sandbox, as a plain program (`sandbox self-check` says why)"))
    return own_code()


def own_code() -> Runner:
    """Runs a bundle that the user wrote and would run anyway, with this Python and its torch.

    Contract, channel and verdicts are the sandbox's; nothing but time and output is limited.

    Raises:
        click.UsageError: not here; the message says what to install, or where it can be done.
    """
    if sys.platform == "win32":
        raise click.UsageError(
            tr("a code bundle can be run on Linux and macOS, and inside WSL on Windows")
        )
    if find_spec("torch") is None:
        raise click.UsageError(
            tr("running a code bundle needs PyTorch: pip install torch (extra: reference)")
        )
    from sandbox import get_runner

    return get_runner("unconfined")
