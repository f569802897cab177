"""Programs that others end, by real signals at every moment: never the student's fault."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

import sandbox
from sandbox.checking.suite import LIMITS, images
from sandbox.confinement.cgroup import CgroupV1, _usage_v2, mounts_v1
from sandbox.confinement.watchdog import process_tree
from sandbox.run.request import RunRequest
from sandbox.run.session import Session

CALM = {signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM}  # before a stop by force
PROGRAM = """
import os
import time

import torch
{above}


def build_model():
    return torch.nn.Identity()


def predict(model, images):
    {first}
    return torch.full((len(images),), 3)
"""


def program(*, above: str = "", first: str = "") -> str:
    return PROGRAM.format(above=above, first=first)


WAITS = "print('HERE', flush=True); time.sleep({seconds})"
MOMENTS = {
    "while its module is imported": {"above": WAITS},
    "while it predicts": {"first": WAITS},
}


class Victim:
    """The processes of the one sandbox that a runner starts from now on.

    Other sandboxes of this process, or of a server that it started, are not touched.
    """

    def __init__(self, runner: sandbox.Sandbox) -> None:
        self._runner = runner
        self._others = set(process_tree(os.getpid()))
        self.backend = runner.describe()["backend"]

    def process_1(self) -> int:
        if self.backend == "docker":
            return self.inspect()["State"]["Pid"]
        return self.tree()[-1]

    def tree(self) -> list[int]:
        """bwrap, then the program and whatever it started."""
        if self.backend == "docker":
            return process_tree(self.process_1())
        own = (each for each in children(os.getpid()) if each not in self._others)
        found = [each for child in own for each in process_tree(child)]
        return [each for each in found if b"sandbox.inside.boot" in command(each)]

    def inspect(self) -> dict:
        with self.engine() as client:
            (found,) = client.containers(filters={"label": f"gradewright.run={self.name}"})
            return client.inspect_container(found["Id"])

    @property
    def name(self) -> str:
        (name,) = self._runner.active
        return name

    @staticmethod
    def engine():
        from sandbox.backends.docker_engine import Engine

        return Engine().connect()


def children(process: int) -> list[int]:
    threads = Path(f"/proc/{process}/task").glob("*/children")
    return [int(each) for thread in threads for each in thread.read_text().split()]


def command(process: int) -> bytes:
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return b""


@pytest.fixture
def victim(each_runner):
    return Victim(each_runner)


@pytest.fixture
def disturb(each_runner, bundle):
    """Run a program; once it has printed HERE, do this to it."""

    def start(model: str, act, limits=LIMITS, **options):
        seen: list[str] = []
        done: list[bool] = []

        def act_once() -> None:
            if seen and not done:
                done.append(True)
                act()

        result = each_runner.run(
            bundle(model),
            images(24),
            num_classes=10,
            limits=limits,
            logs=True,
            on_log=lambda text: seen.append(text) if "HERE" in text else None,
            on_wait=act_once,
            **options,
        )
        assert done, result
        return result

    return start


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_program_that_is_killed_from_outside_is_our_fault(disturb, victim, moment):
    where = {place: code.format(seconds=30) for place, code in MOMENTS[moment].items()}

    result = disturb(program(**where), lambda: os.kill(victim.process_1(), signal.SIGKILL))

    assert (result.verdict, result.detail) == ("IE", "")
    assert "killed from outside" in result.reason


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGUSR1])
def test_what_watches_a_program_and_is_killed_is_our_fault(bundle, runner, number):
    victim = Victim(runner)
    over = threading.Event()

    def kill_bwrap() -> None:
        if time.monotonic() > began + 2 and not over.is_set():
            over.set()
            os.kill(victim.tree()[0], number)

    began = time.monotonic()
    model = bundle(program(first=WAITS.format(seconds=30)))
    result = runner.run(model, images(24), num_classes=10, limits=LIMITS, on_wait=kill_bwrap)

    assert result.verdict == "IE"
    assert f"bwrap was ended by signal {number.value}" in result.reason


def test_signals_that_ask_a_worker_to_stop_do_not_reach_its_programs(disturb, victim):
    def ask_all() -> None:
        for process in victim.tree():
            for number in CALM:
                os.kill(process, number)

    result = disturb(program(first=WAITS.format(seconds=1)), ask_all)

    assert result.verdict == "OK", result


def test_a_program_that_is_stopped_from_outside_is_our_fault(disturb, victim):
    limits = sandbox.RunLimits(wall_seconds=4, memory_mb=700, batch_size=16)

    result = disturb(
        program(first=WAITS.format(seconds=1)),
        lambda: os.kill(victim.process_1(), signal.SIGSTOP),
        limits,
    )

    assert result.verdict == "IE"
    assert "SIGSTOP" in result.reason


def test_a_kill_after_the_last_answer_changes_nothing(disturb, victim):
    lingers = "def linger(status):\n    print('HERE', flush=True)\n    time.sleep(30)"

    result = disturb(
        program(above=f"{lingers}\nos._exit = linger"),
        lambda: os.kill(victim.process_1(), signal.SIGKILL),
    )

    assert result.verdict == "OK", result


def test_one_that_is_killed_just_before_its_hand_over_is_our_fault(each_runner, victim, bundle):
    job = sandbox.Job(images_shape=images(24).shape, num_classes=10, limits=LIMITS)
    request = RunRequest(job=job, bundle=bundle(), images=images(24))
    with each_runner._pool.lend(LIMITS) as lent:
        os.kill(victim.process_1(), signal.SIGKILL)
        outcome = Session(lent, request).run()
        outcome.judge(lent.close())

    assert list(outcome.faults) == ["IE"]


def test_one_that_is_killed_while_it_waits_is_replaced(bundle):
    with sandbox.get_runner("bubblewrap", warm=1) as runner:
        victim = Victim(runner)
        runner.expect(LIMITS)
        end = time.monotonic() + 30
        while not runner.is_settled() and time.monotonic() < end:
            time.sleep(0.05)
        os.kill(victim.process_1(), signal.SIGKILL)
        while victim.tree() and time.monotonic() < end:
            time.sleep(0.01)
        result = runner.run(bundle(), images(24), num_classes=10, limits=LIMITS)

    assert result.verdict == "OK", result


@pytest.mark.parametrize("act", ["stop", "remove"])
def test_a_container_that_an_operator_ends_is_our_fault(docker_runner, bundle, act):
    victim = Victim(docker_runner)
    over = threading.Event()

    def end() -> None:
        if time.monotonic() > began + 2 and not over.is_set():
            over.set()
            number = victim.inspect()["Id"]
            with victim.engine() as client:
                if act == "stop":
                    client.stop(number, timeout=1)
                else:
                    client.remove_container(number, force=True)

    began = time.monotonic()
    model = bundle(program(first="time.sleep(30)"))
    result = docker_runner.run(model, images(24), num_classes=10, limits=LIMITS, on_wait=end)

    assert result.verdict == "IE", result
    assert "Interference" in result.reason


def test_signals_that_a_program_sends_itself_have_no_effect(each_runner, bundle):
    signals = [signal.SIGKILL, signal.SIGSTOP, *CALM]
    code = f"""
    for number in {[int(each) for each in signals]}:
        os.kill(os.getpid(), number)
        if os.fork() == 0:
            os.kill(1, number)
            os._exit(0)
    """
    model = bundle(program(first=code.strip()))
    result = each_runner.run(model, images(24), num_classes=10, limits=LIMITS)
    assert result.verdict == "OK", result


@pytest.mark.parametrize(
    "code",
    [
        "os.abort()",
        "import signal; signal.signal(15, lambda *_: 1 / 0); os.kill(os.getpid(), 15)",
    ],
)
def test_an_end_of_its_own_making_is_the_programs_fault(each_runner, bundle, code):
    model = bundle(program(first=code))
    result = each_runner.run(model, images(24), num_classes=10, limits=LIMITS)
    assert result.verdict == "RE", result


def test_a_child_that_is_told_to_end_ends(each_runner, bundle):
    """The signals that the sandbox ignores outside are the usual ones inside."""
    code = "child = os.fork() or time.sleep(30); os.kill(child, 15); os.waitpid(child, 0)"
    model = bundle(program(first=code))
    result = each_runner.run(model, images(24), num_classes=10, limits=LIMITS)
    assert (result.verdict, result.wall_seconds < 30) == (
        "OK",
        True,
    )  # the child would sleep so long


# Memory that runs out elsewhere


@pytest.mark.skipif(not {"memory", "pids"} <= mounts_v1().keys(), reason="no groups version 1")
def test_a_machine_that_is_short_of_memory_is_our_fault_and_a_limit_reached_is_not(
    runner, bundle, monkeypatch
):
    hungry = bundle(program(first="kept = torch.ones(450 << 20, dtype=torch.uint8)"))
    above = {name: mount / f"short-{os.getpid()}" for name, mount in mounts_v1().items()}
    for folder in above.values():
        folder.mkdir()
    (above["memory"] / "memory.limit_in_bytes").write_text(str(400 << 20))
    monkeypatch.setattr(runner._backend, "_accounting", CgroupV1(above))
    own = sandbox.RunLimits(wall_seconds=20, memory_mb=350, batch_size=16)
    try:
        host = runner.run(hungry, images(24), num_classes=10, limits=LIMITS)
        limit = runner.run(hungry, images(24), num_classes=10, limits=own)
    finally:
        for folder in above.values():
            (folder / "gradewright").rmdir()
            folder.rmdir()

    assert (host.verdict, limit.verdict) == ("IE", "MLE"), (host, limit)
    assert "this host has too little" in host.reason


@pytest.mark.parametrize(("oom", "ours"), [(0, True), (1, False)])
def test_version_2_tells_a_limit_from_a_short_machine(tmp_path, oom, ours):
    (tmp_path / "memory.events").write_text(f"low 0\nhigh 0\nmax 9\noom {oom}\noom_kill 1\n")
    usage = _usage_v2(tmp_path)
    assert (usage.host_out_of_memory, usage.out_of_memory) == (ours, not ours)
