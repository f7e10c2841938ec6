"""A change in a stream of errors: found when there is one, dated, measured, and not invented."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from river.drift import ADWIN

from drift.adwin import LOOK_EVERY, AdaptiveWindow
from drift.stream import find_changes


def errors(parts: list[tuple[int, float]], seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return np.concatenate([np.abs(generator.normal(0, size, rows)) for rows, size in parts])


def test_a_doubled_error_is_dated_and_measured():
    places = []
    for seed in range(20):
        (change,) = find_changes(errors([(300, 1.0), (300, 2.0)], seed), usual=0.8)
        places.append(change.start)
        assert change.start <= change.noticed < 600
        assert change.low < 0.8 < change.high or change.after > 1.5 * change.before
        assert (change.n_before + change.n_after) == 600
    assert abs(np.median(places) - 300) <= 10


def test_a_stream_without_change_has_none():
    assert sum(bool(find_changes(errors([(1000, 1.0)], seed), usual=0.8)) for seed in range(40)) <= 1


def test_up_and_down_again_are_two_changes_in_order():
    changes = find_changes(errors([(300, 1.0), (300, 3.0), (300, 1.0)], 1), usual=0.8)
    assert [change.after > change.before for change in changes] == [True, False]
    assert changes[0].start < changes[1].start
    assert changes[0].after == changes[1].before


def test_short_empty_and_constant_streams_have_no_change():
    assert find_changes([], usual=1.0) == ()
    assert find_changes([5.0] * 12, usual=1.0) == ()
    assert find_changes(np.ones(500), usual=1.0) == ()


def test_one_enormous_error_is_no_change():
    values = errors([(400, 1.0)], 3)
    values[200] = 1e12
    assert find_changes(values, usual=0.8) == ()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 500), st.sampled_from([0.0, 0.1, 0.15, 0.3, 1.0])), min_size=1, max_size=4),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.002, 0.05, 0.3]),
)
def test_a_window_is_cut_where_river_cuts_it(parts: list[tuple[int, float]], seed: int, delta: float):
    oracle, window = ADWIN(delta=delta, clock=LOOK_EVERY), AdaptiveWindow(delta)
    for value in errors(parts, seed).clip(0, 1).tolist():
        oracle.update(value)
        cut = window.update(value)
        assert cut == oracle.drift_detected
        window = AdaptiveWindow(delta) if cut else window  # as River begins anew
