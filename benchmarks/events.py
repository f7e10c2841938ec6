"""Events by streams: how many one consumer keeps a second, and what becomes of them when consumers are killed.

`python -m benchmarks.events [--quick]` from the project's root. Brokers are a real Redis (Valkey) and a broker of
Kafka's protocol (Tansu, where a member joins within eight seconds). Consumers are the command's, each killed with
SIGKILL at a moment drawn at random after it has begun to keep events.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import polars as pl

from benchmarks.commands import GRADEWATCH, measured, settings_of
from benchmarks.result import Figure, print_figures, write_results
from benchmarks.servers import ROOT, clean_environment
from database.observed_frames import observation_frames
from database.open import open_store
from database.store import RecordStore

KILLS, EVENTS, RATED = 20, 60_000, 10_000
QUICK = 10  # of a quick run, a part of all these
STUDENTS, SEVERITIES = 500, 5
CORRECTED = 4  # every so many events are corrected, and sent out of order
LONGEST_WORK = 1.0  # seconds of keeping until a consumer is killed
RATE_GOAL = 1_000
DOMAIN, STREAM = "k12", "gradewatch-events"


class Brokered(NamedTuple):
    """A broker that runs. send: messages into a stream of it."""

    name: str
    settings: dict[str, str]
    send: Callable[[str, Sequence[bytes]], None]
    stop: Callable[[], None]


def main(given: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few events and kills, to see that it works")
    share = QUICK if parser.parse_args(given).quick else 1
    figures = list[Figure]()
    for start in (redis, kafka):
        broker = start()
        with tempfile.TemporaryDirectory(prefix="gradewatch-events-") as made:
            try:
                figures += [rate(Path(made) / "rate", broker, RATED // share)]
                figures += kill_consumers(Path(made) / "kills", broker, EVENTS // share, KILLS // share)
            finally:
                broker.stop()
    print_figures("events", figures) if share > 1 else write_results("events", figures)


def redis() -> Brokered:
    from tests.redis_server import RedisServer

    server = RedisServer()

    def send(stream: str, contents: Sequence[bytes]) -> None:
        with server.client.pipeline(transaction=False) as together:
            for one in contents:
                together.xadd(stream, {b"event": one})
            together.execute()

    return Brokered("redis", {"GRADEWATCH_REDIS_URL": server.url}, send, server.stop)


def kafka() -> Brokered:
    from tests.kafka_server import KafkaServer

    server = KafkaServer()

    def send(stream: str, contents: Sequence[bytes]) -> None:
        server.make_topic(stream, 3)
        server.send(stream, contents, partitions=[number % 3 for number in range(len(contents))])

    return Brokered("kafka", {"GRADEWATCH_KAFKA_URL": server.url}, send, server.stop)


def command_of(broker: Brokered, stream: str) -> list[str]:
    return ["observations", "consume", "-d", DOMAIN, "--broker", broker.name, "--stream", stream]


def event(number: int, version: int) -> bytes:
    """The version's severity tells which it is."""
    values = {"category": "noise", "severity": 1 + (number + version) % SEVERITIES}
    whole = {"kind": "incidents", "event": f"i{number}", "student": f"s{number % STUDENTS}", "at": "2026-09-14",
             "values": values, "version": version}  # fmt: skip
    return msgspec.json.encode(whole)


def rate(folder: Path, broker: Brokered, count: int) -> Figure:
    """A consumer that takes all that waits, its start included."""
    print(f"  {count:,} events by {broker.name}", flush=True)
    folder.mkdir(parents=True)
    broker.send("rated", [event(number, 0) for number in range(count)])
    settings = settings_of(folder) | broker.settings
    seconds, _ = measured(settings, GRADEWATCH, *command_of(broker, "rated"), "--once")
    found = count / seconds
    how = f"{count:,} events of {STUDENTS} students by one consumer into SQLite, its start included; CPU seconds"
    return Figure(
        f"{broker.name}: events kept", round(found), "per second", f"≥ {RATE_GOAL:,}", found >= RATE_GOAL, how
    )


def kill_consumers(folder: Path, broker: Brokered, count: int, kills: int) -> list[Figure]:
    """Some events corrected, some copied, all in a random order: whatever is killed, the last version is there."""
    folder.mkdir(parents=True)
    draw = random.Random(1)
    corrected = range(0, count, CORRECTED)
    sent = [event(number, 0) for number in range(count)] + [event(number, 1) for number in corrected]
    sent += draw.sample(sent, len(sent) // 3)
    draw.shuffle(sent)
    broker.send(STREAM, sent)
    settings = settings_of(folder) | broker.settings
    store = open_store(settings["GRADEWATCH_DATABASE_URL"])
    try:
        taken = [killed(store, settings, command_of(broker, STREAM), draw) for _ in range(kills)]
        left = count + len(corrected) - versions(store)
        measured(settings, GRADEWATCH, *command_of(broker, STREAM), "--once")
        kept = pl.concat([part.incidents for part in observation_frames(store, DOMAIN)])
        known = versions(store)
    finally:
        store.close()
    right = sum(1 + (number + (number % CORRECTED == 0)) % SEVERITIES for number in range(count))
    lost = count - kept["event_id"].n_unique()
    twice = kept.height - kept["event_id"].n_unique() + max(0, known - count - len(corrected))
    wrong = int(kept["severity"].cast(pl.Int64).sum()) - right
    how = (
        f"{kills} consumers killed (SIGKILL) at random moments of {len(sent):,} messages in random order, of {count:,} "
        f"events, a quarter corrected, a quarter of the messages copies; {sum(taken):,} versions kept before a kill, "
        f"{left:,} after the last"
    )
    return [
        Figure(f"{broker.name}: events lost", lost, "events", "0", lost == 0, how),
        Figure(f"{broker.name}: events counted twice", twice, "events", "0", twice == 0, how),
        Figure(f"{broker.name}: severities off, in sum", wrong, "points", "0", wrong == 0, how),
    ]


def killed(store: RecordStore, settings: dict[str, str], command: Sequence[str], draw: random.Random) -> int:
    """How many versions a consumer kept before it was killed."""
    before = versions(store)
    consumer = subprocess.Popen(
        [sys.executable, "-m", "cli", *command],
        env={**clean_environment(), **settings},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    newest = store.observed_since(DOMAIN, 0).newest
    while store.observed_since(DOMAIN, 0).newest == newest and consumer.poll() is None:
        time.sleep(0.005)
    time.sleep(draw.uniform(0, LONGEST_WORK))
    assert consumer.poll() is None, "it ended by itself"
    consumer.kill()
    consumer.wait()
    return versions(store) - before


def versions(store: RecordStore) -> int:
    return sum(len(page.event) for page in store.observation_pages(DOMAIN))


if __name__ == "__main__":
    main(sys.argv[1:])
