"""The newest answer of each student, on every store, is what the predictions that are there say."""

import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from clock import new_id, new_ids
from database import sql, sql_newest
from database.answer_columns import AnswerColumn
from database.newest import NewestAnswer, NewestCounts, SilentAnswer, Which, newest_of, rows_of
from database.packed import Common, PackedPredictions
from database.records import Answer, Prediction
from database.store import RecordStore
from preprocessing.columns import Numbers
from tests.database.making import after, make_event, make_prediction

TARGETS = "G3", "grade"
CHANCES = st.sampled_from([None, 0.0, 0.25, 0.5, 0.75, 1.0])
PLACES: dict[str, Any] = {
    "students": st.sampled_from([None, "a", "b", "c"]),
    "groups": st.sampled_from([None, "A", "B"]),
}
WEEKS = "2025-26 W09", "2025-26 W10"
PLACES |= {"periods": st.sampled_from([None, "1", *WEEKS])}


@st.composite
def batches(draw: st.DrawFn, domain: str) -> PackedPredictions:
    n = draw(st.integers(1, 6))

    def column(target: str) -> AnswerColumn:
        below = draw(st.lists(CHANCES, min_size=n, max_size=n))
        said = Answer(target=target, value=None, naive=None, model="m", generation=1, insufficient=("x",))
        strange = msgspec.structs.replace(said, value=1.0, insufficient=(), out_of_range=("x",))
        others = {place: draw(st.sampled_from([said, strange])) for place in range(n) if below[place] is None}
        value, chances = Numbers(np.ones(n)), Numbers(np.array([one or 0.0 for one in below]))
        known = draw(st.sampled_from([chances, chances, None]))  # a model from before there were chances
        return AnswerColumn(target, "m", 1, value, value, below_pass=known, others=others)

    columns = [column(target) for target in draw(st.sampled_from([TARGETS, TARGETS[:1]]))]
    who = {name: draw(st.lists(one, min_size=n, max_size=n)) for name, one in PLACES.items()}
    common = Common(domain, "G2", "api", after(draw(st.integers(0, 3))), None)
    return PackedPredictions(common, new_ids(n), {"G1": Numbers(np.ones(n))}, columns, **who)


def expected(there: Sequence[Prediction], target: str) -> tuple[list[NewestAnswer], NewestCounts]:
    newest = {
        (one.student, *((one.group, one.period) if one.period not in WEEKS else ("any", "week"))): (one, answer)
        for one in sorted(there, key=lambda one: (one.period or "", one.at, one.id))
        for answer in one.answers
        if one.student is not None and answer.target == target
    }
    found = [
        NewestAnswer(one.student or "", one.group, one.period, one.id, one.at, answer.below_pass)
        for one, answer in newest.values()
        if answer.below_pass is not None
    ]
    whys = [
        "insufficient" if answer.insufficient else "out_of_range" if answer.out_of_range else "no_pass_mark"
        for _, answer in newest.values()
        if answer.below_pass is None
    ]
    found.sort(key=lambda one: (one.below, one.student, one.group or "", one.period or ""), reverse=True)
    return found, NewestCounts(len(found), {why: whys.count(why) for why in whys})  # type: ignore[misc]


def check(store: RecordStore, domain: str, there: Sequence[Prediction]) -> None:
    for target in TARGETS:
        found, counts = expected(there, target)
        assert store.newest_answers(domain, target) == found
        assert store.count_newest(domain, target) == counts
        pages, before = [], None
        while page := store.newest_answers(domain, target, before=before, limit=2):
            pages += page
            before = page[-1]
        assert pages == found
        likely = [one for one in found if one.below >= 0.5]
        assert store.newest_answers(domain, target, least=0.5, limit=3) == likely[:3]
        some = [one for one in found if one.group == "A" and one.period == "1" and one.at >= after(1)]
        assert store.count_newest(domain, target, least=0.5).known == len(likely)
        late = [one for one in found if one.period == WEEKS[1] and one.group == "A"]
        assert store.newest_answers(domain, target, Which(["A"], from_week=WEEKS[1])) == late
        check_silent(store, domain, target, there)
        which = Which(["A", "C"], "1", after(1))
        assert store.newest_answers(domain, target, which) == some
        assert store.count_newest(domain, target, which).known == len(some)
        _, others = expected([one for one in there if one.student not in ("a", "c")], target)
        assert store.count_newest(domain, target, but={"a", "c", "nobody"}) == others
        assert store.newest_answers(domain, target, Which([])) == []


