import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from model.workspace import Workspace, open_workspace
from retraining.examples import train_examples
from tests.api.guarded import GROUP, ON, Guarded
from tests.api.serving import PLAIN, SECRET, SERVE, Server

SELDOM = {"GRADEWATCH_POLL_SECONDS": "0.5"}
"""For services that live as long as all tests: looking twenty times a second they take a fifth of a core each."""

ROWS = {"engagement": 200, "university": 400, "school": 200}  # enough for a signal in every target


def open_at(folder: Path) -> Workspace:
    return open_workspace(
        database_url=f"sqlite:///{folder / 'gradewatch.db'}",
        artifacts_dir=folder / "models",
        domains_dir=None,
        secret=SECRET.encode(),
    )


def train_all(folder: Path) -> None:
    """Champions of three domains, in an installation of their own."""
    workspace = open_at(folder)
    try:
        for domain, rows in ROWS.items():
            done = list(train_examples(workspace, workspace.schemas[domain], folder / "examples", rows=rows))
            assert all(one.installed for one in done), [one.reason for one in done]
    finally:
        workspace.close()


@pytest.fixture(scope="session")
def trained(prepared: Callable[..., Path]) -> Path:
    """An installation with champions of three domains, trained once a run; copy it before changing it."""
    return prepared("service", train_all)


@pytest.fixture
def installation(trained: Path, tmp_path: Path) -> Path:
    """A copy of the trained installation, for one test to change."""
    return Path(shutil.copytree(trained, tmp_path / "installation"))


@pytest.fixture
def workspace(installation: Path) -> Iterator[Workspace]:
    """The test's installation, opened in the test's own process."""
    workspace = open_at(installation)
    yield workspace
    workspace.close()


def start(stack: ExitStack, folder: Path, settings: dict[str, str], command: Sequence[str] = SERVE) -> Server:
    server = Server(folder, settings, command)
    stack.callback(server.stop)
    server.until(lambda: server.client.get("/health").status_code == 200)
    return server


@pytest.fixture(scope="session")
def shared(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One service for all tests that only add to it."""
    folder = Path(shutil.copytree(trained, tmp_path_factory.mktemp("shared") / "installation"))
    with ExitStack() as stack:
        yield start(stack, folder, {"GRADEWATCH_MAX_UPLOAD_MB": "1", "GRADEWATCH_MAX_ROWS": "1000", **SELDOM})


@pytest.fixture
def serve(installation: Path) -> Iterator[Callable[..., Server]]:
    """Starts services over the test's own installation."""
    with ExitStack() as stack:
        yield lambda **settings: start(stack, installation, settings)


@pytest.fixture
def serve_plain(installation: Path) -> Iterator[Callable[..., Server]]:
    """As `serve`, under uvicorn as it is."""
    with ExitStack() as stack:
        yield lambda **settings: start(stack, installation, settings, PLAIN)


@pytest.fixture(scope="session")
def guarded(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = Path(shutil.copytree(trained, tmp_path_factory.mktemp("guarded") / "installation"))
    with ExitStack() as stack:
        yield Guarded(start(stack, folder, ON | SELDOM))


@pytest.fixture(scope="session")
def anna(guarded: Guarded) -> str:
    """A token of a teacher."""
    guarded.user("anna", "teacher")
    return guarded.token("anna")


@pytest.fixture(scope="session")
def confined(guarded: Guarded) -> str:
    """The key of a teacher of one class."""
    key = guarded.key("one-class", "teacher", domains=("university",), groups=(GROUP,))
    guarded.until_known(key)
    return key


@pytest.fixture(scope="session")
def older(guarded: Guarded) -> Guarded:
    """The service, with the user under whose name callers of older systems sign in."""
    guarded.user("older", "admin")
    guarded.token("older")
    return guarded
