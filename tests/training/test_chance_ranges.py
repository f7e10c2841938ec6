"""Where the true chance lies behind one that is told: it does so as often as is said, whatever the model's faults."""

import numpy as np
import polars as pl
import pytest

from model.chance_ranges import ChanceRanges, HorizonRange, ranges_of
from preprocessing.schema import load_domains
from training.chance_ranges import RANGE_LEVEL, chance_ranges
from training.fit import Task

TARGET = load_domains()["k12"].targets[0]
WEEKS = 8
Floats = np.ndarray


def said_of(true: Floats) -> Floats:
    """What a model says that makes too much of large chances: a curve that can be turned back."""
    return true**0.8


def true_of(said: Floats) -> Floats:
    return said ** (1 / 0.8)


def simulated(students: int, seed: int) -> tuple[Task, Floats, Floats]:
    """Weeks of students whose chance moves, and who come to an event, or not, with one draw for all of them."""
    draw = np.random.default_rng(seed)
    student = np.repeat(np.arange(students), WEEKS)
    level = np.repeat(draw.normal(-2.0, 1.2, students), WEEKS) + draw.normal(0, 0.3, students * WEEKS)
    true = 1 / (1 + np.exp(-level))
    lot = np.repeat(draw.random(students), WEEKS)
    within = np.stack([true * part for part in (0.3, 0.6, 1.0)], axis=1)
    truth = (lot[:, None] >= within).sum(axis=1).astype(np.float64)
    outputs = np.diff(said_of(np.column_stack([np.zeros(len(true)), within, np.ones(len(true))])), axis=1)
    return Task(TARGET, (), pl.DataFrame({"row": student}), truth, 0), outputs, student


@pytest.mark.parametrize("students", [120, 1_200])
def test_the_true_chance_lies_in_its_range_as_often_as_is_said(students):
    hit, width, plain = [], [], []
    asked = np.array([0.02, 0.05, 0.1, 0.2, 0.3, 0.4])
    for seed in range(60):
        task, outputs, student = simulated(students, seed)
        found = chance_ranges(task, outputs, student)
        alone = chance_ranges(task, outputs, np.arange(len(student)))  # as if each week were another student
        for chance in asked:
            low, high = ranges_of(found, {18: chance})[18]
            hit.append(low <= true_of(chance) <= high)
            width.append(high - low)
            low, high = ranges_of(alone, {18: chance})[18]
            plain.append(low <= true_of(chance) <= high)
    assert np.mean(hit) >= RANGE_LEVEL - 0.02
    assert np.mean(width) < (0.3 if students == 120 else 0.16), "a range that says nothing covers all"
    if students == 1_200:
        assert np.mean(plain) < np.mean(hit) - 0.02, "rows of one student are not as many students"


def test_ranges_hold_what_is_told_and_never_fall_from_a_horizon_to_the_next():
    task, outputs, student = simulated(300, 1)
    found = chance_ranges(task, outputs, student)
    assert found is not None
    assert [one.within for one in found.horizons] == [4, 8, 18]
    for row in np.cumsum(outputs, axis=1)[:200, :3]:
        told = dict(zip((4, 8, 18), row.tolist(), strict=True))
        ranges = ranges_of(found, told)
        for horizon, chance in told.items():
            assert 0 <= ranges[horizon][0] <= chance <= ranges[horizon][1] <= 1
        lows, highs = zip(*ranges.values(), strict=True)
        assert list(lows) == sorted(lows)
        assert list(highs) == sorted(highs)


def test_beyond_the_outermost_cells_the_ends_stay_as_far_and_an_older_model_has_none():
    cells = HorizonRange(within=4, at=(0.1, 0.2), low=(-0.05, -0.1), high=(0.05, 0.1), n=(50, 50), clusters=(50, 50))
    ranges = ChanceRanges(level=0.9, horizons=(cells,))
    assert ranges_of(ranges, {4: 0.3})[4] == pytest.approx((0.2, 0.4))
    assert ranges_of(ranges, {4: 0.01})[4] == pytest.approx((0.0, 0.06))
    assert ranges_of(ranges, {4: 0.15})[4] == pytest.approx((0.075, 0.225))
    assert ranges_of(None, {4: 0.15}) == {}
