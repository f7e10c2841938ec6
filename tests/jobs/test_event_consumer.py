"""Events by Redis Streams and Kafka: nothing lost and nothing twice over kills, order does not matter, poison holds
nobody up."""

import itertools
import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import polars as pl
import pytest

from database.errors import StoreUnavailable
from database.kafka import KafkaTopic, connection_of
from database.observed_frames import observation_frames
from database.open import open_store
from database.streams import STREAM_FIELD, RedisStream, StreamGone, StreamMessage
from jobs.event_consumer import EventsTo, consume, dead_letters, take_in
from jobs.event_streams import BrokerKind, BrokerUrls, EventSource, forget_waiting, note_stream
from preprocessing.schema import PanelSchema
from preprocessing.validation.pii import pseudonym
from tests.command import GRADEWATCH, environment_of, run_command
from tests.kafka_server import KafkaServer
from tests.redis_server import RedisServer

PANEL = PanelSchema(entity="s", period="w")
KILLS, EVENTS = 3, 1_800


class Broker(NamedTuple):
    """A broker and a stream on it, whichever it is, which comes back empty. settings: of a command that consumes it."""

    kind: BrokerKind
    urls: BrokerUrls
    stream: str
    arguments: Sequence[str]
    settings: dict[str, str]
    send: Callable[[Sequence[bytes]], None]
    source: Callable[[], EventSource]
    stop: Callable[[], None]
    start: Callable[[], None]


def redis_broker(server: RedisServer) -> Broker:
    def send(contents: Sequence[bytes]) -> None:
        for content in contents:
            server.client.xadd("gradewatch-events", {STREAM_FIELD: content})

    return Broker("redis", {"redis": server.url}, "gradewatch-events", (), {"GRADEWATCH_REDIS_URL": server.url}, send,
                  lambda: RedisStream(server.url, "gradewatch-events"), server.stop, server.start)  # fmt: skip


def kafka_broker(server: KafkaServer) -> Broker:
    topic = f"events-{time.monotonic_ns()}"

    def start() -> None:
        server.start()
        server.make_topic(topic, 2)

    def send(contents: Sequence[bytes]) -> None:
        server.send(topic, contents, partitions=[len(one) % 2 for one in contents], packed="zstd")

    arguments = ("--broker", "kafka", "--stream", topic)
    return Broker("kafka", {"kafka": server.url}, topic, arguments, {"GRADEWATCH_KAFKA_URL": server.url}, send,
                  lambda: KafkaTopic(server.url, topic), server.stop, start)  # fmt: skip


@pytest.fixture(scope="module")
def kafka_server() -> Iterator[KafkaServer]:
    server = KafkaServer()
    yield server
    server.stop()


@pytest.fixture(params=["redis", "kafka"])
def broker(request: pytest.FixtureRequest) -> Broker:
    if request.param == "redis":
        return redis_broker(request.getfixturevalue("redis_server"))
    server = request.getfixturevalue("kafka_server")
    made = kafka_broker(server)
    server.make_topic(made.stream, 2)
    return made


def event(number: int, **more: object) -> bytes:
    plain = {"kind": "incidents", "event": f"i{number}", "student": f"s{number % 7}", "at": "2026-09-14",
             "values": {"category": "noise", "severity": 1 + number % 5}}  # fmt: skip
    return json.dumps(plain | more).encode()


def to(store) -> EventsTo:
    return EventsTo(store, "k12", PANEL, b"a secret of the institution")


