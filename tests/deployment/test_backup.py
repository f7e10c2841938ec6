"""A backup of a whole installation, made while others work, brings it back on any database, to the last byte."""

import json
import shutil
import stat
import threading
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from zipfile import ZipFile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from database.archive import NoBackup
from database.errors import StoreUnavailable
from database.migrate import compare
from database.store import RecordStore
from database.withdrawal import withdraw_outcomes
from deployment.backup import BadPassphrase, NotEmpty, make_backup, restore_backup
from jobs.queue import JobFile, JobRequest, ask
from model.artifacts import ArtifactFolder
from model.shared_artifacts import SharedArtifacts
from model.workspace import Workspace
from settings import Settings, UnsafeStart
from tests.command import run_command
from tests.database.making import NOON, fill, make_batch, make_model, make_outcome, make_prediction, make_row
from tests.model.registry_making import MARK

PASSPHRASE = "correct horse battery staple"
SECRET = "a secret of the first machine"
FILES = {"graph.onnx": bytes(range(256)) * 5_000, "manifest.json": b"{}"}


def settings_of(folder: Path, url: str, **given: str) -> Settings:
    return Settings(**{"data_dir": folder, "database_url": url, **given})  # type: ignore[arg-type]


def installed(folder: Path, url: str) -> tuple[Workspace, str]:
    """An installation with documents of every kind and a model with files; its version."""
    workspace = settings_of(folder, url, pseudonym_secret=SECRET).open_workspace()
    fill(workspace.store)
    version = workspace.artifacts.save(FILES)
    workspace.store.add_model(make_model(version))
    return workspace, version


@pytest.fixture
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """The URL of an empty database of a kind, another at each call."""
    made: list[str] = []

    def url(kind: str) -> str:
        made.append(kind)
        if kind == "sqlite":
            return f"sqlite:///{tmp_path / f'{len(made)}' / 'gradewatch.db'}"
        return str(request.getfixturevalue(f"{kind}_url"))

    return url


@pytest.mark.parametrize(
    ("origin", "place"),
    [("sqlite", "sqlite"), ("sqlite", "postgres"), ("postgres", "mongo"), ("mongo", "sqlite")],
)
def test_after_the_disk_is_erased_all_three_parts_come_back(
    origin: str, place: str, urls: Callable[[str], str], tmp_path: Path, opened: Callable[[str], RecordStore]
) -> None:
    first, file, raw = tmp_path / "first", tmp_path / "backup.zip", b"key of a student: 4711-0815"
    workspace, version = installed(first, urls(origin))
    ask(workspace.store, JobRequest("scoring", "school", "ann", files={"rows": JobFile("class.csv", raw)}))
    contents = make_backup(workspace, file, PASSPHRASE)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with ZipFile(file) as archive:
        kept = b"".join([file.read_bytes(), *map(archive.read, archive.namelist())])
    for unkept in (SECRET.encode(), raw, b64encode(raw)[:-4]):
        assert unkept not in kept
    assert (contents.models, contents.jobs_left_out) == ((version,), 1)
    shutil.rmtree(first)
    second = settings_of(tmp_path / "second", urls(place))
    restore_backup(second, file, PASSPHRASE)
    assert second.secret() == SECRET.encode()
    restored = second.open_workspace()
    try:
        assert restored.artifacts.load(version) == FILES
        differing = {one.kind for one in compare(workspace.store, restored.store) if not one.equal}
        assert differing == {"jobs", "chunks"}, "but the job that waits with a file"
        assert isinstance(restored.artifacts, ArtifactFolder if place == "sqlite" else SharedArtifacts)
        assert restored.store.champions() == workspace.store.champions()
        restored.store.add_outcomes([make_outcome(1.0, student="later")])
        newest = max(json.loads(text)["receipt"] for _, text in restored.store.export("outcomes"))
        assert newest == contents.receipt + 1, "it is numbered on"
    finally:
        restored.close()
        workspace.close()


def test_a_backup_is_of_one_receipt_while_others_predict_upload_correct_and_withdraw(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Callable[[str], RecordStore]
) -> None:
    monkeypatch.setattr("database.migrate.ROWS_COPIED_AT_ONCE", 50)
    workspace, _ = installed(tmp_path / "first", store_url)
    store, ended = workspace.store, threading.Event()
    marks = [make_outcome(0.0, student=f"m{n}") for n in range(60)]
    store.add_outcomes(marks)
    store.add_predictions([make_prediction(group="old") for _ in range(60)])

    def work() -> None:
        for value in count(1):
            if ended.is_set():
                break
            store.add_predictions([make_prediction() for _ in range(20)])
            store.add_outcomes([replace(one, value=float(value)) for one in marks])
            store.add_batch(make_batch(f"n{value}", rows=20), [make_row(n) for n in range(1, 21)])
            with suppress(StoreUnavailable):  # MongoDB takes nothing back meanwhile
                withdraw_outcomes(store, "school", [replace(marks[0], value=float(value))], reason="r", actor="a")

    writer = threading.Thread(target=work)
    writer.start()
    try:
        contents = make_backup(workspace, tmp_path / "backup.zip", PASSPHRASE)
    finally:
        ended.set()
        writer.join()
    restore_backup(
        settings_of(tmp_path / "second", f"sqlite:///{tmp_path / 'second.db'}"), tmp_path / "backup.zip", PASSPHRASE
    )
    back = opened(f"sqlite:///{tmp_path / 'second.db'}")
    outcomes = [json.loads(text) for _, text in back.export("outcomes", limit=10_000)]
    values = {one["value"] for one in outcomes if one["student"] in {f"m{n}" for n in range(1, 60)}}
    receipts = [one["changed"] for one in outcomes]
    receipts += [json.loads(text)["receipt"] for kind in ("predictions", "batches") for _, text in back.export(kind)]
    assert len(values) == 1, "corrections are in it whole"
    assert back.count_predictions() % 20 == 7, "calls are in it whole"
    assert {len(back.batch_rows(batch.id)) == batch.rows for batch in back.batches("school", "labeled")} == {True}
    assert max(receipts) <= contents.receipt
    assert store.export("outcomes"), "and others went on"
    withdraw_outcomes(store, "school", [marks[1]], reason="afterwards it can be taken back", actor="a")
    workspace.close()


