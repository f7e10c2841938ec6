from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from database.open import open_store
from database.records import ChampionKey
from database.store import RecordStore
from model.artifacts import ArtifactFolder
from model.workspace import Workspace
from tests.retraining.conftest import open_at
from tests.training.making import MARK, SCHEMA, make_frame
from training.train import Training, train


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
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'registry.db'}"


@pytest.fixture
def store(url: str) -> Iterator[RecordStore]:
    store = open_store(url)
    yield store
    store.close()


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactFolder:
    return ArtifactFolder(tmp_path / "models")


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    """An empty installation that knows the invented school."""
    workspace = open_at(tmp_path)
    yield workspace
    workspace.close()
