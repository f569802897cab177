"""Real runs: rows, orders, logs, faults of ours, several at once, and the worker killed."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import sandbox
from sandbox.backends.bubblewrap import STAGE
from sandbox.checking.suite import (
    LIMITS,
    default_folder,
    images,
    leftovers,
    load_cases,
    prepare,
    sandboxed_processes,
)
from sandbox.confinement.host_users import host_users
from sandbox.runner_env.environment import find_environment

READS_ITS_NUMBER = """
import torch
from torch import nn

seen = []


def build_model():
    return nn.Identity()


def preprocess(images):
    return images.long()


def predict(model, images):
    numbers = images[:, 0, 0, 0] + 256 * images[:, 0, 0, 1]
    print("ORDER", numbers.tolist())
    return numbers % 10
"""
SHAPES = """
import torch
from torch import nn


def build_model():
    return nn.Identity()


def preprocess(images):
    print("SHAPE", tuple(images.shape), images.dtype)
    return images


def predict(model, images):
    return images[:, 2, 1, 3].long()
"""


def order_of(log: str) -> list[int]:
    lines = [line for line in log.splitlines() if line.startswith("ORDER ")]
    return [number for line in lines for number in json.loads(line.removeprefix("ORDER "))]


def test_rows_come_back_in_the_order_of_the_images(run, bundle, numbered_images):
    result = run(bundle(READS_ITS_NUMBER), numbered_images(300))
    assert result.verdict == "OK"
    assert result.labels.tolist() == [number % 10 for number in range(300)]
    assert result.flags == ()
    assert result.facts["backend"] == "bubblewrap"


def test_the_order_is_another_one_each_run_and_a_seed_repeats_it(run, bundle, numbered_images):
    model, pixels = bundle(READS_ITS_NUMBER), numbered_images(100)
    first, second = (order_of(run(model, pixels, logs=True).log) for _ in range(2))
    again = [order_of(run(model, pixels, logs=True, seed=3).log) for _ in range(2)]
    assert set(first) == set(second) == set(range(100))
    assert first != second
    assert first != sorted(first)
    assert again[0] == again[1]
    assert len(first) > 100  # some go in twice


def test_colour_images_reach_the_model_as_channels_first(run, bundle):
    pixels = np.zeros((5, 4, 6, 3), dtype=np.uint8)
    pixels[:, 1, 3, 2] = [1, 2, 3, 4, 5]
    result = run(bundle(SHAPES), pixels, logs=True)
    assert "3, 4, 6) torch.uint8" in result.log
    assert result.labels.tolist() == [1, 2, 3, 4, 5]


def test_scores_come_back_with_labels_where_ties_take_the_lowest(run, bundle):
    model = """
import torch
from torch import nn


def build_model():
    return nn.Identity()


def predict(model, images):
    scores = torch.zeros(len(images), 10)
    scores[:, 4] = scores[:, 7] = 2.5
    return scores
