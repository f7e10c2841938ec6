"""Whom a write is allowed to: the worker that holds a job, by the token of its claim. Nothing here knows a database."""

from typing import NamedTuple

from database.errors import LostJob

SECOND = 1_000_000
"""In the microseconds that leases are kept in."""


class Fence(NamedTuple):
    """What must hold when something is written: the job `id` is still held under `token`."""

    id: str
    token: int


def lost(id: str) -> LostJob:
    """That whoever wants to write does not hold the job any more."""
    return LostJob(f"job {id} is not held any more: its lease ran out, it was ended, or another worker has it")
