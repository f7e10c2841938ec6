"""A backup of a whole installation, made while others work, brings it back on any database, to the last byte."""

import shutil
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from database.archive import NoBackup, open_archive
from database.migrate import compare
from database.store import RecordStore
from deployment.backup import BadPassphrase, NotEmpty, make_backup, restore_backup, seal, unseal
from model.artifacts import ArtifactFolder
from model.shared_artifacts import SharedArtifacts
from model.workspace import Workspace
from settings import Settings, UnsafeStart
from tests.command import run_command
from tests.database.making import NOON, fill, make_model, make_prediction
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
    first, file = tmp_path / "first", tmp_path / "backup.zip"
    workspace, version = installed(first, urls(origin))
    contents = make_backup(workspace, file, PASSPHRASE)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert SECRET.encode() not in file.read_bytes()
    assert contents.models == (version,)
    shutil.rmtree(first)
    second = settings_of(tmp_path / "second", urls(place))
    restore_backup(second, file, PASSPHRASE)
    assert second.secret() == SECRET.encode()
    restored = second.open_workspace()
    try:
        assert restored.artifacts.load(version) == FILES
        assert [one.kind for one in compare(workspace.store, restored.store) if not one.equal] == []
        assert isinstance(restored.artifacts, ArtifactFolder if place == "sqlite" else SharedArtifacts)
        assert restored.store.champions() == workspace.store.champions()
    finally:
        restored.close()
        workspace.close()


def test_a_backup_is_of_one_moment_while_predictions_go_on(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("database.migrate.ROWS_COPIED_AT_ONCE", 50)
    workspace, _ = installed(tmp_path / "first", store_url)
    ended = threading.Event()

    def predict() -> None:
        while not ended.is_set():
            workspace.store.add_predictions([make_prediction() for _ in range(20)])

    writer = threading.Thread(target=predict)
    writer.start()
    try:
        contents = make_backup(workspace, tmp_path / "backup.zip", PASSPHRASE)
    finally:
        ended.set()
        writer.join()
    with open_archive(tmp_path / "backup.zip") as archive:
        found = {kind.kind: [key for page in archive.pages(kind.kind) for key, _ in page] for kind in contents.kinds}
    assert len(set(found["predictions"])) == len(found["predictions"]) == contents.kinds[0].count
    if not store_url.startswith("mongodb"):
        assert len(found["predictions"]) % 20 == 7, "calls are in it whole"
    restore_backup(
        settings_of(tmp_path / "second", f"sqlite:///{tmp_path / 'second.db'}"), tmp_path / "backup.zip", PASSPHRASE
    )
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
    content = bytearray(file.read_bytes())
    middle = content.index(b"records/predictions/") + 60
    content[middle : middle + 20] = bytes(20)
    file.with_name("damaged.zip").write_bytes(content)
    file.with_name("cut.zip").write_bytes(content[: len(content) // 2])
    for name in ("damaged.zip", "cut.zip"):
        with pytest.raises(NoBackup, match=r"damaged|no backup"):
            restore_backup(
                settings_of(tmp_path / name[0], f"sqlite:///{tmp_path / name}.db"), tmp_path / name, PASSPHRASE
            )
    workspace.close()


def test_a_sealed_secret_opens_by_its_passphrase_only() -> None:
    sealed = seal(b"secret", PASSPHRASE)
    assert sealed != seal(b"secret", PASSPHRASE)
    assert unseal(sealed, PASSPHRASE) == b"secret"
    with pytest.raises(BadPassphrase):
        unseal(sealed, "")
    with pytest.raises(NoBackup):
        unseal(b"{}", PASSPHRASE)


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
    wrong = run_command(second, "restore", file, typed="not the passphrase\n")
    assert (wrong.returncode, "does not open" in wrong.stderr) == (1, True)
    back = run_command(second, "restore", file, typed=PASSPHRASE + "\n")
    assert (back.returncode, "the same to the last byte" in back.stdout) == (0, True), back.stderr
    assert (second / "pseudonym.secret").read_bytes() == (first / "pseudonym.secret").read_bytes()
    assert run_command(second, "models", "list", "--domain", MARK.domain).returncode == 0
    assert NOON
