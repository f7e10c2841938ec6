"""Scores of probabilities agree with scikit-learn's, and their intervals know that rows of one cluster go together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import log_loss, roc_auc_score

from model.scores import area, score_probabilities


def sample(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    truth = draw.integers(0, 3, n)
    truth[:3] = [0, 1, 2]
    raw = draw.random((n, 3)).round(1) + 0.1 + 0.3 * np.eye(3)[truth]
    return truth, raw / raw.sum(axis=1, keepdims=True)


@settings(max_examples=30)
@given(st.integers(10, 300), st.integers(0, 1000))
def test_they_are_scikit_learns(n: int, seed: int) -> None:
    truth, shares = sample(n, seed)
    found = score_probabilities(truth, shares, np.arange(n), cut=1)
    assert found.auc is not None
    assert found.auc.value == pytest.approx(roc_auc_score(truth < 1, shares[:, 0]))
    assert found.log_loss.value == pytest.approx(log_loss(truth, shares))
    assert found.brier.value == pytest.approx(((shares - np.eye(3)[truth]) ** 2).mean())
    assert found.auc.low <= found.auc.value <= found.auc.high


def test_without_both_sides_there_is_no_order() -> None:
    assert area(np.ones(5, dtype=bool), np.arange(5.0), np.arange(5)) is None


def test_copies_of_rows_in_their_clusters_do_not_narrow_the_interval() -> None:
    truth, shares = sample(60, 1)
    alone = area(truth < 1, shares[:, 0], np.arange(60))
    copied = area(np.tile(truth < 1, 5), np.tile(shares[:, 0], 5), np.tile(np.arange(60), 5))
    assert alone is not None
    assert copied is not None
    assert copied.value == pytest.approx(alone.value)
    assert copied.high - copied.low == pytest.approx(alone.high - alone.low, rel=0.02)


def test_the_interval_holds_what_it_promises() -> None:
    held = 0
    for seed in range(300):
        draw = np.random.default_rng(seed)
        positive = draw.random(400) < 0.4
        found = area(positive, draw.normal(positive * 1.0, 1.0), np.arange(400))
        assert found is not None
        held += found.low <= 0.7602 <= found.high  # Phi(1 / sqrt 2): normal samples one deviation apart
    assert 0.92 <= held / 300 <= 0.98
