"""Bundles that machines share: in the database itself, or in a store of objects; each machine keeps what it used.

Every bundle is checked by its digest when it is loaded, wherever it came from. The one place that chooses, by URL.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import msgspec

from clock import now
from database.blobs import MODEL_BLOBS, put_blob, read_blob, renew_blob
from database.store import RecordStore
from errors import Category
from model.artifacts import ArtifactFolder, Artifacts, CorruptArtifact, MissingArtifact
from model.bundle import content_digest

IN_DATABASE = "database"
CLOUDS = ("s3", "gs", "gcs", "az", "abfs", "abfss")


def open_artifacts(url: str, store: RecordStore, folder: Path) -> Artifacts:
    """The bundles at `url`: "database" (in `store`), s3://, gs:// or az://BUCKET/PREFIX, a folder or file:///FOLDER;
    "" means `folder`. folder: where this machine keeps those that it used, where they lie elsewhere.

    Raises ValueError for another scheme, MissingExtra without the library of clouds.
    """
    if not url:
        return ArtifactFolder(folder)
    scheme, mark, rest = url.partition("://")
    if url == IN_DATABASE:
        return SharedArtifacts(DatabaseBundles(store), ArtifactFolder(folder))
    if not mark or scheme == "file":
        return ArtifactFolder(Path(rest if mark else url))
    if scheme not in CLOUDS:
        raise ValueError(
            f"no place for models at {scheme}://: use database, a folder, s3://, gs:// or az://BUCKET/PREFIX"
        )
    from model.remote_artifacts import CloudBundles

    return SharedArtifacts(CloudBundles(url), ArtifactFolder(folder))


class BundleStore(Protocol):
    """Packed bundles by digest, out of this machine. It knows nothing of what is in them."""

    def put(self, digest: str, content: bytes) -> None:
        """Keep it, durably before returning, in place of what is there."""

    def get(self, digest: str) -> bytes | None: ...

    def renew(self, digest: str) -> bool:
        """Whether it is there; it then counts as new."""

    def digests(self, *, older_than: float | None = None) -> list[str]:
        """In order; all, or those that were put or renewed longer ago than so many seconds."""

    def remove(self, digests: Iterable[str]) -> None:
        """Those that are there."""


class SharedArtifacts:
    """`Artifacts` in a `BundleStore`. cache: those that this machine has used."""

    def __init__(self, bundles: BundleStore, cache: ArtifactFolder) -> None:
        self._bundles = bundles
        self._cache = cache

    def save(self, files: Mapping[str, bytes]) -> str:
        """As `Artifacts.save`."""
        self._remember(files)
        digest = content_digest(files)
        if not self._renewed(digest):
            self._bundles.put(digest, pack_bundle(files))
        return digest

    def load(self, digest: str) -> dict[str, bytes]:
        """As `Artifacts.load`; from this machine where it has the bundle whole."""
        with suppress(MissingArtifact, CorruptArtifact):
            return self._cache.load(digest)
        files = self._fetch(digest)
        self._remember(files)
        return files

    def require(self, digest: str) -> None:
        """As `Artifacts.require`, of what all machines see; they are given what only this one has."""
        if not self._renewed(digest):
            self._bundles.put(digest, pack_bundle(self._cache.load(digest)))

    def digests(self) -> list[str]:
        """As `Artifacts.digests`, of what all machines see."""
        return self._bundles.digests()

    def sweep(self, keep: Iterable[str], *, older_than: float = 3600.0) -> list[str]:
        """As `Artifacts.sweep`, here and for all machines."""
        kept = set(keep)
        self._cache.sweep(kept, older_than=older_than)
        gone = [digest for digest in self._bundles.digests(older_than=older_than) if digest not in kept]
        self._bundles.remove(gone)
        return gone

    def publish(self, digests: Iterable[str]) -> list[str]:
        """Give all machines the bundles that only this one has; which."""
        there, given = set(self.digests()), []
        for digest in digests:
            with suppress(MissingArtifact, CorruptArtifact):
                if digest not in there:
                    given.append(self.save(self._cache.load(digest)))
        return given

    def _renewed(self, digest: str) -> bool:
        """Whether all machines have the bundle whole; it then counts as new."""
        try:
            self._bundles.renew(digest)
            self._fetch(digest)
        except (MissingArtifact, CorruptArtifact) as error:
            if error.category is Category.UNAVAILABLE:
                raise
            return False
        return True

    def _fetch(self, digest: str) -> dict[str, bytes]:
        content = self._bundles.get(digest)
        if content is None:
            raise MissingArtifact(f"no model {digest[:12]} where the models of all machines lie")
        return unpack_bundle(digest, content)

    def _remember(self, files: Mapping[str, bytes]) -> None:
        with suppress(OSError):  # a full or read-only disk: it is fetched again
            self._cache.save(files)


def pack_bundle(files: Mapping[str, bytes]) -> bytes:
    """A bundle as one piece; the same files give the same bytes."""
    return msgspec.msgpack.encode(dict(files), order="sorted")


def unpack_bundle(digest: str, content: bytes) -> dict[str, bytes]:
    """What `pack_bundle` made this of. Raises CorruptArtifact where that is not the bundle of this digest."""
    try:
        files = msgspec.msgpack.decode(content, type=dict[str, bytes])
    except msgspec.DecodeError:
        files = {}
    if content_digest(files) != digest or not all(map(_is_plain_name, files)):
        raise CorruptArtifact(f"the files of model {digest[:12]} have changed since it was saved")
    return files


def _is_plain_name(name: str) -> bool:
    """Whether a file of that name lies in the bundle's folder: what another place gave must not write elsewhere."""
    return name not in ("", ".", "..") and not {"/", "\\", "\0"} & set(name)


class DatabaseBundles:
    """`BundleStore` in the database: blobs, which migrations and backups carry."""

    def __init__(self, store: RecordStore) -> None:
        self._store = store

    def put(self, digest: str, content: bytes) -> None:
        """As `BundleStore.put`."""
        self.remove([digest])
        put_blob(self._store, MODEL_BLOBS + digest, content)

    def get(self, digest: str) -> bytes | None:
        """As `BundleStore.get`."""
        return b"".join(read_blob(self._store, MODEL_BLOBS + digest)) or None

    def renew(self, digest: str) -> bool:
        """As `BundleStore.renew`."""
        return renew_blob(self._store, MODEL_BLOBS + digest)

    def digests(self, *, older_than: float | None = None) -> list[str]:
        """As `BundleStore.digests`."""
        before = None if older_than is None else now() - timedelta(seconds=older_than)
        names = self._store.blobs(before=before)
        return [name.removeprefix(MODEL_BLOBS) for name in names if name.startswith(MODEL_BLOBS)]

    def remove(self, digests: Iterable[str]) -> None:
        """As `BundleStore.remove`."""
        self._store.remove_blobs([MODEL_BLOBS + digest for digest in digests])
