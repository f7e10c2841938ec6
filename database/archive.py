"""A backup as one file: every document of a store, its models, and what else is given; a ZIP, for its owner alone.

Each kind of document stands in it with a digest, by which a restored store is compared with it, and the ZIP's comment
ends with a code over all bytes before it, which nobody makes without the key. It seals no secret and opens no store.
"""

import hashlib
import hmac
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import IO, NamedTuple
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

import msgspec

from clock import new_id, now
from database.layout import read_json, split_row_key
from database.migrate import Content, Keyed, pages
from database.records import Job
from database.store import KINDS, Snapshot
from errors import Category, GradewatchError

ARCHIVE_FORMAT = 2
ARCHIVE_MARK = b"gradewatch backup\n"
"""Begins the comment; then come the label, and the code."""

LABEL_BYTES = 64
CODE_BYTES = 2 * hashlib.sha256().digest_size  # as hex digits
READ_AT_ONCE = 1 << 20
LIST_OF_CONTENTS = "contents.json"
LEFT_OUT = frozenset({"chunks"})
"""Kinds that a backup is without: of models, which stand in it by themselves, and of files as users sent them, with
whatever names and keys these hold."""

REFERRING_FIRST = (
    *(kind for kind in reversed(KINDS) if kind not in LEFT_OUT | {"batches", "batch_rows"}),
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
    """What a backup holds. receipt: of the newest upload in it. models: digests of those whose files are in it.
    missing: versions whose files were not to be had. jobs_left_out: how many had not ended and have a file of their
    own, which no backup holds. sealed: the secret, as whoever made the backup sealed it."""

    format: int
    at: datetime
    receipt: int
    kinds: tuple[ArchivedKind, ...]
    models: tuple[str, ...]
    missing: tuple[str, ...]
    jobs_left_out: int
    sealed: bytes


class ArchiveSeal(NamedTuple):
    """key: of the code over an archive. label: LABEL_BYTES letters that stand in it for whoever makes the key anew.
    secret: what else it is to hold, sealed."""

    key: bytes
    label: bytes
    secret: bytes


def write_archive(
    path: Path,
    source: Snapshot,
    *,
    pack_model: Callable[[str], bytes | None],
    seal: ArchiveSeal,
    on_page: Callable[[str, int], None] = lambda *_: None,
) -> Contents:
    """Write everything that `source` holds to `path`, which is there whole or not at all.

    pack_model: the packed files of a version; None where they cannot be had. on_page: hears a kind and how many of its
    documents were written. Raises FileExistsError, other OSErrors, StoreUnavailable.
    """
    if path.exists():
        raise FileExistsError(f"{path} is there already; a backup replaces nothing")
    aside = path.with_name(f"{path.name}.writing-{new_id()}")
    try:
        with os.fdopen(os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "w+b") as file:
            with ZipFile(file, "w", ZIP_DEFLATED, compresslevel=1) as archive:
                contents = _write_whole(archive, source, pack_model, seal.secret, on_page)
                archive.comment = ARCHIVE_MARK + seal.label + bytes(CODE_BYTES)
            code = _code_of(file, seal.key)
            file.seek(-CODE_BYTES, os.SEEK_END)
            file.write(code)
            file.flush()
            os.fsync(file.fileno())
        aside.rename(path)
    finally:
        aside.unlink(missing_ok=True)
    return contents


def _code_of(file: IO[bytes], key: bytes) -> bytes:
    """HMAC-SHA256 of everything but the code, in hex digits."""
    left = file.seek(0, os.SEEK_END) - CODE_BYTES
    file.seek(0)
    code = hmac.new(key, digestmod=hashlib.sha256)
    while left > 0 and (part := file.read(min(left, READ_AT_ONCE))):
        code.update(part)
        left -= len(part)
    return code.hexdigest().encode()


def _write_whole(
    archive: ZipFile,
    source: Snapshot,
    pack_model: Callable[[str], bytes | None],
    sealed: bytes,
    on_page: Callable[[str, int], None],
) -> Contents:
    at, receipt, written = now(), source.receipt, _Written()
    for kind in REFERRING_FIRST:
        for number, found in enumerate(pages(source, kind)):
            page = written.add(kind, found)
            archive.writestr(_page_name(kind, number), msgspec.msgpack.encode(page))
            on_page(kind, len(page))
    models, missing = _write_models(archive, written.keys["models"], pack_model)
    contents = Contents(
        format=ARCHIVE_FORMAT,
        at=at,
        receipt=receipt,
        kinds=written.kinds(),
        models=models,
        missing=missing,
        jobs_left_out=written.jobs_left_out,
        sealed=sealed,
    )
    archive.writestr(LIST_OF_CONTENTS, msgspec.json.encode(contents))
    return contents


class _Written:
    """What has been written so far. keys: of models and batches."""

    def __init__(self) -> None:
        self._contents = {kind: Content() for kind in REFERRING_FIRST}
        self.keys: dict[str, list[str]] = {"models": [], "batches": []}
        self.jobs_left_out = 0

    def add(self, kind: str, found: Sequence[Keyed]) -> list[Keyed]:
        """Those of `found` that are to be written."""
        page = [one for one in found if self._belongs(kind, *one)]
        self.jobs_left_out += len(found) - len(page) if kind == "jobs" else 0
        self._contents[kind].add(page)
        if kind in self.keys:
            self.keys[kind] += [key for key, _ in page]
        return page

    def _belongs(self, kind: str, key: str, document: bytes) -> bool:
        """Not: rows of a batch that came since, and work that waits for a file which no backup holds."""
        if kind == "batch_rows":
            return split_row_key(key)[0] in self._batches
        if kind != "jobs":
            return True
        job: Job = read_json(kind, document)
        return job.ended or "files" not in job.arguments

    @cached_property
    def _batches(self) -> frozenset[str]:
        return frozenset(self.keys["batches"])

    def kinds(self) -> tuple[ArchivedKind, ...]:
        """Each kind as it was written."""
        return tuple(
            ArchivedKind(kind, content.count, content.digest) for kind in KINDS if (content := self._contents.get(kind))
        )


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


def label_of(path: Path) -> bytes:
    """The label in the backup at `path`, as it stands there. Raises NoBackup, OSError."""
    with path.open("rb") as file:
        size = len(ARCHIVE_MARK) + LABEL_BYTES + CODE_BYTES
        file.seek(max(0, file.seek(0, os.SEEK_END) - size))
        comment = file.read()
    if not comment.startswith(ARCHIVE_MARK):
        raise NoBackup(f"{path} is no backup, or not a whole one")
    return comment[len(ARCHIVE_MARK) : -CODE_BYTES]


@contextmanager
def open_archive(path: Path, key: bytes) -> Iterator[Archive]:
    """The backup at `path`. Raises NoBackup where a byte of it is not as it was written under this key, OSError."""
    with path.open("rb") as file:
        code = _code_of(file, key)
        if not hmac.compare_digest(code, file.read()):
            raise NoBackup(f"{path} was changed since it was made: take another backup")
        try:
            with ZipFile(file) as zipped:
                archive = Archive(zipped)
                if archive.contents.format != ARCHIVE_FORMAT:
                    raise NoBackup(f"{path} has format {archive.contents.format}; this version reads {ARCHIVE_FORMAT}")
                yield archive
        except BadZipFile as error:
            raise NoBackup(f"{path} is no backup, or not a whole one") from error
