"""Keeps a whole installation in one file, and brings it back: what the store holds, its models, and the secret.

A passphrase seals the secret of the pseudonyms, for whoever has both can tell students by their keys, and signs the
whole file. Files of domains and settings are the operator's, and no part of it.
"""

import hashlib
import hmac
import re
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from database.archive import Archive, ArchiveSeal, Contents, NoBackup, label_of, open_archive, write_archive
from database.migrate import content_of
from database.open import open_store
from database.store import KINDS, RecordStore
from errors import Category, GradewatchError
from model.artifacts import Artifacts, CorruptArtifact, MissingArtifact
from model.shared_artifacts import open_artifacts, pack_bundle, unpack_bundle
from model.workspace import Workspace
from settings import OFF, Settings

SHORTEST_PASSPHRASE = 12  # characters
SCRYPT = {"n": 2**15, "r": 8, "p": 1, "maxmem": 2**26}  # 32 MiB and a tenth of a second for each guess (RFC 7914)
SALT_BYTES, NONCE_BYTES = 16, 12
PURPOSE_OF_SEAL = b"gradewatch/backup/2"
NAMED_BY_TIME = re.compile(r"gradewatch-(\d{8}T\d{6}Z)\.zip(\.writing-\w+)?")
"""One of a row of backups in a folder, or what is left of one whose making was cut off."""

OnPage = Callable[[str, int], None]


class BadPassphrase(GradewatchError):
    """A passphrase that is too short, or not the one of a backup."""


class NotEmpty(GradewatchError):
    """Where a backup was to be restored something lies already."""

    category = Category.CONFLICT


class BackupKeys(NamedTuple):
    """What scrypt makes of a passphrase and a salt. seal: of the secret (AES-256-GCM). code: of the whole file
    (HMAC-SHA256). check: tells another passphrase from a changed file."""

    salt: bytes
    seal: bytes
    code: bytes
    check: bytes

    @property
    def label(self) -> bytes:
        """What stands in the file of them."""
        return (self.salt + self.check).hex().encode()


def keys_of(passphrase: str, salt: bytes) -> BackupKeys:
    """Keys that nobody makes without the passphrase."""
    made = hashlib.scrypt(passphrase.encode(), salt=salt, dklen=80, **SCRYPT)
    return BackupKeys(salt, made[:32], made[32:64], made[64:])


def keys_for(path: Path, passphrase: str) -> BackupKeys:
    """Those of the backup at `path`. Raises BadPassphrase, NoBackup."""
    label = label_of(path)
    try:
        keys = keys_of(passphrase, bytes.fromhex(label.decode())[:SALT_BYTES])
    except ValueError as error:
        raise NoBackup(f"{path} is no backup, or not a whole one") from error
    if not hmac.compare_digest(keys.label, label):
        raise BadPassphrase("this passphrase does not open the backup")
    return keys


def make_backup(workspace: Workspace, path: Path, passphrase: str, *, on_page: OnPage = lambda *_: None) -> Contents:
    """Write the installation as it is now to `path`, while others work with it.

    Raises BadPassphrase, FileExistsError, other OSErrors, StoreUnavailable.
    """
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise BadPassphrase(f"a passphrase has {SHORTEST_PASSPHRASE} characters or more")

    def pack_model(version: str) -> bytes | None:
        try:
            return pack_bundle(workspace.artifacts.load(version))
        except (MissingArtifact, CorruptArtifact) as error:
            if error.category is Category.UNAVAILABLE:  # they are there, and would be missing from the backup only
                raise
            return None

    keys = keys_of(passphrase, secrets.token_bytes(SALT_BYTES))
    sealed = ArchiveSeal(keys.code, keys.label, seal(workspace.secret, keys.seal))
    with workspace.store.snapshot() as source:
        return write_archive(path, source, pack_model=pack_model, seal=sealed, on_page=on_page)


def name_by_time(at: datetime) -> str:
    """What a backup in a folder of them is called, so that names are in the order of time.

    >>> name_by_time(datetime(2026, 11, 29, 2, 15, tzinfo=UTC))
    'gradewatch-20261129T021500Z.zip'
    """
    return f"gradewatch-{at.astimezone(UTC):%Y%m%dT%H%M%SZ}.zip"


