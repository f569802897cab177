"""Lending cards: what a setting means, who gets which card, what is put inside, what is watched.

The driver is one of the test's own, since most machines have none; locks, processes and the
linker's list are real. What needs a card is in test_gpu_runs.py.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sandbox.backends import bubblewrap, docker_engine
from sandbox.confinement import gpu
from sandbox.confinement.gpu import Card, NoGpu
from sandbox.inside.sentences import said
from sandbox.limits import MIB, RunLimits, StartFailed
from sandbox.run.backend import Postmortem
from sandbox.run.judgement import Outcome


class Cards:
    """A driver that knows two cards of 1,000 MB, and whoever the test puts on them."""

    def __init__(self) -> None:
        self.used: dict[int, dict[int, int]] = {0: {}, 1: {}}

    def count(self) -> int:
        return len(self.used)

    def name(self, card: int) -> str:
        return f"Card {card}"

    def minor(self, card: int) -> int:
        return card + 4

    def total_bytes(self, card: int) -> int:
        return 1000 * MIB

    def used_bytes(self, card: int) -> int:
        return sum(self.used[card].values()) * MIB

    def processes(self, card: int) -> dict[int, int | None]:
        return {process: used * MIB for process, used in self.used[card].items()}


@pytest.fixture
def cards() -> Cards:
    return Cards()


def card(index: int = 0, shares: int = 1) -> Card:
    return Card(index=index, name="Card", memory_mb=1000, minor=index, shares=shares)


def lend(cards: Cards, folder: Path, *given: Card, wait: float = 0.0, mb: int = 100) -> gpu.Loan:
    return gpu.lend(mb, cards=given or (card(0),), driver=cards, folder=folder, wait_seconds=wait)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("0", {0: 1}),
        ("1, 0", {1: 1, 0: 1}),
        ("0:4,1", {0: 4, 1: 1}),
        ("all", {0: 1, 1: 1}),
    ],
)
def test_a_setting_names_cards_and_how_many_may_share_one(text, meant):
    assert gpu.parse(text, 2) == meant


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("zero", "must be like"),
        ("0:0", "must be like"),
        ("2", "names card 2, but the driver knows 2"),
        ("0,0:2", "card 0 twice"),
    ],
)
def test_a_wrong_setting_gives_no_card_and_says_why(text, said, cards):
    with pytest.raises(NoGpu, match=said):
        gpu.given(text, cards)


def test_cards_are_told_by_name_memory_and_node(cards):
    assert gpu.given("1:2", cards) == (
        Card(index=1, name="Card 1", memory_mb=1000, minor=5, shares=2),
    )


def test_a_worker_without_the_setting_has_no_gpu_and_says_so(monkeypatch):
    monkeypatch.delenv(gpu.SETTING, raising=False)
    assert gpu.available_gpus() == ()
    assert gpu.gpu_refusal() == "This worker has no GPU: the setting SANDBOX_GPUS names none."


def test_a_card_serves_one_run_at_a_time_and_then_the_next(cards, tmp_path):
    loan = lend(cards, tmp_path, card(0), card(1))
    other = lend(cards, tmp_path, card(0), card(1))
    assert {loan.card.index, other.card.index} == {0, 1}
    with pytest.raises(StartFailed, match="no GPU became free"):
        lend(cards, tmp_path, card(0), card(1))

    threading.Timer(0.3, other.give_back).start()
    third = lend(cards, tmp_path, card(0), card(1), wait=20)
    assert third.card.index == other.card.index
    loan.give_back()
    third.give_back()


def test_a_shared_card_serves_as_many_as_it_has_shares(cards, tmp_path):
    loans = [lend(cards, tmp_path, card(0, shares=2)) for _ in range(2)]
    with pytest.raises(StartFailed):
        lend(cards, tmp_path, card(0, shares=2))
    for loan in loans:
        loan.give_back()


def test_a_run_gets_a_card_that_is_large_enough_or_is_told_that_there_is_none(cards, tmp_path):
    with pytest.raises(NoGpu, match="no GPU with 600 MB"):
        lend(cards, tmp_path, card(0, shares=2), mb=600)
    assert lend(cards, tmp_path, card(0, shares=2), card(1), mb=600).give_back()


def test_a_killed_worker_leaves_its_card_to_others(cards, tmp_path):
    path = tmp_path / "gradewright-gpu-0-0.lock"
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import fcntl, sys, time\n"
            f"lock = open({str(path)!r}, 'w')\n"
            "fcntl.flock(lock, fcntl.LOCK_EX)\n"
            "print('held', flush=True)\n"
            "time.sleep(60)\n",
        ],
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    with holder.stdout:
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StartFailed):
            lend(cards, tmp_path)
        holder.kill()
        holder.wait()
    assert lend(cards, tmp_path).give_back()


def test_a_run_alone_on_its_card_is_charged_all_that_is_taken_there(cards, tmp_path):
    cards.used[0] = {1: 50}  # a display, say: there before
    loan = lend(cards, tmp_path)

    cards.used[0][77] = 100 + gpu.CONTEXT_MB
    assert not loan.over_limit({77})
    cards.used[0][77] += 1
    assert loan.over_limit({1234})  # process numbers of another container mean nothing here
    cards.used[0] = {1: 50}
    assert loan.give_back()
    assert loan.exceeded


def test_a_run_on_a_shared_card_is_charged_for_its_own_processes(cards, tmp_path):
    loan = lend(cards, tmp_path, card(0, shares=2))
    cards.used[0] = {7: 5000, 8: 600, 9: 600}

    assert not loan.over_limit({8})
    assert loan.over_limit({8, 9})
    cards.used[0] = {7: 5000}
    assert loan.give_back()


def test_a_card_is_lent_on_when_the_dead_run_is_gone_from_it(cards, tmp_path, monkeypatch):
    loan = lend(cards, tmp_path)
    cards.used[0] = {77: 90}
    loan.over_limit({77})
    threading.Timer(0.5, cards.used[0].clear).start()
    assert loan.give_back()
    assert cards.used[0] == {}

    monkeypatch.setattr(gpu, "EMPTY_SECONDS", 0.0)
    stuck = lend(cards, tmp_path)
    cards.used[0] = {78: 90}
    stuck.over_limit({78})
    assert not stuck.give_back()
    cards.used[0] = {}
    assert lend(cards, tmp_path).give_back()  # for ever would be worse


def test_the_drivers_libraries_are_found_as_the_linker_finds_them():
    listing = """
    libcuda.so.1 (libc6,x86-64) => /lib/x86_64-linux-gnu/libcuda.so.1
    libcuda.so.1 (libc6) => /lib/i386-linux-gnu/libcuda.so.1
    libcuda.so (libc6,x86-64) => /lib/x86_64-linux-gnu/libcuda.so
    libnvidia-ml.so.1 (libc6,x86-64) => /opt/driver/libnvidia-ml.so.1
    libnvidia-ml.so.1 (libc6,x86-64) => /usr/lib/libnvidia-ml.so.1
    libnvidia-gpucomp.so.580.82.07 (libc6,x86-64) => /usr/lib/libnvidia-gpucomp.so.580.82.07
    libnvidia-ptxjitcompiler.so.1 (libc6,x86-64) => /usr/lib/libnvidia-ptxjitcompiler.so.1
    libnvidia-encode.so.1 (libc6,x86-64) => /usr/lib/libnvidia-encode.so.1
    libc.so.6 (libc6,x86-64) => /lib/x86_64-linux-gnu/libc.so.6
    """
    assert {name: str(path) for name, path in gpu.driver_libraries(listing).items()} == {
        "libcuda.so.1": "/lib/x86_64-linux-gnu/libcuda.so.1",
        "libnvidia-ml.so.1": "/opt/driver/libnvidia-ml.so.1",
        "libnvidia-gpucomp.so.580.82.07": "/usr/lib/libnvidia-gpucomp.so.580.82.07",
        "libnvidia-ptxjitcompiler.so.1": "/usr/lib/libnvidia-ptxjitcompiler.so.1",
    }


def test_a_card_that_is_one_runs_alone_is_cleared_and_a_shared_one_is_not():
    assert "CLEAR_GPU" in bubblewrap.bubblewrap_options(card(0))
    assert "CLEAR_GPU" not in bubblewrap.bubblewrap_options(card(0, shares=2))
    assert docker_engine.device_request(card(1))["DeviceIDs"] == ["1"]


def test_too_much_gpu_memory_seen_from_outside_is_gmle_whatever_the_program_said():
    outcome = Outcome(logs=False, limits=RunLimits(gpu_memory_mb=512), expected=4)
    outcome.fail("RE", said("run.hidden_failed"))
    outcome.judge(
        Postmortem(
            exit_status=None,
            peak_memory_mb=100.0,
            out_of_memory=False,
            out_of_processes=False,
            tmp_full=False,
            out_of_gpu_memory=True,
        )
    )
    assert str(outcome.faults["GMLE"]) == "Used more than the 512 MB of GPU memory allowed."


def test_a_run_that_needs_a_gpu_is_told_that_this_worker_has_none(run, bundle, monkeypatch):
    monkeypatch.delenv(gpu.SETTING, raising=False)
    result = run(bundle(), limits=RunLimits(gpu_memory_mb=512))
    assert (result.verdict, result.detail) == (
        "IE",
        "This worker has no GPU: the setting SANDBOX_GPUS names none.",
    )


ROOM_FOR_FIVE = """
import torch
from torch import nn

seen = []


def build_model():
    return nn.Identity()


def preprocess(images):
    return images.long()


def predict(model, images):
    seen.append(len(images))
    print("SIZES", seen)
    if len(images) > {room}:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
    return (images[:, 0, 0, 0] + 256 * images[:, 0, 0, 1]) % 10
"""


def test_a_batch_that_is_too_large_for_the_device_is_halved_and_no_row_is_lost(
    run, bundle, numbered_images
):
    pixels = numbered_images(50)
    result = run(bundle(ROOM_FOR_FIVE.format(room=5)), pixels, logs=True)

    assert result.verdict == "OK", result
    assert result.labels.tolist() == [number % 10 for number in range(50)]
    sizes = result.log.splitlines()[-1].removeprefix("SIZES ")
    # 15 and 8 were too many; then fours, without trying more again
    assert sizes.startswith("[15, 8, 4, 4, 4, 3, 4, 4, 4, 3,")


def test_no_room_for_a_single_image_is_gmle(run, bundle, numbered_images):
    result = run(bundle(ROOM_FOR_FIVE.format(room=0)), numbered_images(20), logs=True)
    assert result.verdict == "GMLE", result
    assert "GPU's memory is full" in result.detail
