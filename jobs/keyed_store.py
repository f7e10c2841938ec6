"""The store as one job writes to it: what it adds is known by the job, so that done twice it is there once.

A job that was killed is done again by another worker. Its reports, decisions and entries have ids made of the job's,
and a store leaves a record that is already there as it is.
"""

from collections.abc import Sequence
from typing import Any, cast

from msgspec.structs import replace

from database.records import Access, DecisionRecord, DriftRecord, Job, digest
from database.store import RecordStore


def keyed(store: RecordStore, job: Job, *, several: bool = False) -> RecordStore:
    """`store` as `job` writes to it. several: whether the job makes more than one drift report."""
    return cast(RecordStore, _KeyedStore(store, job, several))


def report_id(job: Job) -> str:
    """The id of the drift report of a job that makes one."""
    return digest([job.id, "report"])


def decision_id(job: Job, target: str, moment: str) -> str:
    """The id of a job's decision about one champion."""
    return digest([job.id, target, moment])


class _KeyedStore:
    """Everything but these four questions is the store's own."""

    def __init__(self, store: RecordStore, job: Job, several: bool) -> None:
        self._store = store
        self._job = job
        self._several = several

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def add_drift_report(self, report: DriftRecord) -> None:
        about = digest([self._job.id, report.reference, report.current]) if self._several else report_id(self._job)
        self._store.add_drift_report(replace(report, id=about))

    def add_decision(self, decision: DecisionRecord) -> None:
        known = decision_id(self._job, decision.target, decision.moment)
        self._store.add_decision(replace(decision, id=known))

    def add_accesses(self, accesses: Sequence[Access]) -> None:
        self._store.add_accesses(
            [replace(one, id=digest([self._job.id, one.action, place])) for place, one in enumerate(accesses)]
        )