def test_what_cannot_be_restored_is_refused_before_anything_is_written(tmp_path: Path, sqlite_url: str) -> None:
    workspace, _ = installed(tmp_path / "first", sqlite_url)
    file = tmp_path / "backup.zip"
    with pytest.raises(BadPassphrase, match="12"):
        make_backup(workspace, file, "short")
    make_backup(workspace, file, PASSPHRASE)
    with pytest.raises(FileExistsError):
        make_backup(workspace, file, PASSPHRASE)
    empty = settings_of(tmp_path / "second", f"sqlite:///{tmp_path / 'second' / 'gradewatch.db'}")
    with pytest.raises(BadPassphrase, match="does not open"):
        restore_backup(empty, file, PASSPHRASE + "!")
    assert not (tmp_path / "second").exists()
    with pytest.raises(NotEmpty, match="predictions"):
        restore_backup(settings_of(tmp_path / "first", sqlite_url), file, PASSPHRASE)
    with pytest.raises(UnsafeStart, match="another pseudonym secret"):
        restore_backup(
            settings_of(tmp_path / "2", str(empty.database_url), pseudonym_secret="y" * 32), file, PASSPHRASE
        )
    file.with_name("cut.zip").write_bytes(file.read_bytes()[:5_000])
    with pytest.raises(NoBackup, match="not a whole one"):
        restore_backup(empty, tmp_path / "cut.zip", PASSPHRASE)
    workspace.close()


@pytest.fixture(scope="module")
def backup(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("backup")
    workspace, _ = installed(folder, f"sqlite:///{folder / 'gradewatch.db'}")
    make_backup(workspace, folder / "backup.zip", PASSPHRASE)
    workspace.close()
    return (folder / "backup.zip").read_bytes()


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True) | st.floats(0.99, 1, exclude_max=True), flipped=st.integers(1, 255))
def test_a_byte_that_is_not_as_it_was_written_is_refused_before_anything_is(
    backup: bytes, place: float, flipped: int, tmp_path: Path
) -> None:
    content = bytearray(backup)
    content[int(place * len(content))] ^= flipped
    (tmp_path / "changed.zip").write_bytes(content)
    with pytest.raises((NoBackup, BadPassphrase)):
        restore_backup(settings_of(tmp_path / "second", f"sqlite:///{tmp_path / 's' / 'g.db'}"),
                       tmp_path / "changed.zip", PASSPHRASE)  # fmt: skip
    assert not (tmp_path / "second").exists()
    assert not (tmp_path / "s").exists()


def test_the_commands_keep_and_bring_back(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    workspace = settings_of(first, f"sqlite:///{first / 'gradewatch.db'}").open_workspace()
    fill(workspace.store)
    workspace.close()
    file = str(tmp_path / "kept.zip")
    kept = run_command(first, "backup", file, typed=PASSPHRASE + "\n")
    assert (kept.returncode, "documents and 0 models" in kept.stdout) == (0, True), kept.stderr
    (row := tmp_path / "row").mkdir()
    before = ["gradewatch-20200101T021500Z.zip", "gradewatch-20200102T021500Z.zip.writing-0a", "of another kind.zip"]
    for name in before:
        (row / name).touch()
    nightly = ("backup", str(row), "--keep", "1")
    drilled = run_command(first, *nightly, "--drill", typed=PASSPHRASE + "\n")
    assert (drilled.returncode, "would not serve" in drilled.stderr) == (1, True), "its models have no files"
    assert len(list(row.iterdir())) == len(before) + 1, "older ones stay until a newer one is good"
    run_command(first, *nightly, typed=PASSPHRASE + "\n")
    newest, other = sorted(path.name for path in row.iterdir())
    assert newest > before[1], "named by its time"
    assert other == before[-1]
    wrong = run_command(second, "restore", file, typed="not the passphrase\n")
    assert (wrong.returncode, "does not open" in wrong.stderr) == (1, True)
    drilled = run_command(second, "restore", file, "--drill", typed=PASSPHRASE + "\n")
    assert (drilled.returncode, "would not serve" in drilled.stderr) == (1, True), "its models have no files"
    assert [path for path in second.rglob("*") if path.is_file()] == []
    back = run_command(second, "restore", file, typed=PASSPHRASE + "\n")
    assert (back.returncode, "the same to the last byte" in back.stdout) == (0, True), back.stderr
    assert (second / "pseudonym.secret").read_bytes() == (first / "pseudonym.secret").read_bytes()
    assert run_command(second, "models", "list", "--domain", MARK.domain).returncode == 0
    assert NOON
