"""A log that cannot be edited unseen, on every store: what was changed, dropped, put in or reordered is found, what an
erasure or its age took away is not held against it, and writers at once fork no chain."""

from base64 import b64decode, b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from clock import new_id, now
from database import seals
from database.errors import Damaged
from database.layout import key_of, write_json
from database.mongo import MongoStore
from database.seals import (
    AFTER_ERASURE,
    BLOCK_KIND,
    SALT_KIND,
    before_erasure,
    before_forgetting,
    blocks,
    seal,
    seal_all,
    verify,
)
from database.sql import SqlStore
from database.store import RecordStore
from jobs.render import verified_lines
from tests.database.making import make_access, make_decision, make_event, make_prediction, make_succession

NAMES = {"accesses": "Access", "events": "Event", "decisions": "DecisionRecord"}
HOUR = timedelta(hours=1)
BEGUN = now() - 9 * HOUR


def fill(store: RecordStore, hour: int, rows: int = 4) -> list[Any]:
    """Rows of an hour, of every kind."""
    at = [BEGUN + hour * HOUR + timedelta(minutes=n) for n in range(rows)]
    looks = [make_access(one, domain="school", details={"student": f"{n:032x}"}) for n, one in enumerate(at)]
    events, decisions = [make_event(one) for one in at], [make_decision(one) for one in at]
    store.add_accesses(looks)
    for event in events:
        store.add_event(event)
    for decision in decisions:
        store.add_decision(decision)
    return [*looks, *events, *decisions]


def put(store: RecordStore, kind: str, record: Any) -> None:
    """Past all that would keep it in order."""
    store.load(kind, [(key_of(kind, record), write_json(record))])


def sealed(store: RecordStore) -> list[Any]:
    rows = fill(store, 0) + fill(store, 1)
    store.succeed([make_succession(1)])
    seal(store, BEGUN + 2 * HOUR)
    rows += fill(store, 2)
    seal(store, BEGUN + 3 * HOUR)
    return rows


def told(store: RecordStore) -> list[str]:
    return [one.what for one in verify(store).faults]


def test_what_is_as_it_was_sealed_is_whole_and_what_is_young_waits(store: RecordStore) -> None:
    assert (verify(store).number, verify(store).whole) == (0, True)
    sealed(store)
    first = verify(store)
    assert (first.whole, first.rows, first.sealed, first.waiting) == (True, 37, 37, 0)
    store.add_event(make_event(now()))
    assert seal(store, now()) == 0
    assert (verify(store).whole, verify(store).waiting) == (True, 1)
    late = make_event(BEGUN + 3 * HOUR - timedelta(minutes=8))  # of a machine whose clock is behind
    store.add_event(late)
    assert verify(store).whole
    assert seal(store, BEGUN + 4 * HOUR) == 1
    assert (verify(store).whole, verify(store).sealed) == (True, 38)


@pytest.mark.parametrize("kind", ["accesses", "events", "decisions"])
def test_a_row_that_was_changed_dropped_or_put_in_is_found(store: RecordStore, kind: str) -> None:
    rows = sealed(store)
    victim = next(one for one in rows if type(one).__name__ == NAMES[kind])
    put(store, kind, replace(victim, domain="elsewhere"))
    [fault] = verify(store).faults
    assert (fault.what, fault.kind, fault.row) == ("is not what was sealed", kind, victim.id)
    seals.append_block(store, [seals._entry_of(replace(victim, domain="elsewhere"))])  # sealing it anew hides nothing
    assert verify(store).faults == (fault,)
    put(store, kind, victim)
    assert verify(store).whole
    put(store, kind, replace(victim, id=new_id()))
    assert told(store) == ["was never sealed, though younger rows are"]
    assert seal_all(store, now()) == 1  # somebody who knows the tool can have it sealed; that it came late stays
    assert (verify(store).whole, verify(store).late) == (True, 1)


def test_a_row_that_was_put_in_behind_stays_late_however_it_was_sealed(store: RecordStore) -> None:
    sealed(store)
    forged = make_event(BEGUN + HOUR)
    store.add_event(forged)
    seals.append_block(store, [seals._entry_of(forged)])  # as if it had come in time
    assert (verify(store).whole, verify(store).late) == (True, 1)


