"""Hosts that can't run students' code say why, in one sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

import sandbox
from sandbox.checking.checks import self_check
from sandbox.cli import main
from sandbox.runner_env.environment import find_environment

CHECKOUT = Path(__file__).resolve().parents[3]


def fake_bwrap(folder: Path, version: str, complaint: str) -> None:
    """A bwrap of another version, on a host with another complaint."""
    program = folder / "bwrap"
    program.write_text(
        f'#!/bin/sh\n[ "$1" = --version ] && echo "bubblewrap {version}" && exit 0\n'
        f"echo '{complaint}' >&2\nexit 1\n"
    )
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("version", "complaint", "says"),
    [
        ("0.6.1", "", "0.6.1 is too old"),
        ("0.9.0", "bwrap: No permissions to create new namespace", "user namespaces"),
        ("0.9.0", "bwrap: setting up uid map: Permission denied", "user namespaces"),
        ("0.9.0", "bwrap: Can not mount proc on /newroot/proc", "systempaths=unconfined"),
        ("0.9.0", "unshare: unshare failed: Operation not permitted", "CAP_SYS_ADMIN"),
        ("0.9.0", "", "it gave no reason"),
    ],
)
def test_a_bwrap_that_does_not_start_is_explained(runner, monkeypatch, version, complaint, says):
    with tempfile.TemporaryDirectory(prefix="bwrap-") as folder:
        Path(folder).chmod(0o755)  # an unprivileged user runs it
        fake_bwrap(Path(folder), version, complaint)
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        with pytest.raises(sandbox.SandboxUnavailable, match=says) as raised:
            sandbox.get_runner("bubblewrap")
    assert "\n" not in str(raised.value)


def test_a_host_without_bubblewrap_and_docker_is_told_what_to_install(
    runner, tmp_path, monkeypatch
):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere.sock")
    with pytest.raises(sandbox.SandboxUnavailable) as raised:
        sandbox.get_runner()
    assert "install the package `bubblewrap`" in str(raised.value)
    assert f"No Docker engine answers at unix://{tmp_path}/nowhere.sock" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_host_without_bubblewrap_uses_docker(docker_runner, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with sandbox.get_runner() as chosen:
        assert chosen.describe()["backend"] == "docker"


def test_who_asks_for_a_kernel_of_their_own_gets_no_weaker_backend(runner, tmp_path, monkeypatch):
    monkeypatch.setenv("SANDBOX_DOCKER_RUNTIME", "runsc")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nowhere.sock")
    with pytest.raises(sandbox.SandboxUnavailable, match="No Docker engine answers"):
        sandbox.get_runner()


def test_a_runtime_that_the_engine_does_not_know_is_named(docker_runner, monkeypatch):
    monkeypatch.setenv("SANDBOX_DOCKER_RUNTIME", "runmany")
    with pytest.raises(sandbox.SandboxUnavailable, match="does not know the runtime"):
        sandbox.get_runner()


def test_an_engine_of_another_host_is_refused(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")
    with pytest.raises(sandbox.SandboxUnavailable, match="is on another host"):
        sandbox.get_runner("docker")


def test_an_engine_without_the_runner_image_says_how_to_make_it(docker_runner, monkeypatch):
    monkeypatch.setenv("SANDBOX_DOCKER_IMAGE", "gradewright-runner:of-yesterday")
    with pytest.raises(sandbox.SandboxUnavailable, match=r"sandbox\.backends\.build_image"):
        sandbox.get_runner("docker")


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can take namespaces away")


@needs_root
def test_a_host_without_user_namespaces_says_so_and_runs_nothing(runner, tmp_path):
    """In a user namespace of its own, where no further one may be made."""
    program = "import sandbox; sandbox.get_runner('bubblewrap')"
    # who is root by a mapping has the rights of root from its next program on
    shell = 'read _; exec sh -c "$0" "$@"'
    take_away = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$0" "$@"'
    host = subprocess.Popen(
        ["unshare", "--user", "sh", "-c", shell, take_away, sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=CHECKOUT,
    )
    wait_for_namespace(host.pid)
    for table in ("uid_map", "gid_map"):
        Path(f"/proc/{host.pid}/{table}").write_text("0 0 100000")
    _, said = host.communicate("go\n", timeout=60)
    assert host.returncode != 0
    assert "does not let bubblewrap create user namespaces" in said
    assert "user.max_user_namespaces" in said


def wait_for_namespace(process: int) -> None:
    """Until `unshare` has left our user namespace."""
    ours = Path("/proc/self/ns/user").readlink()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{process}/ns/user").readlink() == ours:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@needs_root
def test_a_host_without_control_groups_says_so_and_limits_memory_all_the_same(runner):
    """In a mount namespace of its own, where no hierarchy is seen."""
    shell = 'mount -t tmpfs none /sys/fs/cgroup && exec "$@"'
    program = "from sandbox.cli import main; main()"
    command = [sys.executable, "-c", program, "self-check", "--backend", "bubblewrap"]
    answer = subprocess.run(
        ["unshare", "--mount", "sh", "-c", shell, "host", *command, "--json"],
        capture_output=True,
        text=True,
        check=False,
        cwd=CHECKOUT,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr
    checks = {check["name"]: check for check in json.loads(answer.stdout)["checks"]}
    assert not checks["limits"]["ok"]
    assert "no control groups here" in checks["limits"]["sentence"]
    assert checks["memory limit"]["ok"]
    assert checks["process limit"]["ok"]


def test_an_unknown_backend_is_named_with_those_there_are():
    with pytest.raises(sandbox.SandboxUnavailable, match="bubblewrap"):
        sandbox.get_runner("chroot")


def test_the_self_check_tries_nothing_where_nothing_confines():
    (check,) = self_check("unconfined")
    assert check.required
    assert not check.ok
    assert "not confined at all" in check.sentence


def test_the_command_says_what_is_missing_and_exits_with_4(tmp_path, monkeypatch):
    monkeypatch.setenv("SANDBOX_RUNNER_ENV", str(tmp_path))
    answer = CliRunner().invoke(main, ["self-check", "--json"])
    assert answer.exit_code == 4
    checks = json.loads(answer.stdout)["checks"]
    assert "sandbox.runner_env.build_runner" in checks[0]["sentence"]


def test_the_command_finds_every_defence_active_on_both_backends_and_prints_a_table_of_cases(
    runner, docker_runner
):
    answer = CliRunner().invoke(main, ["self-check", "--suite", "--case", "honest", "--json"])
    assert answer.exit_code == 0, answer.output
    found = json.loads(answer.stdout)
    checks = {check["name"]: check for check in found["checks"]}
    assert [check for check in checks.values() if check["required"] and not check["ok"]] == []
    assert {"host user", "network", "memory limit", "time limit", "limits"} <= checks.keys()
    assert checks["sandbox"]["sentence"].startswith("bubblewrap starts programs")
    assert checks["docker"]["ok"]
    rows = {(row["case"], row["backend"]): row["verdict"] for row in found["cases"]}
    assert rows == {("honest", "bubblewrap"): "OK", ("honest", "docker"): "OK"}


def test_the_package_is_light_to_import():
    program = (
        "import sys, sandbox\n"
        "heavy = {'torch', 'numpy', 'click', 'docker'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=CHECKOUT)


ORDINARY_USER = """
import json, sys
from pathlib import Path
import numpy as np
import sandbox

