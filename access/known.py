"""What is known of one student in a domain: rows, predictions, outcomes, who looked, which models learned from it.

It gathers and changes nothing. Reports, which stand beside this package, tell of themselves (`jobs.holdings`).
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from database.observed import observations_of
from database.records import Access, Batch, BatchKind, BatchRow, Observation, Outcome, Prediction, record_id
from database.store import RecordStore
from errors import Category, GradewatchError
from model.workspace import Workspace

LISTS = ("students listed", "predictions listed")
"""Actions that show many students at once."""

MOST_LISTS = 100_000


class NobodyKnown(GradewatchError):
    """Nothing is kept of a student."""

    category = Category.UNKNOWN


class KnownRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a stored file. batch: its id; file: what its sender called it; at: when it came."""

    batch: str
    file: str
    kind: BatchKind
    at: datetime
    row: BatchRow


class LearnedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that learned from a student's rows. serving: whether it is a champion now."""

    version: str
    target: str
    moment: str
    at: datetime
    serving: bool


class KnownOfStudent(msgspec.Struct, frozen=True, kw_only=True):
    """Everything. student: the pseudonym. looks: entries of the record of access that name the student; lists: those of
    lists in which it may have stood, for they were of its groups, or of all. observations: in every version. objected:
    since when it is not scored."""

    domain: str
    student: str
    predictions: Sequence[Prediction]
    outcomes: Sequence[Outcome]
    rows: Sequence[KnownRow]
    models: Sequence[LearnedModel]
    looks: Sequence[Access]
    lists: Sequence[Access]
    observations: Sequence[Observation] = ()
    objected: datetime | None = None

    @property
    def records(self) -> frozenset[str]:
        """The identities of its rows, under which models remember what they learned."""
        asked = (record_id(self.domain, one.student, one.group, one.period, one.inputs) for one in self.predictions)
        return frozenset([*asked, *(one.row.record for one in self.rows)])


def known_of(workspace: Workspace, domain: str, student: str) -> KnownOfStudent | None:
    """All that is known of a student (a pseudonym) in a domain; None where that is nothing."""
    store = workspace.store
    batches = {batch.id: batch for batch in store.batches(domain)}
    rows = [_row(batches[batch], row) for batch, row in store.student_rows(domain, student) if batch in batches]
    predictions = store.predictions(domain, student=student)
    objection = workspace.objections.of(student)
    known = KnownOfStudent(
        domain=domain,
        student=student,
        predictions=predictions,
        outcomes=store.student_outcomes(domain, student),
        rows=sorted(rows, key=lambda one: (one.at, one.batch, one.row.number)),
        models=(),
        looks=store.student_accesses(domain, student),
        lists=(),
        observations=observations_of(store, domain, student),
        objected=objection.at if objection else None,
    )
    if not (predictions or known.outcomes or rows or known.looks or known.observations):
        return None
    groups = {one.group for one in predictions}
    lists = [one for one in _lists(store, domain) if predictions and _may_have_shown(one, groups, predictions)]
    return msgspec.structs.replace(known, models=learned_from(workspace, domain, known.records), lists=lists)


def _row(batch: Batch, row: BatchRow) -> KnownRow:
    return KnownRow(batch=batch.id, file=batch.name, kind=batch.kind, at=batch.at, row=row)


def _lists(store: RecordStore, domain: str) -> list[Access]:
    found = store.accesses(domain=domain, limit=MOST_LISTS)
    return [one for one in found if one.action in LISTS and "student" not in one.details]


def _may_have_shown(one: Access, groups: Iterable[str | None], predictions: Sequence[Prediction]) -> bool:
    """A list of its groups, or of all, made when there was something to show."""
    shown = one.details.get("groups")
    return one.at >= min(p.at for p in predictions) and (shown is None or any(group in shown for group in groups))


def learned_from(workspace: Workspace, domain: str, records: Iterable[str]) -> list[LearnedModel]:
    """The models that learned from one of these rows, the newest first; of one whose files are gone nobody knows."""
    wanted = set(records)
    serving = {one.version for one in workspace.store.champions()}
    found = []
    for model in workspace.store.models() if wanted else ():
        learned = workspace.learned(model.version) if model.domain == domain else None
        if learned is not None and any(one in learned.records for one in wanted):
            found.append(
                LearnedModel(
                    version=model.version,
                    target=model.target,
                    moment=model.moment,
                    at=model.at,
                    serving=model.version in serving,
                )
            )
    return found


def known_everywhere(workspace: Workspace, student: str, domains: Sequence[str] = ()) -> Mapping[str, KnownOfStudent]:
    """By domain, of these or of all, where anything is known. Raises NobodyKnown where that is nowhere."""
    asked = domains or sorted(workspace.schemas)
    found = {domain: known for domain in asked if (known := known_of(workspace, domain, student))}
    if not found:
        raise NobodyKnown(f"nothing is known of this student in {', '.join(asked)}")
    return found
