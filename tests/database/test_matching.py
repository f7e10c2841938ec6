"""Which outcome belongs to which prediction, and the labelled records: against a plain reading of the contract."""

from datetime import datetime
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from clock import new_id
from database import layout
from database.pairs import Pair
from database.records import Batch, BatchRow, LabeledRecord, Outcome, Prediction, record_id
from database.store import RecordStore
from tests.database.making import (
    NOON,
    after,
    make_answer,
    make_batch,
    make_event,
    make_outcome,
    make_prediction,
    make_row,
)

Upload = tuple[Batch, list[BatchRow]]


class Withdrawn(NamedTuple):
    """From here on it is as if nobody had ever said this."""

    outcome: Outcome


History = list[Prediction | Outcome | Upload | Withdrawn]
"""What came in, in this order; its times say nothing of that."""

students = st.sampled_from(["ann", "ben", None])
groups = st.sampled_from(["A", "A", None])
periods = st.sampled_from(["1", "2", None])
targets = st.sampled_from(["marks", "grade"])


@st.composite
def histories(draw: st.DrawFn) -> History:
    """A small past in which few students, periods and instants make many collisions."""
    domain = new_id()
    instants = st.integers(0, 6).map(after)
    predictions = [
        make_prediction(
            draw(instants),
            domain=domain,
            student=draw(students),
            group=draw(groups),
            period=draw(periods),
            inputs={"x": draw(st.sampled_from([1.0, 2.0]))},
            answers=tuple(make_answer(target) for target in draw(st.sets(targets))),
            shadow=tuple(make_answer(target) for target in draw(st.sets(targets))),
        )
        for _ in range(draw(st.integers(0, 6)))
    ]
    outcomes = []
    for _ in range(draw(st.integers(0, 6))):
        fields = {"domain": domain, "target": draw(targets)}
        fields |= {"student": draw(students), "group": draw(groups), "period": draw(periods)}
        if predictions and (fields["student"] is None or draw(st.booleans())):
            fields["prediction"] = draw(st.sampled_from(predictions)).id  # and then the student counts for nothing
        if fields["student"] or fields.get("prediction"):
            fields["happened_at"] = draw(st.none() | instants)
            outcomes.append(make_outcome(float(draw(st.integers(0, 3))), draw(instants), **fields))
    batches = []
    for _ in range(draw(st.integers(0, 3))):
        rows = [draw_row(draw, domain, number) for number in range(1, draw(st.integers(1, 4)) + 1)]
        kind = draw(st.sampled_from(["labeled", "labeled", "unlabeled"]))
        batches.append((make_batch(new_id(), draw(instants), domain=domain, kind=kind, rows=len(rows)), rows))
    withdrawn = [Withdrawn(one) for one in outcomes if draw(st.booleans())]
    return list(draw(st.permutations([*predictions, *outcomes, *batches, *withdrawn])))


def draw_row(draw: st.DrawFn, domain: str, number: int) -> BatchRow:
    student, group, period = draw(students), draw(groups), draw(periods)
    inputs = {"x": draw(st.sampled_from([1.0, 2.0]))}
    known = draw(st.dictionaries(targets, st.integers(0, 9).map(float)))
    record = record_id(domain, student, group, period, inputs)
    row = make_row(number, record=record, student=student, group=group, period=period, inputs=inputs)
    return BatchRow(**{name: getattr(row, name) for name in row.__struct_fields__} | {"targets": known})


class Known(NamedTuple):
    """An outcome as it is kept: the step of the history at which it first came in, and that of its present value."""

    outcome: Outcome
    first: int
    newest: int


def kept_outcomes(history: History) -> list[Known]:
    kept: dict[str, Known] = {}
    for step, outcome in enumerate(history):
        wrong = [(one[0].id, one[0].value) for one in history[step:] if isinstance(one, Withdrawn)]
        if isinstance(outcome, Outcome) and (outcome.id, outcome.value) not in wrong:
            old = kept.get(outcome.id, Known(outcome, step, step))
            now = replace(outcome, happened_at=outcome.happened_at or old.outcome.happened_at)
            same = (old.outcome.value, old.outcome.happened_at) == (now.value, now.happened_at)
            kept[outcome.id] = old if same else Known(now, old.first, step)
    return list(kept.values())


