"""A backup as one file: every document of a store, its models, and what else is given; a ZIP, for its owner alone.

Each kind of document stands in it with a digest, by which a restored store is compared with it. It seals no secret and
opens no store.
"""

import os
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

import msgspec

from database.layout import split_row_key
from database.migrate import Content, Keyed, pages
from database.records import new_id, now
from database.store import KINDS, Exporter
from errors import Category, GradewatchError

ARCHIVE_FORMAT = 1
LIST_OF_CONTENTS = "contents.json"

REFERRING_FIRST = (
    *(kind for kind in reversed(KINDS) if kind not in ("batches", "batch_rows")),
    "batches",
    "batch_rows",
)
"""The order in which kinds are read, so that what came meanwhile leaves nothing that refers to what is not there; of
batches first, since they are whole when they are there."""


class NoBackup(GradewatchError):
    """A file that is no backup, or not a whole one."""

    category = Category.DAMAGED


class ArchivedKind(msgspec.Struct, frozen=True):
    """One kind of document in a backup; digest: as `database.migrate.Content` makes it."""

    kind: str
    count: int
    digest: str


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What a backup holds. models: digests of those whose files are in it. missing: versions whose files were not to be
    had. sealed: the secret, as whoever made the backup sealed it."""

    format: int
    at: datetime
    kinds: tuple[ArchivedKind, ...]
    models: tuple[str, ...]
    missing: tuple[str, ...]
    sealed: bytes


def write_archive(
    path: Path,
    source: Exporter,
    *,
    pack_model: Callable[[str], bytes | None],
    sealed: bytes,
    on_page: Callable[[str, int], None] = lambda *_: None,
) -> Contents:
    """Write everything that `source` holds to `path`, which is there whole or not at all.

    pack_model: the packed files of a version; None where they cannot be had. on_page: hears a kind and how many of its
    documents were written. Raises FileExistsError, other OSErrors, StoreUnavailable.
    """
    if path.exists():
        raise FileExistsError(f"{path} is there already; a backup replaces nothing")
    at, aside = now(), path.with_name(f"{path.name}.writing-{new_id()}")
    try:
        contents = _write_whole(aside, at, source, pack_model, sealed, on_page)
        aside.rename(path)
    finally:
        aside.unlink(missing_ok=True)
    return contents


def _write_whole(
    aside: Path,
    at: datetime,
    source: Exporter,
    pack_model: Callable[[str], bytes | None],
    sealed: bytes,
    on_page: Callable[[str, int], None],
) -> Contents:
    with os.fdopen(os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as file:
        with ZipFile(file, "w", ZIP_DEFLATED, compresslevel=1) as archive:
            kinds, versions = _write_kinds(archive, source, on_page)
            models, missing = _write_models(archive, versions, pack_model)
            contents = Contents(
                format=ARCHIVE_FORMAT, at=at, kinds=kinds, models=models, missing=missing, sealed=sealed
            )
            archive.writestr(LIST_OF_CONTENTS, msgspec.json.encode(contents))
        file.flush()
        os.fsync(file.fileno())
    return contents


def _write_kinds(
    archive: ZipFile, source: Exporter, on_page: Callable[[str, int], None]
) -> tuple[tuple[ArchivedKind, ...], list[str]]:
    """Each kind as it was written, and the versions among the documents."""
    kinds: dict[str, ArchivedKind] = {}
    versions: list[str] = []
    batches: set[str] = set()
    for kind in REFERRING_FIRST:
        content = Content()
        for number, found in enumerate(pages(source, kind)):
            page = [one for one in found if kind != "batch_rows" or split_row_key(one[0])[0] in batches]
            archive.writestr(_page_name(kind, number), msgspec.msgpack.encode(page))
            content.add(page)
            on_page(kind, len(page))
            keys = [key for key, _ in page]
            batches.update(keys if kind == "batches" else ())
            versions += keys if kind == "models" else []
        kinds[kind] = ArchivedKind(kind, content.count, content.digest)
    return tuple(kinds[kind] for kind in KINDS), versions


def _write_models(
    archive: ZipFile, versions: Iterable[str], pack_model: Callable[[str], bytes | None]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    written, missing = [], []
    for version in versions:
        packed = pack_model(version)
        if packed is None:
            missing.append(version)
        else:
            archive.writestr(f"models/{version}", packed, ZIP_STORED)
            written.append(version)
    return tuple(written), tuple(missing)


def _page_name(kind: str, number: int) -> str:
    return f"records/{kind}/{number:09d}"


class Archive:
    """An opened backup. Whatever reads raises NoBackup for a part that is missing or damaged."""

    def __init__(self, archive: ZipFile) -> None:
        self._archive = archive
        self.contents = self._decoded(LIST_OF_CONTENTS, Contents)

    def pages(self, kind: str) -> Iterator[list[Keyed]]:
        """The documents of a kind, as they were exported."""
        number = 0
        names = set(self._archive.namelist())
        while (name := _page_name(kind, number)) in names:
            yield msgspec.msgpack.decode(self._read(name), type=list[tuple[str, bytes]])
            number += 1

    def model(self, version: str) -> bytes:
        """The packed files of a version."""
        return self._read(f"models/{version}")

    def _decoded(self, name: str, kind: type[Contents]) -> Contents:
        try:
            return msgspec.json.decode(self._read(name), type=kind)
        except msgspec.DecodeError as error:
            raise NoBackup(f"{self._archive.filename}: its list of contents cannot be read") from error

    def _read(self, name: str) -> bytes:
        try:
            return self._archive.read(name)
        except (KeyError, BadZipFile, EOFError, OSError, zlib.error) as error:
            raise NoBackup(f"{self._archive.filename}: {name} is missing or damaged") from error


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """The backup at `path`. Raises NoBackup, OSError."""
    try:
        zipped = ZipFile(path)
    except BadZipFile as error:
        raise NoBackup(f"{path} is no backup, or not a whole one") from error
    with zipped:
        archive = Archive(zipped)
        if archive.contents.format != ARCHIVE_FORMAT:
            raise NoBackup(f"{path} has format {archive.contents.format}; this version reads {ARCHIVE_FORMAT}")
        yield archive
