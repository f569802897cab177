"""A PostgreSQL of the tests' own, in a temporary folder; it can be killed and started again."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

# as somebody's generator of passwords may make it: all that a URL, a shell, a format string or a
# configuration file could take for its own
PASSWORD = "50% p@ss:w/rd %(x)s #1"


def programs() -> Path | None:
    """The folder with initdb and pg_ctl, wherever the distribution keeps it."""
    found = shutil.which("initdb")
    folders = [Path(found).parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((each for each in folders if (each / "pg_ctl").exists()), None)


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """One server, which wants a password. `url` goes up to the database's name:
    `url.format("postgres")`."""

    home: Path
    url: str
    options: str
    prefix: tuple[str, ...] = ()  # how to start a program elsewhere: another network namespace

    def run(self, program: str, *arguments: str, check: bool = True) -> int:
        folder = programs()
        assert folder is not None
        return subprocess.run(
            [*self.prefix, str(folder / program), "-D", str(self.home / "data"), *arguments],
            check=check,
            stdout=subprocess.DEVNULL,
            stderr=None if check else subprocess.DEVNULL,
            cwd=self.home,
            timeout=120,
            **({} if self.prefix else _account()),
        ).returncode

    def start(self, *, seconds: float = 60) -> None:
        """Start, or start again: what a killed server left dies off within a moment."""
        end = time.monotonic() + seconds
        arguments = ("-w", "-l", str(self.home / "log"), "-o", self.options, "start")
        while self.run("pg_ctl", *arguments, check=False):
            assert time.monotonic() < end, (self.home / "log").read_text()[-3000:]
            time.sleep(0.2)

    def kill(self) -> None:
        """Kill the server and every process of it with -9, as a machine that loses its power."""
        postmaster = int((self.home / "data" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        for pid in (postmaster, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


@contextmanager
def cluster(
    listen: str = "", options: str = "-c fsync=off", namespace: str = ""
) -> Iterator[Cluster]:
    """A fresh cluster on a Unix socket, and on port 5432 of the address `listen` if given; in a
    network namespace of that name."""
    home = Path(tempfile.mkdtemp(prefix="leaderboard-pg-"))
    account = _account()
    if account:
        os.chown(home, account["user"], account["group"])
    made = Cluster(
        home=home,
        url=f"{server_url()}/{{}}?host={home}",
        options=f"-k {home} -c listen_addresses='{listen}' -c timezone=UTC {options}",
        prefix=_inside(namespace) if namespace else (),
    )
    (home / "password").write_text(PASSWORD + "\n")
    made.run("initdb", "-U", "tests", "-A", "scram-sha-256", f"--pwfile={home / 'password'}", "-N")
    if listen:
        with (home / "data" / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 0.0.0.0/0 scram-sha-256\n")
    made.start()
    try:
        yield made
    finally:
        made.run("pg_ctl", "-m", "immediate", "stop", check=False)
        shutil.rmtree(home, ignore_errors=True)


def server_url(host: str = "") -> str:
    """The URL of a server of ours up to the slash before the database's name."""
    return f"postgresql://tests:{quote(PASSWORD, safe='')}@{host}"


@contextmanager
def running() -> Iterator[str]:
    """Start a fresh cluster; gives its URL up to the database's name."""
    with cluster() as made:
        yield made.url


def _inside(namespace: str) -> tuple[str, ...]:
    account = _unprivileged()
    drop = (f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups")
    return ("ip", "netns", "exec", namespace, "setpriv", *drop)


def _account() -> dict[str, Any]:
    """Whom to run it as: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    account = _unprivileged()
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _unprivileged() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise AssertionError("no unprivileged account")
