"""Bundles that machines share are the same bundles on all of them, wherever they lie."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import Request, urlopen
from uuid import uuid4

import pytest

from database.store import RecordStore
from errors import MissingExtra
from model.artifacts import ArtifactFolder, CorruptArtifact, MissingArtifact
from model.bundle import content_digest
from model.shared_artifacts import (
    CLOUDS,
    DatabaseBundles,
    SharedArtifacts,
    open_artifacts,
    pack_bundle,
    unpack_bundle,
)
from tests.conftest import absent

pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")  # so gcsfs sends it

FILES = {"graph.onnx": os.urandom(2_500_000), "manifest.json": b"{}"}
Machine = Callable[[str], SharedArtifacts]


@pytest.fixture(scope="module")
def s3_address() -> Iterator[str]:
    """A real S3 server."""
    try:
        from moto.server import ThreadedMotoServer
    except ImportError as error:
        absent("an S3 server", error)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3_url(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in (("ENDPOINT_URL", s3_address), ("ACCESS_KEY_ID", "tests"), ("SECRET_ACCESS_KEY", "tests")):
        monkeypatch.setenv(f"AWS_{name}", value)
    bucket = uuid4().hex
    urlopen(Request(f"{s3_address}/{bucket}", method="PUT")).close()
    return f"s3://{bucket}/gradewatch"


@pytest.fixture(scope="module")
def gs_address() -> Iterator[str]:
    """A server of Google's storage."""
    try:
        from gcp_storage_emulator.server import create_server
    except ImportError as error:
        absent("a server of Google's storage", error)
    with create_server("127.0.0.1", 0, in_memory=True) as server:
        yield f"http://127.0.0.1:{server._api._httpd.server_address[1]}"


