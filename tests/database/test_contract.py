"""What every record store does, shown on SQLite, PostgreSQL and MongoDB's wire protocol alike."""

import math
import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from itertools import chain
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from clock import new_id, now
from database import blobs, layout, sql
from database.errors import Conflict, LostJob, StoreUnavailable
from database.ingest import strays_among
from database.layout import LAYOUTS, observation_key, write_json, write_kept
from database.migrate import copy
from database.records import BatchRow, ChampionKey, Job, JobProblem, JobProgress, Observation, Prediction
from database.store import KINDS, ObservationTexts, RecordStore
from database.withdrawal import (
    NamesSomebody,
    NothingToWithdraw,
    withdraw_batch,
    withdraw_outcomes,
    withdraw_predictions,
)
from preprocessing.columns import Numbers
from tests.database import strategies
from tests.database.making import (
    NOON,
    after,
    fill,
    make_access,
    make_answer,
    make_batch,
    make_decision,
    make_document,
    make_drift_report,
    make_event,
    make_job,
    make_model,
    make_observation,
    make_outcome,
    make_packed,
    make_prediction,
    make_row,
    make_succession,
    matched,
)

generated = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
KEY = ChampionKey("school", "G3", "G2")


class TestPredictions:
    @generated
    @given(prediction=strategies.predictions)
    def test_come_back_as_they_were_given(self, store: RecordStore, prediction: Prediction) -> None:
        store.add_predictions([prediction])
        found = store.prediction(prediction.id)
        assert found == prediction
        assert found.at.tzinfo is UTC

    def test_an_unknown_id_is_no_prediction(self, store: RecordStore) -> None:
        assert store.prediction("unknown") is None

    def test_a_time_of_another_zone_comes_back_as_the_same_instant_in_utc(self, store: RecordStore) -> None:
        at = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=timezone(timedelta(hours=5, minutes=30)))
        store.add_predictions([prediction := make_prediction(at)])
        found = store.prediction(prediction.id)
        assert found is not None
        assert (found.at, found.at.tzinfo) == (at, UTC)

    def test_are_listed_newest_first_within_their_limits(self, store: RecordStore) -> None:
        p = [make_prediction(after(n), student=f"s{n % 2}") for n in range(6)]
        store.add_predictions([p[3], p[0], p[5], p[1], p[4], p[2], make_prediction(domain="k12")])
        assert store.predictions("school") == p[::-1]
        assert store.predictions("school", limit=2) == [p[5], p[4]]
        assert store.predictions("school", limit=0) == []
        assert store.predictions("school", since=after(2), until=after(4)) == [p[3], p[2]]
        assert store.predictions("school", student="s1") == [p[5], p[3], p[1]]
        assert store.predictions("school", student="s1", until=after(5), limit=1) == [p[3]]
        assert store.predictions("course") == []

    def test_some_of_all_endings_find_a_part_of_them_and_of_their_outcomes(self, store: RecordStore) -> None:
        single = [make_prediction(after(n), id=f"{'b' * 29}{n:03x}") for n in range(40)]
        packed = make_packed(20, after(-1))
        store.add_predictions(single)
        store.add_predictions(packed)
        store.add_outcomes([make_outcome(prediction=one.id) for one in (*packed, *single)])
        endings = {"001", "01f", "021", "zzz", *(one.id[-3:] for one in packed[::2])}
        chosen = [one for one in store.predictions("school") if one.id[-3:] in endings]
        assert len(chosen) >= 13
        assert store.predictions("school", endings=endings) == chosen
        early = [one for one in chosen if one.at < after(32)]
        assert store.predictions("school", endings=endings, until=after(32), limit=2) == early[:2]
        assert store.predictions("school", endings=set()) == []
        assert [one for one, _ in matched(store, "school", "G3", endings=endings)] == chosen
        assert [one for one, _ in matched(store, "school", "G3", endings=endings, until=after(32))] == early

    def test_are_found_by_group(self, store: RecordStore) -> None:
        p = [make_prediction(after(n), group=group) for n, group in enumerate("AAB")]
        other = make_prediction(after(9))
        store.add_predictions([*p, other])
        assert store.predictions("school", groups=["B", "C"]) == [p[2]]
        assert store.predictions("school", groups=["A", "B"], limit=2) == [p[2], p[1]]
        assert store.predictions("school", groups=("A",), until=after(1)) == [p[0]]
        assert store.predictions("school", groups=[]) == []
        assert store.predictions("school") == [other, *p[::-1]]

    def test_are_counted(self, store: RecordStore) -> None:
        store.add_predictions([make_prediction(after(n)) for n in range(4)] + [make_prediction(domain="k12")])
        assert store.count_predictions() == 5
        assert store.count_predictions("school") == 4
        assert store.count_predictions("school", since=after(3)) == 1
        assert store.count_predictions(since=after(1)) == 3
        assert store.count_predictions("school", since=after(1), until=after(3)) == 2
        packed = make_packed(60, NOON + timedelta(days=2))
        store.add_predictions([make_prediction(NOON + timedelta(hours=12))], [packed])
        days = {NOON.date() + timedelta(days=day): count for day, count in ((0, 1), (1, 1), (2, 60))}
        assert store.predictions_per_day("school", after(3)) == days
        store.add_predictions([make_prediction(group="A"), make_prediction(after(1), group="B")])
        for groups, count in ((["A"], 1), (["A", "B"], 2), ([], 0)):
            assert store.count_predictions("school", groups=groups) == count
            assert sum(store.predictions_per_day("school", NOON, groups=groups).values()) == count

    def test_say_whom_they_are_about_by_id_and_by_student(self, store: RecordStore) -> None:
        a, b = make_prediction(student="s", group="A", period="1"), make_prediction(student="s")
        c, d = make_prediction(), make_prediction(student="s", domain="k12")
        store.add_predictions([a, b, c, d])
        placed = {one.id: (one.id, one.student, one.group, one.period) for one in (a, b, c, d)}
        assert store.placings("school", students=["s", "t"]) == {placed[a.id], placed[b.id]}
        assert store.placings("school", ids=[c.id, d.id, "unknown"]) == {placed[c.id]}
        many = [*(f"no {n}" for n in range(1_200)), a.id, b.id]
        assert store.placings("school", ids=many, students=["s"]) == {placed[a.id], placed[b.id]}
        assert store.placings("school") == set()

    def test_an_id_that_is_there_is_left_as_it_is(self, store: RecordStore) -> None:
        first, other = make_prediction(source="api"), make_prediction()
        again = make_prediction(id=first.id, source="cli")
        store.add_predictions([first])
        store.add_predictions([again, other])
        store.add_predictions([again, twin := make_prediction(source="api"), make_prediction(id=twin.id, source="cli")])
        assert (store.prediction(first.id), store.prediction(twin.id)) == (first, twin)
        assert store.prediction(other.id) == other

    def test_none_of_a_call_is_kept_when_one_cannot_be(self, store: RecordStore) -> None:
        good = make_prediction()
        unwritable = make_prediction(inputs={"name": "\ud800"})  # half a character: no encoding has it
        with pytest.raises(ValueError, match="surrogate"):
            store.add_predictions([good, unwritable])
        assert store.prediction(good.id) is None

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
    def test_an_answer_that_is_no_number_is_refused(self, store: RecordStore, value: float) -> None:
        with pytest.raises(ValueError, match="G3"):
            store.add_predictions([make_prediction(answers=(make_answer(value=value),))])
        with pytest.raises(ValueError, match="marks"):
            store.add_predictions([make_prediction(shadow=(make_answer("marks", value=value),))])

    def test_a_time_without_a_zone_is_refused(self, store: RecordStore) -> None:
        with pytest.raises(ValueError, match="zone"):
            store.add_predictions([make_prediction(datetime(2026, 3, 1))])  # noqa: DTZ001  # the point of the test

    def test_nothing_given_is_nothing_kept(self, store: RecordStore) -> None:
        store.add_predictions([])
        assert store.add_outcomes([]) == (0, 0)
        store.succeed([])
        store.load("predictions", [])
        assert store.count_predictions() == 0

    def test_added_by_many_threads_are_all_there(self, store: RecordStore) -> None:
        given_ones = [[make_prediction() for _ in range(5)] for _ in range(8)]
        run_together([lambda part=part: store.add_predictions(part) for part in given_ones])
        assert store.count_predictions("school") == 40


