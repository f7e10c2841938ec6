"""CSV files of an export as tables of text with the numbers of their rows, and everything that is wrong in them.

An export is a zip, a folder, or one file. It knows no format and gives no value a meaning.
"""

import csv
import io
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile

import polars as pl

from errors import Category, GradewatchError
from preprocessing.validation.rules import PROBLEMS_KEPT, Problem

AT_ROW = "_row"
HEADER_ROW = 1
LARGEST_EXPORT = 8 * 2**30
"""Bytes that the files of a zip may have together, unpacked."""

ALWAYS_UNPACKED, MOST_UNPACKED = 50_000_000, 100
"""Bytes that they always may have, and how many times those of the zip beyond: CSV files pack 10 to 20 times."""

ENCRYPTED = 1  # of a member's flags

DELIMITERS = (",", ";", "\t")


class UnreadableExport(GradewatchError):
    """A file that is no export of a kind that is read here; the message says what was expected."""

    category = Category.INVALID


@dataclass
class ExportFindings:
    """What reading finds: problems, which leave their rows out, and notes. total: of all problems, also of those past
    the `PROBLEMS_KEPT` that have words."""

    problems: list[Problem] = field(default_factory=list)
    total: int = 0
    notes: list[str] = field(default_factory=list)

    def add(self, file: str, rule: str, column: str | None = None, rows: Sequence[int | None] = (None,)) -> None:
        """The same problem in some rows. No value is told: what stands in an export may be anybody's."""
        self.total += len(rows)
        for row in rows[: max(0, PROBLEMS_KEPT - len(self.problems))]:
            self.problems.append(Problem(file=file, row=row, column=column, value=None, rule=rule))

    def note(self, told: str) -> None:
        """Something to know that is not wrong; once."""
        if told not in self.notes:
            self.notes.append(told)


@dataclass(frozen=True)
class ExportSheet:
    """A file of an export. frame: all columns as text, null where blank, and `AT_ROW` as the user counts (the header is
    row 1)."""

    name: str
    frame: pl.DataFrame

    def flag(self, found: ExportFindings, wrong: pl.Expr, column: str | None, rule: str) -> "ExportSheet":
        """Itself without the rows that are wrong, each of which is a problem."""
        bad = self.frame.filter(wrong.fill_null(value=False))[AT_ROW].to_list()
        if not bad:
            return self
        found.add(self.name, rule, column, bad)
        return ExportSheet(self.name, self.frame.filter(~wrong.fill_null(value=False)))

    def with_columns(self, *names: str) -> "ExportSheet":
        """With these columns, null where the file has none."""
        missing = [pl.lit(None, pl.String).alias(name) for name in names if name not in self.frame.columns]
        return ExportSheet(self.name, self.frame.with_columns(missing))

    def require(self, found: ExportFindings, *names: str) -> "ExportSheet":
        """Without rows in which one of these is blank, each of which is a problem."""
        sheet = self
        for name in names:
            sheet = sheet.flag(found, pl.col(name).is_null(), name, "must not be blank")
        return sheet


