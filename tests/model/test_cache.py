"""Answers of rows asked before: the same as new ones, never older than allowed, never of another champion."""

from hypothesis import given
from hypothesis import strategies as st

from database.records import Answer
from model.cache import AnswerCache

ANSWERS = (Answer(target="t", value=1.0, naive=1.0, model="m", generation=1),)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_an_answer_is_kept_for_its_time_and_no_longer() -> None:
    clock = Clock()
    cache = AnswerCache(seconds=10, clock=clock)
    cache.put(b"a", ANSWERS)
    clock.now = 10.0
    assert cache.get(b"a") is ANSWERS
    clock.now = 10.1
    assert cache.get(b"a") is None
    assert (cache.state.hits, cache.state.misses, cache.state.hit_rate) == (1, 1, 0.5)


def test_the_answer_unused_longest_makes_room() -> None:
    cache = AnswerCache(capacity=2)
    cache.put(b"a", ANSWERS)
    cache.put(b"b", ANSWERS)
    cache.get(b"a")
    cache.put(b"c", ANSWERS)
    assert [cache.get(key) is not None for key in (b"a", b"b", b"c")] == [True, False, True]
    assert (cache.state.entries, cache.state.evicted) == (2, 1)


def test_clearing_forgets_answers_and_numbers() -> None:
    cache = AnswerCache()
    cache.put(b"a", ANSWERS)
    cache.get(b"a")
    assert cache.clear() == 1
    assert (cache.state.entries, cache.state.hits) == (0, 0)


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=1)), max_size=60), st.integers(1, 5))
def test_it_never_holds_more_than_its_capacity_nor_what_was_never_put(
    steps: list[tuple[bool, bytes]], capacity: int
) -> None:
    cache, put = AnswerCache(capacity=capacity), set()
    for is_put, key in steps:
        if is_put:
            cache.put(key, ANSWERS)
            put.add(key)
        else:
            assert cache.get(key) is None or key in put
        assert cache.state.entries <= capacity
