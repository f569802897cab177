"""Answers that may be a moment old."""

from __future__ import annotations

from leaderboard.recent import Recent


class Asked:
    """A question that counts how often it is asked."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.times = 0

    def __call__(self) -> int:
        self.times += 1
        return self.answers[min(self.times, len(self.answers)) - 1]


def test_an_answer_is_asked_for_again_once_it_is_too_old() -> None:
    now = [100.0]
    recent, ask = Recent(lambda: now[0]), Asked(4, 8)
    assert [recent.get("lane", ask, seconds=2) for _ in range(3)] == [4, 4, 4]
    now[0] += 2.5
    assert recent.get("lane", ask, seconds=2) == 8
    assert ask.times == 2


def test_other_keys_have_answers_of_their_own() -> None:
    recent = Recent()
    assert recent.get(("a", 1), Asked(1), seconds=9) == 1
    assert recent.get(("a", 2), Asked(2), seconds=9) == 2


def test_what_was_asked_longest_ago_is_forgotten() -> None:
    recent, first = Recent(), Asked(1)
    recent.get("first", first, seconds=9)
    for number in range(1000):
        recent.get(number, Asked(1), seconds=9)
    recent.get("first", first, seconds=9)
    assert first.times == 2
