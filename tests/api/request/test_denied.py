"""Attackers do not decide how much is written of what they try."""

import asyncio

from api.request.denied import ENTRIES_AT_ONCE, DeniedRequest, DeniedRequests
from database.errors import StoreUnavailable
from database.records import Access


class Journal:
    """Entries in memory, of a database that can be away."""

    def __init__(self) -> None:
        self.entries: list[Access] = []
        self.calls: list[int] = []
        self.gone = False

    def add_accesses(self, entries: list[Access]) -> None:
        if self.gone:
            raise StoreUnavailable("gone")
        self.calls.append(len(entries))
        self.entries += entries


def refuse(denied: DeniedRequests, number: int) -> None:
    for one in range(number):
        denied.note(DeniedRequest(f"key:{one}", 401, "Unauthenticated", "GET /x", f"10.0.{one // 256}.{one % 256}"))


def test_attackers_do_not_decide_how_much_is_written() -> None:
    journal = Journal()
    denied = DeniedRequests(journal)  # type: ignore[arg-type]
    refuse(denied, 10_000)
    assert asyncio.run(denied.write()) == ENTRIES_AT_ONCE + 1
    assert sum(entry.details["count"] for entry in journal.entries) == 10_000
    assert asyncio.run(denied.write()) == 0
    assert journal.calls == [ENTRIES_AT_ONCE + 1]


def test_what_the_database_does_not_take_waits_within_bounds() -> None:
    journal = Journal()
    denied = DeniedRequests(journal)  # type: ignore[arg-type]
    journal.gone = True
    for _ in range(20):
        refuse(denied, 100)
        asyncio.run(denied.write())
    journal.gone = False
    asyncio.run(denied.write())
    assert sum(entry.details["count"] for entry in journal.entries) == 2000
    assert len(journal.entries) <= ENTRIES_AT_ONCE + 1