def test_rows_that_are_gone_are_found(store: RecordStore) -> None:
    sealed(store)
    assert store.forget("accesses", BEGUN + HOUR) == 4
    assert told(store) == ["was sealed and is gone"] * 4


def test_rows_that_changed_places_are_found(store: RecordStore) -> None:
    one, other, *_ = sealed(store)
    put(store, "accesses", replace(other, id=one.id, at=one.at))
    put(store, "accesses", replace(one, id=other.id, at=other.at))
    assert told(store) == ["is not what was sealed"] * 2


def rewrite(store: RecordStore, number: int, **changed: Any) -> None:
    found = store.document(BLOCK_KIND, f"{number:09}")
    assert found is not None
    put(store, "documents", replace(found, body={**found.body, **changed}))


@pytest.mark.parametrize("forged", [False, True])
def test_entries_that_changed_places_are_found_also_when_their_block_is_reckoned_anew(
    store: RecordStore, forged: bool
) -> None:
    sealed(store)
    first, anchored = next(iter(blocks(store))), {one.number: one.digest for one in blocks(store)}
    size = len(first.content) // first.rows
    content = first.content[size : 2 * size] + first.content[:size] + first.content[2 * size :]
    swapped = replace(first, content=content)
    digest = swapped.reckoned() if forged else first.digest
    rewrite(store, 1, content=b64encode(content).decode(), digest=digest)
    assert any("block" in what for what in told(store))
    if forged:  # and the next one after it: then only what was noted elsewhere tells
        second = replace(list(blocks(store))[1], previous=digest)
        rewrite(store, 2, previous=digest, digest=second.reckoned())
        kept = b64decode(store.document(SALT_KIND, first.salts).body["salts"])
        salts = kept[16:32] + kept[:16] + kept[32:]
        document = store.document(SALT_KIND, first.salts)
        put(store, "documents", replace(document, body={"salts": b64encode(salts).decode()}))
        assert told(store) == []
        found = verify(store, anchored)
        assert {one.what for one in found.faults} == {f"block {n} is not the one that was anchored" for n in (1, 2)}


def test_a_block_that_is_gone_is_found(store: RecordStore) -> None:
    sealed(store)
    noted = {one.number: one.digest for one in blocks(store)}
    store.remove_document(BLOCK_KIND, "000000001")
    assert "block 1 of the chain is gone" in told(store)
    store.remove_document(BLOCK_KIND, "000000002")
    assert verify(store).number == 0
    far = noted | {10**12: "0" * 64}  # nobody counts up to it
    assert {one.what for one in verify(store, far).faults} == {f"block {n} of the chain is gone" for n in far}


def forge(store: RecordStore, entry: seals.SealEntry) -> None:
    seals.append_block(store, [entry])


@pytest.mark.parametrize("mark", [AFTER_ERASURE, 4, 7, 254, 255])
def test_a_row_that_was_changed_is_not_covered_by_a_seal_of_another_mark(store: RecordStore, mark: int) -> None:
    victim = next(one for one in sealed(store) if type(one).__name__ == "Event")
    put(store, "events", replace(victim, domain="elsewhere"))
    forge(store, seals._entry_of(replace(victim, domain="elsewhere"), mark))
    assert set(told(store)) == {"is not what was sealed", "block 3 holds an entry that no sealing writes"}


def test_an_entry_of_access_is_not_covered_by_a_mark_that_nothing_counts(store: RecordStore) -> None:
    victim, *_ = sealed(store)
    put(store, "accesses", replace(victim, actor="nobody"))
    forge(store, seals._entry_of(replace(victim, actor="nobody"), 4))
    assert set(told(store)) == {"is not what was sealed", "block 3 holds an entry that no sealing writes"}


def test_entries_of_no_kind_and_rows_kept_until_a_time_to_come_are_faults(store: RecordStore) -> None:
    sealed(store)
    forge(store, seals.SealEntry(9, 0, 1, bytes(16), bytes(32)))
    forge(store, seals.SealEntry(0, seals.FORGOTTEN, seals.micros(now() + 24 * HOUR), bytes(16), bytes(32)))
    assert told(store) == [f"block {number} holds an entry that no sealing writes" for number in (3, 4)]