class TestPredictionsByColumn:
    def test_are_exported_and_loaded_as_those_one_by_one(self, store: RecordStore) -> None:
        store.add_predictions(packed := make_packed(students=["a", "b"] * 30))
        exported = store.export("predictions")
        assert [document for _, document in exported] == [write_kept(one, {"receipt": 0}) for one in packed]
        assert store.export("predictions", after=packed.ids[1], limit=2) == exported[2:4]
        changed = replace(packed[7], actor="ann", inputs={"G1": 1.0})
        store.load("predictions", [(changed.id, write_json(changed))])
        assert store.predictions("school") == [*packed[:7:-1], changed, *packed[6::-1]]

    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_with_an_answer_that_is_no_number_are_refused(self, value: float) -> None:
        with pytest.raises(ValueError, match="G3"):
            make_packed(answers=[make_packed().answers[0]._replace(value=Numbers.of([1.0] * 59 + [value]))])


class TestOutcomes:
    def test_are_new_once_and_corrected_when_their_value_changes(self, store: RecordStore) -> None:
        assert store.add_outcomes([make_outcome(13.0, student="s", at=NOON)]) == (1, 0)
        assert store.add_outcomes([make_outcome(13.0, student="s", at=after(1))]) == (0, 0)
        assert store.add_outcomes([make_outcome(14.0, student="s", at=after(2))]) == (0, 1)
        assert store.add_outcomes([latest := make_outcome(9.0, student="s", at=NOON)]) == (0, 1)  # its clock is behind
        store.add_predictions([prediction := make_prediction(student="s")])
        assert matched(store, "school", "G3") == [(prediction, latest)]

    def test_say_when_they_happened_until_a_later_one_says_otherwise(self, store: RecordStore) -> None:
        dated = {"student": "s", "happened_at": after(5)}
        assert store.add_outcomes([make_outcome(13.0, student="s")]) == (1, 0)
        assert store.add_outcomes([make_outcome(13.0, **dated)]) == (0, 1)
        assert store.add_outcomes([make_outcome(13.0, student="s")]) == (0, 0)
        assert store.add_outcomes([make_outcome(14.0, student="s")]) == (0, 1)
        store.add_predictions([prediction := make_prediction(student="s")])
        assert matched(store, "school", "G3") == [(prediction, make_outcome(14.0, **dated))]

    def test_and_batches_keep_their_order_of_receipt_when_they_are_copied(
        self, store: RecordStore, sqlite_url: str, opened: Callable[[str], RecordStore]
    ) -> None:
        store.add_predictions([before := make_prediction(student="s")])
        store.add_outcomes([make_outcome(1.0, after(9), student="s")])
        store.add_predictions([later := make_prediction(after(1), student="s")])
        store.add_batch(make_batch("new", after(5)), [make_row(1)])
        store.add_batch(make_batch("newer", NOON), [make_row(2)])
        there = opened(sqlite_url + "-copy")
        copy(store, there)
        copy(store, there)
        assert there.pairs("school", "G3") == store.pairs("school", "G3")
        assert [(p.prediction, p.before) for p in there.pairs("school", "G3")] == [(later, False), (before, True)]
        assert [batch.id for batch in there.batches()] == ["newer", "new"]
        there.add_batch(make_batch("newest", NOON), [make_row(1, targets={"G3": 7.0})])
        assert [record.receipt for record in there.labeled_records("school")] == [4, 3, 1]

    def test_that_belong_to_no_prediction_are_counted(self, store: RecordStore) -> None:
        store.add_predictions(
            [
                asked := make_prediction(student="s", group="A", period="1"),
                other := make_prediction(),
                make_prediction(student="alone"),
                *(make_prediction(student="twice", group=group) for group in "AB"),
            ]
        )
        known = [
            {"prediction": asked.id},
            {"student": "s", "group": "A"},
            {"student": "s", "group": "A", "period": "1"},
            {"student": "s"},
            {"student": "s", "period": "1"},
            {"student": "alone", "group": "A", "period": "1"},
        ]
        strays: list[dict[str, str]] = [
            {"prediction": "unknown"},
            {"prediction": asked.id, "domain": "k12"},
            {"student": "twice"},
            {"student": "s", "group": "B"},
            {"student": "s", "group": "A", "period": "2"},
            {"student": other.id, "group": "A"},
        ]
        found = [make_outcome(1.0, **fields) for fields in (*known, *strays)]  # type: ignore[arg-type]
        assert len(strays_among(store, found)) == len(strays_among(store, found * 2)) == len(strays)
        assert strays_among(store, found[: len(known)]) == strays_among(store, []) == []

    def test_within_one_call_count_as_if_one_came_after_the_other(self, store: RecordStore) -> None:
        given_ones = [make_outcome(1.0, student="s"), make_outcome(2.0, student="s"), make_outcome(1.0, student="t")]
        assert store.add_outcomes(given_ones) == (2, 1)

    def test_a_level_and_a_number_are_different_values(self, store: RecordStore) -> None:
        assert store.add_outcomes([make_outcome(1.0, student="s")]) == (1, 0)
        assert store.add_outcomes([make_outcome("1.0", student="s")]) == (0, 1)

    @pytest.mark.parametrize("fields", [{"student": "s", "value": float("nan")}, {"value": 12.0}])
    def test_about_nothing_or_no_number_are_refused(self, store: RecordStore, fields: dict[str, object]) -> None:
        with pytest.raises(ValueError, match="G3"):
            store.add_outcomes([make_outcome(student="t"), make_outcome(**fields)])  # type: ignore[arg-type]
        assert store.export("outcomes") == []

    def test_those_that_end_so_are_found_and_all_are_counted(self, store: RecordStore) -> None:
        kept = [make_outcome(float(n), student=f"s{n}") for n in range(40)]
        store.add_outcomes([*kept, make_outcome(student="s", domain="k12")])
        assert (store.count_outcomes("school"), store.count_outcomes("none")) == (40, 0)
        ends = ["0", "5", "a"]
        found = store.outcomes_ending("school", ends)
        assert {one.id for one in found} == {one.id for one in kept if one.id[-1] in ends}
        assert len(store.outcomes_ending("school", None)) == 40
        assert store.outcomes_ending("school", []) == []


