"""Text files: their encoding, and CSV in the dialects that programs and people write."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import polars as pl

from preprocessing.reading.raw_table import RawTable, UnreadableFile, finish_table, listed
from preprocessing.reading.surroundings import NUMBER_LIKE, names_of_two_rows, table_beside, without_rows

FIELD_SEPARATORS = (",", ";", "\t", "|")
LONGEST_FIELD = 131_072  # characters; as the csv module's own limit
LONGEST_LINE = 1_048_576  # bytes; a longer one is no table of one row per line
TITLE = "the header was found in row {}; above it stands no table"
STRAY_QUOTE = 'a quote (") stands where none can: quote whole fields, and double a quote inside one'
BOMS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
LATIN_1 = ("latin-1", "Latin-1")
HIGH_LETTERS = re.compile(rb"[\xc0-\xff]")
FOREIGN_WORDS = re.compile(rb"[\xc0-\xff]{4,}")  # Greek, Cyrillic: words of nothing else
FEWEST_FOREIGN = 8  # letters by which that is known
POLISH = re.compile(rb"[a-z\xc0-\xff][\xb3\xb9\xbf][a-z\xc0-\xff]")
TURKISH = re.compile(rb"[A-Za-z\xc0-\xef][\xf0\xfd\xfe]|[\xdd\xde\xfe][a-z]")
NOT_TURKISH = re.compile(rb"[\xe1\xe6\xed\xf3\xfa]")  # Icelandic, which has the others too
LINES_ABOVE = 30  # among which the header is looked for
MOST_OF_TITLE = 2  # cells of a line above it
HINT = re.compile(r"\ufeff?sep=(.)[\t,; ]*\r?\n", re.IGNORECASE)


def decode(data: bytes) -> tuple[str, tuple[str, ...]]:
    """The text of a file, and a note where its encoding had to be guessed.

    UTF-8 (with or without byte order mark) and UTF-16 (with one) are certain; of anything else `guess_encoding` says
    what it is, or it is Latin-1. Raises UnreadableFile on NUL bytes.
    """
    for mark, encoding in BOMS:
        if data.startswith(mark):
            try:
                return _without_nul(data[len(mark) :].decode(encoding)), ()
            except UnicodeDecodeError as error:
                raise UnreadableFile(f"it starts as {encoding} but byte {error.start} cannot be read so") from None
    try:
        return _without_nul(data.decode("utf-8")), ()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
    check_one_encoding(data)
    for encoding, called in (guess_encoding(data, line), LATIN_1):
        try:
            text = _without_nul(data.decode(encoding))
        except UnicodeDecodeError:
            continue
        return text, (f"line {line} is not UTF-8; the file was read as {called}: check letters with accents",)
    raise AssertionError("Latin-1 has every byte")


def guess_encoding(data: bytes, line: int) -> tuple[str, str]:
    """What bytes that are no UTF-8 are most likely, and what that is called: Windows-1252, or its neighbours where a
    word has letters that western languages have not. Raises UnreadableFile for other alphabets. line: the first such.

    >>> guess_encoding("Öğrenci".encode("cp1254"), 1)[1], guess_encoding("Całość".encode("cp1250"), 1)[1]
    ('Windows-1254', 'Windows-1250')
    """
    high = len(HIGH_LETTERS.findall(data))
    if high >= FEWEST_FOREIGN and sum(map(len, FOREIGN_WORDS.findall(data))) > high / 2:
        raise UnreadableFile(f"line {line} is not UTF-8 and its alphabet cannot be told; save the file as UTF-8")
    if POLISH.search(data):
        return "cp1250", "Windows-1250"
    if TURKISH.search(data) and not NOT_TURKISH.search(data):
        return "cp1254", "Windows-1254"
    return "cp1252", "Windows-1252"


def check_one_encoding(data: bytes, line: int = 1) -> tuple[int, int]:
    """The first lines of `data` with letters beyond ASCII that are UTF-8, and that are not; 0 where there is none.
    line: the number of the first. Raises UnreadableFile where there are both: one of them would be read wrongly."""
    utf_8 = other = 0
    for number, text in enumerate(data.split(b"\n"), line):
        if text.isascii():
            continue
        try:
            text.decode("utf-8")
            utf_8 = utf_8 or number
        except UnicodeDecodeError:
            other = other or number
        if utf_8 and other:
            raise UnreadableFile(mixed(utf_8, other))
    return utf_8, other


def mixed(utf_8: int, other: int) -> str:
    """What is said of a file in two encodings, by the first line of each."""
    return (
        f"its lines are written in two encodings: line {utf_8} is UTF-8, line {other} is not (Windows-1252, it seems); "
        "save it in one, best UTF-8"
    )


def _without_nul(text: str) -> str:
    if (place := text.find("\0")) >= 0:
        line = text.count("\n", 0, place) + 1
        raise UnreadableFile(f"line {line} holds a NUL byte: this is no text file (UTF-16 needs a byte order mark)")
    return text


def read_csv(text: str, name: str, notes: tuple[str, ...]) -> RawTable:
    """The table in CSV text. Raises UnreadableFile."""
    if "\n" not in text:
        text = text.replace("\r", "\n")
    body = text.lstrip("\r\n \t") if text[:1] in "\r\n \t" and not text.lstrip("\r\n ").startswith("\t") else text
    separator, body, above = find_header(body)
    skipped = text[: len(text) - len(body)].count("\n")
    notes = (*notes, *([TITLE.format(skipped + 1)] if above else ()))
    header, rest = read_header(body, separator, skipped)
    if not rest:
        raise UnreadableFile(f"there is a header ({listed(header)}) and no row under it")
    return read_body(body, header, separator, name, skipped=skipped, notes=notes)


def find_header(text: str) -> tuple[str, str, bool]:
    """The separator of CSV text, the text from its header on, and whether titles were passed over: lines of a cell or
    two above names that are as many as the cells of the rows below."""
    hint, body = take_hint(text)
    separator = hint or sniff_separator(body)
    lines = _logical_lines(body)
    if hint or _cells(lines[0], separator) == _cells(next(filter(str.strip, lines[1:]), lines[0]), separator) > 1:
        rows = [_filled_cells(line, separator) for line in lines[:2]]
        if hint or len(rows[0]) > MOST_OF_TITLE:
            return separator, body, False
    for other in sorted(FIELD_SEPARATORS, key=lambda one: -_usual(lines, one)):
        width = _usual(lines, other)
        place = next((n for n, line in enumerate(lines) if 2 * len(_filled_cells(line, other)) > width), 0)
        names, titles = _filled_cells(lines[place], other), [_filled_cells(line, other) for line in lines[:place]]
        fits = width > MOST_OF_TITLE and not any(map(NUMBER_LIKE.fullmatch, names))
        if place and fits and all(len(title) <= MOST_OF_TITLE for title in titles):
            return other, body[sum(len(line) + 1 for line in lines[:place]) :], True
        break
    return separator, body, False


def _logical_lines(text: str) -> list[str]:
    """The first lines, those that a quoted line break parts as one."""
    lines: list[str] = []
    for line in text.split("\n", LINES_ABOVE)[:LINES_ABOVE]:
        if lines and lines[-1].count('"') % 2:
            lines[-1] += f"\n{line}"
        else:
            lines.append(line)
    return lines


def _usual(lines: Sequence[str], separator: str) -> int:
    """How many cells most of some lines have; 1 where that is not so."""
    counts = Counter(_cells(line, separator) for line in lines if line.strip())
    cells, times = max(counts.items(), key=lambda one: (one[1], one[0]), default=(1, 0))
    return cells if 2 * times > counts.total() else 1


def _cells(line: str, separator: str) -> int:
    return "".join(line.split('"')[::2]).count(separator) + 1


def _filled_cells(line: str, separator: str) -> list[str]:
    return [cell.strip() for cell in line.split(separator) if cell.strip(' "\r')]


def take_hint(text: str) -> tuple[str, str]:
    """The separator that a first line `sep=;` tells Excel, or "", and the text below it."""
    hint = HINT.match(text)
    return (hint[1], text[hint.end() :]) if hint else ("", text)


def read_body(
    body: str,
    header: Sequence[str],
    separator: str,
    name: str,
    *,
    skipped: int,
    notes: tuple[str, ...] = (),
    whole: bool = True,
) -> RawTable:
    """The table in CSV text that begins with its header. skipped: lines of the file above the text. whole: whether it
    is all of it."""
    body, told = _one_dialect(body, separator, skipped)
    notes = (*notes, *told)
    try:
        rows = _check_widths(body, separator, len(header), skipped)
    except _TooWide as error:
        trimmed = _trimmed(body, separator, len(header), skipped)
        if trimmed is None:
            raise UnreadableFile(str(error)) from None
        body, notes = trimmed, (*notes, "rows end in a separator too many; the empty cells there were left out")
        rows = _check_widths(body, separator, len(header), skipped)
    try:
        frame = _parse_csv(body.encode("utf-8"), separator)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        frame = pl.DataFrame()
    if frame.width != len(header) or frame.height != rows:
        raise UnreadableFile(_stray_quote(body, separator, skipped))
    if '=""' in body:  # ="0012" within quotes: how spreadsheets are told that a cell is text
        frame = frame.with_columns(pl.all().str.replace(r'^="(.*)"$', "$1"))
    if whole and not all(cell.strip() for cell in header):
        width, apart = table_beside(frame, header)
        frame, header = frame[:, :width], header[:width]
        if names := names_of_two_rows(header, frame.row(0)):
            header, frame = names, without_rows(frame, [0])
            apart = apart or f"the header was read from rows {skipped + 1} and {skipped + 2}"
        notes = (*notes, *([apart] if apart else ()))
    table = finish_table(frame, header, name, is_text=True, first_row=skipped + 2, notes=notes, whole=whole)
    return replace(table, separator=separator)


def _one_dialect(body: str, separator: str, skipped: int) -> tuple[str, tuple[str, ...]]:
    """The text with cells like ="0012" as plain quoted ones, and with one kind of line end."""
    told: list[str] = []
    if '="' in body:
        edge = rf"[\r\n{re.escape(separator)}]"
        body = re.sub(rf'(^|{edge})="([^"\r\n]*)"(?={edge}|$)', r'\1"\2"', body)
    if "\r" in body and body.count("\r") > body.count("\r\n"):
        ends = re.compile(r'"[^"]*"|\r(?!\n)')
        first = next((found for found in ends.finditer(body) if found[0] == "\r"), None)
        if first:
            line = body.count("\n", 0, first.start()) + skipped + 1
            told.append(f"line {line} ends in a carriage return alone, others do not; all were read as ends of lines")
            body = ends.sub(lambda found: "\n" if found[0] == "\r" else found[0], body)
    return body, tuple(told)


def sniff_separator(text: str) -> str:
    """The separator of CSV text, read off its header: the candidate that occurs most outside quotes."""
    line = _logical_lines(text)[0]
    outside = "".join(line.split('"')[::2])
    return max(FIELD_SEPARATORS, key=outside.count)


def read_header(body: str, separator: str, skipped: int) -> tuple[list[str], bool]:
    """The header's cells of CSV text, and whether anything follows it. skipped: lines of the file above the text."""
    lines = io.StringIO(body, newline="")
    reader = _csv_rows(lines, separator, skipped)
    try:
        header = next(reader)
    except StopIteration:
        raise UnreadableFile("the file is empty") from None
    return header, any(any(cell.strip() for cell in row) for row in reader)


