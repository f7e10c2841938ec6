"""Records of students who were helped before their outcome: what became of them is not what becomes of others, and a
model that learns from it unlearns whom to help.

Which of them teach and judge, a policy says; how large their share is, is told at each retraining.
"""

import hashlib
from collections.abc import Sequence
from typing import NamedTuple

from advice.case_steps import CaseStep, helps
from advice.cases import CASE_KIND, cases_of
from clock import new_id, now
from database.layout import parts
from database.newest import place_of
from database.records import Event, LabeledRecord
from database.store import RecordStore

HELPED_EVENT = "helped_among_records"
"""The kind of the events that say how many of the records to learn from are of helped students."""

HELPED_LEFT_OUT = "rows of students who were helped, whose outcome is not what it would have been"


class LearnedFrom(NamedTuple):
    """records: that teach and judge; left_out: that do neither. helped: how many of both are of helped students."""

    records: list[LabeledRecord]
    left_out: list[LabeledRecord]
    helped: int


def unhelped(store: RecordStore, domain: str, records: Sequence[LabeledRecord], share: float) -> LearnedFrom:
    """The records without those of helped students, of which `share` stays: a weight, given by lot, the same for each
    record at every call."""
    helped = _helped(store, domain, records)
    apart = {one for one in helped if _lot(one) >= share}
    kept = [one for one in records if one.id not in apart]
    return LearnedFrom(kept, [one for one in records if one.id in apart], len(helped))


def _helped(store: RecordStore, domain: str, records: Sequence[LabeledRecord]) -> set[str]:
    """Ids of the records of students who were helped there before the outcome came in."""
    if not store.newest_documents(CASE_KIND, limit=1):
        return set()
    of_student: dict[str, list[LabeledRecord]] = {}
    for one in records:
        if one.student is not None:
            of_student.setdefault(one.student, []).append(one)
    return {
        one.id
        for students in parts(of_student)
        for student, case in cases_of(store, domain, list(students)).items()
        for one in of_student[student]
        if any(_helped_there(step, one) for step in case.steps)
    }


def _helped_there(step: CaseStep, record: LabeledRecord) -> bool:
    here = step.place == place_of(record.group, record.period)
    return here and helps(step) and step.began <= record.at.date()


def _lot(record: str) -> float:
    return int.from_bytes(hashlib.sha256(record.encode()).digest()[:6], "big") / 2**48


def tell_helped(store: RecordStore, domain: str, found: LearnedFrom) -> None:
    """Keep how many there were, where that is another number than last time."""
    records = len(found.records) + len(found.left_out)
    told = {"records": records, "helped": found.helped, "left_out": len(found.left_out)}
    last = next(iter(store.events(domain, kind=HELPED_EVENT, limit=1)), None)
    known = {"records": 0, "helped": 0, "left_out": 0} if last is None else dict(last.details)
    if records and told != known and (found.helped or known["helped"]):
        store.add_event(Event(id=new_id(), kind=HELPED_EVENT, at=now(), domain=domain, details=told))
