"""`deploy/gpu_check.sh` where there is no card: it must be ready on the day when there is one."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from needs import NEEDS_SANDBOX

import sandbox

CHECKOUT = Path(__file__).resolve().parents[1]
SCRIPT = CHECKOUT / "deploy" / "gpu_check.sh"
sys.path.insert(0, str(SCRIPT.parent))  # it imports gpu_pack beside it


def load():
    spec = importlib.util.spec_from_file_location("gpu_check", SCRIPT.with_suffix(".py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules["gpu_check"] = module
    spec.loader.exec_module(module)
    return module


gpu_check = load()
gpu_pack = sys.modules["gpu_pack"]


def place(folder: Path, seconds: float = 60):
    return gpu_check.Place(packed=folder, smoke=True, deadline=time.monotonic() + seconds)


@pytest.mark.timeout(600)
@NEEDS_SANDBOX
@pytest.mark.skipif(bool(sandbox.available_gpus()), reason="a card is here: run it in full")
def test_without_a_card_it_says_so_and_runs_the_rest_in_small(tmp_path):
    record = tmp_path / "record.json"
    done = subprocess.run(
        [str(SCRIPT), "--smoke", "--from", str(tmp_path / "packed"), "--json", str(record)],
        env={**os.environ, "GPU_CHECK_PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=560,
        check=False,
    )
    report = json.loads(record.read_text())
    outcomes = {name: step["outcome"] for name, step in report["steps"].items()}

    assert json.loads(done.stdout) == report
    assert done.returncode == 0, done.stderr
    assert not report["card"]
    assert "no NVIDIA card" in report["steps"]["machine"]["note"]
    assert outcomes == dict.fromkeys(outcomes, "ok") | {
        "torch_sees_the_card": "skipped",
        "left_over": "skipped",
    }
    assert all(report["steps"]["models"][name]["equal"] for name in ("lenet5", "resnet50"))
    assert report["steps"]["lease"]["verdicts"] == ["OK", "OK"]
    assert report["steps"]["tests"]["passed"] > 10
    assert report["steps"]["refused_calls"]["list"] == "cpu"
    calls = report["steps"]["refused_calls"]["calls"]
    assert calls
    assert all(re.fullmatch(r"\w+: (EPERM|ENOSYS), \d+ times", call) for call in calls)


def test_a_step_that_fails_is_on_record_and_the_others_go_on(tmp_path):
    def breaks(_):
        raise RuntimeError("the driver is gone")

    def tells(_):
        raise gpu_check.StepFailed("too slow", times_faster=3)

    def works(_):
        return {"found": 1}

    report = gpu_check.check(place(tmp_path), (breaks, tells, works))

    assert not report["ok"]
    assert report["steps"]["breaks"]["reason"] == "RuntimeError: the driver is gone"
    assert report["steps"]["tells"]["times_faster"] == 3
    assert report["steps"]["works"]["outcome"] == "ok"


def test_when_time_is_up_the_rest_says_so(tmp_path):
    report = gpu_check.check(place(tmp_path, seconds=-1), (lambda _: {},))
    assert [step["reason"] for step in report["steps"].values()] == ["no time was left"]


def test_a_command_that_hangs_or_fails_is_a_failed_step(tmp_path):
    with pytest.raises(gpu_check.StepFailed, match="not done after"):
        place(tmp_path, seconds=1).run(["sleep", "30"], seconds=30)
    with pytest.raises(gpu_check.StepFailed, match=r"exit status 3.*hello"):
        place(tmp_path).run(["sh", "-c", "echo hello; exit 3"], seconds=9)
    with pytest.raises(gpu_check.StepFailed, match="can't be run"):
        place(tmp_path).run(["no-such-program"], seconds=9)


def test_what_is_missing_is_taken_from_the_packed_wheels_and_named_where_it_is_not(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(gpu_check, "NEEDED", {"packed_by_a_test": "packed-by-a-test"})
    monkeypatch.setattr(gpu_check, "FOR_REFERENCE", {})
    monkeypatch.setattr(gpu_check, "TORCH", ())
    with pytest.raises(gpu_check.StepFailed, match="missing here: packed-by-a-test"):
        gpu_check.packages(place(tmp_path))
    (tmp_path / "wheels").mkdir()
    wheel = tmp_path / "wheels" / "packed_by_a_test-1-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("packed_by_a_test.py", "")
        archive.writestr("packed_by_a_test-1.dist-info/METADATA", "Name: packed-by-a-test\n")

    assert gpu_check.packages(place(tmp_path))["unpacked"] == ["packed_by_a_test-1.dist-info"]


def test_wheels_of_other_interpreters_are_left_alone(tmp_path):
    own = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    for tag in (f"{own}-{own}-linux", "cp27-cp27m-linux", "py3-none-any", "cp310-abi3-linux"):
        (tmp_path / f"a-1-{tag}.whl").touch()
    assert len(gpu_check._fitting(tmp_path)) == 3


def test_the_lock_has_what_is_packed():
    names = [
        *gpu_pack.NEEDED.values(),
        *gpu_pack.FOR_REFERENCE.values(),
        *gpu_pack.BESIDE,
    ]
    text = gpu_pack._locked((gpu_pack.LOCKS / "dev.txt").read_text(), names)
    assert text.count("--hash") >= text.count("==") > 0
    assert {gpu_pack._name(line) for line in text.splitlines()} - {""} == set(names)
