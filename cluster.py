"""Dask's one door: a function of many parts done by the workers of a cluster, its results in the order of the parts.

It knows nothing of the work. Without a cluster the same function does the same parts here, one after the other, so that
what comes out cannot depend on where it was done.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any, NamedTuple, TypeVar
from uuid import uuid4

from errors import Category, GradewatchError, MissingExtra

Shared = TypeVar("Shared")
Part = TypeVar("Part")
Result = TypeVar("Result")
Work = Callable[[Shared, Part], Result]

RETRIES = 3
"""How often a part that failed is tried again: files over a network fail for a moment."""

AHEAD = 2
"""Parts on their way for each thread of the workers: none waits for the next, and few are held at once."""

LOST_SECONDS = 30.0
"""Seconds without a result after which a part is sent again where workers came or went meanwhile."""

SCHEDULER_SECONDS = 10.0
"""Seconds within which a scheduler must answer."""

SAME = ("gradewatch", "numpy", "polars", "onnxruntime")
"""What must be the same on all machines for the same bits to come out."""


class ClusterUnavailable(GradewatchError):
    """No scheduler at the address, or no worker that outlives a part; the message says which."""

    category = Category.UNAVAILABLE


class ClusterMismatch(GradewatchError):
    """A worker with other versions than here."""

    category = Category.MISUSED


def map_on(
    cluster: str | None, function: Work[Shared, Part, Result], parts: Iterable[Part], shared: Shared
) -> Iterator[Result]:
    """`function(shared, part)` of every part, in their order. cluster: the address of a Dask scheduler
    (`tcp://host:8786`), whose workers do it; None: it is done here.

    A part whose worker dies is done again by another one. Parts are taken as they are needed, so that few are held at
    once. function: of a module that the workers can import. Raises MissingExtra without Dask, ClusterUnavailable,
    ClusterMismatch, and what the function raises.

    >>> list(map_on(None, pow, [1, 2, 3], 2))
    [2, 4, 8]
    """
    if cluster is None:
        yield from (function(shared, part) for part in parts)
        return
    with _connected(cluster) as client:
        workers, waiting = _Workers(client, function, shared), deque[_Sent]()
        for part in parts:
            waiting.append(workers.send(part))
            if len(waiting) >= AHEAD * workers.threads():
                yield workers.result(waiting.popleft())
        while waiting:
            yield workers.result(waiting.popleft())


def versions() -> dict[str, str]:
    """The versions that the same bits depend on."""
    return {name: version(name) for name in SAME}


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    try:
        from distributed import Client
    except ImportError as error:
        raise MissingExtra("Work on a cluster", "dask") from error
    connect: Any = Client  # its constructor is not typed
    try:
        client = connect(address, timeout=SCHEDULER_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise ClusterUnavailable(f"no Dask scheduler answers at {address}: {error}") from error
    with client:
        yield client


class _Sent(NamedTuple):
    """A part on its way, and the workers that there were before it was sent and what it shares with others was."""

    part: Any
    future: Any
    workers: frozenset[str]


class _Workers:
    """Sends parts to the workers of a cluster, and sends those again that went with one of them."""

    def __init__(self, client: Any, function: Callable[..., Any], shared: Any) -> None:
        self._client, self._function, self._shared = client, function, shared
        self._run, self._count, self._wanted = uuid4().hex, 0, versions()
        self._hold(self._there())

    def send(self, part: Any) -> _Sent:
        key = f"part {self._count} {self._run}"
        self._count += 1
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Sending large graph")  # parts are the data themselves
            sent = self._client.submit(_work, self._function, self._held, part, self._wanted, key=key, retries=RETRIES)
        return _Sent(part, sent, self._before)

    def result(self, sent: _Sent) -> Any:
        """What came of it, however often it has to be sent. Dask does a part again whose worker ended, and now and
        then forgets one: who waited for that alone would wait for ever."""
        from distributed import KilledWorker
        from distributed.comm.core import CommClosedError

        while True:
            try:
                return sent.future.result(timeout=LOST_SECONDS)
            except KilledWorker as error:
                raise ClusterUnavailable(f"every worker that tried it ended: {error}") from error
            except (CancelledError, CommClosedError) as error:
                raise ClusterUnavailable(f"the Dask scheduler was lost: {error}") from error
            except TimeoutError:
                if sent.future.status == "error":
                    raise  # the function's own
            if sent.workers != (there := self._there()):
                self._hold(there)
                sent = self.send(sent.part)

    def _hold(self, there: frozenset[str]) -> None:
        """Put what all parts share on the workers; done again where its worker dies. there: the workers before it: one
        that comes or goes while it is put down is a change after it, for this may lie behind a part that never ends."""
        self._held = self._client.submit(_itself, self._shared, pure=False, retries=RETRIES)
        self._before = there

    def threads(self) -> int:
        """Of all workers that there are; at least 1."""
        return max(1, sum(self._now().values()))

    def _there(self) -> frozenset[str]:
        return frozenset(self._now())

    def _now(self) -> Mapping[str, int]:
        """The threads of each worker."""
        try:
            now: Mapping[str, int] = self._client.nthreads()
        except (OSError, CancelledError) as error:
            raise ClusterUnavailable(f"the Dask scheduler was lost: {error}") from error
        return now


def _itself(shared: Shared) -> Shared:
    return shared


def _work(function: Work[Shared, Part, Result], shared: Shared, part: Part, wanted: Mapping[str, str]) -> Result:
    """On a worker."""
    if (here := versions()) != wanted:
        raise ClusterMismatch(f"a worker has {here}, the client {dict(wanted)}: install the same everywhere")
    return function(shared, part)
