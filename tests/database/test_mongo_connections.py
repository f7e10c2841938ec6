"""MongoDB as it is in the world: TLS, a replica set by name, connection strings as Atlas prints them, pools."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from database.errors import StoreUnavailable
from database.migrate import content_of
from database.mongo import MongoStore
from database.open import open_store
from database.store import KINDS, RecordStore
from tests.certificates import make_certificate
from tests.conftest import Mongo, running_mongo
from tests.database.making import fill

Open = Callable[[str], RecordStore]
OPTIONS = "ssl=true&authSource=admin&retryWrites=true&w=majority&appName=grades&serverSelectionTimeoutMS=4000"


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mongo, Path]]:
    """A replica set that speaks TLS, and the file of its authority."""
    certificate, key = make_certificate(tmp_path_factory.mktemp("authority"))
    with running_mongo("atlas-grades-shard-0", (certificate, key)) as server:
        yield server, certificate


def address(server: Mongo, *more: str, set_name: str = "atlas-grades-shard-0") -> str:
    """As Atlas writes it, for this machine."""
    told = "&".join([OPTIONS, f"replicaSet={set_name}", *more])
    return f"mongodb://127.0.0.1:{server.port},localhost:{server.port}/test_{uuid4().hex}?{told}"


def test_by_a_connection_string_of_atlas_everything_is_kept_in_whole_transactions(
    secure: tuple[Mongo, Path], opened: Open, sqlite_url: str
) -> None:
    server, authority = secure
    store, other = opened(address(server, f"tlsCAFile={authority}")), opened(sqlite_url)
    fill(store)
    for kind in KINDS:
        for page in [store.export(kind, limit=1000)]:
            other.load(kind, page)
    assert [kind for kind in KINDS if content_of(store, kind).digest != content_of(other, kind).digest] == []
    assert isinstance(store, MongoStore)
    assert client_of(store).options.retry_writes
    assert database_of(store).write_concern.document == {"w": "majority", "j": True}


@pytest.mark.parametrize(
    ("how", "words"),
    [({}, "certificate"), ({"set_name": "another"}, "replica set|another|timed out|No replica set")],
    ids=["an unknown authority", "another set's name"],
)
def test_who_cannot_be_trusted_is_not_spoken_to(secure: tuple[Mongo, Path], how: dict[str, str], words: str) -> None:
    server, authority = secure
    trusted = [f"tlsCAFile={authority}"] if how else []
    with pytest.raises(StoreUnavailable, match=words):
        open_store(address(server, *trusted, **how))


def test_a_pool_is_as_large_as_is_set_unless_the_address_says_otherwise(mongo_server: Mongo) -> None:
    for more, size in (("", 3), ("&maxPoolSize=7", 7)):
        store = open_store(mongo_server.url(f"test_{uuid4().hex}") + more, pool_size=3)
        assert client_of(store).options.pool_options.max_pool_size == size
        store.close()


def client_of(store: RecordStore) -> Any:
    return store._client  # type: ignore[attr-defined]


def database_of(store: RecordStore) -> Any:
    return store._database  # type: ignore[attr-defined]