"""
    result = run(bundle(model))
    assert result.scores.shape == (24, 10)
    assert result.scores.dtype == np.float32
    assert set(result.labels.tolist()) == {4}


def test_a_hidden_run_gives_no_log_and_the_sample_run_does(run, bundle):
    model = bundle(
        "print('said at import')\n" + (default_folder() / "exec_from_tmp/model.py").read_text()
    )
    assert "said at import" in run(model, logs=True).log
    hidden = run(model)
    assert hidden.verdict == "OK"
    assert hidden.log == ""


def test_facts_count_parameters_and_the_checkpoint(run, tmp_path):
    honest = next(case for case in load_cases(default_folder()) if case.name == "honest")
    result = run(prepare(honest, tmp_path / "honest"), images(24))
    assert result.facts["parameters"] == 4 * 9 + 4 + 2560 + 10
    assert 0.009 < result.facts["checkpoint_mb"] < 0.012
    assert result.facts["seconds_per_1000"] > 0
    assert result.wall_seconds < LIMITS.wall_seconds
    assert result.peak_memory_mb < LIMITS.memory_mb


def test_a_link_in_a_bundle_is_a_contract_error(run, bundle):
    model = bundle()
    (model / "weights").symlink_to("/etc/passwd")
    result = run(model)
    assert result.verdict == "CE"
    assert "weights is neither a file nor a folder" in result.detail


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((0, 4, 4), np.uint8),
        np.zeros((2, 4, 4), np.float32),
        np.zeros((2, 4), np.uint8),
    ],
)
def test_images_that_are_none_are_refused(run, bundle, pixels):
    with pytest.raises(ValueError, match="images must be uint8"):
        run(bundle(), pixels)


def test_several_runs_at_once_do_not_meet(run, bundle, numbered_images):
    model, pixels = bundle(READS_ITS_NUMBER), numbered_images(64)
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda _: run(model, pixels), range(3)))
    expected = [number % 10 for number in range(64)]
    assert [result.labels.tolist() for result in results] == [expected] * 3


def test_a_flood_leaves_the_memory_of_the_worker_flat(run, bundle):
    flood = "import os\nwhile True:\n    os.write(1, bytes(1 << 20))\n"
    limits = sandbox.RunLimits(wall_seconds=30, memory_mb=700, output_mb=256)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = run(bundle(flood), limits=limits)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert result.verdict == "OLE"
    assert (after - before) / 1024 < 20


def test_descriptors_are_closed_after_runs_of_every_kind(run, bundle):
    models = (bundle().joinpath("model.py").read_text(), "import os; os._exit(1)", "1 / 0")
    run(bundle())
    before = descriptors()
    for model in models:
        run(bundle(model))
    assert descriptors() == before


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_a_broken_runner_environment_is_our_fault(tmp_path, bundle, runner):
    """Torch is missing inside: the student's program never got a chance."""
    whole = find_environment()
    broken = tmp_path / "runner"
    shutil.copytree(
        whole.root,
        broken / "root",
        ignore=lambda folder, names: names if folder.endswith("/opt/packages") else [],
    )
    shutil.copy(whole.folder / "environment.json", broken)
    with sandbox.get_runner("bubblewrap", broken) as without_torch:
        result = without_torch.run(bundle(), images(4), num_classes=10, limits=LIMITS, logs=True)
    assert result.verdict == "IE"
    assert "No module named" in result.reason
    assert result.detail == ""


def test_a_memory_limit_too_small_for_torch_is_our_fault(run, bundle):
    result = run(bundle(), limits=sandbox.RunLimits(memory_mb=40))
    assert result.verdict == "IE"
    assert result.reason


WORKER = """
import sys
from pathlib import Path
import numpy as np
import sandbox

print("started", flush=True)
sandbox.get_runner("bubblewrap").run(
    Path(sys.argv[1]), np.zeros((8, 4, 4), np.uint8), num_classes=10,
    limits=sandbox.RunLimits(wall_seconds=60, memory_mb=700),
)
"""


def test_a_killed_worker_takes_its_sandbox_along_and_the_next_one_clears_up(
    bundle, runner, tmp_path
):
    mark = f"sleeper-{os.getpid()}"
    sleeper = bundle(f"import time\n# {mark}\ntime.sleep(1000)\n")
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(sleeper)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    inside = wait_for(lambda: processes_below(worker.pid))
    time.sleep(0.5)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    worker.stdout.close()
    wait_for(lambda: not any(alive(process) for process in inside))
    with sandbox.get_runner("bubblewrap"):
        pass
    left = f"gradewright-run-*-{worker.pid}-*"
    assert list(Path(tempfile.gettempdir()).glob(left)) == []
    assert list(Path("/sys/fs/cgroup").glob(f"*/gradewright/{left}")) == []
    assert leftovers() == []
    assert sandboxed_processes() == []


