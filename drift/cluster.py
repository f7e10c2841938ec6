"""The profile of more rows than one machine should read: partitions are counted on a Dask cluster and added in a tree.

Each partition goes through the very functions that one machine uses, so the result is the same to the last bit, in
whatever order they finish. On one machine this costs more than `drift.files`; it is no faster way to do that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from drift.column import ProfileError
from drift.files import profile_file
from drift.profile import Profile, profile_frame
from preprocessing.schema import DomainSchema

Partition = Path | str | Callable[[], Any]
"""A Parquet or CSV file that every worker can read, or what gives a polars, pandas or Arrow table when called there."""

RETRIES = 3
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
    Raises ProfileError for no partitions, for partitions of different columns, and whatever reading one raises.
    """
    if not partitions:
        raise ProfileError("no partitions: there is nothing to profile")
    grid = reference.on_grid_of(reference).to_bytes() if reference else None
    found = client.submit(_itself, grid, pure=False, retries=RETRIES) if grid else None
    level = [client.submit(_count, one, schema, found, pure=False, retries=RETRIES) for one in partitions]
    while len(level) > 1:
        pairs = [level[start : start + 2] for start in range(0, len(level), 2)]
        level = [client.submit(_add, *pair, pure=False, retries=RETRIES) if pair[1:] else pair[0] for pair in pairs]
    return Profile.from_bytes(level[0].result())


def _itself(content: bytes) -> bytes:
    return content


def _count(partition: Partition, schema: DomainSchema, grid: bytes | None) -> bytes:
    if callable(partition):
        profile = profile_frame(partition(), schema)
    else:
        profile = profile_file(partition, schema, exact_up_to=UNLIMITED)
    return (profile.on_grid_of(Profile.from_bytes(grid)) if grid else profile).to_bytes()


def _add(first: bytes, second: bytes) -> bytes:
    return (Profile.from_bytes(first) + Profile.from_bytes(second)).to_bytes()
