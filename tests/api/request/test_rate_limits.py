"""Requests are counted in windows of time, alone and among workers."""

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.rates import Limit
from api.request.rate_limits import Limiter
from database.redis import SharedMemory
from tests.redis_server import RedisServer

MINUTE = Limit(3, 60)


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, at: float = 6_000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


def test_within_the_limit_the_rest_is_counted_down_and_then_nothing_is_allowed() -> None:
    limiter = Limiter(clock=Clock())
    assert [limiter.hit("a", MINUTE).remaining for _ in range(4)] == [2, 1, 0, 0]
    assert [limiter.hit("b", MINUTE).allowed for _ in range(4)] == [True, True, True, False]


def test_the_next_window_begins_anew_when_the_last_answer_said() -> None:
    clock = Clock(6_045.5)
    limiter = Limiter(clock=clock)
    last = [limiter.hit("a", MINUTE) for _ in range(4)][-1]
    assert not last.allowed
    clock.at += last.reset_seconds - 0.001
    assert not limiter.hit("a", MINUTE).allowed
    clock.at += 0.001
    assert limiter.hit("a", MINUTE).remaining == 2


def test_windows_of_different_length_are_counted_apart() -> None:
    limiter, day = Limiter(clock=Clock()), Limit(10, 86_400)
    assert not [limiter.hit("a", MINUTE) for _ in range(4)][-1].allowed
    assert limiter.hit("a", day).remaining == 9


def test_very_many_names_share_one_count_so_that_memory_is_bounded() -> None:
    limiter = Limiter(clock=Clock(), most_names=2)
    spent = {name: limiter.hit(name, MINUTE) for name in "abcdef"}
    assert [name for name, one in spent.items() if not one.allowed] == ["f"]
    assert limiter.hit("a", MINUTE).allowed


def test_a_crowd_of_strangers_takes_nothing_from_whoever_is_known() -> None:
    limiter = Limiter(clock=Clock(), most_names=2)
    for number in range(100):
        limiter.hit(f"address:{number}", MINUTE)
    assert [limiter.hit("key:lms", MINUTE, known=True).remaining for _ in range(4)] == [2, 1, 0, 0]
    assert not limiter.hit("key:lms", MINUTE, known=True).allowed


@given(st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 30)), max_size=60), st.integers(1, 5))
def test_no_window_lets_more_through_than_its_amount(hits: list[tuple[str, float]], amount: int) -> None:
    clock = Clock()
    limiter, limit = Limiter(clock=clock), Limit(amount, 60)
    passed: dict[tuple[str, int], int] = {}
    for name, later in hits:
        clock.at += later
        window = name, int(clock.at // 60)
        passed[window] = passed.get(window, 0) + limiter.hit(name, limit).allowed
    assert max(passed.values(), default=0) <= amount


class TestAmongWorkers:
    """Several workers that count together through Redis."""

    @pytest.fixture
    def memory(self, redis_server: RedisServer) -> Iterator[SharedMemory]:
        memory = SharedMemory(redis_server.url, secret=b"of this installation")
        yield memory
        memory.close()

    def test_each_worker_counts_what_the_others_let_through(self, memory: SharedMemory) -> None:
        clock, limit = Clock(), Limit(10, 60)
        one, two = Limiter(memory, clock=clock), Limiter(memory, clock=clock)
        for _ in range(4):
            one.hit("a", limit)
            two.hit("a", limit)
        asyncio.run(one.exchange(memory))
        asyncio.run(two.exchange(memory))
        assert two.hit("a", limit).remaining == 1
        asyncio.run(two.exchange(memory))
        one.hit("a", limit)
        asyncio.run(one.exchange(memory))
        assert [limiter.hit("a", limit).allowed for limiter in (one, two)] == [False, True]
        assert one.hit("b", limit).remaining == 9

    def test_an_exchange_that_is_repeated_counts_nothing_twice(self, memory: SharedMemory) -> None:
        one, two = (Limiter(memory, clock=Clock()) for _ in range(2))
        for _ in range(3):
            one.hit("a", MINUTE)
            asyncio.run(one.exchange(memory))
            asyncio.run(one.exchange(memory))
        two.hit("a", Limit(10, 60))
        asyncio.run(two.exchange(memory))
        assert two.hit("a", Limit(10, 60)).remaining == 5

    def test_names_of_callers_are_not_readable_on_the_server(
        self, memory: SharedMemory, redis_server: RedisServer
    ) -> None:
        limiter = Limiter(memory)
        limiter.hit("teacher-0815", MINUTE)
        asyncio.run(limiter.exchange(memory))
        assert redis_server.client.dbsize() == 1
        assert b"teacher" not in redis_server.contents()

    def test_without_the_server_each_worker_counts_alone_and_tells_the_others_later(
        self, redis_server: RedisServer
    ) -> None:
        memory = SharedMemory(redis_server.url, secret=b"of this installation", pause=0.0)
        one, two = (Limiter(memory, clock=Clock()) for _ in range(2))
        redis_server.stop()
        assert [one.hit("a", MINUTE).allowed for _ in range(4)] == [True, True, True, False]
        asyncio.run(one.exchange(memory))
        assert memory.state.errors == 1
        redis_server.start()
        asyncio.run(one.exchange(memory))
        assert two.hit("a", MINUTE).allowed
        asyncio.run(two.exchange(memory))
        assert not two.hit("a", MINUTE).allowed
        memory.close()
