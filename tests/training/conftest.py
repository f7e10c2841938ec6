from collections.abc import Callable, Iterator

import polars as pl
import pytest

from database.records import ChampionKey
from tests.training.making import GRADE, MARK, SCHEMA, few_trees, make_frame
from training.train import Training, train


@pytest.fixture(scope="module")
def with_few_trees() -> Iterator[None]:
    """Whatever a module trains in this process."""
    with few_trees():
        yield


@pytest.fixture(scope="session")
def values() -> tuple[pl.DataFrame, Training]:
    """Rows and a model of a value."""
    frame = make_frame(200, seed=1)
    with few_trees():
        return frame, train(SCHEMA, MARK, frame)


@pytest.fixture(scope="session")
def classes() -> tuple[pl.DataFrame, Training]:
    """Rows and a model of a class; one level of the target never occurs, one in very few rows."""
    frame = make_frame(200, seed=2, levels=("F", "D", "C", "A"))
    with few_trees():
        return frame, train(SCHEMA, GRADE, frame)


@pytest.fixture(scope="session")
def trained(
    values: tuple[pl.DataFrame, Training], classes: tuple[pl.DataFrame, Training]
) -> Callable[[ChampionKey], tuple[pl.DataFrame, Training]]:
    return lambda key: values if key == MARK else classes
