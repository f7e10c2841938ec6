"""The rows that judge: newest, unseen, whole groups, the same whatever the order of the file."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from database.records import LabeledRecord
from preprocessing.schema import load_domains
from preprocessing.split import clusters
from retraining.holdout import hold_out, ordered_frame

COURSE = load_domains()["course"]
START = datetime(2026, 1, 1, tzinfo=UTC)


def make_record(number: int, *, group: str | None, day: int = 0, student: str | None = None) -> LabeledRecord:
    return LabeledRecord(
        id=f"{number:032x}",
        domain="course",
        inputs={"previous_grade": float(number % 100)},
        targets={"final_grade": float(number % 100)},
        at=START + timedelta(days=day),
        student=student or f"student {number}",
        group=group,
    )


RECORDS = st.lists(
    st.tuples(st.one_of(st.none(), st.sampled_from("abcdefgh")), st.integers(0, 3), st.booleans()),
    min_size=1,
    max_size=60,
)


def ids(frame: pl.DataFrame) -> set[str]:
    return set(frame["_record"])


@given(RECORDS, st.floats(0.1, 0.9))
def test_no_row_both_teaches_and_judges_and_no_group_has_seen_rows(rows, share: float) -> None:  # type: ignore[no-untyped-def]
    records = [make_record(number, group=group, day=day) for number, (group, day, _) in enumerate(rows)]
    seen = {record.id for record, (_, _, known) in zip(records, rows, strict=True) if known}
    frame = ordered_frame(records, COURSE)
    holdout = hold_out(frame, COURSE, seen, share=share)
    assert ids(holdout.teaching).isdisjoint(ids(holdout.judging))
    assert ids(holdout.teaching) | ids(holdout.judging) == {record.id for record in records}
    assert ids(holdout.unseen) == {record.id for record in records} - seen
    assert ids(holdout.judging) <= ids(holdout.unseen)
    assert len(holdout.clusters) == holdout.judging.height
    numbers = dict(zip(frame["_record"], clusters(frame, COURSE), strict=True))
    judged = {numbers[record] for record in ids(holdout.judging)}
    assert judged.isdisjoint({numbers[record] for record in ids(holdout.teaching)})
    eligible = set(numbers.values()) - {numbers[record] for record in seen}
    wanted = int(np.ceil(share * holdout.unseen.height))
    assert holdout.judging.height >= wanted or judged == eligible


@given(RECORDS, st.randoms(use_true_random=False))
def test_the_order_within_an_upload_decides_nothing(rows, random) -> None:  # type: ignore[no-untyped-def]
    records = [make_record(number, group=group, day=day) for number, (group, day, _) in enumerate(rows)]
    shuffled = random.sample(records, len(records))
    first, second = (hold_out(ordered_frame(part, COURSE), COURSE, set(), share=0.5) for part in (records, shuffled))
    assert first.judging.drop("_row").equals(second.judging.drop("_row"))
    assert first.teaching.drop("_row").equals(second.teaching.drop("_row"))


def test_the_newest_groups_judge() -> None:
    records = [make_record(number, group=f"day {number // 10}", day=number // 10) for number in range(60)]
    holdout = hold_out(ordered_frame(records, COURSE), COURSE, set(), share=0.5)
    assert set(holdout.judging["_group"]) == {"day 3", "day 4", "day 5"}
    assert set(holdout.clusters) == set(np.unique(holdout.clusters))
    assert len(set(holdout.clusters)) == 3


def test_one_large_group_is_not_the_only_judge() -> None:
    records = [make_record(number, group="large" if number >= 20 else "small", day=number) for number in range(100)]
    records += [make_record(100 + number, group="old", day=-1) for number in range(10)]
    holdout = hold_out(ordered_frame(records, COURSE), COURSE, set(), share=0.5)
    assert set(holdout.judging["_group"]) == {"large", "small"}


def test_a_file_sorted_by_mark_is_not_judged_by_its_best_students() -> None:
    records = [make_record(number, group=None) for number in range(100)]
    judging = hold_out(ordered_frame(records, COURSE), COURSE, set(), share=0.5).judging
    assert 35 < judging["previous_grade"].to_numpy().mean() < 64


def test_periods_come_before_arrival() -> None:
    late, early = make_record(1, group="a", day=9), make_record(2, group="b", day=1)
    old = LabeledRecord(**{f: getattr(late, f) for f in late.__struct_fields__} | {"period": "2025-1"})
    new = LabeledRecord(**{f: getattr(early, f) for f in early.__struct_fields__} | {"period": "2025-10"})
    assert ordered_frame([new, old], COURSE)["_period"].to_list() == ["2025-1", "2025-10"]


def test_rows_that_the_champion_has_all_seen_judge_nothing() -> None:
    records = [make_record(number, group="a") for number in range(10)]
    holdout = hold_out(ordered_frame(records, COURSE), COURSE, {record.id for record in records}, share=0.5)
    assert holdout.judging.is_empty()
    assert holdout.unseen.is_empty()
    assert holdout.teaching.height == 10


def test_without_any_record_nothing_teaches_and_nothing_judges() -> None:
    schema = load_domains()["engagement"]
    holdout = hold_out(ordered_frame([], schema), schema, {"seen"}, share=0.5)
    assert holdout.teaching.is_empty()
    assert holdout.judging.is_empty()
    assert holdout.unseen.is_empty()
