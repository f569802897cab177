"""`grader agent`: run students' code for a server, in this machine's sandbox (staff)."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import click

from grader.cli.chinese.messages import language, tr
from grader.cli.terminal.base import TranslatedCommand
from grader.cli.terminal.console import talk

if TYPE_CHECKING:
    from grader.agent.working import Execute
    from sandbox import Sandbox

_TOKEN = "GRADER_AGENT_TOKEN"  # noqa: S105 - the name of a variable
_CODE, _GPU = "code", "gpu"


@click.command("agent", cls=TranslatedCommand)
@click.argument("server")
@click.option("--token-file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--lanes", default="", help="Some of code, gpu; else what this machine can do.")
@click.option("--devices", default="", help="GPUs, by number, as in SANDBOX_GPUS.")
@click.option("--at-once", default=1, show_default=True, type=click.IntRange(1, 64))
@click.option("--once", is_flag=True, help="End after one run.")
@click.option("--exit-when-idle", type=click.FloatRange(min=0), metavar="SECONDS")
@click.option("--runner-env", type=click.Path(path_type=Path, file_okay=False))
def agent_command(
    server: str,
    token_file: Path | None,
    lanes: str,
    devices: str,
    at_once: int,
    once: bool,
    exit_when_idle: float | None,
    runner_env: Path | None,
) -> None:
    """Run students' code for SERVER in this machine's sandbox, until SIGTERM.

    It needs nothing but https to the server and the token that `leaderboard agents add` printed, in
    GRADER_AGENT_TOKEN or a file. What it runs is finished first; a second signal ends it at once.

    \b
    Example: grader agent https://grader.example.edu --token-file /etc/grader/agent.token
    """
    from grader.agent.door import Door
    from grader.agent.working import Agent

    if devices:
        os.environ["SANDBOX_GPUS"] = devices
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    token = _token(token_file)
    stop = _told_to_stop()
    runner = _runner(runner_env)
    door = Door(server, token, language=language())
    try:
        described = dict(runner.describe())
        facts = {
            **described,
            "host": socket.gethostname(),
            "lanes": _lanes(lanes, has_gpu="gpu" in described),
        }
        joined = door.join(version=version("gradewright"), facts=facts)
        talk(
            tr("Agent {name} takes work: {lanes}", name=joined.agent, lanes=", ".join(joined.lanes))
        )
        agent = Agent(door, _execute(runner), beat_seconds=joined.beat_seconds, stop=stop)
        with ThreadPoolExecutor(at_once) as threads:
            working = [
                threads.submit(agent.work, once=once, idle_seconds=exit_when_idle)
                for _ in range(at_once)
            ]
            for each in working:
                each.result()
        door.leave()
    finally:
        runner.close()
        door.close()


def _token(file: Path | None) -> str:
    token = file.read_text(encoding="utf-8") if file else os.environ.pop(_TOKEN, "")
    if not token.strip():
        raise click.UsageError(tr("give the agent's token in {name} or --token-file", name=_TOKEN))
    return token.strip()


def _lanes(asked: str, *, has_gpu: bool) -> list[str]:
    able = [_CODE, _GPU] if has_gpu else [_CODE]
    wanted = [word.strip() for word in asked.split(",") if word.strip()] or able
    if not set(wanted) <= set(able):
        raise click.UsageError(tr("this machine can run: {lanes}", lanes=", ".join(able)))
    return wanted


def _told_to_stop() -> threading.Event:
    """Set by the first SIGTERM or SIGINT; the second ends the process."""
    stop = threading.Event()

    def told(number: int, _: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, told)
    return stop


def _runner(runner_env: Path | None) -> Sandbox:
    """The sandbox of this machine.

    Raises:
        RunnerUnavailable: there is none; with the sandbox's one sentence.
    """
    from grader.errors import RunnerUnavailable
    from grader.words.message import said

    try:
        from sandbox import SandboxUnavailable, get_runner
    except ImportError as error:
        raise RunnerUnavailable(said("runner.not_installed", error=str(error))) from error
    try:
        return get_runner(runner_env=runner_env)
    except SandboxUnavailable as error:
        raise RunnerUnavailable(str(error)) from error


def _execute(runner: Sandbox) -> Execute:
    """What makes a run of a job that came as bytes."""
    import numpy as np

    from grader.evaluation import pixels_sha256
    from sandbox import Job

    def execute(
        job: bytes,
        bundle: Path,
        images: bytes,
        *,
        on_log: Callable[[str], None],
        on_wait: Callable[[], None],
    ) -> bytes:
        asked = Job.from_bytes(job)
        pixels = np.frombuffer(images, np.uint8).reshape(asked.images_shape)
        if pixels_sha256(pixels) != asked.images_sha256:
            raise ValueError("the images that came are not those of the job")
        heard = on_log if asked.logs else None
        return runner.do(asked, bundle, pixels, on_log=heard, on_wait=on_wait).to_bytes()

    return execute
