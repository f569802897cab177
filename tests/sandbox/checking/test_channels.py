"""Between a hidden run and one whose log is shown no channel but time carries more than 8 bits."""

from __future__ import annotations

import os

import numpy as np
import pytest

import sandbox
from sandbox.checking.channels import carried, measure
from sandbox.defences import CONFINEMENT

SENT = 20
MOST = 8.0
# Each wall: what it alone stops once these others are off, which stop the same.
WALLS = {
    "seccomp": (set(), {"futex on a file", "new pipes", "new sockets", "sysinfo memory"}),
    "entries": (set(), {"new entries of proc"}),
    "overlay": (
        {"seccomp", "landlock"},
        {"inotify root", "inotify device", "flock root", "flock device", "ofd lock root"},
    ),
    "users": ({"seccomp"}, {"inotify instances", "pipe capacity"}),
    "ipc": ({"seccomp", "users"}, {"system v keys"}),  # its own user can remove it
    "landlock": ({"entries"}, {"share of mapped pages", "new shared memory"}),
    "proc": ({"entries", "landlock"}, {"shared memory of all"}),
}
STOPPED = set().union(*(channels for _, channels in WALLS.values()))
only_root = pytest.mark.skipif(os.geteuid() != 0, reason="some of these walls are a root worker's")


def open_channels(runner: sandbox.Sandbox) -> set[str]:
    """Names of the channels that carried more than `MOST`; one by time is measured elsewhere."""
    seen = {channel.name: channel.bits for channel in measure(runner, SENT, by_time=False)}
    assert len(seen) > 20
    return {name for name, bits in seen.items() if bits > MOST}


def opened(without: set[str], wanted: set[str], tries: int = 2) -> set[str]:
    """Which of these channels are open with some walls off.

    A busy machine may drown a message, so those that are not heard are tried once more.
    """
    found: set[str] = set()
    off = frozenset(without)
    with sandbox.get_runner("bubblewrap", hold_files=False, _without=off) as open_runner:
        for _ in range(tries):
            found |= set() if wanted <= found else open_channels(open_runner)
    return found & wanted


@only_root
@pytest.mark.alone  # both ends keep time
def test_no_channel_between_two_runs_carries_more_than_a_byte(each_runner):
    assert open_channels(each_runner) - {"resident pages by time"} == set()


@only_root
@pytest.mark.alone
def test_the_channels_carry_everything_with_their_walls_off(runner):
    assert opened(set(WALLS), STOPPED) == STOPPED


@only_root
@pytest.mark.long
@pytest.mark.alone
@pytest.mark.parametrize("wall", WALLS)
def test_each_wall_alone_stops_what_the_others_do_not(runner, wall):
    others, channels = WALLS[wall]
    assert opened(others, channels, tries=1) == set()
    assert opened({*others, wall}, channels) == channels


def test_the_walls_are_those_that_can_be_switched_off():
    assert WALLS.keys() <= CONFINEMENT.keys()


@pytest.mark.parametrize(("wrong", "least", "most"), [(0, 64, 64), (4, 30, 60), (32, 0, 0)])
def test_bits_are_counted_by_the_errors_and_chance_carries_none(wrong, least, most):
    sent = np.arange(64, dtype=np.uint8) % 2
    heard = sent.astype(float)
    heard[:wrong] = 1 - heard[:wrong]
    counted, bits = carried(sent, heard.tolist())
    assert counted == wrong
    assert least <= bits <= most
