"""Dask's one door: a function of many parts done by the workers of a cluster, its results in the order of the parts.

It knows nothing of the work. Without a cluster the same function does the same parts here, one after the other, so that
what comes out cannot depend on where it was done.
"""

from __future__ import annotations

import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any, TypeVar
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
        held = client.submit(_itself, shared, pure=False, retries=RETRIES)  # done again where its worker dies
        run, here, waiting = uuid4().hex, versions(), deque[Any]()
        for number, part in enumerate(parts):
            key = f"part {number} {run}"
            waiting.append(_sent(client, function, held, part, here, key=key, retries=RETRIES))
            if len(waiting) >= AHEAD * max(1, sum(client.nthreads().values())):
                yield _result(waiting.popleft())
        while waiting:
            yield _result(waiting.popleft())


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


def _sent(client: Any, *arguments: Any, **options: Any) -> Any:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sending large graph")  # parts are the data themselves
        return client.submit(_work, *arguments, **options)


def _result(future: Any) -> Any:
    from distributed import KilledWorker

    try:
        return future.result()
    except KilledWorker as error:
        raise ClusterUnavailable(f"every worker that tried it ended: {error}") from error


def _itself(shared: Shared) -> Shared:
    return shared


def _work(function: Work[Shared, Part, Result], shared: Shared, part: Part, wanted: Mapping[str, str]) -> Result:
    """On a worker."""
    if (here := versions()) != wanted:
        raise ClusterMismatch(f"a worker has {here}, the client {dict(wanted)}: install the same everywhere")
    return function(shared, part)
