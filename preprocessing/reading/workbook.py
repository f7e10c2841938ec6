"""Reads a sheet of an Excel or OpenDocument workbook as people fill it in: what a cell shows is what it says.

It runs in the process of `preprocessing.reading.decoder_process`. Values come from calamine; what that does not tell
(number formats, merged cells, errors, formulas that were never computed) is read off the sheet's own XML, and only
where the workbook has any of it.
"""

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from xml.etree import ElementTree
from xml.parsers import expat

import fastexcel
import polars as pl

from preprocessing.reading.csv_text import TITLE
from preprocessing.reading.raw_table import UnreadableFile

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
HEADER_WITHIN = 30  # rows, among which the header is looked for
DATE_FORMATS = frozenset([*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)])  # ECMA-376, 18.8.30
PERCENT_FORMATS = frozenset([9, 10])
NEVER_COMPUTED = (
    "a formula whose result was never saved; open the workbook in a spreadsheet program, save it and give it again"
)
FORMULA_ERROR = "the error of a formula; correct it in the workbook"
DATE = "a date in the workbook, not what was typed; give the column the format Text and type it again"
MERGED = "merged with the cell left of it; a table has one value for each cell"


class CellFault(NamedTuple):
    """A cell that cannot be taken as it stands. row, column: from 0, in the sheet; value: what it shows."""

    row: int
    column: int
    value: str
    rule: str


