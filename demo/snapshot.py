"""The demo as one file beside this one: packed when its weeks have been told, unpacked where somebody wants to see it.

It holds a database, models and the key of its pseudonyms, all invented. An unpacked demo is never written over.
"""

import io
import shutil
import sqlite3
import tarfile
from collections.abc import Iterable
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp

from errors import Category, GradewatchError

PACKED = Path(__file__).resolve().parent / "snapshot.tar.xz"
DATABASE, MODELS_FOLDER, SECRET = "gradewatch.db", "models", "pseudonym.secret"
MADE_OF = "snapshot.sha256"
"""In an unpacked demo, of which packed file it was made."""


class DemoThere(GradewatchError):
    """A demo lies there already, and is not written over."""

    category = Category.CONFLICT


def pack(folder: Path, into: Path = PACKED) -> int:
    """The closed installation in `folder` as one file; how many bytes it has."""
    with closing(sqlite3.connect(folder / DATABASE)) as database:
        database.execute("PRAGMA journal_mode = DELETE")  # nothing stays aside in a log
        database.execute("VACUUM")
    with tarfile.open(into, "w:xz", preset=9) as archive:
        for path in _files(folder):
            content = path.read_bytes()
            entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
            entry.size, entry.mode = len(content), 0o600
            archive.addfile(entry, io.BytesIO(content))
    return into.stat().st_size


def _files(folder: Path) -> Iterable[Path]:
    yield folder / DATABASE
    yield folder / SECRET
    yield from sorted(path for path in (folder / MODELS_FOLDER).rglob("*") if path.is_file())


def digest_of(packed: Path = PACKED) -> str:
    """What a packed file is known by."""
    return sha256(packed.read_bytes()).hexdigest()


def unpack(folder: Path, packed: Path = PACKED) -> None:
    """The installation of a packed file as `folder`: whole, or not at all. Raises DemoThere."""
    if folder.exists():
        raise DemoThere(f"{folder} is there already; `gradewatch demo remove` removes it, with what was done in it")
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside = Path(mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        with tarfile.open(packed) as archive:
            archive.extractall(aside, filter="data")
        (aside / MADE_OF).write_text(digest_of(packed), encoding="ascii")
        aside.rename(folder)
    except OSError as error:
        if folder.exists():  # someone else was first
            raise DemoThere(f"{folder} is there already") from error
        raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)
