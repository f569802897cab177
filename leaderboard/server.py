"""`leaderboard serve`: the web server and, by default, one worker beside it, both kept alive.

The address is bound here and handed on, so that a web server that dies and comes back leaves
callers waiting for a moment instead of refused. A child dies with this process, however it ends.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from leaderboard.config import Settings
from leaderboard.settings.table import PREFIX

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
_HEALTHY_SECONDS = 60.0  # after so long, a death is news and the pause starts small again
_STOP_SECONDS = 20.0
_POLL_SECONDS = 0.1
_BACKLOG = 1024
_PR_SET_PDEATHSIG = 1

Say = Callable[[str], None]


@dataclass
class _Child:
    """A process that is started again, after a pause that grows, whenever it dies."""

    name: str
    command: list[str]
    pass_fds: tuple[int, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    pause: float = field(default=_FIRST_PAUSE_SECONDS)

    def tend(self, say: Say) -> None:
        now = time.monotonic()
        if self.process is None:
            if now >= self.start_at:
                self.process = subprocess.Popen(
                    self.command,
                    pass_fds=self.pass_fds,
                    env={**os.environ, **self.environment},
                )
                self.started_at = now
            return
        code = self.process.poll()
        if code is None:
            return
        self.process = None
        if now - self.started_at > _HEALTHY_SECONDS:
            self.pause = _FIRST_PAUSE_SECONDS
        self.start_at = now + self.pause
        say(f"The {self.name} ended ({_ending(code)}); it is started again in {self.pause:g} s.")
        self.pause = min(self.pause * 2, _LONGEST_PAUSE_SECONDS)

    def stop(self, deadline: float) -> None:
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def serve(settings: Settings, *, with_worker: bool, say: Say) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises:
        OSError: the address is taken.
    """
    listener = _listen(settings.host, settings.port)
    base = [sys.executable, "-m", "leaderboard.cli", "--state", str(settings.state_dir)]
    parent = ["--parent", str(os.getpid())]
    web = [*base, "web", "--fd", str(listener.fileno()), *parent]
    children = [_Child("web server", web, pass_fds=(listener.fileno(),))]
    if with_worker:
        # on one machine, pages go before evaluations
        worker = ["nice", "-n", "10", *base, "worker", "--name", "serve", *parent]
        children.append(_Child("worker", worker))
    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: stopping.append(received))
    host, port = listener.getsockname()[:2]
    # links in mails lead to where the server is, wherever that is for this time
    for child in children:
        child.environment = {f"{PREFIX}HOST": _shown(host), f"{PREFIX}PORT": str(port)}
    say(f"Leaderboard at {settings.public_url or f'http://{_shown(host)}:{port}'}")
    while not stopping:
        for child in children:
            child.tend(say)
        time.sleep(_POLL_SECONDS)
    for child in children:
        if child.process is not None:
            child.process.terminate()
    deadline = time.monotonic() + _STOP_SECONDS
    for child in children:
        child.stop(deadline)
    listener.close()


def run_web(settings: Settings, *, fd: int | None = None) -> None:
    """Run gunicorn with threaded workers, on an inherited socket or the configured address."""
    from gunicorn.app.base import BaseApplication

    from leaderboard import create_app

    class _Gunicorn(BaseApplication):  # type: ignore[misc] # gunicorn has no types
        def load_config(self) -> None:
            for name, value in _gunicorn_settings(settings, fd).items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            # called in each web process, after the fork: database connections must not cross it
            return create_app(settings)

    _Gunicorn().run()


def die_with(parent: int) -> None:
    """Have the kernel send SIGTERM to this process when its parent dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        sys.exit(1)  # it died before this line


def _gunicorn_settings(settings: Settings, fd: int | None) -> dict[str, Any]:
    return {
        "bind": [f"fd://{fd}" if fd is not None else f"{settings.host}:{settings.port}"],
        "worker_class": "leaderboard.web.slow_senders.HeadersFirst",
        "workers": settings.web_processes,
        # an open event stream holds a thread, asleep
        "threads": settings.web_threads + settings.web_streams,
        "worker_connections": 4 * (settings.web_threads + settings.web_streams),
        "backlog": _BACKLOG,
        "graceful_timeout": 10,
        "keepalive": 15,
        "proc_name": "leaderboard",
        "loglevel": "warning",
        "control_socket_disable": True,
        # ProxyFix believes as many proxies as the settings say; gunicorn itself believes none
        "forwarded_allow_ips": "",
    }


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    listener.set_inheritable(True)
    return listener


def _shown(host: str) -> str:
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def _ending(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
