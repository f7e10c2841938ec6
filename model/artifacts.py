"""Where bundles lie, each under the digest of what it holds: the contract, and a folder of folders that keeps it.

A bundle is there whole or not at all: written aside, flushed to disk, then renamed. Nothing here knows what the files
mean, or which of them is champion. What several machines share is `model.shared_artifacts`'.
"""

import errno
import math
import os
import re
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from clock import new_id
from errors import Category, GradewatchError
from model.bundle import content_digest

OWNERS_ALONE = 0o700  # what a model has learned from is nobody else's business
KEPT_ARTIFACT = "kept artifact"
"""The kind of documents whose names are digests of what no clearing away takes, though it is no model."""
_ASIDE = ".writing-"
_DIGEST = re.compile("[0-9a-f]{64}")


class MissingArtifact(GradewatchError):
    """No bundle of that digest is there."""

    category = Category.CONFLICT


class CorruptArtifact(GradewatchError):
    """The files of a bundle are not the ones that were written."""

    category = Category.CONFLICT


class Artifacts(Protocol):
    """Bundles by digest. Safe to share between threads and processes."""

    def save(self, files: Mapping[str, bytes]) -> str:
        """Keep `files`, durably before returning, and return their digest. The same files twice are kept once; a
        spoiled bundle is mended."""

    def load(self, digest: str) -> dict[str, bytes]:
        """The files of a bundle, all in memory and checked. Raises MissingArtifact or CorruptArtifact."""

    def require(self, digest: str) -> None:
        """Return when the bundle is there and whole; it then counts as new. Raises MissingArtifact, CorruptArtifact."""

    def digests(self) -> list[str]:
        """What is there, whole or spoiled, in order."""

    def sweep(self, keep: Iterable[str], *, older_than: float = 3600.0) -> list[str]:
        """Remove bundles not in `keep`, only when `older_than` seconds old; what went."""


class ArtifactFolder:
    """`Artifacts` in one local folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, files: Mapping[str, bytes]) -> str:
        """Keep `files`, durably before returning, and return their digest. The same files twice are kept once."""
        digest = content_digest(files)
        self.folder.mkdir(mode=OWNERS_ALONE, parents=True, exist_ok=True)
        while not self._is_whole(digest):
            aside = self._aside()
            aside.mkdir(mode=OWNERS_ALONE)
            for name, content in files.items():
                _write_durably(aside / name, content)
            _flush_folder(aside)
            self._put_in_place(aside, self.folder / digest)
        _flush_folder(self.folder)
        return digest

    def _aside(self) -> Path:
        return self.folder / f"{_ASIDE}{new_id()}"

    def _put_in_place(self, aside: Path, final: Path) -> None:
        """Rename; where something is already there (spoiled, or another process was first), `save` looks again."""
        try:
            aside.rename(final)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            shutil.rmtree(aside)
            if not self._is_whole(final.name):
                self._remove(final)

    def _is_whole(self, digest: str) -> bool:
        """Whether a bundle can be relied on; it then counts as new, so that no `sweep` under way removes it."""
        try:
            os.utime(self.folder / digest)
            self.load(digest)
        except (FileNotFoundError, MissingArtifact, CorruptArtifact):
            return False
        return True

    def load(self, digest: str) -> dict[str, bytes]:
        """The files of a bundle, all in memory and checked. Raises MissingArtifact or CorruptArtifact."""
        folder = self.folder / digest
        try:
            files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
        except (FileNotFoundError, NotADirectoryError):
            raise MissingArtifact(f"no model {digest[:12]} in {self.folder}") from None
        except OSError as error:
            raise CorruptArtifact(f"model {digest[:12]} in {self.folder} cannot be read: {error.strerror}") from None
        if content_digest(files) != digest:
            raise CorruptArtifact(f"the files of model {digest[:12]} in {self.folder} have changed since it was saved")
        return files

    def digests(self) -> list[str]:
        """What is there, whole or spoiled."""
        if not self.folder.is_dir():
            return []
        return sorted(path.name for path in self.folder.iterdir() if _DIGEST.fullmatch(path.name))

    def require(self, digest: str) -> None:
        """Return when the bundle is there and whole; it then counts as new. Raises MissingArtifact, CorruptArtifact."""
        if not self._is_whole(digest):
            self.load(digest)

    def sweep(self, keep: Iterable[str], *, older_than: float = 3600.0) -> list[str]:
        """Remove bundles not in `keep` and unfinished writes, both only when `older_than` seconds old; what went.

        Loaders hold a bundle in memory, so nothing in use is lost; the age protects what is being registered now.
        """
        if not self.folder.is_dir():
            return []
        kept, limit = set(keep), time.time() - older_than
        return [
            path.name for path in sorted(self.folder.iterdir()) if path.name not in kept and self._swept(path, limit)
        ]

    def _swept(self, path: Path, limit: float) -> bool:
        """Whether `path` was ours, older than `limit`, and is gone now."""
        unfinished = path.name.startswith(_ASIDE)
        if not unfinished and not _DIGEST.fullmatch(path.name):
            return False
        try:
            if path.stat().st_mtime >= limit:
                return False
            if unfinished:
                shutil.rmtree(path)
                return True
            return self._remove(path, limit)
        except FileNotFoundError:  # another sweep was first
            return False

    def _remove(self, path: Path, limit: float = math.inf) -> bool:
        """Rename aside, so that no loader reads half of it, then delete; put back what became new meanwhile."""
        aside = path.rename(self._aside())
        if aside.stat().st_mtime >= limit:
            aside.rename(path)
            return False
        shutil.rmtree(aside)
        return True


def _write_durably(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
