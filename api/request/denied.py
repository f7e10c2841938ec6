"""Denied requests, on their way into the record of access: counted together, written now and then.

An attacker decides how often it is refused, so it must not decide how much is written: at most fifty entries at a time,
and the longer an attack lasts the longer the pauses between them, up to sixty times the first.
"""

import asyncio
from datetime import datetime
from typing import NamedTuple

from access.journal import entry
from clock import now
from database.errors import StoreUnavailable
from database.records import Access
from database.store import AccessLog

ENTRIES_AT_ONCE = 50  # entries in one writing; what does not fit is counted under REST
ANY_OTHER = "(others)"
PAUSE_GROWTH = 60  # times the first pause: the longest one


class DeniedRequest(NamedTuple):
    """What was refused. reason: the kind of refusal; route: as the service calls it, never as it was typed."""

    actor: str
    status: int
    reason: str
    route: str
    address: str


class _Tally:
    """How often, and when first."""

    __slots__ = ("count", "first")

    def __init__(self, first: datetime) -> None:
        self.count = 0
        self.first = first


class DeniedRequests:
    """Refused attempts that wait to be written. To be used from one event loop. pause: the first, in seconds."""

    def __init__(self, journal: AccessLog, *, pause: float = 1.0) -> None:
        self._journal = journal
        self._first_pause = pause
        self._waiting: dict[DeniedRequest, _Tally] = {}

    def note(self, attempt: DeniedRequest) -> None:
        """Count one; it is written later."""
        tally = self._waiting.get(attempt)
        if tally is None:
            if len(self._waiting) >= ENTRIES_AT_ONCE:
                attempt = DeniedRequest(ANY_OTHER, attempt.status, ANY_OTHER, ANY_OTHER, ANY_OTHER)
            tally = self._waiting.setdefault(attempt, _Tally(now()))
        tally.count += 1

    async def keep_writing(self) -> None:
        """Write what waits, for as long as the process lives."""
        pause = self._first_pause
        while True:
            await asyncio.sleep(pause)
            pause = min(2 * pause, PAUSE_GROWTH * self._first_pause) if await self.write() else self._first_pause

    async def write(self) -> int:
        """Write what waits; what the database does not take waits on. How many entries there were."""
        waiting, self._waiting = self._waiting, {}
        if not waiting:
            return 0
        entries = [_entry(attempt, tally) for attempt, tally in waiting.items()]
        try:
            await asyncio.to_thread(self._journal.add_accesses, entries)
        except StoreUnavailable:
            self._put_back(waiting)
        return len(waiting)

    def _put_back(self, waiting: dict[DeniedRequest, _Tally]) -> None:
        later, self._waiting = self._waiting, waiting
        for attempt, tally in later.items():
            if attempt in waiting:
                waiting[attempt].count += tally.count
            elif len(waiting) < ENTRIES_AT_ONCE:
                waiting[attempt] = tally


def _entry(attempt: DeniedRequest, tally: _Tally) -> Access:
    said = {"status": attempt.status, "reason": attempt.reason, "route": attempt.route, "address": attempt.address}
    return entry(attempt.actor, "refused", None, **said, count=tally.count, first=tally.first.isoformat())
