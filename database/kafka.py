"""A Kafka topic of messages that a group of consumers reads together; what is done is committed, and lies there as
long as the topic keeps it.

It knows neither what messages say nor where they go. Its one event loop runs in a thread of its own, so that the broker
hears of this consumer while its messages are worked on.
"""

import asyncio
import logging
import ssl
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import suppress
from threading import Thread
from typing import Any, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

from database.streams import StreamGone, StreamMessage
from errors import MissingExtra

KAFKA_PATIENCE = 30.0
"""Seconds for an answer: a group waits some for those who are in it and silent."""

LEAST_WAIT = 1.0
"""Seconds in which a broker has told what there is."""

RECORDS_AT_ONCE = 5_000

OFFSETS_TOLD_APART = 1_000  # of one millisecond that versions tell apart

Answer = TypeVar("Answer")


class KafkaTopic:
    """One topic by URL and name, as one consumer of one group. A consumer that comes back under its name goes on at
    once where it stopped. Raises StreamGone, MissingExtra."""

    def __init__(self, url: str, name: str, *, group: str = "gradewatch", consumer: str = "1") -> None:
        try:
            import aiokafka
        except ImportError:
            raise MissingExtra("GRADEWATCH_KAFKA_URL", "kafka") from None
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # a broker that is gone is told once, by who waits
        self._library, self._options = aiokafka, connection_of(url)
        self._name, self._group, self._consumer = name, group, consumer
        self._reader: Any = None
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="kafka", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        """What it is called."""
        return self._name

    def take(self, limit: int, seconds: float) -> list[StreamMessage]:
        """The next ones behind what was acknowledged; none where none came within these seconds, or one."""
        wait = max(seconds, LEAST_WAIT)
        return self._do(self._take(limit, wait), wait + KAFKA_PATIENCE)

    def acknowledge(self, messages: Sequence[StreamMessage]) -> None:
        """They are done: the group goes on behind them."""
        ends: dict[Any, int] = {}
        for one in messages:
            partition, _, offset = one.place.partition("-")
            of = self._library.TopicPartition(self._name, int(partition))
            ends[of] = max(ends.get(of, 0), int(offset) + 1)
        if ends:
            self._do(self._commit(ends), KAFKA_PATIENCE)

    def waiting(self) -> Iterator[StreamMessage]:
        """What lies there behind what was acknowledged, without taking it."""
        reader = self._do(self._beside(), KAFKA_PATIENCE)
        try:
            while found := self._do(self._more(reader, RECORDS_AT_ONCE, LEAST_WAIT), KAFKA_PATIENCE):
                yield from found
        finally:
            self._do(reader.stop(), KAFKA_PATIENCE)

    def drop(self, _messages: Sequence[StreamMessage]) -> bool:
        """A topic deletes no single message."""
        return False

    def lag(self) -> int | None:
        """How many messages lie there behind what was acknowledged; None where there is no such topic."""
        return self._do(self._lag(), KAFKA_PATIENCE)

    def close(self) -> None:
        """Give the connections back. The group keeps the place for who comes back under this name."""
        with suppress(StreamGone):
            self._do(self._leave(), KAFKA_PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(KAFKA_PATIENCE)
        self._loop.close()

    async def _take(self, limit: int, wait: float) -> list[StreamMessage]:
        if self._reader is None:
            self._reader = self._library.AIOKafkaConsumer(
                self._name, group_id=self._group, group_instance_id=self._consumer, enable_auto_commit=False,
                auto_offset_reset="earliest", **self._options,
            )  # fmt: skip
            await self._reader.start()
        return await self._more(self._reader, limit, wait)

    async def _beside(self) -> Any:
        """A reader that begins where the group is, and is not in it."""
        reader = self._library.AIOKafkaConsumer(group_id=self._group, enable_auto_commit=False, **self._options)
        try:
            await reader.start()
            await reader.topics()
        except BaseException:
            await reader.stop()  # it has begun to look for the broker
            raise
        partitions = [
            self._library.TopicPartition(self._name, n) for n in reader.partitions_for_topic(self._name) or ()
        ]
        reader.assign(partitions)
        for one in partitions:
            done = await reader.committed(one)
            await (reader.seek_to_beginning(one) if done is None else reader.seek_to_committed(one))
        return reader

    async def _lag(self) -> int | None:
        reader = await self._beside()
        try:
            partitions = reader.assignment()
            if not partitions:
                return None
            begun = {one: await reader.position(one) for one in partitions}
            while any(reader.highwater(one) is None for one in partitions):  # where they end is told with what is there
                await reader.getmany(timeout_ms=round(LEAST_WAIT * 1000), max_records=1)
            behind: list[int] = [reader.highwater(one) - at for one, at in begun.items()]
            return sum(behind)
        finally:
            await reader.stop()

    async def _more(self, reader: Any, limit: int, wait: float) -> list[StreamMessage]:
        """The next ones; none where nothing more is there after so many seconds."""
        found = await reader.getmany(timeout_ms=round(wait * 1000), max_records=limit)
        while not found and await _is_behind(reader):
            found = await reader.getmany(timeout_ms=round(LEAST_WAIT * 1000), max_records=limit)
        return [_message(record) for records in found.values() for record in records]

    async def _commit(self, ends: dict[Any, int]) -> None:
        if self._reader is None:
            raise self._library.errors.IllegalStateError("what was taken before the topic was gone comes again")
        await self._reader.commit(ends)

    async def _leave(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.stop()

    def _do(self, work: Coroutine[Any, Any, Answer], seconds: float) -> Answer:
        future = asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, seconds), self._loop)
        try:
            return future.result()
        except (self._library.errors.KafkaError, TimeoutError, OSError) as error:
            leave = asyncio.wait_for(self._leave(), KAFKA_PATIENCE)  # the next one begins behind what was committed
            with suppress(Exception):
                asyncio.run_coroutine_threadsafe(leave, self._loop).result()
            raise StreamGone(f"the topic does not answer: {type(error).__name__}") from error


def connection_of(url: str) -> dict[str, Any]:
    """What the library is told of kafka://host:9092,host:9092, or kafka+ssl://name:password@host:9093 with
    ?mechanism=SCRAM-SHA-512 where it is not PLAIN."""
    parts = urlsplit(url)
    whom, _, servers = parts.netloc.rpartition("@")
    secure = parts.scheme == "kafka+ssl"
    options: dict[str, Any] = {"bootstrap_servers": servers.split(","), "retry_backoff_ms": 500}
    if whom:
        name, _, password = whom.partition(":")
        mechanism = parse_qs(parts.query).get("mechanism", ["PLAIN"])[0]
        options |= {"sasl_plain_username": unquote(name), "sasl_plain_password": unquote(password),
                    "sasl_mechanism": mechanism}  # fmt: skip
    options["security_protocol"] = ("SASL_" if whom else "") + ("SSL" if secure else "PLAINTEXT")
    return options | ({"ssl_context": ssl.create_default_context()} if secure else {})


async def _is_behind(reader: Any) -> bool:
    """Whether there is more, or nothing was told of a partition yet. (Where it ends is told with every answer.)"""
    for partition in reader.assignment():
        end = reader.highwater(partition)
        if end is None or await reader.position(partition) < end:
            return True
    return False


def _message(record: Any) -> StreamMessage:
    """Of a record. Its version goes by its time, then by where it stands."""
    version = max(0, record.timestamp) * OFFSETS_TOLD_APART + record.offset % OFFSETS_TOLD_APART
    return StreamMessage(f"{record.partition}-{record.offset}", record.value or b"", version)
