"""Removing what has been kept as long as it may be: predictions, outcomes, rows of files, observations, drift reports,
reports on courses, cases, looks.

How long that is, the settings say; without a word everything is kept. Done twice it removes nothing more.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec

from advice.cases import CASE_KIND
from clock import now
from database.observed import DEAD_LETTERS
from database.records import Event, digest
from database.seals import before_forgetting
from database.store import RecordStore
from monitoring.profile_names import PROFILE_KIND, batch_name, day_name

KEPT_ENOUGH = "kept long enough"
"""The kind of the events that say how much was removed."""

REMOVED_TOGETHER = 2_000
"""Predictions or outcomes of one transaction: others wait for it."""


class Periods(msgspec.Struct, frozen=True, kw_only=True):
    """For how many days each kind is kept, from when it came in, cases from their newest step; None: for good."""

    predictions: int | None = None
    outcomes: int | None = None
    batches: int | None = None
    reports: int | None = None
    cohort_reports: int | None = None
    observations: int | None = None
    cases: int | None = None
    accesses: int | None = None

    def __bool__(self) -> bool:
        return any(getattr(self, name) is not None for name in self.__struct_fields__)


def keep(store: RecordStore, domains: Collection[str], periods: Periods, at: datetime) -> dict[str, int]:
    """Remove what is older, by kind how much. at: the time that it is."""
    removed: dict[str, int] = {}
    dropped = _parts_of_the_log(store, domains, periods.predictions, at)
    for kind, forget in (("predictions", _predictions), ("outcomes", _outcomes), ("batches", _batches)):
        if (days := getattr(periods, kind)) is not None:
            removed[kind] = sum(forget(store, domain, at - timedelta(days=days), days) for domain in domains)
    if dropped:
        removed["predictions"] += dropped
    if periods.observations is not None:
        old = at - timedelta(days=periods.observations)
        removed["observations"] = sum(store.remove_observations(domain, old) for domain in domains)
        for letter in (one for domain in domains for one in store.documents(DEAD_LETTERS, domain=domain, until=old)):
            store.remove_document(DEAD_LETTERS, letter.name)
    if periods.reports is not None:
        removed["reports"] = store.forget("drift_reports", at - timedelta(days=periods.reports))
    if (days := periods.cohort_reports) is not None:
        removed["cohort_reports"] = sum(_cohort_reports(store, domain, at, days) for domain in domains)
    if (days := periods.cases) is not None:
        removed["cases"] = sum(_cases(store, domain, at - timedelta(days=days), days) for domain in domains)
    if periods.accesses is not None:
        before_forgetting(store, at - timedelta(days=periods.accesses))
        removed["accesses"] = store.forget("accesses", at - timedelta(days=periods.accesses))
    return removed


def _parts_of_the_log(store: RecordStore, domains: Collection[str], days: int | None, at: datetime) -> int:
    """What goes at once, where the log has months."""
    if days is None:
        return 0
    before = at - timedelta(days=days)
    gone = store.drop_predictions(domains, before, lambda domain, part: _event(domain, "predictions", days, [part]))
    for one in gone:
        _remove_profiles(store, {day_name(one.domain, day) for day in one.days})
    return sum(one.predictions for one in gone)


def _predictions(store: RecordStore, domain: str, before: datetime, days: int) -> int:
    removed = 0
    while found := store.predictions(domain, until=before, limit=REMOVED_TOGETHER):
        ids = [one.id for one in found]
        told = store.remove_predictions(domain, ids, _event(domain, "predictions", days, ids))
        removed += told.details["count"] if told else 0
        _remove_profiles(store, {day_name(domain, one.at.date()) for one in found})
    return removed


def _outcomes(store: RecordStore, domain: str, before: datetime, days: int) -> int:
    removed = 0
    while old := [one for one in store.oldest_outcomes(domain, REMOVED_TOGETHER) if one.at < before]:
        told = store.remove_outcomes(domain, old, _event(domain, "outcomes", days, [one.id for one in old]))
        removed += told.details["count"] if told else 0
    return removed


def _batches(store: RecordStore, domain: str, before: datetime, days: int) -> int:
    old = [one for one in store.batches(domain) if one.at < before]
    for one in old:
        store.remove_batch(one.id, _event(domain, "batch", days, [one.id]))
        _remove_profiles(store, [batch_name(one)])
    return len(old)


def _cohort_reports(store: RecordStore, domain: str, at: datetime, days: int) -> int:
    from reports.keeping import forget_reports  # with numpy, which a worker does without that makes no reports

    gone = forget_reports(store, domain, at - timedelta(days=days), at)
    if gone:
        told = _event(domain, "cohort report", days, [one.id for one in gone])
        store.add_event(msgspec.structs.replace(told, details={**told.details, "count": len(gone)}))
    return len(gone)


def _cases(store: RecordStore, domain: str, before: datetime, days: int) -> int:
    gone = [one.name for one in store.documents(CASE_KIND, domain=domain, until=before)]
    for name in gone:
        store.remove_document(CASE_KIND, name)
    if gone:
        told = _event(domain, "cases", days, gone)
        store.add_event(msgspec.structs.replace(told, details={**told.details, "count": len(gone)}))
    return len(gone)


def _remove_profiles(store: RecordStore, names: Iterable[str]) -> None:
    for name in names:
        store.remove_document(PROFILE_KIND, name)


def _event(domain: str, kind: str, days: int, ids: Collection[str]) -> Event:
    details: dict[str, Any] = {"kind": kind, "reason": f"kept for {days} days"}
    about = digest([KEPT_ENOUGH, kind, *ids, now().isoformat()])
    return Event(id=about, kind=KEPT_ENOUGH, at=now(), domain=domain, details=details)