@pytest.mark.parametrize(
    "changed",
    [{"content": "no base64!"}, {"content": "AAAA"}, {"content": 3}, {"at": "yesterday"}, {"digest": None}, {"at": 5}],
)
def test_a_block_that_is_none_any_more_is_told_and_the_others_are_compared(
    store: RecordStore, changed: dict[str, Any]
) -> None:
    rows = sealed(store)
    put(store, "accesses", replace(rows[-12], actor="nobody"))  # sealed by the second block
    rewrite(store, 1, **changed)
    found = told(store)
    assert "block 1 is not what was sealed" in found
    assert "is not what was sealed" in found


def break_row(store: RecordStore, kind: str, key: str, **columns: Any) -> None:
    """As whoever has the database's own tool does."""
    if isinstance(store, MongoStore):
        store._database[kind].update_one({"_id": key}, {"$set": columns})
        return
    assert isinstance(store, SqlStore)
    kept = "kind || char(9) || name" if kind == "documents" else "id"
    if store._engine.dialect.name == "postgresql":
        kept = kept.replace("char(", "chr(")
    with store._writing() as connection:
        for name, value in columns.items():
            statement = sa.text(f"UPDATE {kind} SET {name} = :value WHERE {kept} = :key")
            assert connection.execute(statement, {"value": value, "key": key}).rowcount == 1


def test_a_row_that_cannot_be_read_is_told_and_the_others_are_compared(store: RecordStore) -> None:
    rows = sealed(store)
    broken, changed, event = rows[1], rows[2], rows[5]
    break_row(store, "accesses", broken.id, details='{"student":')
    put(store, "accesses", replace(changed, actor="nobody"))
    break_row(store, "events", event.id, details="[]")
    store.add_event(young := make_event(now()))
    break_row(store, "events", young.id, details="none")
    found = {one.row: one for one in verify(store).faults}
    assert found.keys() == {broken.id, changed.id, event.id, young.id}
    assert (found[broken.id].kind, found[broken.id].at) == ("accesses", broken.at)
    assert "is not what was sealed, and cannot be read: details: " in found[broken.id].what
    assert found[changed.id].what == "is not what was sealed"
    assert (found[event.id].kind, found[young.id].at) == ("events", None)
    assert found[young.id].what.startswith("cannot be read: details: ")
    lines = list(verified_lines(verify(store), []))
    assert f"events {young.id}: {found[young.id].what}" in lines
    first = next(iter(blocks(store)))
    break_row(store, "documents", f"{BLOCK_KIND}\t{2:09}", body="{")  # the newest one
    break_row(store, "documents", f"{SALT_KIND}\t{first.salts}", body="{")
    assert "block 2 is not what was sealed" in told(store)
    assert len(told(store)) == 1 + 25 + 1  # no salts of the first, and the young one; rows of the second wait
    if isinstance(store, SqlStore) and store._engine.dialect.name == "sqlite":
        break_row(store, "decisions", rows[9].id, domain="")
        with store._writing() as connection:
            connection.execute(sa.text("UPDATE decisions SET domain = CAST(x'ff' AS TEXT) WHERE domain = ''"))
        assert any("cannot be read: domain: " in what for what in told(store))


def test_salts_that_are_none_any_more_hide_nothing(store: RecordStore) -> None:
    sealed(store)
    [_, second] = blocks(store)
    document = store.document(SALT_KIND, second.salts)
    put(store, "documents", replace(document, body={"salts": "no base64!"}))
    assert told(store) == ["is not what was sealed"] * second.rows


def test_what_stands_behind_a_block_that_says_it_is_the_newest_is_read_and_nobody_writes_on(
    store: RecordStore,
) -> None:
    sealed(store)
    first = store.document(BLOCK_KIND, "000000001")
    put(store, "documents", replace(first, at=now() + HOUR, body={**first.body, "at": seals.micros(now() + HOUR)}))
    assert told(store)[0] == "block 1 is not what was sealed"
    assert verify(store).number == 2
    with pytest.raises(Damaged):
        seals.append_block(store, ())
    put(store, "documents", replace(first, at=now() + HOUR))
    with pytest.raises(Damaged):
        seals.append_block(store, ())


