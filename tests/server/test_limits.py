"""Calls a minute of each asker, by a clock that only the test moves."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.limits import Bucket, Limits, TooManyCalls


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        """The time in seconds."""
        return self.now


def test_a_minute_of_calls_is_made_at_once_and_then_one_at_a_time() -> None:
    clock = Clock()
    bucket = Bucket(120, clock=clock)

    at_once = [bucket.take("ada") for _ in range(120)]
    wait = bucket.take("ada")
    clock.now += wait
    after = bucket.take("ada"), bucket.take("ada")

    assert at_once == [0.0] * 120
    assert wait == pytest.approx(0.5)
    assert after == (0.0, pytest.approx(0.5))


def test_a_refused_call_costs_nothing() -> None:
    clock = Clock()
    bucket = Bucket(60, clock=clock)
    for _ in range(60):
        bucket.take("ada")

    waits = [bucket.take("ada") for _ in range(5)]

    assert waits == [pytest.approx(1.0)] * 5


def test_a_silent_minute_makes_it_whole() -> None:
    clock = Clock()
    bucket = Bucket(20, clock=clock)
    for _ in range(20):
        bucket.take("ada")

    clock.now += 60

    assert [bucket.take("ada") for _ in range(20)] == [0.0] * 20
    assert bucket.take("ada") > 0


def test_askers_do_not_share() -> None:
    bucket = Bucket(1, clock=Clock())

    assert (bucket.take("ada"), bucket.take("bob"), bucket.take("")) == (0.0, 0.0, 0.0)
    assert bucket.take("ada") == pytest.approx(60.0)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 90)), max_size=200))
def test_no_asker_ever_gets_more_than_two_minutes_worth_in_one(
    steps: list[tuple[str, float]],
) -> None:
    clock = Clock()
    bucket = Bucket(5, clock=clock)
    taken: list[tuple[str, float]] = []

    for name, pause in steps:
        clock.now += pause
        if not bucket.take(name):
            taken.append((name, clock.now))

    for name, at in taken:
        assert sum(other == name and at <= time < at + 60 for other, time in taken) <= 10


def test_askers_that_went_silent_are_forgotten() -> None:
    clock = Clock()
    bucket = Bucket(60, clock=clock)
    for number in range(1_000):
        bucket.take(f"asker {number}")

    clock.now += 61
    bucket.take("ada")

    assert bucket.kept == 1


def test_no_number_of_askers_fills_the_memory() -> None:
    bucket = Bucket(1, clock=Clock(), most=100)

    for number in range(1_000):
        bucket.take(f"asker {number}")

    assert bucket.kept == 100
    assert bucket.take("asker 999") > 0


def test_the_limit_says_how_long_to_wait() -> None:
    clock = Clock()
    limits = Limits(2, 1, clock=clock)
    limits.take("ada", is_answer=True)

    with pytest.raises(TooManyCalls) as questions:
        limits.take("ada", is_answer=True)
    with pytest.raises(TooManyCalls) as calls:
        limits.take("ada")

    assert str(questions.value) == (
        "Too many questions: answer_question takes at most 1 a minute. Wait 60 seconds, or use "
        "search_confluence and get_page."
    )
    assert str(calls.value) == (
        "Too many calls: at most 2 a minute. Wait 30 seconds, then call again."
    )


def test_zero_is_no_limit() -> None:
    limits = Limits(0, 0, clock=Clock())

    for _ in range(10_000):
        limits.take("ada", is_answer=True)
