import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from database.ingest import add_batch
from model.workspace import Workspace
from preprocessing.validation.pii import pseudonym
from retraining.first_champions import train_domain
from tests.reports.making import COURSE, HALF, START, course_rows
from tests.retraining.conftest import SECRET
from tests.retraining.conftest import open_at as open_school
from tests.training.making import typed

EARLIER = [pseudonym(f"earlier {number}", SECRET) for number in range(240)]
CLASS = [pseudonym(f"student {number}", SECRET) for number in range(40)]


def open_at(folder: Path) -> Workspace:
    """An installation that knows the invented course."""
    return open_school(folder, COURSE)


def begin(folder: Path) -> None:
    """Champions that learned from the terms before, and the first rows of a class."""
    workspace = open_at(folder)
    for place, term in enumerate(("2024-1", "2024-2", "2025-1", "2025-2")):
        rows = course_rows(EARLIER[place * 60 :][:60], seed=place, term=term, moment="half", labelled=True)
        add_batch(workspace.store, COURSE.name, rows, "labeled", name=f"{term}.csv")
    known = [row for batch in workspace.store.batches(COURSE.name) for row in workspace.store.batch_rows(batch.id)]
    assert all(one.installed for one in train_domain(workspace, COURSE, typed(known, COURSE), [START, HALF], actor="t"))
    add_batch(workspace.store, COURSE.name, course_rows(CLASS, seed=9), "unlabeled", name="week 3.csv")
    workspace.close()


@pytest.fixture(scope="session")
def begun(prepared: Callable[..., Path]) -> Path:
    """A folder with such champions, trained once a run."""
    return prepared("reports", begin)


@pytest.fixture
def workspace(begun: Path, tmp_path: Path) -> Iterator[Workspace]:
    folder = Path(shutil.copytree(begun, tmp_path / "home"))
    workspace = open_at(folder)
    yield workspace
    workspace.close()
