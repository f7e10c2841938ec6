"""Tails without SciPy are SciPy's, over the sizes that figures have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from monitoring.tails import beta_quantile, student_p, student_quantile

sizes = st.floats(-0.3, 5.3).map(lambda power: 10.0**power)
chances = st.floats(-7, -0.01).map(lambda power: 10.0**power)


@given(sizes, sizes, st.sampled_from([0.025, 0.5, 0.975]))
def test_quantiles_of_the_beta_distribution(a: float, b: float, p: float) -> None:
    assert beta_quantile(a, b, p) == pytest.approx(special.betaincinv(a, b, p), rel=1e-6)


@given(st.integers(1, 200_000), chances, st.floats(-9, 9))
def test_tails_of_students_distribution(freedom: int, p: float, t: float) -> None:
    assert student_quantile(p, freedom) == pytest.approx(-special.stdtrit(freedom, p / 2), rel=1e-5)
    assert student_p(t, freedom) == pytest.approx(2 * special.stdtr(freedom, -abs(t)), rel=1e-6)
