"""Counting in memory: how often a key may come within a minute."""

from __future__ import annotations

import random

from leaderboard.web.floods import Windows


class Clock:
    def __init__(self) -> None:
        self.now = 600.0

    def __call__(self) -> float:
        return self.now


def test_a_key_is_counted_up_to_its_limit_and_others_are_not_touched():
    windows = Windows(Clock())
    assert [windows.hit("ann", 3) for _ in range(3)] == [0, 0, 0]
    assert windows.hit("ann", 3) > 0
    assert windows.hit("ben", 3) == 0


def test_whoever_waits_as_told_comes_through():
    clock, draw = Clock(), random.Random(7)
    for limit in (1, 2, 5, 60):
        windows = Windows(clock)
        for _ in range(300):
            wait = windows.hit("ann", limit)
            clock.now += wait + 1e-6 if wait else draw.uniform(0, 30 / limit)
            if wait:
                assert windows.hit("ann", limit) == 0


def test_no_minute_holds_much_more_than_the_limit():
    clock, draw, moments = Clock(), random.Random(8), []
    windows = Windows(clock)
    for _ in range(5000):
        clock.now += draw.expovariate(1.0)
        if windows.hit("ann", 20) == 0:
            moments.append(clock.now)
    most = max(sum(begin <= each < begin + 60 for each in moments) for begin in moments)
    assert 20 <= most <= 30
    per_minute = 60 * len(moments) / (clock.now - 600)
    assert 18 <= per_minute <= 20


def test_a_key_that_stays_away_is_forgotten():
    clock = Clock()
    windows = Windows(clock)
    for number in range(1000):
        windows.hit(f"key {number}", 5)
    clock.now += 121
    windows.hit("ann", 5)
    assert windows.size == 1
