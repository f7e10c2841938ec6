"""How students of a group and period stand, on every store, is what the batches and predictions that are there say."""

from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from clock import new_id
from database.newest import Standing
from database.records import Batch, BatchRow, Prediction
from database.store import RecordStore
from tests.database.making import after, make_batch, make_event, make_prediction, make_row

STUDENTS = ["aaaaaaaa1", "aaaaaaaa2", "aaaaaaab0", "b", "c"]
"""Two of them begin alike, as far as an index holds them."""

PLACED = st.fixed_dictionaries(
    {
        "student": st.sampled_from([*STUDENTS, None]),
        "group": st.sampled_from(["A", "A", "B", None]),
        "period": st.sampled_from(["1", None]),
    }
)


def expected(
    domain: str, group: str, period: str | None, batches: list[tuple[Batch, list[BatchRow]]], asked: list[Prediction]
) -> list[Standing]:
    rows = {
        row.student: (row, batch.id, batch.at)
        for batch, members in batches
        for row in members
        if batch.domain == domain and (row.group, row.period) == (group, period) and row.student is not None
    }
    said: dict[str | None, dict[str, Prediction]] = {}
    for one in sorted(asked, key=lambda one: (one.at, one.id)):
        if (one.domain, one.group, one.period) == (domain, group, period):
            said.setdefault(one.student, {}).update({answer.target: one for answer in one.answers})
    return [Standing(student, *rows[student], said.get(student, {})) for student in sorted(rows)]


@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_each_student_stands_as_the_newest_row_says_and_as_was_answered(
    store: RecordStore, data: st.DataObject
) -> None:
    domains = [new_id(), new_id()]
    batches: list[tuple[Batch, list[BatchRow]]] = []
    asked: list[Prediction] = []
    for step in data.draw(st.lists(st.sampled_from(["rows", "rows", "asked", "gone"]), max_size=8)):
        domain, places = data.draw(st.sampled_from(domains)), data.draw(st.lists(PLACED, min_size=1, max_size=5))
        if step == "rows":
            kind: Any = data.draw(st.sampled_from(["labeled", "unlabeled"]))
            rows = [replace(make_row(n, inputs={"G1": len(batches)}), **place) for n, place in enumerate(places, 1)]
            batch = make_batch(new_id(), after(9 - len(batches)), kind=kind, rows=len(rows), domain=domain)
            store.add_batch(batch, rows)
            batches.append((batch, rows))
        elif step == "asked":
            at = after(data.draw(st.integers(0, 3)))
            made = [make_prediction(at, domain=domain, **place) for place in places if place["student"]]
            store.add_predictions(made)
            asked += made
        elif batches:
            gone = batches.pop(data.draw(st.integers(0, len(batches) - 1)))[0]
            store.remove_batch(gone.id, make_event(domain=gone.domain))
    for domain in domains:
        for group, period in (("A", "1"), ("A", None), ("B", "1"), ("C", "1")):
            found = expected(domain, group, period, batches, asked)
            assert store.standings(domain, group, period) == found
            pages: list[Standing] = []
            while page := store.standings(domain, group, period, after=pages[-1].student if pages else None, limit=2):
                pages += page
            assert pages == found
