"""All that is kept of one student is found, and erased so that nothing else changes, on every store."""

from collections.abc import Callable
from pathlib import Path

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from clock import new_id
from database.layout import write_json
from database.records import Outcome
from database.sqlite_log import SEARCHED_AT_ONCE, DatabaseFile
from database.store import KINDS, NOBODY_NAMED, RecordStore
from tests.database.making import (
    after,
    ask,
    make_access,
    make_batch,
    make_event,
    make_observation,
    make_outcome,
    make_packed,
    make_prediction,
    make_row,
)

STUDENTS = ["0a" * 32, "1b" * 32, "2c" * 32]
generated = settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
WHOSE = st.lists(st.sampled_from([*STUDENTS, None]), min_size=4, max_size=4)


def exported(store: RecordStore) -> dict[str, dict[str, bytes]]:
    return {kind: dict(store.export(kind)) for kind in KINDS}


def keep(store: RecordStore, single: list[str | None], packed: list[str | None], rows: list[str | None]) -> None:
    """Predictions one by one and by column, two batches, outcomes of both forms, and looks, in two domains."""
    names = new_id()
    for domain in ("school", "k12"):
        asked = [make_prediction(after(n), student=one, domain=domain) for n, one in enumerate(single)]
        common = make_packed().common._replace(domain=domain)
        many = make_packed(4, common=common, students=packed, groups=["A"] * 4)
        store.add_predictions(asked, [many])
        store.add_outcomes([make_outcome(student=one, domain=domain) for one in {*single} - {None}])
        store.add_outcomes([make_outcome(prediction=one.id, domain=domain) for one in (*asked, *many)])
        for batch in "ab":
            made = [make_row(n + 1, student=one) for n, one in enumerate(rows)]
            store.add_batch(make_batch(f"{names}{domain}{batch}", domain=domain, rows=4), made)
        store.add_observations([make_observation(one, domain=domain, event=names) for one in (*STUDENTS, "")])
        store.add_accesses([make_access(domain=domain, details={"student": one}) for one in STUDENTS])


@generated
@given(single=WHOSE, packed=WHOSE, rows=WHOSE)
def test_one_student_is_erased_and_everything_else_stays_as_it_was(
    store: RecordStore, single: list[str | None], packed: list[str | None], rows: list[str | None]
) -> None:
    keep(store, single, packed, rows)
    who, here = STUDENTS[0], "school"
    before = exported(store)
    predictions = store.predictions(here, student=who)
    outcomes, mine = store.student_outcomes(here, who), store.student_rows(here, who)
    looks = store.student_accesses(here, who)
    ids = {one.id for one in predictions}
    known = [msgspec.json.decode(one, type=Outcome) for one in before["outcomes"].values()]
    wanted = [one for one in known if one.domain == here and (one.student == who or one.prediction in ids)]
    assert sorted(map(write_json, outcomes)) == sorted(map(write_json, wanted))
    event = store.erase_student(here, who, make_event(domain=here))
    seen = {key for key in before["observations"] if key.startswith(f"{here}\t{who}\t")}
    count = len(predictions) + len(outcomes) + len(mine) + len(seen)
    assert (event.details["count"] if event else 0) == count
    now = exported(store)
    expected = {kind: dict(documents) for kind, documents in before.items()}
    for kind, gone in (("predictions", ids), ("observations", seen), ("outcomes", {one.id for one in outcomes})):
        expected[kind] = {key: one for key, one in before[kind].items() if key not in gone}
    for batch, row in mine:
        [(key, _)] = [pair for pair in before["batch_rows"].items() if pair[0] == f"{batch}\t{row.number:09d}"]
        expected["batch_rows"].pop(key)
    fewer = [one.batch for one in mine]
    for batch in set(fewer):
        kept = msgspec.json.decode(before["batches"][batch])
        expected["batches"][batch] = msgspec.json.encode(
            kept | {"rows": kept["rows"] - fewer.count(batch)}, order="sorted"
        )
    for look in looks:
        expected["accesses"][look.id] = write_json(replace(look, details={"student": NOBODY_NAMED}))
    if event:
        expected["events"][event.id] = write_json(event)
    assert now == expected
    assert store.erase_student(here, who, make_event(domain=here)) is None
    assert (store.predictions(here, student=who), store.student_outcomes(here, who)) == ([], [])
    assert (store.student_rows(here, who), store.student_accesses(here, who)) == ([], [])
    assert who not in {one.student for one in store.newest_answers(here, "G3")}
    store.erase_student("k12", who, make_event(domain="k12"))


def test_what_was_erased_lies_in_no_byte_of_the_database(sqlite_url: str, opened: Callable[[str], RecordStore]) -> None:
    store = opened(sqlite_url)
    who, path = "9d" * 32, sqlite_url.removeprefix("sqlite:///")
    others = [f"{n:064x}" for n in range(3_000)]
    for n in range(0, 3_000, 500):
        part = [*others[n : n + 250], who, *others[n + 251 : n + 500]]
        store.add_predictions(batches=[make_packed(500, students=part)])
        store.add_predictions([make_prediction(after(n), student=who, inputs={"said": "a word of its own"})])
        store.newest_answers("school", "G3")  # keys in no order: pages of its indexes are parted
    store.add_batch(make_batch("b"), [make_row(1, student=who, inputs={"said": "a word of its own"})])
    store.add_outcomes([make_outcome(student=who)])
    store.add_accesses([make_access(domain="school", details={"student": who})])
    traces = [who.encode(), b"a word of its own", b"town 250"]

    def left() -> list[bytes]:
        files = [one.read_bytes() for one in Path(path).parent.iterdir() if one.is_file()]
        return [trace for trace in traces if any(trace in content for content in files)]

    assert left() == traces
    store.erase_student("school", who, make_event(domain="school"))
    store.wipe([who])
    assert left() == []
    assert ask(sqlite_url, "PRAGMA integrity_check") == [("ok",)]
    assert len(store.predictions("school")) == 3_000 - 6


def test_a_text_is_found_wherever_it_stands_in_a_file(tmp_path: Path) -> None:
    path, text = tmp_path / "file", b"9d" * 32
    for start in range(SEARCHED_AT_ONCE - len(text) - 1, SEARCHED_AT_ONCE + 2, 5):
        path.write_bytes(bytes(start) + text + bytes(SEARCHED_AT_ONCE))
        assert DatabaseFile(path)._holds([text, b"another"])
        assert not DatabaseFile(path)._holds([text + b"9"])