def belongs(p: Prediction, target: str, history: History) -> Known | None:
    of_target = [o for o in kept_outcomes(history) if o.outcome.target == target]
    by_id = [o for o in of_target if o.outcome.prediction == p.id]
    own = [o for o in of_target if o.outcome.prediction is None and o.outcome.student == p.student]
    about = [o for o in own if o.outcome.group == p.group]
    by_period = [o for o in about if o.outcome.period == p.period]
    by_student = [o for o in about if o.outcome.period is None]
    some = by_id or by_period or by_student or ([*own] if by_student_alone(p, own, history) else [])
    return max(some, key=lambda o: o.newest) if some else None


def by_student_alone(p: Prediction, own: list[Known], history: History) -> bool:
    if len(own) != 1 or not p.student:
        return False
    ((outcome, first, _),) = own
    asked = [q for q in history[:first] if isinstance(q, Prediction) and q.student == p.student]
    agree = all(one is None or other is None or one == other
                for one, other in ((p.group, outcome.group), (p.period, outcome.period)))  # fmt: skip
    return agree and {(q.group, q.period) for q in asked} == {(p.group, p.period)}


def expected_pairs(history: History, target: str) -> list[Pair]:
    answered = [p for p in history if isinstance(p, Prediction) and any(a.target == target for a in p.answers)]
    found = [(p, belongs(p, target, history)) for p in sorted(answered, key=lambda p: (p.at, p.id), reverse=True)]
    return [
        Pair(p, o.outcome, history.index(p) < o.first and (not (at := o.outcome.happened_at) or p.at < at))
        for p, o in found
        if o
    ]


def expected_records(history: History, domain: str) -> list[LabeledRecord]:
    Seen = tuple[tuple[int, int, datetime, str], datetime, str, BatchRow | Prediction, dict[str, float | str]]
    seen: list[Seen] = []
    for step, one in enumerate(history):
        if isinstance(one, tuple) and isinstance(one[0], Batch) and one[0].kind == "labeled":
            batch, rows = one  # type: ignore[misc]
            seen += [((step, r.number, NOON, ""), batch.at, r.record, r, dict(r.targets)) for r in rows if r.targets]
        elif isinstance(one, Prediction):
            for target in ("marks", "grade"):
                if o := belongs(one, target, history):
                    record = record_id(domain, one.student, one.group, one.period, one.inputs)
                    seen.append(((o.newest, 0, one.at, one.id), o.outcome.at, record, one, {target: o.outcome.value}))
    found: dict[str, LabeledRecord] = {}
    for rank, at, record, row, known in sorted(seen, key=lambda one: one[0], reverse=True):
        if record in found:
            found[record].targets.update({t: v for t, v in known.items() if t not in found[record].targets})  # type: ignore[attr-defined]
        else:
            found[record] = LabeledRecord(
                id=record,
                domain=domain,
                inputs=row.inputs,
                targets=known,
                at=at,
                student=row.student,
                group=row.group,
                period=row.period,
                receipt=rank[0],
            )
    return list(found.values())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories(), limit=st.integers(0, 4), page=st.sampled_from([1, 2, 500]))
def test_any_history_reads_as_the_contract_says(store: RecordStore, history: History, limit: int, page: int) -> None:
    first = history[0] if history else make_prediction(domain="empty")
    domain = first[0].domain if isinstance(first, tuple) else first.domain
    for one in history:
        if isinstance(one, Prediction):
            store.add_predictions([one])
        elif isinstance(one, Outcome):
            store.add_outcomes([one])
        elif isinstance(one, Withdrawn):
            store.remove_outcomes(domain, [one.outcome], make_event())
        else:
            store.add_batch(*one)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "PAGE", page)  # so that small histories cross pages
        for target in ("marks", "grade"):
            expected = expected_pairs(history, target)
            assert store.pairs(domain, target) == expected
            assert store.pairs(domain, target, limit=limit) == expected[:limit]
            since = after(3)
            assert store.pairs(domain, target, since=since) == [pair for pair in expected if pair[0].at >= since]
        records = expected_records(history, domain)
        for few in {None, 1, 2, limit}:
            assert ranked(store.labeled_records(domain, limit=few)) == ranked(records[:few])


def ranked(records: list[LabeledRecord]) -> list[LabeledRecord]:
    """Receipts go on counting from example to example: only their order is known beforehand."""
    receipts = sorted({record.receipt for record in records})
    return [replace(record, receipt=receipts.index(record.receipt)) for record in records]
