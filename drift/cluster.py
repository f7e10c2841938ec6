"""The profile of more rows than one machine should read: partitions are counted on a Dask cluster and added in a tree.

Each partition goes through the very functions that one machine uses, so the result is the same to the last bit, in
whatever order they finish. On one machine this costs more than `drift.files`; it is no faster way to do that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from drift.column import ProfileError
from drift.files import profile_file
from drift.profile import Profile, profile_frame
from preprocessing.schema import DomainSchema

Partition = Path | str | Callable[[], Any]
"""A Parquet or CSV file that every worker can read, or what gives a polars, pandas or Arrow table when called there."""

RETRIES = 3
"""How often a partition that could not be read is tried again: files over a network fail for a moment."""

UNLIMITED = 2**62


class Cluster(Protocol):
    """What is asked of a `distributed.Client` (extra `dask`)."""

    def submit(self, func: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Run `func` on some worker; a future, which may stand as an argument of another call."""


def profile_partitions(
    partitions: Sequence[Partition], schema: DomainSchema, client: Cluster, *, reference: Profile | None = None
) -> Profile:
    """The exact profile of all partitions together, or, with a `reference`, counted on its grid (`on_grid_of`).

    A partition whose worker dies is counted again by another one, and is never counted twice. Only profiles travel.
    Raises ProfileError for no partitions, for partitions of different columns, and for a worker with other versions
    than here; whatever reading one raises, with a note that says which; KilledWorker, whose task is called "partition
    N", for one that ended every worker that read it. The client stays open, whatever happens.
    """
    if not partitions:
        raise ProfileError("no partitions: there is nothing to profile")
    run, here = uuid4().hex, versions()
    grid = reference.on_grid_of(reference).to_bytes() if reference else None
    shared = client.submit(_itself, grid, pure=False, retries=RETRIES) if grid else None
    level = [
        client.submit(_count, one, number, schema, shared, here, key=f"partition {number} {run}", retries=RETRIES)
        for number, one in enumerate(partitions)
    ]
    while len(level) > 1:
        pairs = [level[start : start + 2] for start in range(0, len(level), 2)]
        level = [client.submit(_add, *pair, pure=False, retries=RETRIES) if pair[1:] else pair[0] for pair in pairs]
    return Profile.from_bytes(level[0].result())


def versions() -> dict[str, str]:
    """What must be the same on all machines for the same bits to come out."""
    return {name: version(name) for name in ("gradewatch", "numpy", "polars")}


def _itself(content: bytes) -> bytes:
    return content


def _count(
    partition: Partition, number: int, schema: DomainSchema, grid: bytes | None, wanted: Mapping[str, str]
) -> bytes:
    """On a worker: the profile of one partition, the `number`th from 0."""
    if (here := versions()) != wanted:
        raise ProfileError(f"a worker has {here}, the client {dict(wanted)}: install the same everywhere")
    reference = Profile.from_bytes(grid) if grid else None
    try:
        if callable(partition):
            profile = profile_frame(partition(), schema)
        else:
            profile = profile_file(partition, schema, reference=reference, exact_up_to=UNLIMITED)
        return (profile.on_grid_of(reference) if reference else profile).to_bytes()
    except Exception as error:
        error.add_note(f"in partition {number} (the first is 0): {partition}")
        raise


def _add(first: bytes, second: bytes) -> bytes:
    return (Profile.from_bytes(first) + Profile.from_bytes(second)).to_bytes()
