"""Host users: one a program, released with their holder; never root, never an account."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sandbox import SandboxUnavailable
from sandbox.confinement import host_users
from sandbox.limits import StartFailed

USERS = range(61_234, 61_237)


def test_the_users_can_be_chosen_but_are_never_root(monkeypatch):
    monkeypatch.delenv("SANDBOX_UID", raising=False)
    assert len(host_users.host_users()) == 256
    monkeypatch.setenv("SANDBOX_UID", "61234")
    assert host_users.host_users() == range(61_234, 61_235)
    monkeypatch.setenv("SANDBOX_UID", "61234-61236")
    assert host_users.host_users() == USERS
    assert host_users.in_words(USERS) == "61234-61236"


@pytest.mark.parametrize("wrong", ["0", "root", "-1", "", "0-5", "9-5", "5-", "٣"])
def test_what_names_no_unprivileged_users_is_refused(wrong, monkeypatch):
    monkeypatch.setenv("SANDBOX_UID", wrong)
    with pytest.raises(SandboxUnavailable, match="unprivileged"):
        host_users.host_users()


def test_no_two_programs_have_one_user_and_a_released_one_is_lent_again(tmp_path):
    leases = [host_users.lend(USERS, tmp_path) for _ in USERS]
    assert {lease.uid for lease in leases} == set(USERS)
    with pytest.raises(StartFailed, match="61234-61236 is in use"):
        host_users.lend(USERS, tmp_path)
    leases[1].give_back()
    assert host_users.lend(USERS, tmp_path).uid == leases[1].uid


def test_a_killed_workers_users_are_free_again(tmp_path):
    program = (
        "import os, signal, pathlib, sys\n"
        "from sandbox.confinement import host_users\n"
        "leases = [host_users.lend(range(61_234, 61_237), pathlib.Path(sys.argv[1]))\n"
        "          for _ in range(3)]\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert ended.returncode == -9
    assert host_users.lend(USERS, tmp_path).uid in USERS


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_user_whose_process_outlived_its_worker_is_not_lent(tmp_path):
    left = subprocess.Popen(["setpriv", "--reuid", "61235", "--", "sleep", "60"])
    try:
        while os.stat(f"/proc/{left.pid}").st_uid != 61_235:  # noqa: PTH116 - a process
            pass
        lent = {host_users.lend(USERS, tmp_path).uid for _ in range(2)}
        assert lent == {61_234, 61_236}
        with pytest.raises(StartFailed):
            host_users.lend(USERS, tmp_path)
    finally:
        left.kill()
        left.wait()


def test_an_account_is_nobodys_program(tmp_path):
    with pytest.raises(StartFailed):  # daemon and bin, on any Linux
        host_users.lend(range(1, 3), tmp_path)
