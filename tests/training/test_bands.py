"""The chance of ending below a cut: learned from unseen answers, true of others, falling with the answer."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.bundle import Bands
from model.predictor import BandCurves
from preprocessing.schema import Target
from tests.training.making import honest, task_of
from training import evaluate

MARK = Target(name="mark", minimum=0, maximum=20, integer=True, cut_points=(10,))


def outcomes(draw: np.random.Generator, values: np.ndarray, shape: str) -> np.ndarray:
    """What becomes of answered values. shape: nearly all who would just fail are let pass; low marks scatter more; some
    leave before the end, whatever was answered."""
    spread = np.where(values < 10, 4.0, 0.7) if shape == "low marks scatter" else 1.5
    around = values + spread * draw.normal(size=len(values))
    found = np.clip(around.round(), 0, 20)
    if shape == "teachers let pass":
        found[(found == 9) & (draw.random(len(found)) < 0.9)] = 10
    if shape == "some leave":
        found[draw.random(len(found)) < 0.06] = 0
    return found


@pytest.mark.parametrize("shape", ["plain", "teachers let pass", "low marks scatter", "some leave"])
def test_chances_are_kept_whatever_becomes_of_answers(shape: str) -> None:
    draw = np.random.default_rng(5)
    seen, others = (draw.normal(11.5, 2.5, n).clip(0, 20) for n in (1_500, 4_000))
    curves = BandCurves(evaluate.bands(task_of(MARK, outcomes(draw, seen, shape)), seen))
    assert honest(curves.below(others)[:, 0], outcomes(draw, others, shape) < 10, learned=1_500)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 80), st.integers(1, 3), st.booleans())
def test_a_higher_answer_or_a_lower_cut_has_no_larger_chance(seed: int, n: int, few: int, sided: bool) -> None:
    draw = np.random.default_rng(seed)
    target = msgspec.structs.replace(MARK, cut_points=tuple(sorted({5.0, 10.0, *draw.uniform(1, 19, few)})))
    values = draw.normal(10, 4, n).clip(0, 20).round(int(draw.integers(0, 3)))
    learned: Bands = evaluate.bands(task_of(target, outcomes(draw, values, "plain")), values)
    curves = BandCurves(msgspec.structs.replace(learned, sided=sided))
    asked = np.sort(np.concatenate([draw.uniform(0, 20, 50), target.cut_points, values, [0, 20]]))
    below = curves.below(asked)
    assert below.min() >= 0
    assert below.max() <= 1
    assert (np.diff(below, axis=0) <= 0).all()
    assert (np.diff(below, axis=1) >= 0).all()
    assert [curves.below_first(value) for value in asked.tolist()] == below[:, 0].tolist()
    if sided:
        assert ((below > 0.5) == (asked[:, np.newaxis] < target.cut_points)).all()