class TestBatches:
    @generated
    @given(rows=st.lists(strategies.rows, max_size=4, unique_by=lambda row: row.number))
    def test_rows_come_back_in_file_order(self, store: RecordStore, rows: list[BatchRow]) -> None:
        batch = make_batch(new_id(), rows=len(rows))
        assert store.add_batch(batch, rows)
        assert store.batch_rows(batch.id) == sorted(rows, key=lambda row: row.number)

    def test_the_same_content_is_stored_once(self, store: RecordStore) -> None:
        assert store.add_batch(make_batch("one", name="first.csv"), [make_row(1)])
        assert not store.add_batch(make_batch("one", name="second.csv"), [make_row(1), make_row(2)])
        assert [batch.name for batch in store.batches()] == ["first.csv"]
        assert store.batch_rows("one") == [make_row(1)]

    def test_given_twice_at_once_is_stored_once(self, store: RecordStore) -> None:
        stored: list[bool] = []
        rows = [make_row(n) for n in range(1, 51)]
        run_together([lambda: stored.append(store.add_batch(make_batch("one", rows=50), rows))] * 6)
        assert sorted(stored) == [False] * 5 + [True]
        assert store.batch_rows("one") == rows
        assert len(store.export("batch_rows")) == 50

    def test_are_listed_newest_first_by_domain_and_kind(self, store: RecordStore) -> None:
        old, new = make_batch("a", after(2)), make_batch("b", after(1), kind="unlabeled", skipped=3)  # a wrong clock
        elsewhere = make_batch("c", after(3), domain="k12")
        for batch in (old, new, elsewhere):
            store.add_batch(batch, [make_row(1)])
        assert store.batches() == [elsewhere, new, old]
        assert store.batches("school") == [new, old]
        assert store.batches("school", "labeled") == [old]
        assert store.batches(kind="labeled") == [elsewhere, old]

    def test_one_whose_last_answer_was_lost_keeps_its_rows(
        self, store: RecordStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        publish = type(store)._publish  # type: ignore[attr-defined]

        def cut_off(*given: Any) -> None:
            publish(*given)
            raise StoreUnavailable("the connection was lost")

        with monkeypatch.context() as patched:
            patched.setattr(type(store), "_publish", cut_off)
            with pytest.raises(StoreUnavailable):
                store.add_batch(make_batch("one"), [make_row(1)])
        assert not store.add_batch(make_batch("one"), [make_row(1)])
        assert store.batch_rows("one") == [make_row(1)]

    def test_one_that_comes_back_after_a_withdrawal_that_was_cut_off_keeps_its_rows(
        self, store: RecordStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def cut_off(*_: Any) -> None:
            raise StoreUnavailable("the connection was lost")

        store.add_batch(make_batch("first"), [make_row(1)])
        known = {kind: store.export(kind) for kind in ("batches", "batch_rows")}
        withdraw_batch(store, "school", "first", reason="by mistake", actor="tester")
        for _ in range(2):
            for kind, documents in known.items():
                store.load(kind, documents)
            store.sweep_uploads()
            assert store.batch_rows("first") == [make_row(1)]
            with monkeypatch.context() as patched:
                patched.setattr(type(store), "_remove_rows", cut_off)
                withdraw_batch(store, "school", "first", reason="by mistake", actor="tester")

    def test_the_newest_row_of_a_record_is_that_which_came_in_last(self, store: RecordStore) -> None:
        store.add_batch(make_batch("b", after(9)), [make_row(1), make_row(2)])
        store.add_batch(make_batch("a", kind="unlabeled"), [make_row(2, inputs={"G1": 0.5})])
        store.add_batch(make_batch("c", domain="k12"), [make_row(1, inputs={"G1": 0.5})])
        asked = ["record 1", "record 2", "record 3"]
        assert {row.record: row.inputs["G1"] for row in store.newest_rows("school", asked)} == {
            "record 1": 1.0,
            "record 2": 0.5,
        }
        labeled = store.newest_rows("school", asked, "labeled")
        assert sorted(row.number for row in labeled) == [1, 2]

    def test_an_unknown_batch_has_no_rows(self, store: RecordStore) -> None:
        assert store.batch_rows("unknown") == []


class TestWithdrawal:
    def test_what_is_withdrawn_is_gone_and_may_come_again_and_the_reason_stays(self, store: RecordStore) -> None:
        rows, why = [make_row(1), make_row(2)], {"reason": "wrong term", "actor": "ann"}
        store.add_batch(make_batch("abc", rows=2), rows)
        single, packed = make_prediction(student="s"), make_packed(60, students=["p"] * 60)
        store.add_predictions([single], [packed])
        outcomes = [make_outcome(13.0, student="s"), make_outcome(4.0, student="t")]
        store.add_outcomes([make_outcome(12.0, student="u"), make_outcome(5.0, student="u")])
        store.add_outcomes(outcomes)
        assert withdraw_batch(store, "school", "ab", **why).count == 2
        assert (store.batches(), store.batch_rows("abc"), store.newest_rows("school", ["record 1"])) == ([], [], [])
        assert store.add_batch(make_batch("abc", rows=2), rows)
        assert withdraw_outcomes(store, "school", [*outcomes, make_outcome(9.0, student="u")], **why).count == 2
        assert store.pairs("school", "G3") == []
        assert store.add_outcomes([*outcomes, make_outcome(5.0, student="u")]) == (2, 0)
        assert withdraw_outcomes(store, "school", [make_outcome(5.0, student="u")], **why).receipt == 8
        assert store.add_outcomes([make_outcome(12.0, student="u")]) == (0, 0), "what was corrected came back"
        ids = [single.id, "unknown", *packed.ids[:59]]
        assert withdraw_predictions(store, "school", ids, **why).count == 60
        assert store.predictions("school") == [packed[59]]
        assert withdraw_predictions(store, "school", packed.ids, **why).count == 1
        told = store.events("school", kind="withdrawn")
        assert [(one.details["kind"], one.details["reason"]) for one in told[::-1]] == [
            (kind, "wrong term") for kind in ("batch", "outcomes", "outcomes", "predictions", "predictions")
        ]

    def test_nothing_of_another_domain_and_no_reason_that_names_somebody(self, store: RecordStore) -> None:
        store.add_batch(make_batch("abc"), [make_row(1)])
        store.add_predictions([asked := make_prediction(student="s")])
        store.add_outcomes([outcome := make_outcome(student="s")])
        refused: list[Callable[[str, str], object]] = [
            lambda domain, reason: withdraw_batch(store, domain, "abc", reason=reason, actor="a"),
            lambda domain, reason: withdraw_outcomes(store, domain, [outcome], reason=reason, actor="a"),
            lambda domain, reason: withdraw_predictions(store, domain, [asked.id], reason=reason, actor="a"),
        ]
        for attempt in refused:
            with pytest.raises(NothingToWithdraw):
                attempt("k12", "wrong")
            with pytest.raises(NamesSomebody, match="person's name"):
                attempt("school", "marks of Ana Sousa were wrong")
        assert (len(store.batches()), len(store.pairs("school", "G3")), store.events("school")) == (1, 1, [])


class TestModels:
    def test_are_listed_newest_first_by_key(self, store: RecordStore) -> None:
        old, new, other = make_model("a", after(1)), make_model("b", after(2)), make_model("c", after(3), moment="G1")
        for model in (new, old, other):
            store.add_model(model)
        store.add_model(make_model("a", candidate="changed"))
        assert store.models() == [other, new, old]
        assert store.models(KEY) == [new, old]
        assert store.models(ChampionKey("k12", "G3", "G2")) == []


class TestRegistry:
    def test_a_champion_follows_a_champion(self, store: RecordStore) -> None:
        assert store.champions() == []
        first, second = make_succession(1), make_succession(2, action="rollback")
        store.succeed([first])
        store.succeed([second])
        assert store.champions() == [second]
        assert store.successions(KEY) == [first, second]
        assert store.successions(ChampionKey("school", "G3", "G1")) == []

    @pytest.mark.parametrize("generation", [-1, 0, 1, 3])
    def test_a_generation_that_is_not_the_next_is_a_conflict(self, store: RecordStore, generation: int) -> None:
        store.succeed([make_succession(1)])
        with pytest.raises(Conflict, match="school/G3@G2"):
            store.succeed([make_succession(generation, version="other")])
        assert store.champions() == [make_succession(1)]
        assert store.successions(KEY) == [make_succession(1)]

    def test_several_keys_change_together_or_not_at_all(self, store: RecordStore) -> None:
        one, two = make_succession(1, target="marks.$"), make_succession(1, target="grade")
        store.succeed([one, two])
        assert store.champions() == [two, one]
        changed = make_succession(2, target="grade")
        with pytest.raises(Conflict):
            store.succeed([changed, make_succession(1, target="marks.$")])
        with pytest.raises(Conflict):
            store.succeed([changed, changed])
        assert store.champions() == [two, one]
        store.succeed([changed, make_succession(1, target="new"), make_succession(2, target="marks.$")])
        assert [(s.target, s.generation) for s in store.champions()] == [("grade", 2), ("marks.$", 2), ("new", 1)]

    def test_a_change_concerns_one_domain(self, store: RecordStore) -> None:
        with pytest.raises(ValueError, match="one domain"):
            store.succeed([make_succession(1), make_succession(1, domain="k12")])
        assert store.champions() == []

    def test_first_champions_of_different_keys_do_not_disturb_each_other(self, store: RecordStore) -> None:
        run_together([lambda m=m: store.succeed([make_succession(1, moment=m)]) for m in "abcdef"])
        assert [s.moment for s in store.champions()] == list("abcdef")


class TestJournal:
    @pytest.mark.parametrize(("one", "make"), [("drift_report", make_drift_report), ("decision", make_decision)])
    def test_reports_and_decisions_come_back_newest_first(self, store: RecordStore, one: str, make: Any) -> None:
        add, listed = getattr(store, f"add_{one}"), getattr(store, f"{one}s")
        kept = [make(after(n)) for n in range(3)]
        for record in [*kept, elsewhere := make(after(9), domain="k12")]:
            add(record)
        assert listed("school") == kept[::-1]
        assert listed(limit=2) == [elsewhere, kept[2]]

    @pytest.mark.parametrize(
        ("one", "make"), [("drift_report", make_drift_report), ("decision", make_decision), ("event", make_event)]
    )
    def test_page_after_page_gives_each_once_whatever_came_at_the_same_time(
        self, store: RecordStore, one: str, make: Any
    ) -> None:
        add, listed = getattr(store, f"add_{one}"), getattr(store, f"{one}s")
        for number in range(7):
            add(make(after(number // 3), domain="school"))
        pages, before = [], None
        while page := listed("school", before=before, limit=2):
            pages += page
            before = page[-1].at, page[-1].id
        assert pages == listed("school")
        assert len(pages) == 7

    def test_events_come_back_newest_first_by_domain_and_kind(self, store: RecordStore) -> None:
        everywhere, here, other = (
            make_event(after(1)),
            make_event(after(2), domain="school"),
            make_event(after(3), domain="school", kind="promoted"),
        )
        for event in (other, everywhere, here):
            store.add_event(event)
        assert store.events() == [other, here, everywhere]
        assert store.events("school") == [other, here]
        assert store.events(kind="broken_artifact") == [here, everywhere]
        assert store.events("school", kind="promoted", limit=1) == [other]
        assert store.events(limit=0) == []

    @generated
    @given(document=strategies.documents, at=strategies.times)
    def test_documents_come_back_as_they_were_given(
        self, store: RecordStore, document: dict[str, object], at: datetime
    ) -> None:
        kind = new_id()
        store.add_event(event := make_event(at, kind=kind, details=document))
        assert store.events(kind=kind) == [event]


class TestDocuments:
    @generated
    @given(name=strategies.plain, body=strategies.documents, at=strategies.times, domain=strategies.maybe)
    def test_come_back_as_they_were_given(
        self, store: RecordStore, name: str, body: dict[str, object], at: datetime, domain: str | None
    ) -> None:
        document = make_document(name, 1, at, kind=name + new_id(), body=body, domain=domain)
        store.put_document(document)
        assert store.document(document.kind, name) == document
        assert store.documents(document.kind) == [document]

    def test_each_revision_takes_the_place_of_the_one_before(self, store: RecordStore) -> None:
        assert store.document("profile", "monday") is None
        first, second = make_document("monday"), make_document("monday", 2, after(1), body={"n": 2}, domain="school")
        store.put_document(first)
        store.put_document(second)
        assert store.document("profile", "monday") == second
        assert store.documents("profile") == [second]
        assert store.document("profile", "tuesday") is None
        assert store.document("key", "monday") is None

    @pytest.mark.parametrize("before", [0, 2])
    @pytest.mark.parametrize("step", [-1, 0, 2])
    def test_a_revision_that_is_not_the_next_is_a_conflict(self, store: RecordStore, before: int, step: int) -> None:
        kept = [make_document("monday", revision) for revision in range(1, before + 1)]
        for document in kept:
            store.put_document(document)
        with pytest.raises(Conflict, match="'monday'"):
            store.put_document(make_document("monday", before + step, body={"changed": True}))
        assert store.documents("profile") == kept[-1:]

    def test_are_listed_by_name_within_their_limits(self, store: RecordStore) -> None:
        a, b, c = (
            make_document(n, 1, after(t), domain=d) for n, t, d in (("a", 3, None), ("b", 1, "k12"), ("ä", 2, "k12"))
        )
        for document in (c, a, b, make_document("d", kind="key")):
            store.put_document(document)
        assert store.documents("profile") == [a, b, c]
        assert store.documents("profile", domain="k12") == [b, c]
        assert store.documents("profile", since=after(2)) == [a, c]
        assert store.documents("profile", since=after(1), until=after(3), domain="k12") == [b, c]
        assert store.documents("profile", until=after(2)) == [b]
        assert store.documents("unknown") == []
        store.put_document(d := make_document("d", 1, after(2)))
        assert sorted(one.name for one in store.documents_named("profile", ["d", "b", "d", "x"])) == ["b", "d"]
        assert store.documents_named("profile", []) == []
        assert store.newest_documents("profile", limit=3) == [a, c, d]
        assert store.newest_documents("profile", before=(c.at, c.name)) == [d, b]

    def test_a_removed_one_is_gone_and_its_name_free(self, store: RecordStore) -> None:
        store.put_document(make_document("monday"))
        store.put_document(other := make_document("tuesday"))
        assert store.remove_document("profile", "monday")
        assert not store.remove_document("profile", "monday")
        assert not store.remove_document("key", "tuesday")
        with pytest.raises(Conflict):
            store.put_document(make_document("monday", 2))
        assert store.documents("profile") == [other]
        store.put_document(make_document("monday"))
        assert [d.name for d in store.documents("profile")] == ["monday", "tuesday"]

    @pytest.mark.parametrize("revision", [1, 2])
    def test_of_threads_that_change_one_at_once_exactly_one_wins(self, store: RecordStore, revision: int) -> None:
        for before in range(1, revision):
            store.put_document(make_document("monday", before))
        won: list[str] = []

        def change(who: str) -> None:
            try:
                store.put_document(make_document("monday", revision, body={"who": who}))
            except Conflict:
                return
            won.append(who)

        run_together([lambda who=who: change(who) for who in "abcdef"])
        assert len(won) == 1
        assert store.documents("profile") == [make_document("monday", revision, body={"who": won[0]})]

    @pytest.mark.parametrize("fields", [{"name": "a\tb"}, {"name": "a", "kind": "\t"}, {"name": "é" * 1_000}])
    def test_a_name_that_is_no_key_is_refused(self, store: RecordStore, fields: dict[str, str]) -> None:
        with pytest.raises(ValueError, match="kind and name of a document"):
            store.put_document(make_document(**fields))  # type: ignore[arg-type]

    def test_may_have_several_megabytes_and_the_longest_of_names(self, store: RecordStore) -> None:
        body = {f"feature {n}": [n / 7] * 1_000 for n in range(200)}
        store.put_document(document := make_document("".join(chr(200 + n % 900) for n in range(996)), body=body))
        assert store.document("profile", document.name) == document


class TestObservations:
    def test_are_known_in_every_version_as_of_when_they_came_in(self, store: RecordStore) -> None:
        first = [make_observation(f"s{n % 3}", event=f"e{n}", body=(None, 1.5, True, "ü")) for n in range(7)]
        corrected = make_observation("s1", after(5), event="e1", version=3, body=None)
        older = make_observation("s1", after(9), event="e1", version=2)
        other = make_observation("s1", domain="k12")
        assert [store.add_observations(some) for some in (first, [corrected, first[1]], [older], [other])] == [
            7,
            1,
            1,
            1,
        ]
        assert store.add_observations([*first, corrected, replace(older, body=("absent",))]) == 0
        everything = sorted([*first, corrected, older], key=observation_key)
        assert observed(store) == everything
        assert observed(store, known_at=after(8)) == sorted([*first, corrected], key=observation_key)
        assert observed(store, students=["s1", "s9"], known_at=NOON) == [one for one in first if one.student == "s1"]

    def test_are_found_by_their_events_and_no_others(self, store: RecordStore, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in (layout, sql):
            monkeypatch.setattr(module, "EVENTS_AT_ONCE", 2)
        kinds = ("attendance", "grades")
        kept = [
            make_observation(f"s{who}", event=f"e{number}", kind=kind, version=version)
            for who in range(3) for number in range(3) for kind in kinds for version in (2, 10)
        ]  # fmt: skip
        store.add_observations([*reversed(kept), make_observation("s0", domain="k12", event="e0")])
        asked = [("s2", "grades", "e1"), ("s0", "attendance", "e0"), ("s0", "attendance", "e2"), ("s1", "grades", "e9"),
                 ("s9", "grades", "e1"), ("s0", "attendance", "e0")]  # fmt: skip
        pages = list(store.observations_of_events("school", asked))
        unpack = LAYOUTS["observations"].unpack
        found = [unpack(("school", *row[:-1])) for page in pages for row in zip(*page, strict=True)]
        expected = [one for one in kept if (one.student, one.kind, one.event) in asked]
        assert found == sorted(expected, key=observation_key)
        assert len(pages) > 1
        assert list(store.observations_of_events("school", [])) == []

    def test_come_in_pages_and_what_came_meanwhile_in_none(
        self, store: RecordStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for module in (layout, sql):
            monkeypatch.setattr(module, "ROWS_AT_ONCE", 3)
        given_ones = [make_observation(f"s{n // 4}", event=f"e{n}") for n in range(11)]
        store.add_observations(given_ones)
        pages = store.observation_pages("school")
        first = next(pages)
        store.add_observations([make_observation("s9", after(1))])
        rest = list(pages)
        assert max(len(page.event) for page in (first, *rest)) <= 2 * 3
        keys = [key for page in (first, *rest) for key in zip(page.student, page.event, strict=True)]
        assert keys == sorted((one.student, one.event) for one in given_ones)

    def test_come_as_texts_of_whole_students_too(self, store: RecordStore, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in (layout, sql):
            monkeypatch.setattr(module, "PAGE", 2)
        kept = [
            make_observation(f"s{who}" if who else "", event=f"e{number}", kind=kind, version=version, body=body)
            for who in range(6) for number in range(3) for kind in ("attendance", "grades")
            for version, body in ((2, ("a\tb", 1.5)), (10, None))
        ]  # fmt: skip
        store.add_observations([*kept, make_observation("s1", domain="k12"), make_observation("s9", after(5))])
        pages = store.observation_texts("school", known_at=NOON)
        first = next(pages)
        store.add_observations([make_observation("s9")])
        found = [first, *pages]
        assert len(found) == 3
        assert sorted(told_in(found)) == sorted(told_by_row(store, kept))
        of_some = list(store.observation_texts("school", students=["s2", "s9", "s4"]))
        assert {row[0] for row in told_in(of_some)} == {"s2", "s4", "s9"}
        of_kind = told_in(store.observation_texts("school", known_at=NOON, kind="grades"))
        assert sorted(of_kind) == [row for row in sorted(told_in(found)) if row[1] == "grades"]
        assert list(store.observation_texts("college")) == []

    def test_tell_whose_changed_behind_a_receipt(self, store: RecordStore) -> None:
        start = store.observed_since("school", 0)
        assert start.students == []
        store.add_observations([make_observation("s2"), make_observation("")])
        then = store.observed_since("school", start.newest)
        assert list(then.students) == ["", "s2"]
        store.add_observations([make_observation("s2"), make_observation("s1", domain="k12")])
        last = store.observed_since("school", then.newest)
        assert list(last.students) == []
        only = store.observed_since("school", None)
        assert only.students == []
        assert only.newest >= last.newest

    def test_of_an_erased_student_and_old_ones_are_gone(self, store: RecordStore) -> None:
        kept = [make_observation("s2", after(5)), make_observation("s1", domain="k12")]
        store.add_observations(
            [make_observation("s1"), make_observation("s2", event="old"), make_observation(""), *kept]
        )
        told = store.erase_student("school", "s1", make_event())
        assert told is not None
        assert told.details["count"] == 1
        assert store.remove_observations("school", after(5)) == 2
        assert observed(store) == kept[:1]
        assert observed(store, domain="k12") == kept[1:]

    def test_what_was_taken_back_is_not_there_again_when_old_ones_are_gone(self, store: RecordStore) -> None:
        back = make_observation("s1", version=8, body=None)
        late = make_observation("s1", after(5), version=7)
        corrected = [make_observation("s2", version=1), make_observation("s2", after(5), version=2)]
        store.add_observations([back, late, *corrected])
        assert store.remove_observations("school", after(5)) == 1
        assert observed(store) == [late, back, corrected[1]]
        assert store.remove_observations("school", after(6)) == 3

    @pytest.mark.parametrize("fields", [{"version": -1}, {"event": "a\tb"}, {"student": "\t"}])
    def test_a_key_that_is_none_is_refused_and_nothing_kept(self, store: RecordStore, fields: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="TAB"):
            store.add_observations([make_observation(), make_observation(**fields)])
        assert observed(store) == []


def observed(store: RecordStore, domain: str = "school", **asked: Any) -> list[Observation]:
    unpack = LAYOUTS["observations"].unpack
    pages = store.observation_pages(domain, **asked)
    return [unpack((domain, *row[:-1])) for page in pages for row in zip(*page, strict=True)]


def told_in(pages: Iterable[Sequence[ObservationTexts]]) -> list[tuple[str, ...]]:
    """Student, kind, event, version, day and body of each version in texts."""
    found = list[tuple[str, ...]]()
    for one in chain.from_iterable(pages):
        lines = one.told.split("\n")
        assert len(lines) == one.size
        found += [(one.student, one.kind, *line.split("\t")) for line in lines]
    return found


def told_by_row(store: RecordStore, wanted: Sequence[Observation]) -> list[tuple[str, ...]]:
    """The same of these observations, as pages tell them."""
    keys = {(one.student, one.kind, one.event, one.version) for one in wanted}
    rows = (row for page in store.observation_pages("school") for row in zip(*page, strict=True))
    told = [(who, kind, event, version, day, body) for who, kind, event, version, _, day, body, *_ in rows]
    return [tuple(map(str, one)) for one in told if one[:4] in keys]


class TestAccesses:
    def test_are_listed_newest_first_by_actor_domain_and_action(self, store: RecordStore) -> None:
        everywhere, here, refused, bob = (
            make_access(after(1)),
            make_access(after(2), domain="school"),
            make_access(after(3), domain="school", action="refused"),
            make_access(after(4), domain="school", actor="bob"),
        )
        store.add_accesses([refused, everywhere, bob])
        store.add_accesses([here])
        assert store.accesses() == [bob, refused, here, everywhere]
        assert store.accesses(actor="ann") == [refused, here, everywhere]
        assert store.accesses(domain="school", action="looked") == [bob, here]
        assert store.accesses(actor="ann", domain="school", since=after(3)) == [refused]
        assert store.accesses(since=after(2), limit=2) == [bob, refused]
        assert store.accesses(limit=0) == []
        assert store.accesses(actor="eve") == []

    def test_one_that_is_there_is_left_as_it_is(self, store: RecordStore) -> None:
        store.add_accesses([first := make_access()])
        store.add_accesses([make_access(id=first.id, actor="eve"), other := make_access(after(1))])
        store.add_accesses([])
        assert store.accesses() == [other, first]

    def test_none_of_a_call_is_kept_when_one_cannot_be(self, store: RecordStore) -> None:
        with pytest.raises(ValueError, match="surrogate"):
            store.add_accesses([make_access(), make_access(details={"file": "\ud800"})])
        assert store.accesses() == []

    @generated
    @given(details=strategies.documents, at=strategies.times, domain=strategies.maybe, action=strategies.words)
    def test_come_back_as_they_were_given(
        self, store: RecordStore, details: dict[str, object], at: datetime, domain: str | None, action: str
    ) -> None:
        access = make_access(at, actor=new_id(), details=details, domain=domain, action=action)
        store.add_accesses([access])
        assert store.accesses(actor=access.actor) == [access]


class TestLeases:
    def test_one_holder_has_it_until_it_gives_it_back(self, store: RecordStore) -> None:
        assert store.try_lease("retrain", "a", 60) is None
        assert store.try_lease("retrain", "b", 60) == "a"
        assert store.try_lease("retrain", "a", 60) is None
        assert store.try_lease("other", "b", 60) is None
        store.release_lease("retrain", "a")
        assert store.try_lease("retrain", "b", 60) is None

    def test_an_expired_one_goes_to_the_next_and_its_old_holder_cannot_give_it_back(self, store: RecordStore) -> None:
        assert store.try_lease("retrain", "stale", 0) is None
        assert store.try_lease("retrain", "b", 60) is None
        store.release_lease("retrain", "stale")
        assert store.try_lease("retrain", "stale", 60) == "b"

    def test_of_threads_that_ask_at_once_one_gets_it(self, store: RecordStore) -> None:
        answers: list[str | None] = []
        run_together([lambda who=who: answers.append(store.try_lease("retrain", who, 60)) for who in "abcdef"])
        assert answers.count(None) == 1
        assert len(set(answers)) == 2


def ended(store: RecordStore, job: Job) -> Job:
    found = store.job(job.id)
    assert found is not None
    return found


class TestJobs:
    def test_come_back_as_they_were_asked_for_at_the_databases_time(self, store: RecordStore) -> None:
        kept = store.add_job(asked := make_job(actor="ann"))
        assert kept == replace(asked, at=kept.at, due=kept.at)
        assert abs(kept.at - now()) < timedelta(minutes=1)
        assert store.job(kept.id) == kept
        assert store.job("unknown") is None

    def test_the_same_one_asked_for_twice_is_one(self, store: RecordStore) -> None:
        first = store.add_job(make_job(id="key"))
        assert store.add_job(make_job(id="key", arguments={"other": 1})) == first
        assert store.jobs() == [first]

    def test_are_claimed_by_kind_the_longest_waiting_first_and_once(self, store: RecordStore) -> None:
        first, second = (store.add_job(make_job()) for _ in range(2))
        assert store.claim_job(["other"], "w", 60) is None
        claimed = store.claim_job(["other", "drift"], "w", 60)
        assert claimed is not None
        assert claimed.expires is not None
        assert claimed.started is not None
        assert claimed == replace(
            first, state="running", worker="w", attempts=1, token=1, started=claimed.started, expires=claimed.expires
        )
        assert claimed.expires - claimed.started == timedelta(seconds=60)
        assert [one and one.id for one in (store.claim_job(["drift"], "w", 60) for _ in range(2))] == [second.id, None]

    def test_a_pause_is_kept(self, store: RecordStore) -> None:
        store.add_job(make_job(), pause=60)
        assert store.claim_job(["drift"], "w", 60) is None

    def test_one_whose_worker_gives_no_sign_of_life_goes_to_the_next_and_the_old_one_can_write_nothing(
        self, store: RecordStore
    ) -> None:
        job = store.add_job(make_job())
        stale = store.claim_job(["drift"], "stale", 0)
        assert stale is not None
        old = (job.id, stale.token)
        writes: list[Callable[[RecordStore], object]] = [
            lambda s: s.renew_job(*old, 60),
            lambda s: s.end_job(*old, "done", result={"of": "stale"}),
            lambda s: s.put_back_job(*old),
            lambda s: s.fenced(*old).add_drift_report(make_drift_report(id="late")),
            lambda s: s.fenced(*old).add_predictions([make_prediction(), make_prediction()]),
            lambda s: s.fenced(*old).add_outcomes([make_outcome(student="s")]),
            lambda s: s.fenced(*old).put_document(make_document("late")),
            lambda s: s.fenced(*old).succeed([make_succession(1)]),
            lambda s: s.fenced(*old).add_batch(make_batch("late"), [make_row(1)]),
        ]
        for present in (stale, store.claim_job(["drift"], "next", 60)):  # before and after another one has claimed it
            assert present is not None
            for write in writes:
                with pytest.raises(LostJob):
                    write(store)
        store.fenced(job.id, 2).add_drift_report(make_drift_report(id="in time"))
        assert store.end_job(job.id, 2, "done", result={"of": "next"}).result == {"of": "next"}
        for write in writes:
            with pytest.raises(LostJob):
                write(store)
        with pytest.raises(LostJob):
            store.fenced(job.id, 2).add_drift_report(make_drift_report(id="after its end"))
        assert [one.id for one in store.drift_reports()] == ["in time"]
        assert store.count_predictions() == len(store.batches()) == len(store.champions()) == 0
        assert ended(store, job).attempts == 2

    def test_a_sign_of_life_holds_it_tells_how_far_it_is_and_learns_whether_to_stop(self, store: RecordStore) -> None:
        job = store.add_job(make_job())
        claimed = store.claim_job(["drift"], "w", 30)
        assert claimed is not None
        told = store.renew_job(job.id, 1, 90, JobProgress(step="reading", share=0.5))
        assert (told.progress, told.cancelling) == (JobProgress(step="reading", share=0.5), False)
        assert claimed.expires
        assert told.expires
        assert told.expires > claimed.expires
        assert (cancelled := store.cancel_job(job.id))
        assert (cancelled.state, cancelled.cancelling) == ("running", True)
        assert store.renew_job(job.id, 1, 90) == replace(told, cancelling=True, expires=ended(store, job).expires)
        assert store.end_job(job.id, 1, "cancelled").ended

    def test_a_waiting_one_is_cancelled_at_once_and_an_ended_one_stays_as_it_is(self, store: RecordStore) -> None:
        job = store.add_job(make_job())
        assert (cancelled := store.cancel_job(job.id))
        assert (cancelled.state, cancelled.ended) == ("cancelled", True)
        assert cancelled.finished is not None
        assert store.claim_job(["drift"], "w", 60) is None
        assert store.cancel_job(job.id) == cancelled
        assert store.cancel_job("unknown") is None

    def test_put_back_it_waits_again_with_what_went_wrong_and_may_not_count(self, store: RecordStore) -> None:
        job, problem = store.add_job(make_job()), JobProblem(title="Busy", detail="later", category="unavailable")
        store.claim_job(["drift"], "w", 60)
        back = store.put_back_job(job.id, 1, pause=60, problem=problem)
        assert (back.state, back.attempts, back.problem, back.expires) == ("waiting", 1, problem, None)
        assert store.claim_job(["drift"], "w", 60) is None
        assert back.due - back.at > timedelta(seconds=59)
        other = store.add_job(make_job())
        store.claim_job(["drift"], "w", 60)
        store.put_back_job(other.id, 1, counts=False)
        again = store.claim_job(["drift"], "w", 60)
        assert again is not None
        assert (again.id, again.attempts, again.token) == (other.id, 1, 2)

    def test_are_listed_newest_first_page_by_page(self, store: RecordStore) -> None:
        asked = [store.add_job(make_job(domain=d, actor=a)) for d in ("school", "k12") for a in ("ann", "bo")]
        store.cancel_job(asked[3].id)
        newest = sorted(asked, key=lambda one: (one.at, one.id), reverse=True)
        first = store.jobs(limit=3)
        assert [one.id for one in first] == [one.id for one in newest[:3]]
        rest = store.jobs(before=(first[-1].at, first[-1].id), limit=3)
        assert [one.id for one in rest] == [newest[3].id]
        assert {one.id for one in store.jobs(domain="school", actor="bo", kind="drift")} == {asked[1].id}
        assert {one.id for one in store.jobs(states=["cancelled", "done"])} == {asked[3].id}
        assert store.jobs(kind="other") == []

    def test_ended_ones_are_forgotten_after_a_while(self, store: RecordStore) -> None:
        waiting, gone = (store.add_job(make_job()) for _ in range(2))
        store.cancel_job(gone.id)
        assert store.remove_jobs(now() - timedelta(hours=1)) == 0
        assert store.remove_jobs(now() + timedelta(hours=1)) == 1
        assert [one.id for one in store.jobs()] == [waiting.id]

    def test_workers_are_seen(self, store: RecordStore) -> None:
        assert store.workers() == []
        for name in ("a", "b", "a"):
            store.see_worker(name, ["drift", "scoring"])
        assert [(one.id, one.kinds) for one in store.workers()] == [(n, ("drift", "scoring")) for n in "ab"]
        assert all(0 <= one.ago < 60 for one in store.workers())
        store.forget_workers(now() + timedelta(hours=1))
        assert store.workers() == []


class TestBlobs:
    @pytest.mark.parametrize("size", [0, 1, 10, 11, 29])
    def test_come_back_as_they_were_given(self, store: RecordStore, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(blobs, "CHUNK_BYTES", 10)
        content = bytes(range(256))[-size:] if size else b""
        blobs.put_blob(store, "file", content)
        blobs.put_blob(store, "other", b"other")
        assert b"".join(blobs.read_blob(store, "file")) == content
        assert list(blobs.read_blob(store, "unknown")) == []
        assert store.blobs() == ["file", "other"]
        assert store.blobs(before=now() - timedelta(hours=1)) == []
        store.remove_blobs(["file", "unknown"])
        assert (store.blobs(), list(blobs.read_blob(store, "file"))) == (["other"], [])


class TestById:
    def test_a_report_a_decision_and_predictions_are_found_among_many(self, store: RecordStore) -> None:
        report, decision = make_drift_report(), make_decision()
        for at in range(3):
            store.add_drift_report(make_drift_report(after(at)))
            store.add_decision(make_decision(after(at)))
        store.add_drift_report(report)
        store.add_decision(decision)
        store.add_predictions(predictions := [make_prediction(after(at)) for at in range(4)])
        assert (store.drift_report(report.id), store.decision(decision.id)) == (report, decision)
        assert store.decisions(key=ChampionKey("school", "G3", "G1")) == []
        store.add_decision(about := make_decision(moment="G1"))
        assert store.decisions(key=ChampionKey("school", "G3", "G1"), limit=1) == [about]
        assert (store.drift_report("unknown"), store.decision("unknown")) == (None, None)
        wanted = [predictions[2], predictions[0], predictions[3]]
        assert store.predictions_of([wanted[0].id, "unknown", *(one.id for one in wanted[1:])]) == wanted
        assert store.predictions_of([]) == []


class TestExport:
    def test_everything_comes_out_in_key_order_page_by_page(self, store: RecordStore) -> None:
        fill(store, of_each=3)
        for kind in KINDS:
            everything = store.export(kind)
            assert everything
            assert [key for key, _ in everything] == sorted(key for key, _ in everything)
            pages, after_key = [], None
            while page := store.export(kind, after=after_key, limit=2):
                assert len(page) <= 2
                pages += page
                after_key = page[-1][0]
            assert pages == everything

    def test_what_is_loaded_is_what_was_exported_and_reads_the_same(
        self, store: RecordStore, sqlite_url: str, opened: Callable[[str], RecordStore]
    ) -> None:
        fill(store, of_each=3)
        other = opened(sqlite_url + "-copy")
        for _ in range(2):
            for kind in KINDS:
                other.load(kind, store.export(kind))
        back = {kind: other.export(kind) for kind in KINDS}
        for kind in KINDS:
            assert back[kind] == store.export(kind)
            store.load(kind, back[kind])
            assert store.export(kind) == back[kind]
        assert other.champions() == store.champions()
        assert other.labeled_records("school") == store.labeled_records("school")
        store.succeed([make_succession(4)])
        assert [s.generation for s in store.successions(KEY)] == [1, 2, 3, 4]

    def test_documents_come_out_by_kind_then_name_whatever_letters_these_have(
        self, store: RecordStore, sqlite_url: str, opened: Callable[[str], RecordStore]
    ) -> None:
        given_ones = [
            make_document(name, kind=kind) for kind in ("a\x01", "a", "ä", "", "a b") for name in ("\x02", "z", "")
        ]
        for document in given_ones:
            store.put_document(document)
        kinds = sorted((d.kind, d.name) for d in given_ones)
        keys = [f"{kind}\t{name}" for kind, name in kinds]
        assert [key for key, _ in store.export("documents")] == keys
        assert [key for key, _ in store.export("documents", after=keys[4], limit=7)] == keys[5:12]
        other = opened(sqlite_url + "-copy")
        other.load("documents", store.export("documents"))
        assert other.export("documents") == store.export("documents")

    def test_equal_records_export_equal_bytes_whatever_the_order_of_their_fields(self, store: RecordStore) -> None:
        one = make_prediction(inputs={"a": 1.0, "b": 2.0})
        store.add_predictions([one])
        [(key, document)] = store.export("predictions")
        turned = document.replace(b'{"a":1.0,"b":2.0}', b'{"b":2.0,"a":1.0}')
        assert turned != document
        store.load("predictions", [(key, turned)])
        assert store.export("predictions") == [(key, document)]

    def test_a_loaded_document_replaces_the_one_with_its_key(self, store: RecordStore) -> None:
        store.add_predictions([one := make_prediction(source="api")])
        [(key, document)] = store.export("predictions")
        store.load("predictions", [(key, document.replace(b'"api"', b'"cli"'))])
        found = store.prediction(one.id)
        assert found is not None
        assert found.source == "cli"

    def test_a_document_that_is_none_is_refused_and_nothing_is_kept(self, store: RecordStore) -> None:
        fill(store, of_each=3)
        kept = store.export("events")
        good = kept[0][1].replace(kept[0][0].encode(), b"another")
        with pytest.raises(ValueError, match="truncated"):
            store.load("events", [("another", good), ("broken", b"{")])
        assert store.export("events") == kept


def run_together(works: list[Callable[[], object]]) -> None:
    """Run each in a thread of its own, all released at once; a failure of any fails the test."""
    barrier = threading.Barrier(len(works))
    failures: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        barrier.wait()
        try:
            work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
