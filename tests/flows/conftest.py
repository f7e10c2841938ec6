import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model.workspace import Workspace
from tests.api.conftest import open_at

UCI = Path(__file__).resolve().parents[3] / "shared" / "data" / "uci_student"


@pytest.fixture(scope="session")
def uci() -> Path:
    if not UCI.is_dir():
        pytest.skip(f"the UCI files are not at {UCI}")
    return UCI


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    workspace = open_at(tmp_path)
    yield workspace
    workspace.close()


def write_part(uci: Path, path: Path, *, school: str, drop: tuple[str, ...] = ()) -> Path:
    """Writes some rows of the UCI file to a file of their own, as an institution would."""
    with (uci / "student-por.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter=";") if row["school"] == school]
    kept = [column for column in rows[0] if column not in drop]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, kept, delimiter=";", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def part_of(uci: Path, tmp_path: Path) -> Callable[..., Path]:
    """Writes such a file to the test's folder, by its name."""
    return lambda name, **of: write_part(uci, tmp_path / name, **of)
