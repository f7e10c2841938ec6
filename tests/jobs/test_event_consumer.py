"""Events by Redis Streams: nothing lost and nothing twice over kills, order does not matter, poison holds nobody up."""

import json
import signal
import subprocess
import time

import polars as pl
import pytest

from database.observed_frames import observation_frames
from database.open import open_store
from database.streams import STREAM_FIELD, RedisStream, StreamGone, StreamMessage
from jobs.event_consumer import EventsTo, consume, dead_letters, take_in
from preprocessing.schema import PanelSchema
from tests.command import GRADEWATCH, environment_of, run_command
from tests.redis_server import RedisServer

PANEL = PanelSchema(entity="s", period="w")
STREAM = "gradewatch-events"
KILLS, EVENTS = 3, 1_800


def event(number: int, **more: object) -> bytes:
    plain = {"kind": "incidents", "event": f"i{number}", "student": f"s{number % 7}", "at": "2026-09-14",
             "values": {"category": "noise", "severity": 1 + number % 5}}  # fmt: skip
    return json.dumps(plain | more).encode()


def send(server: RedisServer, *contents: bytes) -> None:
    for content in contents:
        server.client.xadd(STREAM, {STREAM_FIELD: content})


def test_nothing_is_lost_or_kept_twice_when_the_consumer_is_killed(redis_server: RedisServer, tmp_path) -> None:
    send(redis_server, *map(event, range(EVENTS)), *map(event, range(0, EVENTS, 3)))  # some again, as senders do
    settings = {"GRADEWATCH_REDIS_URL": redis_server.url}
    command = [*GRADEWATCH, "observations", "consume", "-d", "k12"]
    for _ in range(KILLS):
        process = subprocess.Popen(command, env=environment_of(tmp_path, **settings), cwd=tmp_path,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        left, deadline = redis_server.client.xlen(STREAM), time.monotonic() + 60
        while redis_server.client.xlen(STREAM) == left and time.monotonic() < deadline:
            time.sleep(0.005)
        assert redis_server.client.xlen(STREAM) < left, "it took nothing before it was killed"
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    told = run_command(tmp_path, "observations", "consume", "-d", "k12", "--once", **settings)
    assert told.returncode == 0, told.stderr
    assert redis_server.client.xlen(STREAM) == 0
    store = open_store(f"sqlite:///{tmp_path / 'gradewatch.db'}")
    found = pl.concat([part.incidents for part in observation_frames(store, "k12")])
    versions = sum(len(page.event) for page in store.observation_pages("k12"))
    store.close()
    assert (found.height, found["event_id"].n_unique(), versions) == (EVENTS, EVENTS, EVENTS)


def test_poison_is_set_aside_with_its_reason_and_the_rest_goes_on(redis_server: RedisServer, store) -> None:
    source = RedisStream(redis_server.url, STREAM)
    send(redis_server, event(1), b"{", event(2, at="Ana Sousa"), event(3), event(1, values={"category": "x"}),
         event(4, kind="Ana"), event(4, Ana=1), event(4, values={"Ana": 1}), event(4, source="a\0b"),
         event(4, at="0001-01-01T00:00:00+14:00"))  # fmt: skip
    to = EventsTo(store, "k12", PANEL, b"a secret of the institution")
    done = consume(source, to, once=True)
    assert (done.messages, done.changed, done.set_aside) == (10, 2, 8)
    reasons = sorted(one.body["reason"] for one in dead_letters(store, "k12"))
    begins = ["at", "at", "incidents has", "no event: a field", "no event: kind", "no event: not", "severity", "source"]
    assert all(map(str.startswith, reasons, begins)), reasons
    assert "Ana" not in str(reasons)
    source.close()


def test_what_was_taken_and_not_acknowledged_comes_again_and_older_versions_change_nothing(
    redis_server: RedisServer, store
) -> None:
    to = EventsTo(store, "k12", PANEL, b"a secret of the institution")
    first = RedisStream(redis_server.url, STREAM)
    send(redis_server, event(1), event(1, values={"category": "noise", "severity": 5}))
    taken = first.take(10, 0.01)
    assert take_in(STREAM, taken[1:], to).changed == 1
    again = RedisStream(redis_server.url, STREAM)
    assert [one.place for one in again.take(10, 0.01)] == [one.place for one in taken]
    assert take_in(STREAM, taken, to).changed == 0
    [part] = observation_frames(store, "k12")
    assert part.incidents["severity"].to_list() == [5]
    assert take_in(STREAM, [StreamMessage("far", event(9), 2**80)], to).changed == 1
    for one in (first, again):
        one.close()


def test_a_broker_that_is_gone_is_waited_for(redis_server: RedisServer, store) -> None:
    source, to = RedisStream(redis_server.url, STREAM), EventsTo(store, "k12", PANEL, b"a secret of the institution")
    redis_server.stop()
    with pytest.raises(StreamGone):
        consume(source, to, once=True)
    waits: list[float] = []

    def back(seconds: float) -> None:
        waits.append(seconds)
        redis_server.start()
        send(redis_server, event(1))

    done = consume(source, to, pause=back, stop=lambda: bool(waits) and not redis_server.client.xlen(STREAM))
    assert (done.changed, len(waits)) == (1, 1)
    source.close()
