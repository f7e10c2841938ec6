"""What a value, a row and a header must be: the rules of validation, stated once for files and for requests alike.

It knows single values and names only; `preprocessing.validation.tables` applies the rules to whole columns,
`preprocessing.validation.json_rows` to JSON rows. Imports neither polars nor pandas: a serving process lives on it.
"""

import difflib
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec

from errors import Category, GradewatchError
from preprocessing.schema import DomainSchema, Feature, Target, fold
from preprocessing.validation.pii import looks_identifying

MISSING_TEXTS = frozenset({"", "na", "n/a", "null", "-", "–", "—"})
"""What stands for "no value" in a file, in any case. NaN does not: a computed NaN is an error somewhere upstream."""

SHARE = "; others of this column are percent (85%), and this looks like a share (0.85): write all of them in one way"
LONGEST_TEXT = 100  # characters of a level, a student key, a group
LARGEST_NUMBER = 1e30  # float32, which models compute in, ends at 3.4e38
AGAIN_SHOWN = 6  # of those that are left out without being wrong, that are named
VALUES_SHOWN = 3  # of what is refused that are named
CELL_LETTERS = 60  # characters of a wrong value that a problem shows
PROBLEMS_KEPT = 10_000  # problems kept with their words; all are counted

NOT_FINITE = "; NaN and infinity are no values: leave it empty (null) where it is not known"
OF_ANOTHER = "is of a group that you have no access to"
DUPLICATE = "rows {} and {} are the same student, group and period; a file says each thing once"


def said_again(rows: Sequence[int]) -> str:
    """What to say of rows that only say again what an earlier row says.

    >>> said_again([4, 9])
    'rows 4, 9 say again what an earlier row says: one of each is kept'
    """
    rows = sorted(rows)
    shown = ", ".join(map(str, rows[:AGAIN_SHOWN])) + (
        f" and {len(rows) - AGAIN_SHOWN:,} more" if rows[AGAIN_SHOWN:] else ""
    )
    said = ("rows", "say", "one of each") if len(rows) > 1 else ("row", "says", "one")
    return f"{said[0]} {shown} {said[1]} again what an earlier row says: {said[2]} is kept"


def left_out(rows: int) -> str:
    """How many bad rows were left out, in words."""
    return f"{rows:,} bad row{'s' if rows != 1 else ''} left out"


def unasked_values(column: str, rows: int) -> str:
    """That values of an outcome nobody asks about are passed over."""
    return f"column {column!r}: {rows:,} value{'s' if rows != 1 else ''} not taken, and not asked for here"


Known = Literal["required", "optional", "ignored", "refused"]
"""What is asked of target columns."""

OUTCOME_FAULT = "an outcome, which is predicted here and no input: leave it out"

NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
COMMA_NUMBER = re.compile(r"[+-]?[0-9]*,[0-9]+")
ROUNDED_KEY = re.compile(r"[0-9][.,][0-9]+E\+[0-9]+", re.IGNORECASE)
FLOAT_KEY = re.compile(r"[0-9]+\.0+")
AMBIGUOUS_COMMA = re.compile(r"[+-]?[1-9][0-9]{0,2},[0-9]{3}")
THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}(?:[ ,.'’\u00a0\u202f][0-9]{3})+(?:[.,][0-9]*)?")


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong with the data.

    file: what the user called it. row: as the user counts (a file's header is row 1; records count from 1), None when
    the whole file is meant. value: what stands there, shortened; None where it may identify a person. rule: what was
    expected, as a sentence.
    """

    file: str
    row: int | None
    column: str | None
    value: str | None
    rule: str

    def __str__(self) -> str:
        where = [self.file] if self.file else []
        where += [f"row {self.row}"] if self.row is not None else []
        where += [f"column {self.column!r}"] if self.column is not None else []
        shown = f" (found {self.value!r})" if self.value is not None else ""
        return f"{', '.join(where)}: {self.rule}{shown}"


class BadData(GradewatchError):
    """Data that breaks rules. `problems` holds the first of them with their words, `total` counts them all."""

    def __init__(self, problems: Iterable[Problem], total: int | None = None) -> None:
        self.problems = tuple(problems)
        self.total = len(self.problems) if total is None else total
        super().__init__(summary(self.problems, self.total))


class TooManyRows(GradewatchError):
    """More rows than are allowed at once; the message names the limit. rows: their number, or in words."""

    category = Category.TOO_LARGE

    def __init__(self, rows: int | str, limit: int) -> None:
        came = f"{rows:,}" if isinstance(rows, int) else rows
        super().__init__(f"{came} rows in one request; at most {limit:,} are allowed: send them in parts")


def summary(problems: Sequence[Problem], total: int) -> str:
    """The problems in a few lines, for a terminal or a log."""
    lines = [f"{total:,} problem{'s' if total != 1 else ''}:", *(f"  {problem}" for problem in problems[:5])]
    return "\n".join(lines + ([f"  and {total - 5:,} more"] if total > 5 else []))


# Values -------------------------------------------------------------------------------------------------------------


def expected(column: Feature | Target) -> str:
    """What the value of a column must be, as the end of a sentence.

    >>> expected(Feature(name="age", kind="numeric", minimum=15, maximum=22, integer=True, unit="years"))
    'must be a whole number from 15 to 22 (years)'
    """
    if is_numeric(column):
        whole = "a whole number" if column.integer else "a number"
        unit = f" ({column.unit})" if column.unit else ""
        return f"must be {whole}{_range_words(column.minimum, column.maximum)}{unit}"
    if isinstance(column, Feature) and column.open:
        return f"must be text of at most {LONGEST_TEXT} characters that names no person"
    return f"must be one of {', '.join(column.levels)}"


def _range_words(minimum: float | None, maximum: float | None) -> str:
    if minimum is not None and maximum is not None:
        return f" from {minimum:g} to {maximum:g}"
    if minimum is not None:
        return f", at least {minimum:g}"
    return "" if maximum is None else f", at most {maximum:g}"


def is_numeric(column: Feature | Target) -> bool:
    """Whether the column holds numbers: numeric features and targets of kind value."""
    return column.kind in ("numeric", "value")


def bounds(column: Feature | Target) -> tuple[float, float]:
    """The smallest and the largest number a column may hold, both inclusive."""
    low = -LARGEST_NUMBER if column.minimum is None else column.minimum
    return low, LARGEST_NUMBER if column.maximum is None else column.maximum


def number_fault(column: Feature | Target, value: float) -> str | None:
    """What is wrong with a number in this column, or None."""
    low, high = bounds(column)
    if not math.isfinite(value):
        return f"{expected(column)}{NOT_FINITE}"
    if low <= value <= high and not (column.integer and value != math.floor(value)):
        return None
    return expected(column)


def parse_number(text: str, *, comma: bool = False) -> float | None:
    """The number that `text` is, decimal point only, or decimal comma only when `comma`; None when it is none.

    >>> parse_number("1,5", comma=True), parse_number("1,5"), parse_number("1_000")
    (1.5, None, None)
    """
    stripped = text.strip()
    if comma and COMMA_NUMBER.fullmatch(stripped):
        return float(stripped.replace(",", "."))
    return float(stripped) if NUMBER.fullmatch(stripped) else None


def unit_pattern(column: Feature | Target) -> str:
    """What may stand behind the numbers of a column, as a regular expression; "" for nothing.

    >>> unit_pattern(Feature(name="mark", kind="numeric", accepts=("%", "/20")))
    '\\\\s*(?:%|/\\\\s*20)$'
    """
    units = [form.replace("/", r"/\s*") for form in column.accepts if form[0] in "%/"]
    return rf"\s*(?:{'|'.join(units)})$" if units else ""


def grouping(column: Feature | Target) -> tuple[str, str]:
    """How the numbers of a column may be grouped: what such a number looks like, and the mark within it; "" for not."""
    form = next((form for form in column.accepts if form.endswith("000")), "")
    if not form:
        return "", ""
    mark = {" ": "[ \u00a0\u202f]", "'": "['’]"}.get(form[1], rf"\{form[1]}")
    decimal = {",": r"\.", ".": ","}.get(form[1], "[.,]")
    return rf"^[+-]?[0-9]{{1,3}}(?:{mark}[0-9]{{3}})+(?:{decimal}[0-9]*)?$", mark


def bare_number(text: str, column: Feature | Target) -> str:
    """A text without what its column accepts around a number.

    >>> bare_number("12,5 /20", Feature(name="mark", kind="numeric", accepts=("/20",)))
    '12,5'
    """
    if unit := unit_pattern(column):
        text = re.sub(unit, "", text)
    whole, mark = grouping(column)
    return re.sub(mark, "", text) if whole and re.search(whole, text) else text


def text_number_fault(column: Feature | Target, text: str, *, commas: str) -> str:
    """Why `text` is refused in a numeric column. commas: `comma_rule` of the column."""
    stripped = bare_number(text.strip(), column)
    value = parse_number(stripped, comma=True)
    if value is not None and (fault := number_fault(column, value)) and commas != "ambiguous":
        return fault
    return f"{expected(column)}{_spelling_fault(stripped, commas)}"


def _spelling_fault(text: str, commas: str) -> str:
    """What is wrong with how a number is written, as the end of a sentence."""
    with_comma = COMMA_NUMBER.fullmatch(text) is not None
    if with_comma and commas == "ambiguous":
        return "; a comma before three digits may group thousands: write 1234 or 1.234"
    if with_comma or NUMBER.fullmatch(text):
        return "; this column has both decimal points and decimal commas: use one of them"
    if THOUSANDS.fullmatch(text):
        return ", written without thousands separators"
    if text.endswith("%"):
        return ", without the percent sign"
    if text.casefold().lstrip("+-") in ("nan", "inf", "infinity"):
        return NOT_FINITE
    return ""


def comma_rule(points: int, commas: int, *, all_ambiguous: bool) -> str:
    """How a column with this many decimal points and decimal commas is read; decided once for the whole column.

    "accepted": commas are decimal. "commas refused", "points refused": both occur, so the rarer is a slip.
    "ambiguous": every comma stands where it may as well group thousands.
    """
    if points and commas:
        return "commas refused" if points >= commas else "points refused"
    return "ambiguous" if commas and all_ambiguous else "accepted"


def read_level(column: Feature | Target, text: str, *, exact: bool = False) -> tuple[str | None, str | None]:
    """(level, None) or (None, what is wrong). Not `exact`: spaces around it and its case do not matter.

    >>> read_level(Target(name="grade", kind="ordered_class", levels=("F", "A")), " a ")
    ('A', None)
    """
    if text in column.levels:
        return text, None
    stripped = tidy(text)
    if not exact:
        alike = [level for level in column.levels if level.casefold() == stripped.casefold()]
        alike += [
            level for spelling, level in column.level_aliases.items() if plain_level(spelling) == plain_level(stripped)
        ]
        if stripped in column.levels or len(set(alike)) == 1:
            return (stripped if stripped in column.levels else alike[0]), None
    if not (isinstance(column, Feature) and column.open):
        near = nearest(text, column.levels)
        return None, expected(column) + (f"; did you mean {near[0]!r}?" if near else "")
    fault = text_fault(stripped, key=column.allow)
    return (None, f"{expected(column)}; {fault}") if fault else (stripped, None)


def plain_level(text: str) -> str:
    """A level without case and without the length of spaces in it, by which aliases are found."""
    return " ".join(text.casefold().split())


def tidy(text: str) -> str:
    """Text without spaces around it, its accents encoded in one way (NFC): what is stored and compared."""
    return unicodedata.normalize("NFC", text.strip())


HAPPENED_AT = "happened_at"
"""The column of outcomes that says when each happened."""


def read_instant(text: str, latest: datetime) -> tuple[str | None, str | None]:
    """A date (its beginning, UTC) or a time (UTC where it names no zone) as ISO 8601 in UTC, and what is wrong with it.
    latest: what lies behind has not happened yet.

    >>> read_instant("2026-06-20", datetime(2027, 1, 1, tzinfo=UTC))
    ('2026-06-20T00:00:00+00:00', None)
    >>> read_instant("20.6.2026", datetime(2027, 1, 1, tzinfo=UTC))
    (None, 'must be a date or time such as 2026-06-20 or 2026-06-20T14:30:00+02:00')
    """
    try:
        found = datetime.fromisoformat(text.strip())
        found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        return None, "must be a date or time such as 2026-06-20 or 2026-06-20T14:30:00+02:00"
    if found > latest:
        return None, "lies in the future: an outcome is known once it has happened"
    return found.isoformat(), None


def plain_key(text: str) -> str:
    """A student key, a group or a period as it is stored: "1001.0", as pandas writes it, is 1001.

    >>> plain_key(" 1001.0 "), plain_key("1.0b"), plain_key("0.5")
    ('1001', '1.0b', '0.5')
    """
    tidied = tidy(text)
    return tidied[: tidied.index(".")] if "." in tidied and FLOAT_KEY.fullmatch(tidied) else tidied


def text_fault(text: str, *, key: bool = False) -> str | None:
    """What is wrong with a free text: a level of an open column, a group, a period; or (`key`) a student key or a value
    of a column that may look like names."""
    if text.casefold() in MISSING_TEXTS:
        return "leave it out (null) where it is not known"
    if len(text) > LONGEST_TEXT:
        return f"it has {len(text):,} characters"
    if not text.isprintable():
        return "it holds a line break or another control character"
    if key and ROUNDED_KEY.fullmatch(text):
        return "a spreadsheet has rounded it; give the column the format Text and write it again"
    if reason := looks_identifying(text, key=key):
        return f"it looks like {reason}"
    return None


def missing_words(column: Feature | Target) -> frozenset[str]:
    """What stands for "no value" in a column of a file, without case."""
    return MISSING_TEXTS.union(word.strip().casefold() for word in column.missing) if column.missing else MISSING_TEXTS


def is_missing(text: str, column: Feature | Target | None = None) -> bool:
    """Whether a file's text stands for "no value"; a declared level of that spelling is a value."""
    stripped = text.strip()
    if column is None:
        return stripped.casefold() in MISSING_TEXTS
    return stripped.casefold() in missing_words(column) and stripped not in column.levels


def shown(value: object) -> str | None:
    """A wrong value as a problem may show it: short, on one line, and None when it may identify a person."""
    text = value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode()
    line = " ".join(text.split())
    if looks_identifying(line):
        return None
    return line if len(line) <= CELL_LETTERS else line[: CELL_LETTERS - 1] + "…"


# Rows ---------------------------------------------------------------------------------------------------------------


def moment_index(schema: DomainSchema, feature: Feature) -> int:
    """The place in time of the moment at which `feature` becomes known."""
    return schema.moments.index(feature.known_at) if feature.known_at else 0


def is_required(schema: DomainSchema, feature: Feature, moment: int) -> bool:
    """Whether a row at this moment (its place in time) must have `feature`."""
    return not feature.optional and moment_index(schema, feature) <= moment


def missing_fault(schema: DomainSchema, feature: Feature, row_moment: str, given_by: str | None) -> str:
    """Why a missing value is wrong. given_by: a feature in the row that becomes known later, None if none does."""
    if given_by is not None:
        return f"missing, although {given_by!r} is given, which becomes known later; {expected(feature)}"
    known = f" from moment {row_moment!r} on" if moment_index(schema, feature) else ""
    return f"missing; it is required{known} and {expected(feature)}"


def no_target_fault(schema: DomainSchema) -> str:
    """What to say about a row to learn from that has no outcome."""
    return f"no outcome; a labelled row needs a value for {' or '.join(schema.target_by_name)}"


def context_text(value: float | str | None) -> str | None:
    """A group's or a period's value as text: 3 and 3.0 as '3'."""
    if isinstance(value, int | float):
        return str(int(value)) if value == math.floor(value) else repr(float(value))
    return value


def group_of(values: Sequence[float | str | None]) -> str | None:
    """The group of a row from its group columns' values: joined by " / "; None where one is missing or none exist."""
    texts = [context_text(value) for value in values]
    known = [text for text in texts if text is not None]
    return " / ".join(known) if known and len(known) == len(texts) else None


def unknown_moment(schema: DomainSchema, moment: str) -> str:
    """What to say about a moment that the domain does not have."""
    return f"moment {moment!r} is none of {', '.join(schema.moments)}"


# Headers ------------------------------------------------------------------------------------------------------------


class Columns(msgspec.Struct, frozen=True, kw_only=True):
    """How given names match a schema. found: canonical name to given name. twice: (first, second, canonical)."""

    found: Mapping[str, str]
    extra: tuple[str, ...]
    twice: tuple[tuple[str, str, str], ...]


def match_columns(given: Iterable[str], schema: DomainSchema) -> Columns:
    """Which given name is which column of the schema, by `fold` and the schema's aliases."""
    spellings = schema.aliases()
    found: dict[str, str] = {}
    extra: list[str] = []
    twice: list[tuple[str, str, str]] = []
    for name in given:
        canonical = spellings.get(fold(name))
        if canonical is None:
            extra.append(name)
        elif canonical in found:
            twice.append((found[canonical], name, canonical))
        else:
            found[canonical] = name
    return Columns(found=found, extra=tuple(extra), twice=tuple(twice))


def twice_fault(first: str, second: str, canonical: str) -> str:
    """What to say about two columns that mean the same."""
    return f"columns {first!r} and {second!r} both mean {canonical!r}; keep one"


def absent_fault(name: str, extra: Sequence[str]) -> str:
    """What to say about a missing column, with what may be a misspelling of it.

    >>> absent_fault("G3", ["Grade 3", "x"])
    "column 'G3' missing; the file has 'Grade 3'"
    """
    near = nearest(name, extra) or list(extra[:5])
    return f"column {name!r} missing" + (f"; the file has {' and '.join(map(repr, near))}" if near else "")


def unknown_fault(name: str, schema: DomainSchema, *, near: bool = True) -> str:
    """What to say about a field that a request must not have. near: with the fields that it may be a slip of."""
    like = nearest(name, (column.name for column in schema.columns)) if near else []
    return f"no such field in domain {schema.name!r}" + (
        f"; did you mean {' or '.join(map(repr, like))}?" if like else ""
    )


def nearest(name: str, candidates: Iterable[str]) -> list[str]:
    """Up to three candidates spelled like `name`, the nearest first."""
    folded = {fold(candidate): candidate for candidate in reversed(list(candidates))}
    wanted = fold(name)
    close = difflib.get_close_matches(wanted, folded, n=3, cutoff=0.6)
    inside = [f for f in folded if (len(f) > 2 and f in wanted) or (len(wanted) > 1 and wanted in f)]
    inside += [f for f in folded if _initials(folded[f]) == wanted]
    return [folded[match] for match in dict.fromkeys([*close, *inside])][:3]


def _initials(name: str) -> str:
    """'Grade 3' as 'g3'."""
    return "".join(part[0] if part.isalpha() else part for part in re.findall(r"[^\W\d_]+|\d+", name.casefold()))
