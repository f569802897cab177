"""The pool: single use, the right limits, the dead replaced, nothing left, whatever happens."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sandbox
from sandbox.checking.suite import CLASSES, LIMITS, images, leftovers, sandboxed_processes
from sandbox.limits import RunLimits, StartFailed
from sandbox.run.backend import Postmortem
from sandbox.run.pool import Pool, PoolClosed

# Says READY (see protocol.py), then waits for the end of its requests.
PROGRAM = r'printf "GWF1\020\0\0\0\0\0\0\0\0\0\0\0" >&{response}; exec cat <&{request}'


class Shells:
    """A backend of real processes that are cheap: a shell in place of an interpreter with torch."""

    name = "shells"

    def __init__(self, program: str = PROGRAM) -> None:
        self.program = program
        self.started: list[RunLimits] = []

    def start(self, name, scratch, limits):
        self.started.append(limits)
        return Shell(self.program)

    def describe(self):
        return {"backend": self.name}

    def clear_orphans(self):
        """Nothing outlives a test."""


class Shell:
    bundle = "/"
    device = "cpu"
    rlimits: dict[str, int] = {}  # noqa: RUF012 - a constant
    watch_seconds = None

    def __init__(self, program: str) -> None:
        request_inside, self.request = os.pipe()
        self.response, response_inside = os.pipe()
        self.output, output_inside = os.pipe()
        inside = (request_inside, response_inside, output_inside)
        self.process = subprocess.Popen(
            ["bash", "-c", program.format(request=request_inside, response=response_inside)],
            stdin=subprocess.DEVNULL,
            stdout=output_inside,
            stderr=output_inside,
            pass_fds=inside,
        )
        for descriptor in inside:
            os.close(descriptor)

    def handed_over(self):
        """Nothing to hold on to."""

    def over_limit(self):
        return False

    def wait(self, seconds):
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        return self.process.returncode is not None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def close(self):
        for descriptor in (self.request, self.response, self.output):
            os.close(descriptor)
        return Postmortem(
            exit_status=None,
            peak_memory_mb=0,
            out_of_memory=False,
            out_of_processes=False,
            tmp_full=False,
        )


def test_a_waiting_sandbox_is_lent_once_and_another_takes_its_place():
    with pool_of(Shells(), warm=1) as pool:
        pool.expect(LIMITS)
        lent = set()
        for _ in range(5):
            wait_for(lambda: waiting(pool))
            (first,) = waiting(pool)
            with pool.lend(LIMITS) as one:
                assert one is first
                lent.add(one.name)
            assert one.closed
            assert one.confined.process.returncode is not None
            assert not one.scratch.folder.exists()
        assert len(lent) == 5


def test_one_that_waits_serves_only_the_limits_it_was_started_for():
    backend = Shells()
    with pool_of(backend, warm=2) as pool:
        pool.expect(LIMITS)
        wait_for(lambda: waiting(pool))
        with pool.lend(replace(LIMITS, memory_mb=LIMITS.memory_mb + 1)) as other:
            assert other not in waiting(pool)
        assert {limits.memory_mb for limits in backend.started} == {700, 701}
        started = len(backend.started)
        later = replace(LIMITS, wall_seconds=1, output_mb=1, batch_size=1)  # from hand-over on
        wait_for(lambda: len(waiting(pool)) == 2)
        with pool.lend(later) as same:
            assert same.name not in {each.name for each in waiting(pool)}
        assert started <= len(backend.started)


def test_one_that_died_while_it_waited_is_replaced_and_never_lent():
    with pool_of(Shells(), warm=2) as pool:
        pool.expect(LIMITS)
        wait_for(lambda: waiting(pool))
        (first,) = waiting(pool)
        first.confined.process.kill()
        first.confined.process.wait()
        with pool.lend(LIMITS) as lent:
            assert lent is not first
            assert lent.is_fit()
        wait_for(lambda: first.closed)
        wait_for(lambda: waiting(pool))
        (second, *_) = waiting(pool)
        second.confined.process.kill()  # nobody asks: the pool itself must notice
        wait_for(lambda: second.closed and waiting(pool) and waiting(pool)[0].is_fit())


def test_one_that_says_anything_before_its_run_is_not_lent():
    late = PROGRAM.replace("exec", "sleep 0.2; echo x; exec")
    with pool_of(Shells(late), warm=1) as pool:
        pool.expect(LIMITS)
        wait_for(lambda: waiting(pool))
        (first,) = waiting(pool)
        wait_for(lambda: first.closed)


def test_a_start_that_fails_is_told_to_whoever_waits_and_leaves_nothing():
    before = descriptors()
    with pool_of(Shells("echo no luck; exit 3"), warm=1) as pool:
        pool.expect(LIMITS)
        for _ in range(2):
            with pytest.raises(StartFailed, match="no luck"), pool.lend(LIMITS):
                pass
        assert waiting(pool) == []
    assert descriptors() == before


def test_as_many_wait_as_were_lately_taken_together_and_no_more_than_allowed():
    with pool_of(Shells(), warm=3) as pool:
        pool.expect(LIMITS)
        wait_for(lambda: len(waiting(pool)) == 1)
        with contextlib.ExitStack() as together:
            for _ in range(5):
                together.enter_context(pool.lend(LIMITS))
        wait_for(lambda: len(waiting(pool)) == 3)
        other = replace(LIMITS, cpus=2)
        with pool.lend(other):
            pass
        wait_for(lambda: any(each.cpus == 2 for each in limits_waiting(pool)))
        wait_for(lambda: len(waiting(pool)) == 3)


def test_nothing_is_kept_where_nothing_may_wait():
    with pool_of(Shells(), warm=0) as pool:
        pool.expect(LIMITS)
        with pool.lend(LIMITS):
            assert len(pool.names) == 1
        assert pool.names == set()


def test_a_closed_pool_lends_nothing_and_what_is_lent_goes_on():
    pool = Pool(Shells(), warm=2)
    with pool.lend(LIMITS) as lent:
        pool.close()
        assert lent.is_fit()
        with pytest.raises(PoolClosed), pool.lend(LIMITS):
            pass
    for thread in pool._threads:
        thread.join(10)
        assert not thread.is_alive()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), warm=st.integers(0, 4), threads=st.integers(1, 6))
def test_whatever_happens_none_is_lent_twice_and_nothing_is_left(seed, warm, threads):
    """Many take, some of those that wait are killed meanwhile, and the pool is closed under all."""
    before, folders = descriptors(), scratch_folders()
    pool = Pool(Shells(), warm=warm, starters=3)
    lent: list[str] = []
    most = 0

    def student(number: int) -> None:
        nonlocal most
        chance = random.Random(seed + number)
        for _ in range(6):
            limits = replace(LIMITS, cpus=chance.choice([1, 1, 2]))
            with contextlib.suppress(PoolClosed), pool.lend(limits) as one:
                lent.append(one.name)
                most = max(most, len(waiting(pool)))
                time.sleep(chance.random() * 0.004)
                if chance.random() < 0.3:
                    kill_one_that_waits(pool, chance)

    with ThreadPoolExecutor(threads) as students:
        for number in range(threads):
            students.submit(student, number)
        time.sleep(random.Random(seed).random() * 0.05)
        pool.close()
    for thread in pool._threads:
        thread.join(10)
    assert len(lent) == len(set(lent))
    assert most <= warm
    assert pool.names == set()
    assert descriptors() == before
    assert scratch_folders() == folders


# On a real sandbox


def test_a_run_on_a_waiting_sandbox_gives_what_a_fresh_one_gives(bundle, runner):
    model = bundle(ANSWERS)
    fresh = runner.run(model, images(24), num_classes=CLASSES, limits=LIMITS, seed=1)
    before, threads = descriptors(), threading.active_count()
    with sandbox.get_runner("bubblewrap", warm=2) as warm:
        assert warm.describe()["warm"] == "2"
        warm.expect(LIMITS)
        wait_for(lambda: waiting(warm._pool))
        (ready,) = waiting(warm._pool)
        result = warm.run(model, images(24), num_classes=CLASSES, limits=LIMITS, seed=1)
        assert result.scores.tobytes() == fresh.scores.tobytes()
        assert ready.closed
        wait_for(lambda: waiting(warm._pool))
        inside = waiting(warm._pool)[0]
        os.kill(inside.confined._process.pid, signal.SIGKILL)
        wait_for(lambda: inside.closed)
        result = warm.run(model, images(24), num_classes=CLASSES, limits=LIMITS, seed=1)
        assert result.scores.tobytes() == fresh.scores.tobytes()
        warm.close()  # while the next are being started
        assert warm.active == set()
    wait_for(lambda: threading.active_count() <= threads)
    assert descriptors() == before
    assert leftovers(runner.active) == []
    assert sandboxed_processes() == []


ANSWERS = """
import torch
from torch import nn


def build_model():
    return nn.Identity()


def predict(model, batch):
    return batch.flatten(1).cumsum(1)[:, :10]
"""


@contextlib.contextmanager
def pool_of(backend, warm):
    pool = Pool(backend, warm=warm)
    try:
        yield pool
    finally:
        pool.close()
    assert pool.names == set()


def waiting(pool: Pool) -> list:
    with pool._changed:
        return [each for demand in pool._demands.values() for each in demand.warm]


def limits_waiting(pool: Pool) -> list:
    with pool._changed:
        return [each.limits for each in pool._demands.values() if each.warm]


def kill_one_that_waits(pool: Pool, chance: random.Random) -> None:
    found = waiting(pool)
    if found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(chance.choice(found).confined.process.pid, signal.SIGKILL)


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def scratch_folders() -> set[str]:
    mine = f"gradewright-run-*-{os.getpid()}-*"
    return {path.name for path in Path(tempfile.gettempdir()).glob(mine)}


def wait_for(condition, seconds: float = 60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.01)
    raise AssertionError("it did not happen in time")
