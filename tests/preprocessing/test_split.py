"""Groups never on both sides, periods never ahead."""

from collections.abc import Sequence

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from preprocessing.periods import rank_periods, sorted_periods
from preprocessing.schema import DomainSchema, load_domains
from preprocessing.split import clusters, folds, split_kind

SCHEMAS = load_domains()
COURSE, SCHOOL, WEEKS = SCHEMAS["course"], SCHEMAS["school"], SCHEMAS["k12"]


def placed(
    groups: Sequence[str | None] | None = None,
    periods: Sequence[str | None] | None = None,
    students: Sequence[str | None] | None = None,
) -> pl.DataFrame:
    n = len(groups or periods or students or ())
    given = {"_group": groups, "_period": periods, "_student": students}
    columns = {name: list(values or [None] * n) for name, values in given.items()}
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))


KEYS = st.lists(st.one_of(st.none(), st.sampled_from("abcdefgh")), min_size=20, max_size=80)


def assert_every_row_is_tested_once(pairs: list[tuple[np.ndarray, np.ndarray]], n: int) -> None:
    assert np.array_equal(np.sort(np.concatenate([test for _, test in pairs])), np.arange(n))
    for train, test in pairs:
        assert not np.intersect1d(train, test).size
        assert len(train) + len(test) == n


@given(KEYS, st.integers(0, 5))
@example(["a", "a", *[None] * 18], 0)  # one group by itself is not kept apart
def test_a_group_is_never_on_both_sides(groups: list[str | None], seed: int) -> None:
    frame = placed(groups)
    pairs = folds(frame, COURSE, k=5, seed=seed)
    assert_every_row_is_tested_once(pairs, len(groups))
    numbers = clusters(frame, COURSE)
    for train, test in pairs:
        assert not np.intersect1d(numbers[train], numbers[test]).size
        if split_kind(frame, COURSE) == "group":
            assert not {groups[i] for i in train} & {groups[i] for i in test} - {None}


@given(KEYS)
def test_a_students_rows_stay_together_where_there_is_no_group(students: list[str | None]) -> None:
    pairs = folds(placed(students=students), SCHOOL, k=4, seed=1)
    for train, test in pairs:
        assert not {students[i] for i in train} & {students[i] for i in test} - {None}


@given(st.lists(st.sampled_from(["week 2", "week 9", "week 10", "week 11"]), min_size=40, max_size=90))
def test_a_period_is_never_tested_by_what_came_after_it(periods: list[str]) -> None:
    frame = placed(groups=["a", "b"] * (len(periods) // 2) + ["a"] * (len(periods) % 2), periods=periods)
    if split_kind(frame, COURSE) != "period":
        assert len(set(periods)) <= 2
        return
    pairs = folds(frame, COURSE, k=5, seed=0)
    assert pairs
    for train, test in pairs:
        assert len({periods[i] for i in test}) == 1
        ranks = rank_periods(periods)
        assert max(ranks[periods[i]] for i in train) < ranks[periods[int(test[0])]]
    assert periods[int(pairs[-1][1][0])] == sorted_periods(periods)[-1]


def test_a_period_that_follows_a_handful_of_rows_is_not_tested() -> None:
    frame = placed(periods=["1"] * 5 + ["2"] * 40 + ["3"] * 40)
    assert [(len(train), len(test)) for train, test in folds(frame, COURSE, k=5, seed=0)] == [(45, 40)]


@pytest.mark.parametrize(
    ("groups", "periods", "students", "kind"),
    [
        (["a", "b", "c"] * 10, ["1", "2", "3"] * 10, None, "period"),
        (["a", "b", "c"] * 10, ["1", "2"] * 15, None, "group"),
        (["a", "b", "c"] * 10, ["1", "2", None] * 10, None, "group"),
        (["a"] * 30, None, ["s", "t", "s"] * 10, "student"),
        (None, None, [str(i) for i in range(30)], "row"),
    ],
)
def test_the_split_is_by_period_else_group_else_student_else_row(groups, periods, students, kind) -> None:  # type: ignore[no-untyped-def]
    frame = placed(groups, periods, students)
    assert split_kind(frame, COURSE) == kind
    assert folds(frame, COURSE, k=3, seed=0)


def same(numbers: np.ndarray) -> list[list[bool]]:
    return (numbers[:, None] == numbers[None, :]).tolist()


@pytest.mark.parametrize(
    ("schema", "frame", "expected"),
    [
        (COURSE, placed(["a", "a", "b"], ["1", "2", "1"]), ["a1", "a2", "b1"]),
        (COURSE, placed(["a", "a", "b"], ["1", "1", "1"]), ["a", "a", "b"]),
        (COURSE, placed(["a", "b", None, None, None], None, ["s", "s", "t", "t", None]), ["a", "b", "t", "t", "own"]),
        (COURSE, placed(["a", "a", None, None], None, ["s", "t", "t", None]), ["s", "t", "t", "own"]),
        (COURSE, placed(["a", "a", "a"], ["1", "1", "1"], ["s", "s", None]), ["s", "s", "own"]),
        (SCHOOL, placed(["a", "a", "a"], None, ["s", None, "s"]), ["s", "own", "s"]),
        (COURSE, placed(["1", "11"], ["11", "1"]), ["1 in 11", "11 in 1"]),
    ],
)
def test_clusters_are_groups_of_a_period_else_students_else_rows(
    schema: DomainSchema, frame: pl.DataFrame, expected: list[str]
) -> None:
    assert same(clusters(frame, schema)) == same(np.array(expected))


def test_no_rows_have_no_clusters() -> None:
    assert clusters(placed([]), COURSE).tolist() == []


@given(KEYS, st.integers(0, 3))
def test_the_same_seed_gives_the_same_folds(groups: list[str | None], seed: int) -> None:
    classes = np.arange(len(groups)) % 3
    for kind in (None, classes):
        first, second = (folds(placed(groups), COURSE, k=3, seed=seed, classes=kind) for _ in range(2))
        assert [(a.tolist(), b.tolist()) for a, b in first] == [(a.tolist(), b.tolist()) for a, b in second]


def test_every_fold_has_its_share_of_every_class() -> None:
    classes = np.array([0] * 80 + [1] * 20)
    frame = placed(students=[str(i) for i in range(100)])
    assert [int(classes[test].sum()) for _, test in folds(frame, SCHOOL, k=5, seed=3, classes=classes)] == [4] * 5


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 2), st.integers(0, 38)), min_size=40, max_size=90),
    st.integers(0, 5),
)
def test_where_outcomes_reach_over_weeks_neither_a_student_nor_a_year_is_on_both_sides(
    rows: list[tuple[str, int, int]], seed: int
) -> None:
    rows += [(student, 0, 1) for student in "abcdefgh"]
    periods = [f"20{24 + year}-{25 + year} W{week:02d}" for _, year, week in rows]
    frame = placed(["north"] * len(rows), periods, [student for student, _, _ in rows])
    newest = max(year for _, year, _ in rows)
    several = len({year for _, year, _ in rows}) > 1
    assert split_kind(frame, WEEKS) == ("student and year" if several else "student")
    pairs = folds(frame, WEEKS, k=4, seed=seed)
    tested = np.sort(np.concatenate([test for _, test in pairs])).tolist()
    assert tested == [place for place, (_, year, _) in enumerate(rows) if year == newest]
    for train, test in pairs:
        assert not {rows[i][0] for i in train} & {rows[i][0] for i in test}
        assert not several or all(rows[i][1] < newest for i in train)
