"""Answers of rows asked before: the same as new ones, never older than allowed, never of another champion."""

from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from database.records import Answer
from database.redis import SharedMemory
from model.cache import AnswerCache, MemoryCache
from model.redis_cache import SharedCache
from tests.redis_server import RedisServer

ANSWERS = (Answer(target="t", value=1.0, naive=1.0, model="m", generation=1),)
OTHERS = (
    Answer(target="t", value=0.1 + 0.2, naive=1, model="m", generation=2, interval=(-1.0, 1e300), coverage=0.9),
    Answer(target="u", value="Ä", naive="B", model="n", generation=3, probabilities={"Ä": 0.7}, out_of_range=("x",)),
)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["memory", "redis"])
def cache(request: pytest.FixtureRequest) -> Iterator[AnswerCache]:
    if request.param == "memory":
        yield MemoryCache()
        return
    server: RedisServer = request.getfixturevalue("redis_server")
    memory = SharedMemory(server.url, secret=b"of this installation")
    yield SharedCache(memory)
    memory.close()


class TestEveryCache:
    """What holds wherever answers are kept."""

    def test_what_was_put_comes_back_as_it_was(self, cache: AnswerCache) -> None:
        cache.put([(b"a", ANSWERS), (b"b", OTHERS)])
        assert cache.get([b"b", b"c", b"a", b"b"]) == [OTHERS, None, ANSWERS, OTHERS]

    def test_a_later_answer_takes_the_earlier_ones_place(self, cache: AnswerCache) -> None:
        cache.put([(b"a", ANSWERS)])
        cache.put([(b"a", OTHERS), (b"a", ANSWERS), (b"a", OTHERS)])
        assert cache.get([b"a"]) == [OTHERS]

    def test_hits_and_misses_are_counted_by_row(self, cache: AnswerCache) -> None:
        assert (cache.state.hits, cache.state.misses, cache.state.hit_rate) == (0, 0, 0.0)
        cache.put([(b"a", ANSWERS)])
        cache.get([b"a", b"a", b"a", b"b"])
        assert (cache.state.hits, cache.state.misses, cache.state.hit_rate) == (3, 1, 0.75)

    def test_clearing_forgets_answers_and_numbers(self, cache: AnswerCache) -> None:
        cache.put([(b"a", ANSWERS), (b"b", OTHERS)])
        cache.get([b"a"])
        assert cache.clear() == 2
        assert (cache.state.hits, cache.state.misses) == (0, 0)
        assert cache.get([b"a", b"b"]) == [None, None]

    def test_nothing_asked_and_nothing_put_is_nothing(self, cache: AnswerCache) -> None:
        cache.put([])
        assert cache.get([]) == []

    def test_more_rows_than_fit_one_question(self, cache: AnswerCache) -> None:
        keys = [str(number).encode() for number in range(1234)]
        cache.put([(key, (msgspec.structs.replace(ANSWERS[0], value=float(key)),)) for key in keys])
        found = cache.get(keys)
        assert [answers[0].value for answers in found if answers] == [float(key) for key in keys]


def test_an_answer_is_kept_for_its_time_and_no_longer() -> None:
    clock = Clock()
    cache = MemoryCache(seconds=10, clock=clock)
    cache.put([(b"a", ANSWERS)])
    clock.now = 10.0
    assert cache.get([b"a"]) == [ANSWERS]
    clock.now = 10.1
    assert cache.get([b"a"]) == [None]


def test_the_answer_unused_longest_makes_room() -> None:
    cache = MemoryCache(capacity=2)
    cache.put([(b"a", ANSWERS), (b"b", ANSWERS)])
    cache.get([b"a"])
    cache.put([(b"c", ANSWERS)])
    assert [found is not None for found in cache.get([b"a", b"b", b"c"])] == [True, False, True]
    assert (cache.state.entries, cache.state.evicted) == (2, 1)


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=1)), max_size=60), st.integers(1, 5))
def test_it_never_holds_more_than_its_capacity_nor_what_was_never_put(
    steps: list[tuple[bool, bytes]], capacity: int
) -> None:
    cache, put = MemoryCache(capacity=capacity), set()
    for is_put, key in steps:
        if is_put:
            cache.put([(key, ANSWERS)])
            put.add(key)
        else:
            assert cache.get([key]) == [None] or key in put
        assert (cache.state.entries or 0) <= capacity
