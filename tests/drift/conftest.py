"""What several drift tests need: schemas of any columns, and the real data beside the project."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import settings

from preprocessing.schema import DomainSchema, Feature, Target, load_domains

settings.register_profile("untimed", deadline=None)  # first examples import SciPy; nothing is timed in tests
settings.load_profile("untimed")

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="session")
def school() -> DomainSchema:
    return load_domains()["school"]


@pytest.fixture(scope="session")
def portuguese() -> pl.DataFrame:
    path = SHARED / "uci_student" / "student-por.csv"
    if not path.exists():
        pytest.skip(f"the UCI student data is not at {path}")
    return pl.read_csv(path, separator=";")


def schema_of(numeric: list[str], categorical: list[str] | None = None) -> DomainSchema:
    """A domain with these features, and a target "y" that no sample needs to have."""
    numbers = [Feature(name=name, kind="numeric") for name in numeric]
    levels = [Feature(name=name, kind="categorical", open=True) for name in categorical or []]
    return DomainSchema(name="invented", title="", features=(*numbers, *levels), targets=(Target(name="y"),))


@pytest.fixture(scope="session")
def make_schema():
    return schema_of
