"""What time it is in an installation, and the ids that sort by it: the one clock of everything that is kept.

It is the machine's, but where an installation has a clock of its own: then its code calls `live_by` before it works.
Time limits, leases on other databases' servers, files and traces go by clocks of their own.
"""

import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Tells the present moment: aware, UTC. Safe to be asked by several threads."""

_clock: ContextVar[Clock | None] = ContextVar("clock", default=None)


def now() -> datetime:
    """The present moment, aware, UTC, in whole microseconds (what every database keeps)."""
    own = _clock.get()
    return datetime.now(UTC) if own is None else own()


def live_by(clock: Clock | None) -> None:
    """From here on this thread (or task, with those it starts) lives by `clock`; None: by the machine's."""
    _clock.set(clock)


@contextmanager
def living_by(clock: Clock) -> Iterator[None]:
    """Live by `clock` within the block."""
    token = _clock.set(clock)
    try:
        yield
    finally:
        _clock.reset(token)


def new_id() -> str:
    """A fresh 32-digit hex id that sorts by time of making (as UUIDv7, RFC 9562: 48 bits of ms, 80 of chance)."""
    return f"{_milliseconds():012x}{os.urandom(10).hex()}"


def new_ids(count: int) -> list[str]:
    """`count` ids as `new_id` makes them, in their order: rows of one batch are neighbours in every index. The first
    32 of their bits of chance count them (RFC 9562, 6.2)."""
    ids = bytearray(os.urandom(16 * count))
    for place, byte in enumerate(_milliseconds().to_bytes(6, "big")):
        ids[place::16] = bytes([byte]) * count
    numbers = struct.pack(f">{count}I", *range(count))
    for place in range(4):
        ids[6 + place :: 16] = numbers[place::4]
    return ids.hex("\n", 16).split("\n")[:count]


def _milliseconds() -> int:
    """Since 1970."""
    own = _clock.get()
    return time.time_ns() // 1_000_000 if own is None else int(own().timestamp() * 1000)
