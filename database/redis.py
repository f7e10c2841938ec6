"""Memory that workers and machines share: a Redis server, asked with patience measured in milliseconds.

It may be slow, gone, full or talking rubbish, and nobody who asks suffers: there is no answer then, and for some
seconds it is not asked again. It knows nothing of what is kept in it; nothing that must not be lost belongs here.
"""

import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import Any

import msgspec

from errors import Category, GradewatchError, MissingExtra

PATIENCE = 0.1  # seconds for one answer; predicting again takes less
CONNECTING = 0.25  # seconds; a TLS handshake needs several round trips
PAUSE = 5.0  # seconds without a question after a failure
SCANNED = 1000  # keys looked through at a time when clearing

Command = Sequence[bytes | str | int]

log = logging.getLogger("gradewatch.shared")


class SharedMemoryGone(GradewatchError):
    """The shared memory does not answer. Worth trying again."""

    category = Category.UNAVAILABLE
    retry_after = 5


class SharedState(msgspec.Struct, frozen=True, kw_only=True):
    """errors: failed questions since the process started. paused: not asked now, because it failed just before."""

    errors: int
    paused: bool


class SharedMemory:
    """A Redis server by URL. Safe to share between threads; asking waits, so ask from a thread, not an event loop.

    secret: the installation's. Names are made with it: who reads the server learns nothing from them, and another
    installation on the same server has other names. Raises MissingExtra without redis-py.
    """

    def __init__(
        self,
        url: str,
        *,
        secret: bytes,
        patience: float = PATIENCE,
        pause: float = PAUSE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = connect(url, patience)
        self._key = hashlib.blake2b(secret, digest_size=32, person=b"shared memory").digest()
        self._prefix = b"gradewatch:" + hashlib.blake2b(key=self._key, digest_size=6).hexdigest().encode() + b":"
        self._pause = pause
        self._clock = clock
        self._lock = Lock()
        self._errors = 0
        self._closed_until = 0.0
        self._answering = True

    def name(self, kind: str, key: bytes) -> bytes:
        """What `key` is called on the server, among its `kind`: 16 bytes that tell nothing about it."""
        return b"%b%b:%b" % (self._prefix, kind.encode(), hashlib.blake2b(key, key=self._key, digest_size=16).digest())

    def seal(self, name: bytes, content: bytes) -> bytes:
        """`content`, to be kept under `name`, with proof that this installation wrote it there."""
        return self._proof(name, content) + content

    def unseal(self, name: bytes, sealed: Any) -> bytes | None:
        """The content that `seal` was given for `name`; None for anything else, which counts as an error."""
        if isinstance(sealed, bytes) and sealed[:16] == self._proof(name, sealed[16:]):
            return sealed[16:]
        self._count(ValueError("a value that this installation did not write"))
        return None

    def ask(self, commands: Sequence[Command]) -> list[Any] | None:
        """The answers to `commands`, sent together, None for each that the server refused; or None when it does not
        answer, or did not a moment ago. Commands may be sent twice where a connection breaks: use repeatable ones."""
        if self._clock() < self._closed_until:
            return None
        try:
            with self._client.pipeline(transaction=False) as pipeline:
                for command in commands:
                    pipeline.execute_command(*command)
                answers: list[Any] = pipeline.execute(raise_on_error=False)
        except Exception as error:  # whatever such a server says: the parser of rubbish may raise anything
            self._fail(error)
            return None
        refused = [answer for answer in answers if isinstance(answer, Exception)]
        if refused:
            self._count(refused[0])
            return [None if isinstance(answer, Exception) else answer for answer in answers]
        if not self._answering:
            self._answering = True
            log.info("the shared memory answers again")
        return answers

    def forget(self, kind: str) -> int:
        """Remove everything of `kind` that this installation keeps; how much it was. Raises SharedMemoryGone."""
        removed = 0
        try:
            for names in self._scan(self._prefix + kind.encode() + b":*"):
                removed += self._client.unlink(*names)
        except Exception as error:
            self._fail(error)
            raise SharedMemoryGone("the shared memory does not answer; try again") from error
        return removed

    def _scan(self, pattern: bytes) -> Iterator[list[bytes]]:
        cursor = -1
        while cursor:
            cursor, names = self._client.scan(max(cursor, 0), match=pattern, count=SCANNED)
            if names:
                yield names

    @property
    def state(self) -> SharedState:
        """Its numbers right now."""
        return SharedState(errors=self._errors, paused=self._clock() < self._closed_until)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()
        self._client.connection_pool.disconnect()

    def _proof(self, name: bytes, content: bytes) -> bytes:
        proof = hashlib.blake2b(name, key=self._key, digest_size=16)
        proof.update(content)
        return proof.digest()

    def _fail(self, error: Exception) -> None:
        """Ask nothing for a while, and then over new connections: an old one may still hold half an answer."""
        self._closed_until = self._clock() + self._pause
        self._client.connection_pool.disconnect(inuse_connections=False)
        self._count(error)

    def _count(self, error: Exception) -> None:
        with self._lock:
            self._errors += 1
            told, self._answering = not self._answering, False
        if not told:
            log.warning("the shared memory failed; going on without it: %s: %s", type(error).__name__, error)


def connect(url: str, patience: float) -> Any:
    """A client of the server, which is not asked yet. Raises MissingExtra."""
    try:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError:
        raise MissingExtra("GRADEWATCH_REDIS_URL", "redis") from None
    once_more = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))  # a server that was restarted
    return redis.Redis.from_url(url, socket_timeout=patience, socket_connect_timeout=CONNECTING, retry=once_more)