@dataclass
class Workbook:
    """One sheet. others: what the workbook's other sheets are called. frame: texts, from the sheet's first row and its
    first used column; header rows and rows above them are in it. header: the names of its columns; body: the place of
    the first row under them. faults: of cells, by place in `frame`."""

    sheet: str
    others: Sequence[str]
    frame: pl.DataFrame
    header: list[str] = field(default_factory=list)
    body: int = 0
    faults: list[CellFault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def read_workbook(data: bytes, wanted: str = "") -> Workbook:
    """The sheet called `wanted`, or of that number from 1; by default the first that is visible. Raises UnreadableFile,
    and what a damaged file makes calamine and the XML parser raise."""
    reader = fastexcel.read_excel(data)
    names = list(reader.sheet_names)
    chosen = _chosen(reader, names, wanted)
    sheet = reader.load_sheet(chosen, header_row=None, skip_rows=0, dtypes="string")
    frame = sheet.to_polars()
    others = [name for name in names if name != chosen]
    found = Workbook(chosen, others, frame.rename({name: f"column_{i}" for i, name in enumerate(frame.columns)}))
    if others:
        hidden = ", hidden" if sheet.visible != "visible" else ""
        found.notes.append(f"sheet {chosen!r}{hidden} was read, of {len(names)}")
    marks = _marks_of(data, chosen)
    if marks is None:
        found.notes.append("number formats of such a workbook are not read: 88 % may stand as 0.88; save it as .xlsx")
    else:
        _apply(found, marks)
    _find_header(found, marks.merged if marks else [])
    return found


def _chosen(reader: Any, names: Sequence[str], wanted: str) -> str:
    if wanted:
        by_number = dict(enumerate(names, 1)).get(int(wanted)) if wanted.isdecimal() else None
        found = next((name for name in names if name.strip().casefold() == wanted.strip().casefold()), by_number)
        if found is None:
            raise UnreadableFile(f"there is no sheet {wanted!r}; it has {', '.join(map(repr, names[:10]))}")
        return found
    for name in names:
        if reader.load_sheet(name, header_row=None, n_rows=1, dtypes="string").visible == "visible":
            return name
    raise UnreadableFile(f"all its sheets are hidden: {', '.join(map(repr, names[:10]))}")


# What calamine does not tell ----------------------------------------------------------------------------------------


@dataclass
class Marks:
    """What the XML of a sheet says besides values. shown: texts by (row, column) where the format changes them; merged:
    (first row, first column, last row, last column); hidden: how many rows are; left: the sheet's first used column."""

    shown: dict[tuple[int, int], str] = field(default_factory=dict)
    faults: list[CellFault] = field(default_factory=list)
    merged: list[tuple[int, int, int, int]] = field(default_factory=list)
    hidden: int = 0
    left: int = 0


def _marks_of(data: bytes, sheet: str) -> Marks | None:
    """The marks of a sheet of an .xlsx workbook; None of another kind."""
    if not data.startswith(b"PK"):
        return None
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        if "xl/workbook.xml" not in archive.namelist():
            return None
        formats = _formats(archive)
        xml = archive.read(_place(archive, sheet))
    special = any(formats)
    if not special and not any(mark in xml for mark in (b"<f", b't="e"', b"mergeCell ", b'hidden="1"')):
        return Marks()
    return _Cells(formats).read(xml)


def _place(archive: zipfile.ZipFile, sheet: str) -> str:
    book = ElementTree.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314 (expat bounds entities; a child process)
    relations = ElementTree.fromstring(archive.read("xl/_rels/workbook.xml.rels"))  # noqa: S314
    identity = next(one.get(RELATION) for one in book.iter(f"{MAIN}sheet") if one.get("name") == sheet)
    target = next(one.get("Target", "") for one in relations if one.get("Id") == identity)
    return target.lstrip("/") if target.startswith("/") else f"xl/{target}"


def _formats(archive: zipfile.ZipFile) -> list[str]:
    """Of each style its kind: "percent", "date", the zeros to which whole numbers are padded, or ""."""
    if "xl/styles.xml" not in archive.namelist():
        return []
    styles = ElementTree.fromstring(archive.read("xl/styles.xml"))  # noqa: S314
    codes = {int(one.get("numFmtId", 0)): one.get("formatCode", "") for one in styles.iter(f"{MAIN}numFmt")}
    cells = styles.find(f"{MAIN}cellXfs")
    used = [int(one.get("numFmtId", 0)) for one in (cells if cells is not None else ())]
    return [_kind(number, codes.get(number, "")) for number in used]


def _kind(number: int, code: str) -> str:
    if number in PERCENT_FORMATS:
        return "percent"
    if number in DATE_FORMATS:
        return "date"
    plain = re.sub(r'"[^"]*"|\\.|\[[^\]]*\]|_.', "", code).split(";")[0].strip()
    if "%" in plain:
        return "percent"
    if re.search(r"[ymdhs]", plain, re.IGNORECASE) and not re.search(r"[#0?]", plain.replace("ss.0", "")):
        return "date"
    return plain if re.fullmatch(r"0{2,}", plain) else ""


class _Cells:
    """Walks over the XML of a sheet, cell by cell."""

    def __init__(self, formats: Sequence[str]) -> None:
        self._formats, self._marks = formats, Marks()
        self._row, self._column, self._left = -1, -1, 1 << 20
        self._style, self._type, self._formula, self._inside = "", "", False, False
        self._value: list[str] = []

    def read(self, xml: bytes) -> Marks:
        """All that it says."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler, parser.EndElementHandler = self._start, self._end
        parser.CharacterDataHandler = self._text
        parser.Parse(xml, True)
        self._marks.left = 0 if self._left == 1 << 20 else self._left
        return self._marks

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name = name.rpartition(":")[2]
        if name == "row":
            self._row = int(attributes["r"]) - 1 if "r" in attributes else self._row + 1
            self._marks.hidden += attributes.get("hidden") in ("1", "true")
            self._column = -1
        elif name == "c":
            self._column = place_of(attributes["r"])[1] if "r" in attributes else self._column + 1
            style = int(attributes.get("s", -1))
            self._style = self._formats[style] if 0 <= style < len(self._formats) else ""
            self._type, self._formula, self._value = attributes.get("t", "n"), False, []
        elif name == "f":
            self._formula = True
        elif name in ("v", "t"):
            self._inside = True
        elif name == "mergeCell":
            first, _, last = attributes.get("ref", "A1").partition(":")
            self._marks.merged.append((*place_of(first), *place_of(last or first)))

    def _text(self, text: str) -> None:
        if self._inside:
            self._value.append(text)

    def _end(self, name: str) -> None:
        name = name.rpartition(":")[2]
        if name in ("v", "t"):
            self._inside = False
        elif name == "c":
            self._cell("".join(self._value))

    def _cell(self, value: str) -> None:
        place = (self._row, self._column)
        if value or self._formula:
            self._left = min(self._left, self._column)
        if self._type == "e":
            self._marks.faults.append(CellFault(*place, value, FORMULA_ERROR))
        elif self._formula and not value and self._type != "str":
            self._marks.faults.append(CellFault(*place, "", NEVER_COMPUTED))
        elif self._style and value and self._type == "n":
            self._format(place, value)

    def _format(self, place: tuple[int, int], value: str) -> None:
        number = float(value)
        if self._style == "percent":
            self._marks.shown[place] = f"{number * 100:.12g}%"
        elif self._style == "date":
            self._marks.faults.append(CellFault(*place, "", DATE))
        elif number.is_integer() and number >= 0:
            self._marks.shown[place] = f"{int(number):0{len(self._style)}d}"


def place_of(reference: str) -> tuple[int, int]:
    """The row and column, from 0, of a cell.

    >>> place_of("A1"), place_of("AB12")
    ((0, 0), (11, 27))
    """
    letters = reference.rstrip("0123456789")
    column = 0
    for letter in letters:
        column = column * 26 + ord(letter) - ord("A") + 1
    return int(reference[len(letters) :]) - 1, column - 1


def _apply(book: Workbook, marks: Marks) -> None:
    """Puts what cells show into the frame, and merged cells' values into each row that they cover."""
    if marks.hidden:
        book.notes.append(f"{marks.hidden:,} of its rows are hidden (by a filter?): they were read all the same")
    if percents := [text for text in marks.shown.values() if text.endswith("%")]:
        held = float(percents[0].removesuffix("%")) / 100
        told = f"shown as percentages were read as shown (such as {percents[0]}, not {held:g})"
        book.notes.append(f"{len(percents):,} {'cell' if len(percents) == 1 else 'cells'} {told}")
    marks.merged = [(a, b - marks.left, c, d - marks.left) for a, b, c, d in marks.merged]
    changed = {(row, column - marks.left): text for (row, column), text in marks.shown.items()}
    for row, column, value, rule in marks.faults:
        place = (row, column - marks.left)
        shown = value or (_cell(book.frame, *place) or "").removesuffix(" 00:00:00")
        changed[place] = shown or "?"  # or the cell would count as empty
        book.faults.append(CellFault(*place, shown, rule))
    for top, left, bottom, right in marks.merged:
        if left == right:
            value = changed.get((top, left)) or _cell(book.frame, top, left) or ""
            changed |= {(row, left): value for row in range(top + 1, min(bottom + 1, book.frame.height))}
        elif top == bottom:
            book.faults += [CellFault(top, column, "", MERGED) for column in range(left + 1, right + 1)]
    book.frame = _with_cells(book.frame, changed)


def _cell(frame: pl.DataFrame, row: int, column: int) -> str | None:
    inside = 0 <= row < frame.height and 0 <= column < frame.width
    return frame.item(row, column) if inside else None


def _with_cells(frame: pl.DataFrame, cells: Mapping[tuple[int, int], str]) -> pl.DataFrame:
    """The frame with other texts in some cells, those by row and column that lie in it."""
    by_column: dict[int, dict[int, str]] = {}
    for (row, column), text in cells.items():
        if 0 <= column < frame.width and row < frame.height:
            by_column.setdefault(column, {})[row] = text
    changed = [
        frame.to_series(column).scatter(list(texts), list(texts.values())) for column, texts in by_column.items()
    ]
    return frame.with_columns(changed)


# Headers ------------------------------------------------------------------------------------------------------------


def _find_header(book: Workbook, merged: Sequence[tuple[int, int, int, int]]) -> None:
    """Names the columns by the first row that fills as many cells as the table does, or by two where it is merged."""
    rows = [[(cell or "").strip() for cell in row] for row in book.frame.head(HEADER_WITHIN).iter_rows()]
    top = header_row(rows)
    if top is None:
        return
    names, book.body = rows[top], top + 1
    groups = {column: (left, right) for a, left, _, right in merged if a == top for column in range(left, right + 1)}
    if any(left < right for left, right in groups.values()) and top + 1 < len(rows):
        names = list(_joined(names, rows[top + 1], groups))
        book.body = top + 2
        book.notes.append(f"the header was read from rows {top + 1} and {top + 2}, whose cells are merged")
    elif any(any(row) for row in rows[:top]):
        book.notes.append(TITLE.format(top + 1))
    book.header = names
    if any(left == right and bottom >= book.body for _, left, bottom, right in merged):
        book.notes.append("merged cells were filled down: each row that they cover got their value")
    book.faults = [fault for fault in book.faults if fault.row >= book.body]


def header_row(rows: Sequence[Sequence[str]]) -> int | None:
    """The place of the first row that fills more than half as many cells as the fullest; None where nothing stands.

    >>> header_row([["Marks of 2026", "", ""], ["", "", ""], ["student", "term", "mark"], ["S1", "2026-1", ""]])
    2
    """
    filled = [sum(1 for cell in row if cell) for row in rows]
    fullest = max(filled, default=0)
    if not fullest:
        return None
    return next(place for place, count in enumerate(filled) if count > fullest / 2)


def _joined(upper: Sequence[str], lower: Sequence[str], groups: dict[int, tuple[int, int]]) -> Iterator[str]:
    """The names of two header rows: "Exam" over "Part 1" and "Part 2" is "Exam Part 1", "Exam Part 2"."""
    for column, (over, under) in enumerate(zip(upper, lower, strict=True)):
        left, _ = groups.get(column, (column, column))
        group = over or upper[left]
        yield group if under in ("", group) else f"{group} {under}".strip()
