"""Memory shared through Redis: private, and harmless whatever becomes of the server."""

from collections.abc import Iterator

import pytest

from database.redis import SharedMemory, SharedMemoryGone
from model.redis_cache import SharedCache
from tests.model.test_cache import ANSWERS, OTHERS, Clock
from tests.redis_server import RedisServer, talking_rubbish

SECRET = b"of this installation"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def memory(redis_server: RedisServer, clock: Clock) -> Iterator[SharedMemory]:
    memory = SharedMemory(redis_server.url, secret=SECRET, pause=5.0, clock=clock)
    yield memory
    memory.close()


@pytest.fixture
def cache(memory: SharedMemory) -> SharedCache:
    cache = SharedCache(memory)
    cache.put([(b"known", ANSWERS)])
    assert cache.get([b"known"]) == [ANSWERS]
    return cache


def test_who_reads_the_server_finds_no_key(cache: SharedCache, redis_server: RedisServer) -> None:
    cache.put([(b"row of pupil-0815, absences 12", ANSWERS)])
    assert b"pupil" not in redis_server.contents()
    assert b"absences" not in redis_server.contents()


def test_answers_expire_within_the_hour(cache: SharedCache, redis_server: RedisServer) -> None:
    lives = [int(redis_server.client.ttl(name)) for name in redis_server.client.keys("*")]
    assert lives
    assert all(3500 < seconds <= 3600 for seconds in lives)


def test_two_workers_share_answers_and_two_installations_do_not(cache: SharedCache, redis_server: RedisServer) -> None:
    fellow = SharedCache(SharedMemory(redis_server.url, secret=SECRET))
    stranger = SharedCache(SharedMemory(redis_server.url, secret=b"of another installation"))
    assert fellow.get([b"known"]) == [ANSWERS]
    assert stranger.get([b"known"]) == [None]
    stranger.put([(b"known", OTHERS)])
    assert cache.get([b"known"]) == [ANSWERS]


def test_clearing_touches_nobody_elses_keys(cache: SharedCache, redis_server: RedisServer) -> None:
    stranger = SharedCache(SharedMemory(redis_server.url, secret=b"of another installation"))
    stranger.put([(b"known", OTHERS)])
    redis_server.client.set("someone:else", "1")
    cache.put([(str(number).encode(), ANSWERS) for number in range(3000)])
    assert cache.clear() == 3001
    assert cache.get([b"known"]) == [None]
    assert stranger.get([b"known"]) == [OTHERS]
    assert redis_server.client.get("someone:else") == b"1"


def test_a_value_that_was_tampered_with_or_belongs_to_another_row_is_a_miss(
    cache: SharedCache, memory: SharedMemory, redis_server: RedisServer
) -> None:
    cache.put([(b"other", OTHERS)])
    client, known, other = redis_server.client, memory.name("answers", b"known"), memory.name("answers", b"other")
    right = client.get(other)
    assert isinstance(right, bytes)
    for wrong in (right, b"", b"rubbish", right[:-1] + b"\x00", memory.seal(known, b"no msgpack \xc1")):
        client.set(known, wrong)
        assert cache.get([b"known", b"other"]) == [None, OTHERS]
    client.delete(known)
    client.hset(known.decode("latin-1"), "a", "1")
    assert cache.get([b"known", b"other"]) == [None, OTHERS]
    assert cache.state.errors == 4


def test_a_server_that_is_gone_is_a_miss_and_is_left_alone_for_a_while(
    cache: SharedCache, redis_server: RedisServer, clock: Clock
) -> None:
    redis_server.stop()
    assert cache.get([b"known"]) == [None]
    cache.put([(b"new", ANSWERS)])
    assert (cache.state.errors, cache.state.paused) == (1, True)
    redis_server.start()
    assert cache.get([b"known"]) == [None]
    clock.now = 5.0
    cache.put([(b"new", ANSWERS)])
    assert cache.get([b"new"]) == [ANSWERS]
    assert (cache.state.errors, cache.state.paused) == (1, False)


def test_a_restart_between_two_questions_costs_no_error(cache: SharedCache, redis_server: RedisServer) -> None:
    redis_server.restart()
    assert cache.get([b"known"]) == [None]
    cache.put([(b"known", ANSWERS)])
    assert cache.get([b"known"]) == [ANSWERS]
    assert cache.state.errors == 0


def test_a_server_that_does_not_answer_is_not_waited_for(
    cache: SharedCache, redis_server: RedisServer, clock: Clock
) -> None:
    with redis_server.stalled():
        assert cache.get([b"known"]) == [None]
        assert cache.state.paused
    clock.now = 5.0
    assert cache.get([b"known"]) == [ANSWERS]


def test_a_full_server_still_answers_what_it_knows(cache: SharedCache, redis_server: RedisServer) -> None:
    with redis_server.full():
        cache.put([(b"new", ANSWERS)])
        assert cache.get([b"known", b"new"]) == [ANSWERS, None]
    assert cache.state.errors == 1
    assert not cache.state.paused


def test_a_server_that_talks_rubbish_is_a_miss() -> None:
    with talking_rubbish() as url:
        memory = SharedMemory(url, secret=SECRET)
        cache = SharedCache(memory)
        assert cache.get([b"known"]) == [None]
        assert cache.state.paused
        memory.close()


def test_clearing_says_when_the_server_does_not_answer(cache: SharedCache, redis_server: RedisServer) -> None:
    redis_server.stop()
    with pytest.raises(SharedMemoryGone, match="try again"):
        cache.clear()
    redis_server.start()


def test_an_outage_is_told_once_and_its_end_once(
    cache: SharedCache, redis_server: RedisServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    redis_server.stop()
    for clock.now in (0.0, 5.0, 10.0):
        cache.get([b"known"])
    redis_server.start()
    clock.now = 15.0
    cache.get([b"known"])
    cache.get([b"known"])
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
