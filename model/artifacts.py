"""Where bundles lie: a folder of folders, each named by the digest of what it holds.

A bundle is there whole or not at all: written aside, flushed to disk, then renamed. Nothing here knows what the files
mean, or which of them is champion.
"""

import os
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from database.records import new_id
from model.bundle import content_digest

_ASIDE = ".writing-"


class MissingArtifact(LookupError):
    """No bundle of that digest is there."""


class CorruptArtifact(ValueError):
    """The files of a bundle are not the ones that were written."""


class ArtifactFolder:
    """Bundles in one local folder, shared by any number of processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, files: Mapping[str, bytes]) -> str:
        """Keep `files`, durably before returning, and return their digest. The same files twice are kept once."""
        digest = content_digest(files)
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._whole(digest):
            return digest
        aside = self.folder / f"{_ASIDE}{new_id()}"
        aside.mkdir()
        for name, content in files.items():
            _write_durably(aside / name, content)
        _flush_folder(aside)
        self._install(aside, self.folder / digest)
        _flush_folder(self.folder)
        return digest

    def _install(self, aside: Path, final: Path) -> None:
        if final.exists():  # corrupt, or another process was first with the very same bytes
            spoiled = self.folder / f"{_ASIDE}{new_id()}"
            final.rename(spoiled)
            shutil.rmtree(spoiled)
        aside.rename(final)

    def _whole(self, digest: str) -> bool:
        try:
            self.load(digest)
        except (MissingArtifact, CorruptArtifact):
            return False
        return True

    def load(self, digest: str) -> dict[str, bytes]:
        """The files of a bundle, all in memory and checked. Raises MissingArtifact or CorruptArtifact."""
        folder = self.folder / digest
        try:
            files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
        except (FileNotFoundError, NotADirectoryError):
            raise MissingArtifact(f"no model {digest[:12]} in {self.folder}") from None
        if content_digest(files) != digest:
            raise CorruptArtifact(f"the files of model {digest[:12]} in {self.folder} have changed since it was saved")
        return files

    def digests(self) -> list[str]:
        """What is there, whole or spoiled."""
        if not self.folder.is_dir():
            return []
        return sorted(path.name for path in self.folder.iterdir() if not path.name.startswith(_ASIDE))

    def sweep(self, keep: Iterable[str], *, older_than: float = 3600.0) -> list[str]:
        """Remove bundles not in `keep` and unfinished writes, both only when `older_than` seconds old; what went.

        Loaders hold a bundle in memory, so nothing in use is lost; the age protects what is being registered now.
        """
        if not self.folder.is_dir():
            return []
        kept, limit, gone = set(keep), time.time() - older_than, []
        for path in sorted(self.folder.iterdir()):
            if path.name not in kept and path.stat().st_mtime < limit:
                aside = path if path.name.startswith(_ASIDE) else path.rename(self.folder / f"{_ASIDE}{new_id()}")
                shutil.rmtree(aside)
                gone.append(path.name)
        return gone


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