def check_silent(store: RecordStore, domain: str, target: str, there: Sequence[Prediction]) -> None:
    """Those without a chance, and when each student was asked about."""
    newest = newest_of(rows_of(there))
    silent = [one for one in newest if one.target == target and one.below is None]
    expected = [
        (one.student, one.group or None, one.period or None, one.prediction, one.why)
        for one in sorted(silent, key=lambda one: (one.student, one.group, one.period))
    ]
    pages: list[SilentAnswer] = []
    while page := store.silent_answers(domain, target, after=pages[-1] if pages else None, limit=2):
        pages += page
    assert [(*one[:4], one.why) for one in pages] == expected
    few = [one for one in expected if one[1] == "A" and one[-1] == "insufficient"]
    found = store.silent_answers(domain, target, Which(["A"]), why="insufficient")
    assert [(*one[:4], one.why) for one in found] == few
    groups = sorted({one.group for one in there if one.group is not None})
    assert store.answered_groups(domain) == groups
    assert store.answered_groups(domain, after="A", limit=1) == groups[groups.count("A") :][:1]
    about = [(one.student, one.group, one.period, one.at, one.id) for one in there if one.student in ("a", "b")]
    assert sorted(store.asked_about(domain, ["a", "b", "x"]), key=str) == sorted(about, key=str)


@settings(
    max_examples=12,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_the_newest_answers_are_those_of_what_is_there(store: RecordStore, data: st.DataObject) -> None:
    domain, there = new_id(), dict[str, Prediction]()
    for step in data.draw(st.lists(st.sampled_from(["one by one", "by column", "again", "gone", "back"]), max_size=6)):
        known = list(there.values())
        if step == "gone" and known:
            chosen = data.draw(st.lists(st.sampled_from(known), min_size=1, max_size=4))
            store.remove_predictions(domain, [one.id for one in chosen], make_event(domain=domain))
            there = {one.id: one for one in known if one not in chosen}
        elif step == "again" and known:  # of ids that are there, and so left as they are
            store.add_predictions([msgspec.structs.replace(known[0], at=after(9), answers=known[-1].answers)])
        elif step != "gone":
            batch = data.draw(batches(domain))
            if step == "back":
                store.load("predictions", [(one.id, msgspec.json.encode(one)) for one in batch])
            elif step == "by column":
                store.add_predictions(batches=[batch])
            else:
                store.add_predictions(list(batch))
            there |= {one.id: one for one in batch}
        check(store, domain, list(there.values()))


class Killed(BaseException):
    """What nobody survives."""


@settings(
    max_examples=15,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_many_are_caught_up_with_whoever_is_killed_looks_on_or_takes_back_meanwhile(
    store: RecordStore, monkeypatch: pytest.MonkeyPatch, data: st.DataObject
) -> None:
    monkeypatch.setattr(sql, "MOST_IN_PASSING", 0)
    monkeypatch.setattr(sql, "ROWS_AT_ONCE", 2)
    monkeypatch.setattr(sql_newest, "MOST_FOUND", 3)
    domain, there = new_id(), dict[str, Prediction]()

    def add() -> None:
        batch = data.draw(batches(domain))
        store.add_predictions(batches=[batch])
        there.update((one.id, one) for one in batch)

    def meanwhile(_looked: int) -> None:
        step = data.draw(st.sampled_from(["", "", "killed", "gone", "more", "looked on"]))
        if step == "killed":
            raise Killed
        if step == "gone" and there:
            chosen = data.draw(st.lists(st.sampled_from(sorted(there)), min_size=1, max_size=4))
            store.remove_predictions(domain, chosen, make_event(domain=domain))
            for one in chosen:
                there.pop(one, None)
        if step == "more":
            add()
        if step == "looked on":
            store.catch_up_newest()

    for _ in range(data.draw(st.integers(1, 4))):
        add()
        with suppress(Killed):
            store.catch_up_newest(meanwhile)
    store.catch_up_newest()
    assert store.newest_behind() == 0
    check(store, domain, list(there.values()))


def test_what_is_logged_while_others_withdraw_waits_for_them_in_no_circle(
    postgres_url: str, opened: Callable[[str], RecordStore]
) -> None:
    store, domain, logged = opened(postgres_url), new_id(), SimpleQueue[list[str]]()
    students = [f"{place:03}" for place in range(150)]

    def log(seed: int) -> None:
        for turn in range(8):
            shuffled = random.Random(f"{seed} {turn}").sample(students, len(students))
            made = [make_prediction(after(turn), domain=domain, student=one) for one in shuffled]
            store.add_predictions(made)
            logged.put([one.id for one in made])

    def withdraw() -> None:
        for _ in range(16):
            ids = logged.get(timeout=60)
            store.remove_predictions(domain, ids, make_event(domain=domain))

    with ThreadPoolExecutor(3) as pool:
        for one in [pool.submit(log, 1), pool.submit(log, 2), pool.submit(withdraw)]:
            one.result()
    assert store.count_newest(domain, "G3") == NewestCounts(0, {})
