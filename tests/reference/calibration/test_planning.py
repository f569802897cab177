"""Epochs go before baselines do, and neither minutes nor the students' budget are passed."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from reference.calibration.planning import Cost, plan


def cost(name: str, seconds: float, epochs: int = 10, other: float = 0.0) -> Cost:
    return Cost(name=name, epoch_seconds=seconds, other_seconds=other, epochs=epochs)


LADDER = [cost("linear", 0.5), cost("lenet5", 2.0), cost("resnet18", 40.0)]


def test_with_much_time_all_train_all_their_epochs():
    planned = plan(LADDER, minutes=1000)

    assert [(each.name, each.epochs) for each in planned.planned] == [
        ("linear", 10),
        ("lenet5", 10),
        ("resnet18", 10),
    ]
    assert planned.left_out == {}


def test_with_less_the_costliest_is_left_out_and_said_why():
    planned = plan(LADDER, minutes=10)

    assert [each.name for each in planned.planned] == ["linear", "lenet5"]
    assert planned.left_out == {"resnet18": "time"}


def test_what_can_not_be_trained_by_students_is_left_out_and_others_are_cut_to_their_budget():
    planned = plan(LADDER, minutes=1000, budget_minutes=0.3)

    assert [(each.name, each.epochs) for each in planned.planned] == [("linear", 10), ("lenet5", 8)]
    assert planned.left_out == {"resnet18": "budget"}


def test_too_few_minutes_give_no_plan_and_say_how_many_would_do():
    planned = plan(LADDER, minutes=0.1)

    assert planned.planned == ()
    assert plan(LADDER, minutes=planned.needed_minutes + 0.01).planned


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(0.01, 100), st.floats(0, 10), st.integers(1, 50)),
        min_size=2,
        max_size=6,
    ),
    st.floats(0.1, 500),
    st.sampled_from([0.0, 0.5, 5.0]),
)
def test_no_plan_takes_longer_than_it_may(costs, minutes, budget):
    listed = [cost(str(n), each, epochs, other) for n, (each, other, epochs) in enumerate(costs)]

    planned = plan(listed, minutes=minutes, budget_minutes=budget)

    seeds = itertools.chain([10], itertools.repeat(5, max(0, len(planned.planned) - 2)), [10])
    total = sum(each.seconds * n for each, n in zip(planned.planned, seeds, strict=False))
    assert total <= 60 * minutes
    assert all(not budget or each.seconds <= 60 * budget for each in planned.planned)
    names = {each.name for each in planned.planned}
    assert not names & planned.left_out.keys()