class ExportFiles(Mapping[str, bytes]):
    """The files of an export by name. Each is read when it is asked for: what nobody reads is never unpacked."""

    def __init__(self, names: Iterable[str], read: Callable[[str], bytes]) -> None:
        self._names, self._read = dict.fromkeys(names), read

    def __getitem__(self, name: str) -> bytes:
        if name not in self._names:
            raise KeyError(name)
        return self._read(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def open_export(path: Path) -> ExportFiles:
    """The files of an export by name, where it has folders by their place in it. Raises UnreadableExport, also when one
    is read."""
    if path.is_dir():
        files = sorted(one for one in path.rglob("*") if one.is_file() and not one.name.startswith("."))
        names = [str(PurePosixPath(one.relative_to(path))) for one in files]
        return ExportFiles(names, lambda name: (path / name).read_bytes())
    with path.open("rb") as file:
        if file.read(4) != b"PK\x03\x04":
            return ExportFiles([path.name], lambda _: path.read_bytes())
    with _opened(path) as zipped:
        members = [one for one in zipped.infolist() if not one.is_dir() and not one.filename.startswith("__MACOSX")]
    largest = min(LARGEST_EXPORT, ALWAYS_UNPACKED + MOST_UNPACKED * path.stat().st_size)
    if sum(one.file_size for one in members) > largest:
        raise UnreadableExport(f"{path.name} is larger than {largest:,} bytes unpacked")
    return ExportFiles([one.filename for one in members], partial(_unpacked, path))


@contextmanager
def _opened(path: Path) -> Iterator[ZipFile]:
    try:
        with ZipFile(path) as zipped:
            yield zipped
    except (BadZipFile, EOFError, zlib.error) as error:
        raise UnreadableExport(f"{path.name} is a damaged zip: {error}") from error


def _unpacked(path: Path, name: str) -> bytes:
    """A file of a zip: never more of it than the zip says."""
    with _opened(path) as zipped:
        member = zipped.getinfo(name)
        if member.flag_bits & ENCRYPTED:
            raise UnreadableExport(f"{name} in {path.name} is locked by a password: unpack it, and give the folder")
        if member.compress_type not in (ZIP_STORED, ZIP_DEFLATED):  # others unpack in one piece, however large
            raise UnreadableExport(f"{name} in {path.name} is packed in a way that is not read here: use deflate")
        with zipped.open(member) as file:
            return file.read(member.file_size)


def read_sheet(name: str, content: bytes, found: ExportFindings) -> ExportSheet | None:
    """A CSV file as it stands; None where it cannot be read, which is a problem."""
    if content.startswith(b"\xef\xbb\xbf"):
        content = content[3:]
        found.note(f"{name} begins with a byte order mark, which is left out")
    try:
        header = content.split(b"\n", 1)[0].decode().rstrip("\r")
        separator = max(DELIMITERS, key=header.count)
        if separator != ",":
            found.note(f"{name} is separated by {'tabs' if separator == chr(9) else separator!r}, not by commas")
        names = next(csv.reader(io.StringIO(header), delimiter=separator), [])
        frame = pl.read_csv(content, infer_schema=False, separator=separator)
    except (pl.exceptions.PolarsError, UnicodeDecodeError, csv.Error) as error:
        found.add(name, f"cannot be read as CSV in UTF-8: {str(error).splitlines()[0][:120]}")
        return None
    if len(names) != frame.width:
        found.add(name, "has line ends or separators within its header", rows=[HEADER_ROW])
        return None
    if twice := sorted({one for one in names if names.count(one) > 1 and one.strip()}):
        found.add(name, f"has these columns twice: {', '.join(twice)}", rows=[HEADER_ROW])
        return None
    keep = [one for one, given in zip(frame.columns, names, strict=True) if given.strip()]
    if len(keep) < len(names):
        found.note(f"{name} has {len(names) - len(keep)} columns without a name, which are left out")
    del content  # millions of rows: of what is made of them, one is held at a time
    text = pl.DataFrame([_text(frame.drop_in_place(one)) for one in keep])
    rows = pl.int_range(HEADER_ROW + 1, text.height + HEADER_ROW + 1, dtype=pl.Int64, eager=True).alias(AT_ROW)
    blank = text.select(pl.all_horizontal(pl.all().is_null())).to_series() if keep else pl.Series([], dtype=pl.Boolean)
    numbered = text.with_columns(rows)
    return ExportSheet(name, numbered.filter(~blank) if blank.any() else numbered)


def _text(cells: pl.Series) -> pl.Series:
    """Without blanks around, null where nothing is left."""
    return cells.str.strip_chars().replace("", None)


NO_HEADER = "has no header: its first row names none of the columns that are read here"
"""Such a row is data: it is not told."""


def first_problems(found: ExportFindings, limit: int) -> Iterator[str]:
    """The first problems in words, and how many more there are."""
    yield from map(str, found.problems[:limit])
    if found.total > limit:
        yield f"and {found.total - limit:,} more"
