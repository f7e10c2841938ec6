"""Scores are those of scikit-learn; intervals cover what they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import (
    brier_score_loss,
    classification_report,
    confusion_matrix,
    mean_absolute_error,
    r2_score,
    root_mean_squared_error,
)

from model.scores import bootstrap, interval_of_paired, interval_of_unpaired, score_classes, score_values

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS, st.integers(3, 60), st.integers(1, 20))
def test_values_are_scored_as_scikit_learn_does(seed: int, n: int, groups: int) -> None:
    draw = np.random.default_rng(seed)
    truth = draw.integers(0, 21, n).astype(float)
    truth[:2] = 0, 20
    answers, clusters = truth + draw.normal(0, 2, n), draw.integers(0, groups, n)
    scores = score_values(truth, answers, clusters)
    assert scores.mae.value == pytest.approx(mean_absolute_error(truth, answers))
    assert scores.rmse.value == pytest.approx(root_mean_squared_error(truth, answers))
    assert scores.r2.value == pytest.approx(r2_score(truth, answers))
    assert (scores.n, scores.clusters) == (n, len(np.unique(clusters)))
    for estimate in (scores.mae, scores.rmse, scores.r2):
        assert np.isfinite([estimate.low, estimate.high]).all()
        assert estimate.low <= estimate.high


@given(SEEDS, st.integers(1, 60), st.integers(2, 5))
def test_classes_are_scored_as_scikit_learn_does(seed: int, n: int, k: int) -> None:
    draw = np.random.default_rng(seed)
    truth, probabilities = draw.integers(0, k, n), draw.dirichlet(np.ones(k), n)
    answers, levels = probabilities.argmax(axis=1), [f"level {i}" for i in range(k)]
    scores = score_classes(truth, answers, probabilities, levels, np.arange(n))
    theirs = classification_report(
        truth, answers, labels=range(k), target_names=levels, output_dict=True, zero_division=0
    )
    assert scores.accuracy.value == pytest.approx((truth == answers).mean())
    assert scores.weighted_f1.value == pytest.approx(theirs["weighted avg"]["f1-score"])
    assert scores.mae.value == pytest.approx(np.abs(truth - answers).mean())
    assert np.array_equal(scores.confusion, confusion_matrix(truth, answers, labels=range(k)))
    for number, level in enumerate(levels):
        ours, one = scores.report[level], theirs[level]
        assert (ours.precision, ours.recall, ours.f1) == pytest.approx(
            (one["precision"], one["recall"], one["f1-score"])
        )
        happened = truth == number
        assert ours.brier == pytest.approx(brier_score_loss(happened, probabilities[:, number], pos_label=True))
    assert scores.brier == pytest.approx(np.mean([one.brier for one in scores.report.values()]))
    assert sum(one.share for one in scores.report.values()) == pytest.approx(1)


def mean(sums: np.ndarray) -> np.ndarray:
    return np.asarray(sums[..., 1] / sums[..., 0])


@pytest.mark.parametrize(("groups", "size"), [(100, 1), (40, 10), (2500, 1)])
def test_intervals_hold_the_truth_as_often_as_they_say(groups: int, size: int) -> None:
    draw, held, runs = np.random.default_rng(groups), 0, 200
    clusters = np.repeat(np.arange(groups), size)
    for _ in range(runs):
        values = draw.normal(5, 1, groups)[clusters] + draw.normal(0, 1, groups * size)
        estimate = bootstrap(np.stack([np.ones_like(values), values], axis=1), clusters, mean, seed=0)
        assert estimate.low < estimate.value < estimate.high
        held += estimate.low <= 5 <= estimate.high
    assert 0.90 <= held / runs <= 0.99


@given(SEEDS)
def test_row_order_and_names_of_clusters_change_no_score(seed: int) -> None:
    draw = np.random.default_rng(seed)
    values, clusters = np.stack([np.ones(30), draw.integers(0, 9, 30)], axis=1), np.arange(30) // 3
    order = draw.permutation(30)
    first = bootstrap(values, clusters, mean, seed=1)
    assert bootstrap(values[order], clusters[order], mean, seed=1) == first
    assert bootstrap(values, clusters * 7 + 100, mean, seed=1) == first
    assert bootstrap(values, clusters, mean, seed=2).value == first.value


def test_the_difference_of_two_arms_has_welchs_interval_where_every_row_is_a_cluster() -> None:
    draw = np.random.default_rng(4)
    first, second = draw.normal(1.0, 2.0, 40), draw.normal(0.5, 0.7, 90)
    found = interval_of_unpaired(first, second, np.arange(40), np.arange(90))
    right = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((right.low, right.high))
    turned = interval_of_unpaired(second, first, np.arange(90), np.arange(40))
    assert (turned.value, turned.low, turned.high) == pytest.approx((-found.value, -found.high, -found.low))


def test_the_same_rows_many_times_over_make_no_arm_surer() -> None:
    draw = np.random.default_rng(5)
    first, second = draw.normal(1.0, 1.0, 40), draw.normal(0.5, 1.0, 40)
    once = interval_of_unpaired(first, second, np.arange(40), np.arange(40))
    often = interval_of_unpaired(*(np.repeat(x, 9) for x in (first, second, np.arange(40), np.arange(40))))
    assert (often.low, often.high) == pytest.approx((once.low, once.high))
    assert interval_of_unpaired(first, second, np.zeros(40, int), np.arange(40)).low == -np.inf


def test_a_paired_interval_is_students_where_every_row_is_a_cluster() -> None:
    draw = np.random.default_rng(6)
    first, second = draw.normal(1.0, 1.0, 50), draw.normal(0.5, 1.0, 50)
    found = interval_of_paired(first, second, np.arange(50))
    right = stats.ttest_rel(first, second).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((right.low, right.high))