def processes_below(process: int) -> list[int]:
    """Those that run the harness, once there are some."""
    from sandbox.confinement.watchdog import process_tree

    found = []
    for child in process_tree(process)[1:]:
        command = Path(f"/proc/{child}/cmdline")
        if command.exists() and b"sandbox.inside.boot" in command.read_bytes():
            found.append(child)
    return found if len(found) > 1 else []


def processes_inside(process: int) -> list[int]:
    """The same, once one is in its own PID namespace: then root's part of the start is over."""
    found = processes_below(process)
    namespaces = {Path(f"/proc/{each}/ns/pid").readlink() for each in found}
    return found if namespaces - {Path("/proc/self/ns/pid").readlink()} else []


def alive(process: int) -> bool:
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def wait_for(condition, seconds: float = 30):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def test_the_program_is_an_unprivileged_user_of_the_host(run, bundle, runner):
    model = bundle("import time\ntime.sleep(2)\n" + READS_ITS_NUMBER)
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(run, model)
        inside = wait_for(lambda: processes_inside(os.getpid()))
        users = {Path(f"/proc/{process}").stat().st_uid for process in inside}
        assert future.result().verdict == "OK"
    assert len(users) == 1
    assert users <= set(host_users()) if os.geteuid() == 0 else users == {os.geteuid()}
    assert 0 not in users


@pytest.mark.skipif(os.geteuid() != 0, reason="only root needs a stage")
def test_the_stage_of_a_run_is_invisible_outside(run, bundle):
    run(bundle())
    assert list(STAGE.iterdir()) == []
    assert str(STAGE) not in Path("/proc/self/mountinfo").read_text()


TALKS_SLOWLY = """
import time

import torch
from torch import nn


def build_model():
    print("<b>first</b>")
    time.sleep(6)
    print("second")
    return nn.Identity()


def predict(model, images):
    return torch.zeros(len(images), dtype=torch.int64)
"""


def test_a_log_can_be_followed_while_the_run_goes_on(run, bundle):
    told = []
    talks = bundle(TALKS_SLOWLY)

    shown = run(talks, logs=True, on_log=told.append)
    assert shown.verdict == "OK", shown
    # where a pipe cuts a text is its own choice: what is told may end in the middle of a line
    assert all(shown.log.startswith(so_far) for so_far in told)
    assert "second" not in told[0], told
    assert "second" in told[-1], told
    assert shown.log == "<b>first</b>\nsecond\n"

    told.clear()
    assert run(bundle(TALKS_SLOWLY.replace("sleep(6)", "sleep(1)")), on_log=told.append).log == ""
    assert told == []  # nothing of a hidden run


ANSWERS_BY_PLACE = """
import itertools

import torch
from torch import nn

places = itertools.count()


def build_model():
    return nn.Identity()


def predict(model, images):
    return torch.tensor([next(places) % 10 for _ in images])
"""


def test_the_secret_order_of_a_run_can_be_repeated_from_its_facts(run, bundle):
    first = run(bundle(ANSWERS_BY_PLACE))
    seed = int(first.facts["order_seed"], 16)
    again, another = run(bundle(ANSWERS_BY_PLACE), seed=seed), run(bundle(ANSWERS_BY_PLACE))

    assert again.labels.tolist() == first.labels.tolist() != another.labels.tolist()
    assert again.facts["order_seed"] == first.facts["order_seed"] != another.facts["order_seed"]


class NotWantedAnyMore(Exception):
    pass


def test_whoever_waits_for_a_run_can_end_it(run, runner, bundle):
    asked = []

    def on_wait():
        asked.append(time.monotonic())
        if len(asked) == 3:
            raise NotWantedAnyMore

    with pytest.raises(NotWantedAnyMore):
        run(bundle("while True:\n    pass\n"), on_wait=on_wait)
    assert len(asked) == 3
    assert not runner.active