runner = sandbox.get_runner("bubblewrap", Path(sys.argv[1]))
results = {}
for name in sys.argv[3:]:
    result = runner.run(
        Path(sys.argv[2]) / name, np.zeros((8, 4, 4), np.uint8), num_classes=10,
        limits=sandbox.RunLimits(wall_seconds=30, memory_mb=700, tmp_mb=16), logs=True,
    )
    results[name] = [result.verdict, result.detail, result.log, result.reason]
print(json.dumps([runner.describe(), results]))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests run as an ordinary user already")
def test_an_ordinary_user_can_run_a_sandbox_too(runner, tmp_path):
    environment = find_environment()
    interpreter = environment.root / environment.interpreter.lstrip("/")
    packages = environment.root / "opt/packages"
    libraries = next(environment.root.rglob("libc.so.6")).parent
    command = ["setpriv", "--reuid", "64999", "--regid", "64999", "--clear-groups", "--"]
    command += [str(interpreter), "-S", "-c", ORDINARY_USER, str(environment.folder)]
    cases = ["write_to_root", "ram_bomb", "environment_of_process_1", "tmp_fill", "daemon"]
    answer = subprocess.run(
        [*command, str(CHECKOUT / "tests/verdicts"), *cases],
        env={
            "PYTHONPATH": f"{CHECKOUT}:{packages}",
            "LD_LIBRARY_PATH": str(libraries),
            "PATH": os.environ["PATH"],
            "TMPDIR": "/tmp",
            "SANDBOX_UID": "1",
        },
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    if "Permission denied" in answer.stderr and answer.returncode != 0:
        pytest.skip("another user can't reach this checkout")
    assert answer.returncode == 0, answer.stderr
    about, results = json.loads(answer.stdout)
    assert about["host_uid"] == "64999"
    verdicts = {name: result[0] for name, result in results.items()}
    assert verdicts == {
        "write_to_root": "OK",
        "ram_bomb": "MLE",
        "environment_of_process_1": "OK",
        "tmp_fill": "OLE",
        "daemon": "OK",
    }, results
    assert not [name for name, result in results.items() if "ATTACK WORKED" in result[2]], results
