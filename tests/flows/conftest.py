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


@pytest.fixture
def part_of(uci: Path, tmp_path: Path) -> Callable[..., Path]:
    """Writes some rows of a UCI file to a file of their own, as an institution would."""

    def write(
        name: str, *, school: str, subject: str = "por", slot: slice = slice(None), drop: tuple[str, ...] = ()
    ) -> Path:
        with (uci / f"student-{subject}.csv").open(newline="") as file:
            rows = [row for row in csv.DictReader(file, delimiter=";") if row["school"] == school][slot]
        kept = [column for column in rows[0] if column not in drop]
        path = tmp_path / name
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, kept, delimiter=";", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)
        return path

    return write