@pytest.fixture
def gs_url(gs_address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", gs_address)
    bucket, kind = uuid4().hex, {"Content-Type": "application/json"}
    new = json.dumps({"name": bucket}).encode()
    urlopen(Request(f"{gs_address}/storage/v1/b?project=tests", data=new, headers=kind)).close()
    return f"gs://{bucket}/gradewatch"


@pytest.fixture(scope="module")
def az_address() -> Iterator[str]:
    """Azure's own server for tests, which is no package of Python: its absence skips, in CI too."""
    program = shutil.which("azurite-blob")
    if program is None:
        pytest.skip("Azurite is not installed: npm install --global azurite")
    options = ["--blobPort", "0", "--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry"]
    with subprocess.Popen([program, *options], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield next(line for line in server.stdout if "successfully listens" in line).split()[-1]
        server.terminate()


@pytest.fixture
def az_url(az_address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    from azure.storage.blob import BlobServiceClient

    key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="  # known to all
    account = f"DefaultEndpointsProtocol=http;AccountName=devstoreaccount1;AccountKey={key}"
    connection, bucket = f"{account};BlobEndpoint={az_address}/devstoreaccount1;", uuid4().hex
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", connection)
    with BlobServiceClient.from_connection_string(connection) as client:
        client.create_container(bucket)
    return f"az://{bucket}/gradewatch"


@pytest.fixture(params=["sqlite", "postgres", "mongo", "s3", "gs", "az"])
def machine(request: pytest.FixtureRequest, opened: Callable[[str], RecordStore], tmp_path: Path) -> Machine:
    """Machines, each with a folder of its own, that share one place for models."""
    if request.param in CLOUDS:
        url, store = request.getfixturevalue(f"{request.param}_url"), opened(request.getfixturevalue("sqlite_url"))
    else:
        url, store = "database", opened(request.getfixturevalue(f"{request.param}_url"))

    def start(name: str) -> SharedArtifacts:
        found = open_artifacts(url, store, tmp_path / name)
        assert isinstance(found, SharedArtifacts)
        return found

    return start


def spoil(artifacts: SharedArtifacts, digest: str) -> None:
    artifacts._bundles.put(digest, b"spoiled")


def test_what_one_machine_saves_all_load_and_keep(machine: Machine, tmp_path: Path) -> None:
    one, other = machine("one"), machine("other")
    digest = one.save(FILES)
    assert digest == content_digest(FILES) == one.save(dict(reversed(FILES.items())))
    assert other.load(digest) == FILES
    assert one.digests() == other.digests() == [digest]
    assert ArtifactFolder(tmp_path / "other").load(digest) == FILES
    other.require(digest)


def test_a_missing_bundle_and_a_spoiled_one_are_told_apart_and_mended(machine: Machine) -> None:
    one, other = machine("one"), machine("other")
    digest = content_digest(FILES)
    for ask in (other.load, other.require):
        with pytest.raises(MissingArtifact):
            ask(digest)
    one.save(FILES)
    spoil(one, digest)
    for ask in (other.load, other.require):
        with pytest.raises((CorruptArtifact, MissingArtifact)):
            ask(digest)
    assert one.load(digest) == FILES, "it has the files itself"
    one.require(digest)
    assert other.load(digest) == FILES


def test_what_lies_spoiled_on_a_machine_is_fetched_again(machine: Machine, tmp_path: Path) -> None:
    one = machine("one")
    digest = one.save(FILES)
    (tmp_path / "one" / digest / "manifest.json").write_bytes(b"changed")
    assert one.load(digest) == FILES
    assert ArtifactFolder(tmp_path / "one").load(digest) == FILES


def test_a_sweep_takes_what_is_old_and_not_kept(machine: Machine) -> None:
    one = machine("one")
    kept, gone = one.save(FILES), one.save({"manifest.json": b"other"})
    assert one.sweep([kept]) == []
    assert one.sweep([kept], older_than=-60.0) == [gone]
    assert one.digests() == [kept]
    with pytest.raises(MissingArtifact):
        machine("other").load(gone)


def test_what_only_one_machine_has_is_given_to_all(machine: Machine, tmp_path: Path) -> None:
    digest = ArtifactFolder(tmp_path / "one").save(FILES)
    one, other = machine("one"), machine("other")
    assert one.publish([digest, "0" * 64]) == [digest]
    assert one.publish([digest]) == []
    assert other.load(digest) == FILES


def test_jobs_do_not_sweep_models_away(store: RecordStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import timedelta

    from jobs import queue

    shared = SharedArtifacts(DatabaseBundles(store), ArtifactFolder(tmp_path))
    digest = shared.save(FILES)
    monkeypatch.setattr(queue, "LEFT_BEHIND", timedelta(seconds=-60))
    queue.sweep(store)
    assert shared.digests() == [digest]


def test_an_unknown_place_and_a_missing_library_are_named(
    sqlite_url: str, opened: Callable[[str], RecordStore], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(sqlite_url)
    assert isinstance(open_artifacts("", store, tmp_path), ArtifactFolder)
    assert isinstance(open_artifacts(f"file://{tmp_path}", store, tmp_path), ArtifactFolder)
    with pytest.raises(ValueError, match="ftp"):
        open_artifacts("ftp://host/models", store, tmp_path)
    monkeypatch.setitem(__import__("sys").modules, "fsspec", None)
    for scheme in CLOUDS:
        with pytest.raises(MissingExtra, match=r"cloud\.lock"):
            open_artifacts(f"{scheme}://bucket/models", store, tmp_path)


@pytest.mark.parametrize("name", ["../../out.txt", "/etc/out.txt", "..", "", "a\\b", "a/b", "a\0"])
def test_a_bundle_whose_files_would_lie_elsewhere_is_damaged(name: str) -> None:
    files = {**FILES, name: b"x"}
    with pytest.raises(CorruptArtifact):
        unpack_bundle(content_digest(files), pack_bundle(files))
    assert unpack_bundle(content_digest(FILES), pack_bundle(FILES)) == FILES
