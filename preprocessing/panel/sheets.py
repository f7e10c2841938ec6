"""CSV files of an export as tables of text with the numbers of their rows, and everything that is wrong in them.

An export is a zip, a folder, or one file. It knows no format and gives no value a meaning.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile

import polars as pl

from errors import Category, GradewatchError
from preprocessing.schema import fold
from preprocessing.validation.rules import PROBLEMS_KEPT, Problem

AT_ROW = "_row"
HEADER_ROW = 1
LARGEST_EXPORT = 8 * 2**30
"""Bytes that the files of a zip may have together, unpacked."""

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


def open_export(path: Path) -> Mapping[str, bytes]:
    """The files of an export by name, where it has folders by their place in it. Raises UnreadableExport."""
    if path.is_dir():
        files = sorted(one for one in path.rglob("*") if one.is_file() and not one.name.startswith("."))
        return {str(PurePosixPath(one.relative_to(path))): one.read_bytes() for one in files}
    with path.open("rb") as file:
        if file.read(4) != b"PK\x03\x04":
            return {path.name: path.read_bytes()}
    try:
        with ZipFile(path) as zipped:
            members = [one for one in zipped.infolist() if not one.is_dir() and not one.filename.startswith("__MACOSX")]
            if sum(one.file_size for one in members) > LARGEST_EXPORT:
                raise UnreadableExport(f"{path.name} is larger than {LARGEST_EXPORT:,} bytes unpacked")
            return {one.filename: zipped.read(one) for one in members}
    except BadZipFile as error:
        raise UnreadableExport(f"{path.name} is a damaged zip: {error}") from error


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
    if twice := sorted({one for one in names if names.count(one) > 1 and one.strip()}):
        found.add(name, f"has these columns twice: {', '.join(twice)}", rows=[HEADER_ROW])
        return None
    keep = [one for one, given in zip(frame.columns, names, strict=True) if given.strip()]
    if len(keep) < len(names):
        found.note(f"{name} has {len(names) - len(keep)} columns without a name, which are left out")
    text = frame.select(pl.col(one).str.strip_chars().replace("", None) for one in keep)
    numbered = text.with_columns(
        pl.int_range(HEADER_ROW + 1, frame.height + HEADER_ROW + 1, dtype=pl.Int64).alias(AT_ROW)
    )
    blank = pl.all_horizontal(pl.col(one).is_null() for one in keep) if keep else pl.lit(value=False)
    return ExportSheet(name, numbered.filter(~blank))


def spelled(sheet: ExportSheet, columns: Mapping[str, Sequence[str]]) -> ExportSheet:
    """Columns called as here, by their folded names: canonical names to other spellings."""
    given = {fold(one): one for one in sheet.frame.columns if one != AT_ROW}
    names = {}
    for name, others in columns.items():
        known = next((given[fold(one)] for one in (name, *others) if fold(one) in given), None)
        if known is not None and known != name:
            names[known] = name
    return ExportSheet(sheet.name, sheet.frame.rename(names))


def first_problems(found: ExportFindings, limit: int) -> Iterator[str]:
    """The first problems in words, and how many more there are."""
    yield from map(str, found.problems[:limit])
    if found.total > limit:
        yield f"and {found.total - limit:,} more"