def _csv_rows(lines: Iterator[str], separator: str, skipped: int) -> Iterator[list[str]]:
    reader = csv.reader(lines, delimiter=separator, strict=True)
    try:
        yield from reader
    except csv.Error as error:
        raise UnreadableFile(f"line {skipped + reader.line_num}: {_csv_fault(str(error))}") from None


def _csv_fault(said: str) -> str:
    if "field larger" in said:
        return f"a field has more than {LONGEST_FIELD:,} characters; is a quote left open above it?"
    if "unexpected end" in said:
        return 'a quote (") opened in this file is never closed'
    if "expected after" in said:
        return 'text follows a closing quote ("); quote whole fields, and double a quote inside one'
    return said


class _TooWide(UnreadableFile):
    """A row that has more cells than the header."""


def _check_widths(body: str, separator: str, width: int, skipped: int) -> int:
    """The number of data rows. Raises UnreadableFile at the first that is not `width` cells wide."""
    if '"' in body:
        return _check_quoted(body, separator, width, skipped)
    return _check_plain(body.encode("utf-8"), separator, width, skipped)


def _trimmed(body: str, separator: str, width: int, skipped: int) -> str | None:
    """The text without blank cells beyond the header's; None where others stand there."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\n")
    for row in _csv_rows(io.StringIO(body, newline=""), separator, skipped):
        if any(cell.strip() for cell in row[width:]):
            return None
        writer.writerow(row[:width])
    return out.getvalue()


def _stray_quote(body: str, separator: str, skipped: int) -> str:
    """Names the first row in which a quote stands within a cell that is not quoted."""
    cell = re.escape(separator)
    quoted = re.compile(rf'(?:(?<={cell})|^)\s*"(?:[^"]|"")*"\s*(?={cell}|$)')
    lines, start = body.split("\n"), 0
    reader = csv.reader(io.StringIO(body, newline=""), delimiter=separator)
    for number, _ in enumerate(reader, skipped + 1):
        row = "\n".join(lines[start : reader.line_num]).rstrip("\r\n")
        if '"' in quoted.sub("", row):
            return f"row {number}: {STRAY_QUOTE}"
        start = reader.line_num
    return STRAY_QUOTE


def _check_quoted(body: str, separator: str, width: int, skipped: int) -> int:
    """The number of data rows. Raises UnreadableFile at the first that is not `width` cells wide."""
    number = 0
    for number, row in enumerate(_csv_rows(io.StringIO(body, newline=""), separator, skipped)):
        if len(row) != width and row:
            raise _ragged(number + skipped + 1, len(row), width, separator)
    return number


def _check_plain(data: bytes, separator: str, width: int, skipped: int, *, step: int = 1 << 24) -> int:
    """As `_check_quoted` for text without any quote: counts bytes, in pieces of `step`, instead of making strings."""
    number, start = skipped + 1, 0
    while start < len(data):
        end = data.find(b"\n", min(start + step, len(data) - 1))
        chunk = data[start : end + 1] if end >= 0 else data[start:] + b"\n"
        codes = np.frombuffer(chunk, dtype=np.uint8)
        ends = np.flatnonzero(codes == ord("\n"))
        lengths = np.diff(ends, prepend=-1) - 1
        cells = np.diff(np.searchsorted(np.flatnonzero(codes == ord(separator)), ends), prepend=0) + 1
        blank = (lengths == 0) | ((lengths == 1) & (codes[np.maximum(ends - 1, 0)] == ord("\r")))
        if (wrong := np.flatnonzero((cells != width) & ~blank)).size:
            raise _ragged(number + int(wrong[0]), int(cells[wrong[0]]), width, separator)
        if lengths.max() > LONGEST_LINE:
            raise UnreadableFile(f"line {number + int(lengths.argmax())} has more than {LONGEST_LINE:,} bytes")
        number += len(ends)
        start += len(chunk)
    return number - skipped - 2


def _ragged(row: int, cells: int, width: int, separator: str) -> UnreadableFile:
    called = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar"}.get(separator, repr(separator))
    has = f"row {row} has {cells} cell{'s' if cells != 1 else ''}"
    kind = _TooWide if cells > width else UnreadableFile
    return kind(f"{has} where the header has {width} (separated by {called})")


def _parse_csv(data: bytes, separator: str) -> pl.DataFrame:
    return pl.read_csv(
        io.BytesIO(data), separator=separator, infer_schema=False, null_values=None, raise_if_empty=False
    )
