"""Which outcome belongs to which prediction, and the labelled records: against a plain reading of the contract."""

from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from database import matching
from database.records import Batch, BatchRow, LabeledRecord, Outcome, Prediction, new_id, record_id
from database.store import RecordStore
from tests.database.making import after, make_answer, make_batch, make_outcome, make_prediction, make_row

History = tuple[list[Prediction], list[Outcome], list[tuple[Batch, list[BatchRow]]]]

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
            outcomes.append(make_outcome(float(draw(st.integers(0, 3))), draw(instants), **fields))
    batches = []
    for _ in range(draw(st.integers(0, 3))):
        rows = [draw_row(draw, domain, number) for number in range(1, draw(st.integers(1, 4)) + 1)]
        kind = draw(st.sampled_from(["labeled", "labeled", "unlabeled"]))
        batches.append((make_batch(new_id(), draw(instants), domain=domain, kind=kind, rows=len(rows)), rows))
    return predictions, outcomes, batches


def draw_row(draw: st.DrawFn, domain: str, number: int) -> BatchRow:
    student, group, period = draw(students), draw(groups), draw(periods)
    inputs = {"x": draw(st.sampled_from([1.0, 2.0]))}
    known = draw(st.dictionaries(targets, st.integers(0, 9).map(float)))
    record = record_id(domain, student, group, period, inputs)
    row = make_row(number, record=record, student=student, group=group, period=period, inputs=inputs)
    return BatchRow(**{name: getattr(row, name) for name in row.__struct_fields__} | {"targets": known})


def kept_outcomes(given_ones: list[Outcome]) -> list[Outcome]:
    kept: dict[str, Outcome] = {}
    for outcome in given_ones:
        before = kept.get(outcome.id)
        if before is None or (before.at <= outcome.at and before.value != outcome.value):
            kept[outcome.id] = outcome
    return list(kept.values())


def belongs(p: Prediction, target: str, outcomes: list[Outcome]) -> Outcome | None:
    of_target = [o for o in outcomes if o.target == target]
    by_id = [o for o in of_target if o.prediction == p.id]
    about = [o for o in of_target if o.prediction is None and (o.student, o.group) == (p.student, p.group)]
    by_period = [o for o in about if o.period == p.period]
    by_student = [o for o in about if o.period is None]
    some = by_id or by_period or by_student
    return max(some, key=lambda o: (o.at, o.id)) if some else None


def expected_matches(history: History, target: str) -> list[tuple[Prediction, Outcome]]:
    predictions, given_outcomes, _ = history
    newest_first = sorted(predictions, key=lambda p: (p.at, p.id), reverse=True)
    answered = [p for p in newest_first if any(answer.target == target for answer in p.answers)]
    pairs = [(p, belongs(p, target, kept_outcomes(given_outcomes))) for p in answered]
    return [(p, outcome) for p, outcome in pairs if outcome]


def expected_records(history: History, domain: str) -> list[LabeledRecord]:
    predictions, given_outcomes, batches = history
    Seen = tuple[tuple[datetime, str, int, str, datetime, str], str, BatchRow | Prediction, dict[str, float | str]]
    seen: list[Seen] = []
    for batch, rows in batches:
        labeled = [row for row in rows if batch.kind == "labeled" and row.targets]
        seen += [((batch.at, batch.id, r.number, "", after(0), ""), r.record, r, dict(r.targets)) for r in labeled]
    for p in predictions:
        for target in ("marks", "grade"):
            if o := belongs(p, target, kept_outcomes(given_outcomes)):
                record = record_id(domain, p.student, p.group, p.period, p.inputs)
                seen.append(((o.at, "", 0, o.id, p.at, p.id), record, p, {target: o.value}))
    found: dict[str, LabeledRecord] = {}
    for rank, record, row, known in sorted(seen, key=lambda one: one[0], reverse=True):
        if record in found:
            found[record].targets.update({t: v for t, v in known.items() if t not in found[record].targets})  # type: ignore[attr-defined]
        else:
            found[record] = LabeledRecord(
                id=record,
                domain=domain,
                inputs=row.inputs,
                targets=known,
                at=rank[0],
                student=row.student,
                group=row.group,
                period=row.period,
            )
    return list(found.values())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories(), limit=st.integers(0, 4), page=st.sampled_from([1, 2, 500]))
def test_any_history_reads_as_the_contract_says(store: RecordStore, history: History, limit: int, page: int) -> None:
    predictions, outcomes, batches = history
    everything = [*predictions, *outcomes, *(batch for batch, _ in batches)]
    domain = everything[0].domain if everything else "empty"
    store.add_predictions(predictions)
    for outcome in outcomes:
        store.add_outcomes([outcome])
    for batch, rows in batches:
        store.add_batch(batch, rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(matching, "PAGE", page)  # so that small histories cross pages
        for target in ("marks", "grade"):
            expected = expected_matches(history, target)
            assert store.matched(domain, target) == expected
            assert store.matched(domain, target, limit=limit) == expected[:limit]
            since = after(3)
            assert store.matched(domain, target, since=since) == [pair for pair in expected if pair[0].at >= since]
        records = expected_records(history, domain)
        assert store.labeled_records(domain) == records
        for few in {1, 2, limit}:
            assert store.labeled_records(domain, limit=few) == records[:few]
