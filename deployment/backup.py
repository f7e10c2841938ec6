"""Keeps a whole installation in one file, and brings it back: what the store holds, its models, and the secret.

The secret of the pseudonyms is sealed by a passphrase, for whoever has both can tell students by their keys. Files of
domains and settings are the operator's, and no part of it.
"""

import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from database.archive import Archive, Contents, NoBackup, open_archive, write_archive
from database.migrate import content_of
from database.open import open_store
from database.store import KINDS, RecordStore
from errors import Category, GradewatchError
from model.artifacts import Artifacts, CorruptArtifact, MissingArtifact
from model.shared_artifacts import open_artifacts, pack_bundle, unpack_bundle
from model.workspace import Workspace
from settings import Settings

SHORTEST_PASSPHRASE = 12  # characters
SCRYPT = {"n": 2**15, "r": 8, "p": 1, "maxmem": 2**26}  # 32 MiB and a tenth of a second for each guess (RFC 7914)
PURPOSE_OF_SEAL = b"gradewatch/backup/1"

OnPage = Callable[[str, int], None]


class BadPassphrase(GradewatchError):
    """A passphrase that is too short, or not the one of a backup."""


class NotEmpty(GradewatchError):
    """Where a backup was to be restored something lies already."""

    category = Category.CONFLICT


class Sealed(msgspec.Struct, frozen=True):
    """A secret under a passphrase: AES-256-GCM by a key that scrypt makes of it."""

    salt: bytes
    nonce: bytes
    sealed: bytes


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

    sealed = seal(workspace.secret, passphrase)
    with workspace.store.snapshot() as source:
        return write_archive(path, source, pack_model=pack_model, sealed=sealed, on_page=on_page)


def restore_backup(settings: Settings, path: Path, passphrase: str, *, on_page: OnPage = lambda *_: None) -> Contents:
    """Bring an installation back where `settings` say; compared with the backup when it is done.

    Raises BadPassphrase and NotEmpty before anything is written; UnsafeStart where the settings have another secret;
    NoBackup for a damaged file: then what is there is to be erased.
    """
    with open_archive(path) as archive:
        secret = unseal(archive.contents.sealed, passphrase)
        with _opened(settings) as store:
            _require_empty(store)
            settings.keep_secret(secret)
            artifacts = open_artifacts(settings.artifacts_url, store, settings.artifacts_dir)
            _fill(archive, store, artifacts, on_page)
            _compare(archive.contents, store)
        return archive.contents


@contextmanager
def _opened(settings: Settings) -> Iterator[RecordStore]:
    settings.make_data_dir()
    store = open_store(settings.database_url, pool_size=settings.mongo_pool_size, durability=settings.durability)
    try:
        yield store
    finally:
        store.close()


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


def seal(secret: bytes, passphrase: str) -> bytes:
    """`secret` for nobody without the passphrase.

    >>> unseal(seal(b"secret", "correct horse"), "correct horse")
    b'secret'
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    sealed = AESGCM(_key(passphrase, salt)).encrypt(nonce, secret, PURPOSE_OF_SEAL)
    return msgspec.json.encode(Sealed(salt, nonce, sealed))


def unseal(text: bytes, passphrase: str) -> bytes:
    """What `seal` was given. Raises BadPassphrase, NoBackup."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        kept = msgspec.json.decode(text, type=Sealed)
        return bytes(AESGCM(_key(passphrase, kept.salt)).decrypt(kept.nonce, kept.sealed, PURPOSE_OF_SEAL))
    except InvalidTag:
        raise BadPassphrase("this passphrase does not open the backup's secret") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise NoBackup("the backup's secret cannot be read") from error


def _key(passphrase: str, salt: bytes) -> bytes:
    return hashlib.scrypt(passphrase.encode(), salt=salt, dklen=32, **SCRYPT)