def remove_older(folder: Path, keep: int) -> list[Path]:
    """Remove backups that are named by time but for so many of the newest, and what is left of cut off ones of before
    these; returns what went. Other files stay."""
    found = [(name, path) for path in folder.iterdir() if (name := NAMED_BY_TIME.fullmatch(path.name))]
    whole = sorted((name[1] for name, _ in found if not name[2]), reverse=True)
    older = sorted(path for name, path in found if len(whole) > keep and name[1] < whole[keep - 1])
    for path in older:
        path.unlink()
    return older


def restore_backup(settings: Settings, path: Path, passphrase: str, *, on_page: OnPage = lambda *_: None) -> Contents:
    """Bring an installation back where `settings` say; compared with the backup when it is done.

    Raises BadPassphrase, NotEmpty, UnsafeStart where the settings have another secret, and NoBackup for a file with a
    byte that is not as it was written, before anything is written; NoBackup as well where what came back is not the
    same: then what is there is to be erased.
    """
    keys = keys_for(path, passphrase)
    with open_archive(path, keys.code) as archive:
        secret = unseal(archive.contents.sealed, keys.seal)
        with _opened(settings) as store:
            _require_empty(store)
            settings.keep_secret(secret)
            artifacts = open_artifacts(settings.artifacts_url, store, settings.artifacts_dir)
            _fill(archive, store, artifacts, on_page)
            store.number_from(archive.contents.receipt)
            _compare(archive.contents, store)
        return archive.contents


class Drilled(NamedTuple):
    """What a rehearsal of a restore found. loaded: champions that served; broken: those that would not."""

    contents: Contents
    loaded: int
    broken: list[str]
    seconds: float


@contextmanager
def _opened(settings: Settings) -> Iterator[RecordStore]:
    settings.make_data_dir()
    store = open_store(settings.database_url, pool_size=settings.mongo_pool_size, durability=settings.durability)
    try:
        yield store
    finally:
        store.close()


def drill_restore(path: Path, passphrase: str, *, on_page: OnPage = lambda *_: None) -> Drilled:
    """Bring a backup back into a folder that goes again, as on another machine, and have its champions loaded there.

    Raises as `restore_backup`.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gradewatch-drill-") as folder:
        settings = Settings(
            environment="development",
            data_dir=Path(folder) / "data",
            database_url=f"sqlite:///{Path(folder) / 'data' / 'gradewatch.db'}",
            artifacts_url="",
            pseudonym_secret=None,
            read_only=OFF,
        )
        contents = restore_backup(settings, path, passphrase, on_page=on_page)
        workspace = settings.open_workspace()
        try:
            champions = workspace.champions
            return Drilled(
                contents, len(champions.loaded), sorted(map(str, champions.broken)), time.monotonic() - began
            )
        finally:
            workspace.close()


def _require_empty(store: RecordStore) -> None:
    if held := [kind for kind in KINDS if store.export(kind, limit=1)]:
        raise NotEmpty(f"the database holds {', '.join(held)} already; restore into an empty one")


def _fill(archive: Archive, store: RecordStore, artifacts: Artifacts, on_page: OnPage) -> None:
    for version in archive.contents.models:
        artifacts.save(unpack_bundle(version, archive.model(version)))
    for kind in KINDS:
        for page in archive.pages(kind):
            store.load(kind, page)
            on_page(kind, len(page))


def _compare(contents: Contents, store: RecordStore) -> None:
    for one in contents.kinds:
        found = content_of(store, one.kind)
        if (found.count, found.digest) != (one.count, one.digest):
            raise NoBackup(
                f"{one.kind}: {found.count:,} of {one.count:,} came back, or others; erase what was restored"
            )


def seal(secret: bytes, key: bytes) -> bytes:
    """`secret` for nobody without the key of 32 bytes.

    >>> unseal(seal(b"secret", bytes(32)), bytes(32))
    b'secret'
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, secret, PURPOSE_OF_SEAL)


def unseal(sealed: bytes, key: bytes) -> bytes:
    """What `seal` was given. Raises NoBackup."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return bytes(AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], PURPOSE_OF_SEAL))
    except (InvalidTag, ValueError) as error:
        raise NoBackup("the backup's secret cannot be read") from error