def test_an_end_that_was_cut_off_leaves_rows_that_wait_for_long(store: RecordStore) -> None:
    sealed(store)
    noted = {one.number: one.digest for one in blocks(store)}
    store.remove_document(BLOCK_KIND, "000000002")
    found = verify(store)
    assert (found.whole, found.waiting, found.waiting_since) == (True, 12, BEGUN + 2 * HOUR)
    assert any("cut off the end" in line for line in verified_lines(found, []))
    assert [one.what for one in verify(store, noted).faults] == ["block 2 of the chain is gone"]


def test_an_erasure_leaves_a_tombstone_and_nobody_can_guess_whom_it_was_about(store: RecordStore) -> None:
    who, domain = "0" * 31 + "1", "school"
    sealed(store)
    looks = store.student_accesses(domain, who)
    assert len(looks) == 3
    before_erasure(store, looks, who)
    store.add_predictions([make_prediction(domain=domain, student=who)])
    assert store.erase_student(domain, who, make_event(now(), domain=domain)) is not None
    found = verify(store)
    assert (found.whole, found.erased) == (True, 3)
    rows = {seals.row_digest(0, look.id) for look in looks}
    digests = [
        (salts[16 * place : 16 * place + 16], mark)
        for one, salts in zip(blocks(store), seals.salts_of(store, list(blocks(store))), strict=True)
        for place, (kind, mark, _at, row, _seal) in enumerate(one.entries())
        if kind == 0 and row in rows
    ]
    assert sorted(mark == AFTER_ERASURE for _, mark in digests) == [False] * 3 + [True] * 3
    assert all((salt == seals.NO_SALT) == (mark != AFTER_ERASURE) for salt, mark in digests)
    left = store.accesses(domain=domain, limit=100)
    put(store, "accesses", replace(next(one for one in left if one.id == looks[0].id), actor="nobody"))
    assert told(store) == ["is not what was sealed"]


def test_who_is_erased_second_cannot_be_guessed_either(store: RecordStore) -> None:
    one, other = f"{1:032x}", f"{2:032x}"
    look = make_access(BEGUN, domain="school", details={"students": [one, other]})
    store.add_accesses([look])
    seal(store, BEGUN + HOUR)
    for who in (one, other):
        store.add_predictions([make_prediction(domain="school", student=who)])
        before_erasure(store, store.student_accesses("school", who), who)
        store.erase_student("school", who, make_event(now(), domain="school"))
    found = verify(store)
    assert (found.whole, found.erased, found.sealed) == (True, 1, 1)
    salts = b"".join(seals.salts_of(store, list(blocks(store))))
    assert [salts[n : n + 16] != seals.NO_SALT for n in range(0, len(salts), 16)] == [False, False, True]


def test_what_was_kept_long_enough_goes_and_the_rest_is_still_whole(store: RecordStore) -> None:
    sealed(store)
    before = BEGUN + HOUR + timedelta(minutes=2)
    before_forgetting(store, before)
    assert store.forget("accesses", before) == 6
    found = verify(store)
    assert (found.whole, found.forgotten) == (True, 6)
    store.forget("accesses", before + timedelta(minutes=1))  # one more, of which nothing was said
    assert told(store) == ["was sealed and is gone"]


def test_several_who_seal_at_once_fork_no_chain(store: RecordStore) -> None:
    fill(store, 0, rows=30)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: seal(store, BEGUN + 2 * HOUR), range(4)))
    fill(store, 3, rows=30)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: seal(store, BEGUN + 5 * HOUR), range(4)))
    numbers = [one.number for one in blocks(store)]
    assert numbers == list(range(1, len(numbers) + 1))
    found = verify(store)
    assert (found.whole, found.sealed) == (True, 180)


def test_many_rows_lie_in_several_blocks(store: RecordStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seals, "SEALED_TOGETHER", 5)
    sealed(store)
    assert len(list(blocks(store))) >= 37 / 5
    assert (verify(store).whole, verify(store).sealed) == (True, 37)
