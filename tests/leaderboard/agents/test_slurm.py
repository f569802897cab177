"""A real Slurm of one node starts agents as the queue needs them (Debian: slurm-wlm, munge)."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from agent_site import open_site
from commands import serving
from needs import NEEDS_SANDBOX
from small_site import bundle_zip

from leaderboard.agents import registry

ROOT = Path(__file__).parents[3]
MISSING = [name for name in ("slurmctld", "slurmd", "munged", "curl") if not shutil.which(name)]

pytestmark = [
    pytest.mark.long,
    NEEDS_SANDBOX,
    pytest.mark.skipif(
        bool(MISSING) or os.geteuid() != 0, reason="needs root and slurm-wlm, munge, curl"
    ),
]


@contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """One node under this machine's name; the environment that its commands need."""
    folder.mkdir()
    host = socket.gethostname().partition(".")[0]
    subprocess.run(["install", "-d", "-o", "munge", "-m", "755", "/run/munge"], check=True)
    socket_path = folder / "munge.socket"
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o600)
    for name in ("state", "spool"):
        (folder / name).mkdir()
    conf = folder / "slurm.conf"
    conf.write_text(
        f"""ClusterName=one
SlurmctldHost={host}
SlurmctldPort=26817
SlurmdPort=26818
AuthType=auth/munge
AuthInfo=socket={socket_path}
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/ctld.pid
SlurmdPidFile={folder}/d.pid
SlurmctldLogFile={folder}/ctld.log
SlurmdLogFile={folder}/d.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
NodeName={host} CPUs={os.cpu_count()} RealMemory=8000 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
    )
    environment = {**os.environ, "SLURM_CONF": str(conf)}
    daemons = [
        ["munged", "--force", "--foreground", f"--key-file={key}", f"--socket={socket_path}",
         f"--pid-file={folder}/munged.pid", f"--log-file={folder}/munged.log",
         f"--seed-file={folder}/munged.seed"],
        ["slurmctld", "-D", "-f", str(conf)],
        ["slurmd", "-D", "-f", str(conf)],
    ]  # fmt: skip
    started = []
    try:
        for daemon in daemons:
            started.append(subprocess.Popen(daemon, env=environment, stdout=-3, stderr=-3))
            time.sleep(2)
        yield environment
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(30)


def test_slurm_starts_agents_as_the_queue_needs_them(tmp_path: Path) -> None:
    site = open_site(tmp_path)
    with site.state.database.session() as session:
        token = tmp_path / "agent.token"
        token.write_text(registry.add(session, "node"))
    site.person("ann")
    codes = [
        site.hand_in(f"p{n}", bundle_zip(break_it=f"# {n}\n"), filename="my.zip") for n in range(40)
    ]
    settings = {"LEADERBOARD_CODE_RUNS_ON": "agents", "LEADERBOARD_WORKER_CONCURRENCY": "2"}
    with (
        slurm(tmp_path / "slurm") as environment,
        serving(site, "--no-worker") as (_, url),
        site.worker(**settings),
    ):
        environment |= {
            "GRADER": str(Path(sys.executable).parent / "grader"),
            "GRADER_AGENT_TOKEN_FILE": str(token),
            "IDLE_SECONDS": "5",
            "SBATCH_CPUS_PER_TASK": "1",
            "SBATCH_MEM_PER_NODE": "2G",
            "LEADERBOARD_METRICS_TOKEN": "none is set here",
        }
        feeder = [ROOT / "deploy" / "slurm" / "feeder.sh", url, "2"]
        subprocess.run(feeder, env=environment, cwd=tmp_path, check=True, timeout=120)
        ended = [site.wait(public_id, seconds=900) for public_id in codes]

    assert {found.verdict for found in ended} == {"OK"}
    assert {
        found.current_evaluation.environment["agent"]
        for found in ended
        if found.current_evaluation is not None
    } == {"node"}
