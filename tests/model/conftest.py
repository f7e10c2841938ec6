from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from database.records import ChampionKey
from model.workspace import Workspace, open_workspace
from tests.training.making import MARK, SCHEMA, make_frame
from training.train import Training, train

SECRET = b"a secret for tests, long enough"


@pytest.fixture(scope="session")
def taught() -> Callable[..., Training]:
    """A model of the invented school, trained once per key and seed."""
    known: dict[tuple[ChampionKey, int], Training] = {}

    def of(key: ChampionKey = MARK, seed: int = 1) -> Training:
        if (key, seed) not in known:
            known[key, seed] = train(SCHEMA, key, make_frame(200, seed=seed))
        return known[key, seed]

    return of


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """An empty installation that knows the invented school."""
    workspace = open_workspace(
        database_url=f"sqlite:///{tmp_path / 'gradewatch.db'}",
        artifacts_dir=tmp_path / "models",
        domains_dir=None,
        secret=SECRET,
    )
    yield replace(workspace, schemas={SCHEMA.name: SCHEMA})
    workspace.close()
