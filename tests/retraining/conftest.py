import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from database.ingest import add_batch
from model.workspace import Workspace, open_workspace
from preprocessing.schema import DomainSchema
from retraining.first_champions import train_domain
from tests.training.making import MARK, SCHEMA, few_trees, make_rows, typed

SECRET = b"a secret for tests, long enough"


def open_at(folder: Path, schema: DomainSchema = SCHEMA) -> Workspace:
    """An installation that knows the invented school, or another domain."""
    workspace = open_workspace(
        database_url=f"sqlite:///{folder / 'gradewatch.db'}",
        artifacts_dir=folder / "models",
        domains_dir=None,
        secret=SECRET,
    )
    return replace(workspace, schemas={schema.name: schema})


def begin(folder: Path) -> None:
    """A champion that learned from 120 students of a school where marks hung together otherwise."""
    workspace, rows = open_at(folder), make_rows(120, seed=1, shift=3.0)
    add_batch(workspace.store, SCHEMA.name, rows, "labeled", name="old.csv")
    with few_trees():
        (trained,) = train_domain(workspace, SCHEMA, typed(rows), [MARK], actor="test")
    assert trained.installed
    workspace.close()


@pytest.fixture(scope="module", autouse=True)
def with_few_trees() -> Iterator[None]:
    """Whatever a module trains in this process."""
    with few_trees():
        yield


@pytest.fixture(scope="session")
def begun(prepared: Callable[..., Path]) -> Path:
    """A folder with such a champion, trained once a run."""
    return prepared("retraining", begin)


@pytest.fixture
def folder(begun: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(begun, tmp_path / "home"))


@pytest.fixture
def workspace(folder: Path) -> Iterator[Workspace]:
    workspace = open_at(folder)
    yield workspace
    workspace.close()