def test_nothing_is_lost_or_kept_twice_when_the_consumer_is_killed(broker: Broker, tmp_path) -> None:
    broker.send([*map(event, range(EVENTS)), *map(event, range(0, EVENTS, 3))])  # some again, as senders do
    command = [*GRADEWATCH, "observations", "consume", "-d", "k12", *broker.arguments]
    store = open_store(f"sqlite:///{tmp_path / 'gradewatch.db'}")
    for _ in range(KILLS):
        process = subprocess.Popen(command, env=environment_of(tmp_path, **broker.settings), cwd=tmp_path,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
        kept, deadline = store.observed_since("k12", 0).newest, time.monotonic() + 120
        while store.observed_since("k12", 0).newest == kept and kept < EVENTS and time.monotonic() < deadline:
            time.sleep(0.005)
        assert time.monotonic() < deadline, "it kept nothing before it was killed"
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    told = run_command(tmp_path, "observations", "consume", "-d", "k12", "--once", *broker.arguments, **broker.settings)
    assert told.returncode == 0, told.stderr
    found = pl.concat([part.incidents for part in observation_frames(store, "k12")])
    versions = sum(len(page.event) for page in store.observation_pages("k12"))
    store.close()
    assert (found.height, found["event_id"].n_unique(), versions) == (EVENTS, EVENTS, EVENTS)


class GoneOnce:
    """A store that is gone the first time that anything is to be kept."""

    def __init__(self, store: object) -> None:
        self._store, self._gone = store, True

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)

    def add_observations(self, some: object) -> None:
        if self._gone:
            self._gone = False
            raise StoreUnavailable("gone")
        self._store.add_observations(some)


def test_gone_brokers_and_stores_are_waited_for_and_order_copies_and_poison_change_nothing(
    broker: Broker, tmp_path
) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'gradewatch.db'}")
    corrected = {"category": "noise", "severity": 5}
    poison = [b"{", event(2, at="Ana Sousa"), event(1, values={"category": "x"}), event(4, kind="Ana"),
              event(4, Ana=1), event(4, values={"Ana": 1}), event(4, source="a\0b"),
              event(4, at="0001-01-01T00:00:00+14:00")]  # fmt: skip
    first = broker.source()
    broker.stop()
    with pytest.raises(StreamGone):
        consume(first, to(store), once=True)
    broker.start()
    broker.send(
        [event(1), event(1, values=corrected), event(2, version=8), event(2, version=7, values=corrected), *poison]
    )
    taken = first.take(20, 0.01)
    assert take_in(broker.stream, taken[::-1], to(store)) == (12, 3, 8)
    first.close()

    again, turns, waits = broker.source(), itertools.count(), list[float]()
    gone_once = EventsTo(GoneOnce(store), "k12", PANEL, b"a secret of the institution")
    broker.send([event(3), event(4, student="leaver"), event(5, student=" leaver ")])
    note_stream(store, "k12", broker.kind, broker.stream)
    leaver = pseudonym("leaver", to(store).secret)
    [told] = forget_waiting(store, "k12", leaver, secret=to(store).secret, urls=broker.urls)
    assert "2 waiting events" in told
    assert ["not looked through" in one for one in forget_waiting(store, "k12", leaver, secret=b"x", urls={})] == [True]
    done = consume(again, gone_once, pause=waits.append, stop=lambda: next(turns) > 3)
    assert (done.changed, len(waits)) == (1, 1)
    assert again.take(10, 0.01) == []
    again.close()
    [part] = observation_frames(store, "k12")
    assert sorted(part.incidents["severity"]) == [3, 4, 5]
    told = dead_letters(store, "k12")
    reasons = sorted(one.body["reason"] for one in told)
    begins = ["at", "at", "incidents has", "no event: a field", "no event: kind", "no event: not", "severity", "source"]
    assert all(map(str.startswith, reasons, begins)), reasons
    assert "Ana" not in str(reasons)
    assert {(one.body["stream"], one.body["bytes"] > 0) for one in told} == {(broker.stream, True)}
    assert len({one.body["place"] for one in told}) == len(told)
    store.close()


def test_a_place_beyond_what_databases_count_is_no_end(store) -> None:
    assert take_in("far", [StreamMessage("far", event(9), 2**80)], to(store)).changed == 1


def test_brokers_are_told_how_to_be_spoken_to() -> None:
    assert connection_of("kafka://a:9092,b:9093") == {
        "bootstrap_servers": ["a:9092", "b:9093"], "security_protocol": "PLAINTEXT", "retry_backoff_ms": 500,
    }  # fmt: skip
    secure = connection_of("kafka+ssl://us%40er:p%3A%2F@a:9093?mechanism=SCRAM-SHA-512")
    assert (secure["security_protocol"], secure["sasl_mechanism"]) == ("SASL_SSL", "SCRAM-SHA-512")
    assert (secure["sasl_plain_username"], secure["sasl_plain_password"]) == ("us@er", "p:/")
    assert secure["ssl_context"].check_hostname
