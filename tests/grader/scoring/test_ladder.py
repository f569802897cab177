"""The Ladder follows Blum & Hardt's algorithm; luck pays far less on it than on an exact board."""

import numpy as np
import pytest

from grader.scoring.ladder import BoardMode, LadderState, climb, replay, rounded, shown_score

PUBLIC, PRIVATE, CLASSES, ROUNDS = 3000, 7000, 10, 500


def algorithm_3(loss_vectors):
    """The parameter-free Ladder as the paper writes it, on 0/1 losses."""
    estimate, best = np.inf, np.zeros(len(loss_vectors[0]))
    for losses in loss_vectors:
        s = np.std(losses - best, ddof=1)
        if losses.mean() < estimate - s / np.sqrt(len(losses)):
            estimate, best = losses.mean(), losses
    return estimate


@pytest.mark.parametrize("seed", range(20))
def test_ladder_equals_the_papers_algorithm(seed):
    rng = np.random.default_rng(seed)
    entries = [rng.random(400) < accuracy for accuracy in rng.uniform(0.5, 0.9, size=40)]

    shown = replay(entries).shown

    assert shown == pytest.approx(1 - algorithm_3([~entry * 1.0 for entry in entries]), abs=1e-12)


def test_replaying_gives_the_same_state_as_climbing_with_storage_in_between():
    rng = np.random.default_rng(5)
    entries = [rng.random(1003) < accuracy for accuracy in np.linspace(0.5, 0.8, 30)]
    state = LadderState()

    for entry in entries:
        state = climb(LadderState.from_bytes(state.to_bytes()), entry)

    assert state.to_bytes() == replay(entries).to_bytes()


def test_a_state_of_another_length_is_refused():
    with pytest.raises(ValueError, match="ladder"):
        LadderState.from_bytes(b"\x10" + b"\0" * 7 + b"\1")
    with pytest.raises(ValueError, match="images"):
        climb(LadderState(np.ones(5, dtype=bool)), np.ones(6, dtype=bool))


def test_one_more_right_answer_is_never_shown():
    right = np.arange(100) < 50

    state = climb(LadderState(right), np.arange(100) < 51)

    assert state.shown == 0.5


def test_each_mode_shows_what_it_says():
    ladder = LadderState(np.arange(1000) < 873)

    assert shown_score(BoardMode.EXACT, 0.8951, ladder) == 0.8951
    assert shown_score(BoardMode.ROUNDED, 0.8951, ladder) == 0.9
    assert shown_score(BoardMode.LADDER, 0.8951, ladder) == 0.873
    assert shown_score(BoardMode.LADDER, 0.8951, LadderState()) is None


def test_rounding_takes_halves_upward_whatever_binary_says():
    assert [rounded(each) for each in (0.285, 0.575, 1.0, 0.0)] == [0.29, 0.58, 1.0, 0.0]


def random_flip_attack(*, labels, shown_after, flips, seed):
    """Flip a few answers at random in each round; keep them when the shown score rises."""
    rng = np.random.default_rng(seed)
    answers = rng.integers(CLASSES, size=len(labels))
    start = answers == labels
    shown = shown_after(start)
    for _ in range(ROUNDS):
        trial = answers.copy()
        trial[rng.choice(len(labels), flips, replace=False)] = rng.integers(CLASSES, size=flips)
        score = shown_after(trial == labels)
        if score > shown:
            answers, shown = trial, score
    return start, answers == labels


def majority_attack(*, labels, shown_after, seed):
    """Blum & Hardt's boosting: the majority of those random answers that were shown to rise."""
    rng = np.random.default_rng(seed)
    votes = np.zeros((len(labels), CLASSES), dtype=np.int64)
    start = rng.integers(CLASSES, size=len(labels))
    bar = shown_after(start == labels)
    for _ in range(ROUNDS):
        guess = rng.integers(CLASSES, size=len(labels))
        if shown_after(guess == labels) > bar:
            votes[np.arange(len(labels)), guess] += 1
    return start == labels, votes.argmax(axis=1) == labels


def exact_board():
    return lambda right: float(right[:PUBLIC].mean())


def ladder_board():
    state = LadderState()

    def show(right):
        nonlocal state
        state = climb(state, right[:PUBLIC])
        return state.shown

    return show


def public_gains(attack, **options):
    """The gain in public accuracy on each kind of board, printed beside the private score."""
    labels = np.random.default_rng(1).integers(CLASSES, size=PUBLIC + PRIVATE)
    gains = {}
    for name, board in (("exact", exact_board), ("ladder", ladder_board)):
        start, end = attack(labels=labels, shown_after=board(), seed=2, **options)
        gains[name] = float(end[:PUBLIC].mean() - start[:PUBLIC].mean())
        print(
            f"{attack.__name__} {options}, {ROUNDS} rounds, {name} board: public "
            f"{start[:PUBLIC].mean():.4f} -> {end[:PUBLIC].mean():.4f} ({gains[name]:+.4f}), "
            f"private {start[PUBLIC:].mean():.4f} -> {end[PUBLIC:].mean():.4f}"
        )
    return gains


@pytest.mark.parametrize(
    ("attack", "options"), [(random_flip_attack, {"flips": 5}), (majority_attack, {})]
)
def test_five_hundred_rounds_of_luck_pay_on_the_exact_board_and_far_less_on_the_ladder(
    attack, options
):
    gains = public_gains(attack, **options)

    assert gains["exact"] > 0.015
    assert gains["ladder"] < gains["exact"] / 4


def test_an_attacker_who_flips_many_at_once_still_gains_less_on_the_ladder():
    gains = public_gains(random_flip_attack, flips=100)

    assert gains["ladder"] < 0.75 * gains["exact"]
