"""Chances beside what happened by week, school and grade: what AUC cannot see is seen, and nobody is given away."""

import msgspec
import numpy as np
import pytest

from monitoring.evidence import EvidenceColumns, columns_of, evidence_among
from monitoring.warning_policy import WarningPolicy
from monitoring.weekly_performance import WeeklyPerformance, weekly_performance
from tests.monitoring.weekly_making import K12

TARGET = K12.targets[0]
POLICY = WarningPolicy(threshold=0.5)
LEVELS = len(TARGET.levels)


def evidence(students: int, weeks: int, *, kinder_from: int = 99, seed: int = 1, schools: int = 3) -> EvidenceColumns:
    """Answers to students of `schools` schools in each week, who come to an event or not whichever week it is. From a
    week on marks are kinder for all, so that every chance is told smaller, and nothing else changes."""
    draw = np.random.default_rng(seed)
    level = draw.normal(-1.2, 1.3, students)
    lot = draw.random(students)
    student, week = (part.reshape(-1) for part in np.meshgrid(np.arange(students), np.arange(weeks), indexing="ij"))
    order = np.argsort(week, kind="stable")
    student, week = student[order], week[order]
    true = 1 / (1 + np.exp(-level[student]))
    told = 1 / (1 + np.exp(-(level[student] - np.where(week >= kinder_from, 0.9, 0.0))))
    truth = np.where(lot[student] < true, 2.0, LEVELS - 1.0)
    n, empty = len(week), columns_of(TARGET, [])
    shares = np.zeros((n, LEVELS))
    shares[:, 2], shares[:, -1] = told, 1 - told
    places = tuple((f"school {s}", f"2025-26 W{w:02}") for s in range(schools) for w in range(weeks))
    place = (student % schools) * weeks + week
    plain = {"trait": 0, "reason": 0, "kind": 0, "guess": 0}
    floats = dict.fromkeys(("naive", "low", "high", "coverage", "filled"), np.full(n, np.nan))
    return empty._replace(
        places=places, kinds=(("now", "m"),), traits=((),), at=np.arange(n), own=np.arange(n, dtype=np.uint64),
        student=student.astype(np.uint64) + np.uint64(7), row=np.zeros(n, np.uint64), place=place.astype(np.int64),
        truth=truth, said=np.where(told > 0.5, 2.0, LEVELS - 1.0), below=told, shares=shares,
        **{name: np.full(n, value, np.int64) for name, value in plain.items()}, **floats,
    )  # fmt: skip


def measured(found: EvidenceColumns, **asked: object) -> WeeklyPerformance:
    performance = weekly_performance(TARGET, found, POLICY, **asked)  # type: ignore[arg-type]
    assert performance is not None
    return performance


def test_marks_that_become_kinder_are_seen_by_mean_chance_beside_rate_and_not_by_auc() -> None:
    found = measured(evidence(1_500, 12, kinder_from=6))
    assert msgspec.convert(msgspec.json.decode(msgspec.json.encode(found)), WeeklyPerformance) == found
    before, after = found.weeks[:6], found.weeks[6:]
    assert {one.verdict for one in before} == {"as said"}
    assert {one.verdict for one in after} == {"too low"}
    assert before[0].auc == pytest.approx(after[-1].auc), "the order of students is as it was"
    for one in after:
        assert one.gap is not None
        assert one.rate is not None
        assert one.gap.high < 0
        assert one.risk == pytest.approx(one.rate.value + one.gap.value)
    assert (after[0].flagged or before[0].flagged).value < before[0].flagged.value / 1.5  # type: ignore[union-attr]
    assert (after[0].brier.value, after[0].n) > (before[0].brier.value, 0)  # type: ignore[union-attr]


def test_intervals_are_by_whole_students_and_hold_what_is_true() -> None:
    hit, wide, rates = [], [], []
    for seed in range(40):
        found = measured(evidence(300, 12, seed=seed)).whole
        assert found.rate is not None
        assert found.gap is not None
        hit.append(found.gap.low <= 0 <= found.gap.high)
        rates.append(found.rate.value)
        wide.append(found.rate.high - found.rate.low)
    assert np.mean(hit) >= 0.85, "of 95 % intervals around a gap of nothing"
    assert np.mean(wide) > 3 * np.std(rates), "weeks of a student are no further students"


def test_only_the_last_answer_of_a_week_counts_and_a_horizon_may_be_chosen() -> None:
    once = evidence(200, 3)
    twice = once._replace(**{name: np.concatenate([getattr(once, name)] * 2) for name in once._fields
                             if isinstance(getattr(once, name), np.ndarray)})  # fmt: skip
    wrong = twice._replace(below=np.where(np.arange(twice.n) < once.n, 0.99, twice.below))
    assert measured(wrong) == measured(once)
    early = measured(once, within=4)
    assert early.within == 4
    assert early.whole.rate is not None
    assert early.whole.rate.value == 0.0
    assert early.whole.auc is None


def test_of_few_students_no_figure_is_told_and_none_that_gives_them_away() -> None:
    found = evidence(60, 4)
    few = found.student < np.uint64(7 + 4)
    grades = np.where(few, "9", np.where(found.student % 2 == 0, "10", "11")).tolist()
    told = {one.name: one for one in measured(found, grades=grades).grades}
    assert told["9"].students == 4
    assert told["9"].rate is told["9"].auc is told["9"].risk is None
    assert sum(one.rate is None for one in told.values()) == 2, "the others and all together would say it"
    assert len(measured(found).schools) == 3
    assert evidence_among(found)[0].n == found.n


def test_rows_without_weeks_have_no_such_figures() -> None:
    found = evidence(40, 2)
    terms = tuple((group, "2025-1") for group, _ in found.places)
    assert weekly_performance(TARGET, found._replace(places=terms), POLICY) is None
    assert weekly_performance(TARGET, columns_of(TARGET, []), POLICY) is None
