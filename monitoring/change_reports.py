"""Reports of what changed for students after a promotion, another warning policy, or a load of data: a job makes them,
and they are kept.

A report names nobody. When one is due, `monitoring.change_causes` says; each begins where the one before ended, so that
nothing is told twice.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

import msgspec

from clock import now
from database.errors import Conflict
from database.records import Before, Document
from database.store import RecordStore
from model.workspace import Workspace
from monitoring.change_causes import ChangeCause, changes_due, keep_told, stands, told_of
from monitoring.what_changed import WhatChanged, what_changed
from preprocessing.schema import DomainSchema, Target

CHANGES_IN = "changes in "
"""The beginning of the kind of the documents of a domain, one of each report."""

MOST_REPORTED = 200_000  # students of a domain; of more a report would take a worker's memory


class ChangeReport(msgspec.Struct, frozen=True, kw_only=True):
    """What changed about a target between two times, and what was the cause to look. found: without single
    students."""

    id: str
    at: datetime
    causes: tuple[ChangeCause, ...]
    found: WhatChanged

    @property
    def domain(self) -> str:
        return self.found.domain


def report_changes(workspace: Workspace, schema: DomainSchema, target: Target, *, id: str) -> ChangeReport | None:
    """Look, and keep what is found. None where nothing is due any more, nobody has an answer, or too many have. id: of
    the report; done again under the same it is the same."""
    store, at = workspace.store, now()
    kept = store.document(CHANGES_IN + schema.name, id)
    if kept is not None:
        return msgspec.convert(dict(kept.body), ChangeReport)
    told = told_of(store, schema.name, target.name)
    causes = changes_due(store, schema.name, target.name, told, at) if told else ()
    if told is None or not causes:
        return None
    store.catch_up_newest()
    present, made = stands(store, schema.name, target.name, at), None
    if _students(store, schema, target) <= MOST_REPORTED:
        found = what_changed(workspace, schema, target, told.at, most=0, serving_then=True)
        if found.students:
            made = ChangeReport(id=id, at=at, causes=causes, found=found)
            _keep_report(store, made)
    keep_told(store, schema.name, target.name, present, told.revision + 1)
    return made


def change_reports(
    store: RecordStore, domain: str, *, before: Before | None = None, limit: int = 50
) -> Sequence[ChangeReport]:
    """Those of a domain, newest first."""
    found = store.newest_documents(CHANGES_IN + domain, before=before, limit=limit)
    return [msgspec.convert(dict(one.body), ChangeReport) for one in found]


def _keep_report(store: RecordStore, made: ChangeReport) -> None:
    body = msgspec.to_builtins(made)
    with suppress(Conflict):  # another process made the same
        store.put_document(
            Document(kind=CHANGES_IN + made.domain, name=made.id, revision=1, at=made.at, domain=made.domain, body=body)
        )


def _students(store: RecordStore, schema: DomainSchema, target: Target) -> int:
    counts = store.count_newest(schema.name, target.name)
    return counts.known + sum(counts.without.values())
