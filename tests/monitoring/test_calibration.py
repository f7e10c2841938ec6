"""Promises kept and broken: probabilities against what happened, intervals against their stated share."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from monitoring.calibration import calibrate_classes, chance_of_gaps, measure_coverage
from monitoring.tails import binomial_interval


def said_and_true(rows: int, seed: int, sharpen: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities to the power `sharpen`, and outcomes drawn from the probabilities themselves."""
    generator = np.random.default_rng(seed)
    shares = generator.dirichlet([2, 2, 2], rows)
    truth = (generator.random((rows, 1)) > shares.cumsum(axis=1)).sum(axis=1).clip(0, 2)
    said = shares**sharpen
    return truth, said / said.sum(axis=1, keepdims=True)


def test_honest_probabilities_are_called_so_and_boasting_ones_are_not():
    honest = boasting = 0
    for seed in range(30):
        honest += calibrate_classes(*said_and_true(400, seed), np.arange(400)).kept
        found = calibrate_classes(*said_and_true(400, seed, sharpen=2.5), np.arange(400))
        boasting += not found.kept
        assert found.overconfidence.value > 0
    assert honest >= 25  # at a level of .05 fewer would be a chance of 1 in 300
    assert boasting == 30


@pytest.mark.parametrize(("rows", "levels", "sharp"), [(30, 2, 3.0), (60, 5, 0.3)])
def test_perfect_answers_fail_in_at_most_one_sample_of_twenty(rows, levels, sharp):
    failed = 0
    for seed in range(100):
        generator = np.random.default_rng(seed)
        said = generator.dirichlet([sharp] * levels, rows)
        truth = (generator.random((rows, 1)) > said.cumsum(axis=1)).sum(axis=1).clip(0, levels - 1)
        failed += not calibrate_classes(truth, said, np.arange(rows)).kept
    assert failed <= 11  # of 100: a twentieth and three standard errors


def test_chances_that_are_kept_fail_as_seldom_and_boasting_ones_fail_though_right_on_average():
    failed = {"kept": 0, "boasting": 0}
    for seed in range(40):
        generator = np.random.default_rng(seed)
        chance = generator.uniform(0.2, 0.8, 300)
        happened = (generator.random(300) < chance).astype(np.float64)
        boasting = np.where(chance < 0.5, chance / 2, (1 + chance) / 2)
        for name, said in (("kept", chance), ("boasting", boasting)):
            failed[name] += chance_of_gaps(said, happened, np.arange(300)) <= 0.05
    assert failed["kept"] <= 6  # of 40: a twentieth and three standard errors
    assert failed["boasting"] >= 36


def test_perfect_answers_that_go_wrong_together_fail_no_more_often():
    failed = {"together": 0, "alone": 0}
    for seed in range(60):
        generator = np.random.default_rng(seed)
        course = np.arange(200) // 10
        said = np.repeat(generator.dirichlet([2, 2], 20), 10, axis=0)
        truth = (generator.random(20)[course] > said[:, 0]).astype(np.int64)
        failed["together"] += not calibrate_classes(truth, said, course).kept
        failed["alone"] += not calibrate_classes(truth, said, np.arange(200)).kept
    assert failed["together"] <= 8  # of 60: a twentieth and three standard errors
    assert failed["alone"] > 20


def test_the_bins_hold_every_answer_and_their_gaps_make_the_error():
    found = calibrate_classes(*said_and_true(500, 1), np.arange(500))
    assert sum(one.n for one in found.bins) == found.n == 500
    gaps = sum(one.n * abs(one.said - one.right) for one in found.bins) / 500
    assert found.ece.value == pytest.approx(gaps)
    assert all(one.low <= one.right <= one.high for one in found.bins)


@given(st.integers(1, 300), st.floats(0, 1))
def test_the_binomial_interval_is_scipys(n, share):
    k = round(share * n)
    truth = binomtest(k, n).proportion_ci(0.95, method="exact")
    assert binomial_interval(k, n) == pytest.approx((truth.low, truth.high))


def test_outcomes_of_one_course_that_miss_together_tell_less():
    generator = np.random.default_rng(0)
    group = np.repeat(np.arange(40), 25)
    inside = generator.random(1000) < np.where(generator.random(40) < 0.2, 0.3, 0.98)[group]
    alone, together = measure_coverage(inside, 0.9, np.arange(1000)), measure_coverage(inside, 0.9, group)
    assert alone.effective == pytest.approx(1000, rel=0.01)
    assert together.effective < 200
    assert not alone.kept
    assert together.low < alone.low < alone.high < together.high


def test_all_inside_is_a_share_of_one_with_a_lower_end_below_it():
    found = measure_coverage(np.ones(20, dtype=bool), 0.9, np.arange(20))
    assert (found.share, found.high, found.kept) == (1.0, 1.0, True)
    assert 0.8 < found.low < 0.9
