"""The rows that judge: newest, unseen, whole groups, the same whatever the order of the file."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from database.records import ChampionKey, LabeledRecord
from model.scores import paired_gain
from preprocessing.schema import load_domains
from preprocessing.split import clusters
from retraining.holdout import COPIES, JUDGED_STUDENTS, Holdout, arrivals, hold_out, ordered_frame

COURSE = load_domains()["course"]
KEY = ChampionKey("course", "final_grade", COURSE.moments[0])
START = datetime(2026, 1, 1, tzinfo=UTC)


def make_record(
    number: int,
    *,
    group: str | None = None,
    day: int = 0,
    student: str | None = None,
    period: str | None = None,
    content: float | None = None,
) -> LabeledRecord:
    return LabeledRecord(
        id=f"{number:032x}",
        domain="course",
        inputs={"previous_grade": float(number if content is None else content)},
        targets={"final_grade": float(number if content is None else content)},
        at=START + timedelta(days=day),
        student=student or f"student {number}",
        group=group,
        period=period,
    )


RECORDS = st.lists(
    st.tuples(st.one_of(st.none(), st.sampled_from("abcdefgh")), st.integers(0, 3), st.booleans()),
    min_size=1,
    max_size=60,
)


def held(records: Sequence[LabeledRecord], seen: Sequence[LabeledRecord] = (), *, share: float = 0.5) -> Holdout:
    """`records` and `seen` as a retraining run parts them, for a champion that has learned from `seen`."""
    every = [*seen, *records]
    return hold_out(
        ordered_frame(every, COURSE), COURSE, KEY, {record.id for record in seen}, share=share, arrived=arrivals(every)
    )


def ids(frame: pl.DataFrame) -> set[str]:
    return set(frame["_record"])


@given(RECORDS, st.floats(0.1, 0.9))
def test_no_row_both_teaches_and_judges_and_no_group_has_seen_rows(rows, share: float) -> None:  # type: ignore[no-untyped-def]
    records = [make_record(number, group=group, day=day) for number, (group, day, _) in enumerate(rows)]
    seen = {record.id for record, (_, _, known) in zip(records, rows, strict=True) if known}
    frame = ordered_frame(records, COURSE)
    holdout = hold_out(frame, COURSE, KEY, seen, share=share)
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
    first, second = (held(part) for part in (records, shuffled))
    assert first.judging.drop("_row").equals(second.judging.drop("_row"))
    assert first.teaching.drop("_row").equals(second.teaching.drop("_row"))


def test_the_newest_groups_judge() -> None:
    records = [make_record(number, group=f"day {number // 10}", day=number // 10) for number in range(60)]
    holdout = hold_out(ordered_frame(records, COURSE), COURSE, KEY, set(), share=0.5)
    assert set(holdout.judging["_group"]) == {"day 3", "day 4", "day 5"}
    assert set(holdout.clusters) == set(np.unique(holdout.clusters))
    assert len(set(holdout.clusters)) == 3


def test_one_large_group_is_not_the_only_judge() -> None:
    records = [make_record(number, group="large" if number >= 20 else "small", day=number) for number in range(100)]
    records += [make_record(100 + number, group="old", day=-1) for number in range(10)]
    holdout = hold_out(ordered_frame(records, COURSE), COURSE, KEY, set(), share=0.5)
    assert set(holdout.judging["_group"]) == {"large", "small"}


def test_a_file_sorted_by_mark_is_not_judged_by_its_best_students() -> None:
    records = [make_record(number, group=None) for number in range(100)]
    judging = hold_out(ordered_frame(records, COURSE), COURSE, KEY, set(), share=0.5).judging
    assert 35 < judging["previous_grade"].to_numpy().mean() < 64


def test_periods_come_before_arrival() -> None:
    late, early = make_record(1, group="a", day=9), make_record(2, group="b", day=1)
    old = LabeledRecord(**{f: getattr(late, f) for f in late.__struct_fields__} | {"period": "2025-1"})
    new = LabeledRecord(**{f: getattr(early, f) for f in early.__struct_fields__} | {"period": "2025-10"})
    assert ordered_frame([new, old], COURSE)["_period"].to_list() == ["2025-1", "2025-10"]


def test_rows_that_the_champion_has_all_seen_judge_nothing() -> None:
    records = [make_record(number, group="a") for number in range(10)]
    holdout = hold_out(ordered_frame(records, COURSE), COURSE, KEY, {record.id for record in records}, share=0.5)
    assert holdout.judging.is_empty()
    assert holdout.unseen.is_empty()
    assert holdout.teaching.height == 10


def test_without_any_record_nothing_teaches_and_nothing_judges() -> None:
    schema = load_domains()["engagement"]
    key = ChampionKey("engagement", "assignment_score", schema.moments[0])
    holdout = hold_out(ordered_frame([], schema), schema, key, {"seen"}, share=0.5)
    assert holdout.teaching.is_empty()
    assert holdout.judging.is_empty()
    assert holdout.unseen.is_empty()


def year(period: str, *, day: int, first: int, students: Sequence[int]) -> list[LabeledRecord]:
    """One row a student, in no group."""
    return [
        make_record(first + place, day=day, student=f"student {student}", period=period)
        for place, student in enumerate(students)
    ]


def test_returning_students_are_judged_on_the_newest_unseen_periods_and_are_the_clusters() -> None:
    seen = year("2024", day=0, first=0, students=range(60))
    middle, last = (
        year(period, day=day, first=100 * day, students=range(60)) for day, period in ((1, "2025"), (2, "2026"))
    )
    holdout = held([*middle, *last], seen)
    assert ids(holdout.judging) == {record.id for record in last}
    assert ids(holdout.teaching) == {record.id for record in [*seen, *middle]}
    assert len(np.unique(holdout.clusters)) == 60
    assert not holdout.left_out
    one = held(last, seen)  # one new period is parted by students
    assert (one.judging.height, one.teaching.height) == (30, 90)
    assert set(held([*middle, *last], seen, share=1.0).judging["_period"]) == {"2025", "2026"}
    before = held(year("2023", day=3, first=500, students=range(60)), seen)
    assert before.judging.is_empty()
    assert before.left_out == {"rows of a student that the champion has learned from": 60}


def cohort(day: int, *, first: int, groups: str = "abcd", student: str = "new") -> list[LabeledRecord]:
    """15 students in each of the groups, uploaded on one day."""
    return [
        make_record(first + place, group=groups[place // 15], day=day, student=f"{student} {place}")
        for place in range(15 * len(groups))
    ]


def test_a_group_with_an_old_name_is_new_when_nobody_in_it_is_known_and_it_came_later() -> None:
    seen = cohort(0, first=0, student="old")
    holdout = held(cohort(1, first=200), seen)
    assert set(holdout.judging["_group"]) <= set("abcd")
    assert holdout.judging.height == 30  # two whole groups of four
    assert len(np.unique(holdout.clusters)) == 2
    assert ids(holdout.judging).isdisjoint(ids(holdout.teaching))
    same_day = held(cohort(0, first=200), seen)
    assert same_day.judging.is_empty()
    mixed = held([*cohort(1, first=200), make_record(900, group="a", day=1, student="old 3")], seen)
    assert "a" not in set(mixed.judging["_group"])
    assert mixed.left_out == {"rows of a group that the champion has learned from": 16}


def test_whoever_judges_in_a_renewed_group_teaches_in_no_other() -> None:
    seen = cohort(0, first=0, student="old")
    twice = [make_record(800 + place, group="ab"[place % 2], day=1, student=f"new {45 + place}") for place in range(8)]
    holdout = held([*cohort(1, first=200), *twice], seen)
    judges = set(holdout.judging["_student"])
    assert judges.isdisjoint(holdout.teaching["_student"])
    assert holdout.left_out.get(JUDGED_STUDENTS, 0) > 0


@given(st.integers(4, 12), st.integers(0, 20), st.booleans())
def test_copies_judge_once_and_not_at_all_where_the_champion_knows_them(times: int, fresh: int, known: bool) -> None:
    seen = [make_record(number, content=0.37 * number + 0.011) for number in range(30)]
    first = 0 if known else 200
    copied = [
        make_record(1000 + 50 * time + number, day=1, content=0.37 * (first + number) + 0.011)
        for time in range(times)
        for number in range(30)
    ]
    new = [make_record(5000 + number, day=1, content=0.41 * (700 + number)) for number in range(fresh)]
    holdout = held([*copied, *new], seen)
    counted = fresh if known else 30 + fresh
    assert holdout.unseen.height == counted
    assert holdout.left_out[COPIES] == 30 * times + fresh - counted
    assert holdout.teaching.height + holdout.judging.height == 30 + counted


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=40))
def test_rows_of_a_student_and_equal_rows_count_once_where_rows_are_counted(rows: list[tuple[int, int]]) -> None:
    records = [
        make_record(number, student=f"student {student}", content=float(content))
        for number, (student, content) in enumerate(rows)
    ]
    judges = held(records, share=0.99)
    told = judges.judging.select(pl.col("_student").n_unique().alias("a"), pl.col("final_grade").n_unique().alias("b"))
    assert judges.count == min(told.row(0))


def share_of_wrong_promotions(*, runs: int, pull: float, memory: float) -> float:
    """How often a challenger is promoted that knows nothing new, where group names come again with other students.

    Every group has an effect of its own each year (`pull` standard deviations of a point, which nobody can know); the
    challenger has learned `memory` of the effect of every group of this year that taught it, and answers for groups of
    the same name accordingly. Random rows would let it look better by that.
    """
    draw, promoted = np.random.default_rng(7), 0
    names = "abcdefghijklmnopqrst"
    seen, new = (cohort(day, first=1000 * day, groups=names, student=f"year {day}") for day in (0, 1))
    holdout = held(new, seen)
    place = {name: number for number, name in enumerate(names)}
    taught = set(holdout.teaching.filter(pl.col("_student").str.starts_with("year 1"))["_group"])
    groups = np.array([place[name] for name in holdout.judging["_group"]])
    learned = np.array([memory * (names[group] in taught) for group in groups])
    for _ in range(runs):
        effects = draw.normal(0, pull, len(names))[groups]
        truth = effects + draw.normal(0, 1.06, len(groups))
        luck = draw.normal(0, 0.1, len(names))[groups]
        champion, challenger = np.abs(truth), np.abs(truth - learned * effects - luck)
        gain = paired_gain(champion, challenger, holdout.clusters, level=0.9)
        promoted += gain.mean > 0.01 and gain.lower > 0
    return promoted / runs


def test_groups_with_old_names_promote_no_more_by_luck_than_new_ones() -> None:
    assert share_of_wrong_promotions(runs=1000, pull=0.5, memory=0.8) <= 0.07
