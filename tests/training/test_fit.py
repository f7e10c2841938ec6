"""Threads that fit at once disturb neither each other nor the process."""

import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import sklearn
from sklearn.utils import parallel
from sklearn.utils.parallel import Parallel, delayed

from training.fit import leave_filters_alone


def in_a_loop_of_scikit_learn(piece: Callable[[], object]) -> object:
    (said,) = Parallel(n_jobs=1)([delayed(piece)()])
    return said


def test_loops_that_overlap_leave_the_warning_filters_of_the_process_as_they_were() -> None:
    leave_filters_alone()
    filters, kept = warnings.filters, list(warnings.filters)
    first_is_in, second_is_in, first_is_out = (threading.Event() for _ in range(3))

    def first() -> object:
        first_is_in.set()
        return second_is_in.wait(30)

    def second() -> object:
        second_is_in.set()
        return first_is_out.wait(30)

    with ThreadPoolExecutor(2) as pool:
        earlier = pool.submit(in_a_loop_of_scikit_learn, first)
        assert first_is_in.wait(30)
        later = pool.submit(in_a_loop_of_scikit_learn, second)
        assert earlier.result()
        first_is_out.set()
        assert later.result()
    assert warnings.filters is filters
    assert list(warnings.filters) == kept


@pytest.mark.parametrize(("release", "changed"), [("1.6.1", False), ("1.9.0", True), ("1.10.0", False)])
def test_only_releases_that_are_known_to_set_filters_are_changed(
    monkeypatch: pytest.MonkeyPatch, release: str, changed: bool
) -> None:
    monkeypatch.setattr(parallel._FuncWrapper, "__call__", own := lambda *_: None)
    monkeypatch.setattr(sklearn, "__version__", release)
    leave_filters_alone()
    assert (parallel._FuncWrapper.__call__ is not own) == changed


def test_a_loop_runs_under_the_configuration_of_its_caller() -> None:
    leave_filters_alone()
    with sklearn.config_context(assume_finite=True):
        assert in_a_loop_of_scikit_learn(lambda: sklearn.get_config()["assume_finite"])
    assert not in_a_loop_of_scikit_learn(lambda: sklearn.get_config()["assume_finite"])
