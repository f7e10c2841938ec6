"""What the columns of a file hold, by their values: numbers and how they are written, times, codes, levels.

It decides nothing about what a column is for; a header is never looked at.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from preprocessing.drafting.header_words import plain
from preprocessing.periods import MONTHS
from preprocessing.reading.raw_table import RawTable
from preprocessing.schema import Feature
from preprocessing.validation import rules
from preprocessing.validation.tables import Parsed, as_texts, parse

NUMBER_SHARE = 0.95  # of the cells that are not blank and no word for absence
FEWEST_NUMBERS = 0.3  # of all cells that are not blank
MOST_WORDS = 12  # for "no value" in one column
SAME_KIND = 0.9  # of a column's cells: times, codes
ENOUGH_CELLS = 500  # by which a column of dates is known
FEWEST_CODES = 10  # fewer that repeat are levels
ENOUGH_ROWS = 20  # from which "all different" says something

ABSENCE = frozenset(
    """
    abs n a m absent absente absence disp dispense dispensee nonnote nn ne nr np ns nc na nt ab aj att att. exc excused
    exempt ex exempted dns dnf drp drop dropped w wd withdrawn withdrew inc incomplete i nosubmission nosub missing
    notsubmitted nosubmitted ungraded pending krank entschuldigt unentschuldigt fehlt gefehlt f e u befreit nb ausente
    ausencia faltou falta exento eximido pendiente nopresentado noevaluado sincalificar isento pendente assente
    giustificato esonerato afwezig ziek vrijgesteld niet nietgemaakt x none nil never nie jamais nunca mai nooit nv kA
    ka nnot abi abj yok gelmedi girmedi raporlu muaf katilmadi nieobecny nieobecna zwolniony brak nieklasyfikowany απων
    απουσια
    """.split()  # noqa: SIM905 (a word list reads better so)
)
"""Words that stand where a mark is missing, letters only."""

TIME = re.compile(r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}([ T,].*)?|\d{1,2}:\d{2}(:\d{2})?( ?[ap]m)?")
WRITTEN_DATE = re.compile(r"\b\d{1,2}\.? (?:de )?([^\W\d_]+)\.?,? (?:de )?\d{4}\b|\b([^\W\d_]+)\.? \d{1,2}, \d{4}\b")
DURATION = re.compile(
    r"(\d+\s*(d|h|m|s|days?|hours?|mins?|minutes?|secs?|seconds?|weeks?|years?|tage?n?|stunden?|jours?|heures?|jahre?|ans?"
    r"|d[ií]as?|horas?|minutos?|segundos?|giorn[io]|or[ae]|minut[io]|dagen|dag|uren|uur|minuten|sekunden)\.?[\s,]*)+"
)
MIXED = "some of its cells are percent (85%), others shares (0.85): write all of them in one way"
TIMESTAMPS = (946_684_800, 2_208_988_800)  # seconds from 1970 to 2000 and to 2040
CODE = re.compile(r"#?(?=[\w\-./]*\d)[\w\-./]{1,40}")
THREES = r"^[+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+$"
UNIT = re.compile(r"(.*?)\s*(%|/\s*(\d{1,4}))")


@dataclass(frozen=True)
class Column:
    """One column as it was understood.

    place: among the columns. texts: null where nothing stands. kind: "number"; "time" (dates, durations, timestamps);
    "text"; "nothing" where it is empty. parsed: of numbers, and of texts as levels. reading: how the domain would
    read it. odd: cells that are no numbers, and how often; `missing` words of `reading` are among them. mixed: why its
    numbers cannot be told, though they are numbers.
    """

    name: str
    place: int
    texts: pl.Series
    kind: Literal["number", "time", "text", "nothing"]
    reading: Feature
    parsed: Parsed
    odd: Mapping[str, int] = field(default_factory=dict)
    mixed: str = ""

    @cached_property
    def levels(self) -> list[str]:
        """The different values, in the order of the file."""
        return self.texts.drop_nulls().unique(maintain_order=True).to_list()

    @cached_property
    def given(self) -> int:
        """How many cells are not blank."""
        return self.texts.len() - self.texts.null_count()

    @property
    def is_unique(self) -> bool:
        """Whether no value repeats."""
        return 1 < self.given == len(self.levels)

    @cached_property
    def numbers(self) -> NDArray[np.float64]:
        """(rows,) NaN where there is none."""
        return self.parsed.values.cast(pl.Float64).fill_null(float("nan")).to_numpy()

    @cached_property
    def is_constant(self) -> bool:
        """Whether hardly more than one value stands in it: case and how a number is written are no difference."""
        if self.kind == "number":
            return len(np.unique(self.numbers[~np.isnan(self.numbers)])) < 2
        return len({text.casefold() for text in self.levels}) < 2

    @cached_property
    def is_whole(self) -> bool:
        """Whether it is whole numbers only."""
        known = self.numbers[~np.isnan(self.numbers)] if self.kind == "number" else np.zeros(0)
        return bool(len(known)) and bool((known == np.floor(known)).all())

    @cached_property
    def is_code(self) -> bool:
        """Whether its values are opaque: one word each with a digit in it, and no amounts."""
        if self.kind == "number" and (not self.is_whole or self.reading.accepts or self.reading.missing):
            return False
        alike = sum(bool(CODE.fullmatch(text)) for text in self.levels)
        return self.kind in ("number", "text") and bool(self.levels) and alike >= SAME_KIND * len(self.levels)

    @cached_property
    def is_surely_code(self) -> bool:
        """Whether they are codes of one shape: five digits or more, letters among digits, zeros in front."""
        if not self.is_code or (len(self.levels) < FEWEST_CODES and not self.is_unique):
            return False
        long = {len(text.lstrip("#")) for text in self.levels}
        mixed = sum(bool(re.search(r"[A-Za-z]", text)) or text.startswith("0") for text in self.levels)
        return mixed >= SAME_KIND * len(self.levels) or (len(long) <= 2 and min(long) >= 5)

    @cached_property
    def is_row_number(self) -> bool:
        """Whether it counts the rows."""
        known = self.numbers[~np.isnan(self.numbers)] if self.is_whole else np.zeros(0)
        return len(known) > 1 and known[0] in (0, 1) and bool((np.diff(known) == 1).all())

    @cached_property
    def is_nearly_unique(self) -> bool:
        """Whether hardly any value repeats in enough rows."""
        return self.given >= ENOUGH_ROWS and len(self.levels) >= SAME_KIND * self.given


def read_columns(raw: RawTable) -> list[Column]:
    """Every column of a table, in its order."""
    texts = [_given(raw.frame[name]) for name in raw.frame.columns]
    written = [_Written.of(column) for column in texts]
    commas = any(one.commas > one.ambiguous for one in written)  # of a file where some are surely decimal all are
    return [
        _column(raw.frame[name], place, column, one, commas=commas)
        for place, (name, column, one) in enumerate(zip(raw.frame.columns, texts, written, strict=True))
    ]


def _given(source: pl.Series) -> pl.Series:
    """The cells as texts without spaces around them; null where they are blank or stand for "no value"."""
    texts = as_texts(source).str.strip_chars()
    missing = texts.str.to_lowercase().is_in(list(rules.MISSING_TEXTS)).fill_null(value=True)
    return texts.set(missing, None)


@dataclass
class _Written:
    """How the cells of a column are written, counted. threes: points before three digits, which may group thousands.
    shares: plain numbers that are no whole ones, up to 1. other: what is no number, or of another unit than most."""

    cells: int = 0
    numbers: int = 0
    points: int = 0
    threes: int = 0
    commas: int = 0
    ambiguous: int = 0
    shares: int = 0
    units: Counter[str] = field(default_factory=Counter)
    groups: Counter[str] = field(default_factory=Counter)
    other: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, texts: pl.Series) -> "_Written":
        """The count of a column's cells."""
        found = cls(cells=texts.len() - texts.null_count())
        plainly = texts.cast(pl.Float64, strict=False).is_finite().fill_null(value=False)
        found.numbers = int(plainly.sum())
        broken = texts.filter(plainly & texts.str.contains(".", literal=True))
        found.points = len(broken)
        found.threes = int(broken.str.contains(THREES).sum())
        found.shares = int(broken.cast(pl.Float64).is_between(0, 1).sum())
        rest = texts.alias("text").filter(~plainly).drop_nulls().value_counts(name="times")
        for text, times in rest.sort("times", "text", descending=[True, False]).iter_rows():
            found._count(text, times)
        return found

    def _count(self, text: str, times: int) -> None:
        unit = UNIT.fullmatch(text)
        number = unit[1] if unit else text
        comma = rules.COMMA_NUMBER.fullmatch(number)
        grouped = None if comma else rules.THOUSANDS.fullmatch(number)
        if not (comma or grouped or rules.NUMBER.fullmatch(number)):
            self.other[text] += times
            return
        self.numbers += times
        self.points += times * ("." in number and not grouped)
        self.commas += times * bool(comma)
        self.ambiguous += times * bool(comma and rules.AMBIGUOUS_COMMA.fullmatch(number))
        if grouped:
            self.groups[next(c for c in number.lstrip("+-") if not c.isdigit())] += times
        if unit:
            self.units["%" if unit[2] == "%" else f"/{unit[3]}"] += times

    @property
    def is_numbers(self) -> bool:
        absent = sum(times for word, times in self.other.items() if is_absence(word))
        asked = self.cells - absent
        few = len(self.other) <= MOST_WORDS
        return few and self.numbers >= max(NUMBER_SHARE * asked, FEWEST_NUMBERS * self.cells, 1)

    @property
    def mixed(self) -> str:
        """Why the numbers cannot be told apart by how they are written: two units in one column."""
        scales = sorted(unit for unit in self.units if unit != "%")
        if self.is_numbers and self.shares and self.units["%"]:
            return MIXED
        return f"its marks are out of {' and '.join(scales)}: bring them to one scale" if len(scales) > 1 else ""

    def accepts(self, *, commas: bool) -> list[str]:
        """What the column must accept. commas: whether commas are surely decimal elsewhere in the file."""
        found = list(self.units)
        thousands = self.commas and self.commas == self.ambiguous and not commas and not self.groups
        mark = next(iter(self.groups), "," if thousands else "")
        if commas and not mark and self.points and self.points == self.threes:
            mark = "."  # 1.234 where other columns have decimal commas
        if mark:
            found.append({"\u00a0": "1 000", "\u202f": "1 000", "’": "1'000"}.get(mark, f"1{mark}000"))
        if self.commas and not thousands and mark != ",":
            found.append(",")
        return found


def is_absence(word: str) -> bool:
    """Whether a word says that there is no mark, in any of seven languages.

    >>> is_absence("Abs."), is_absence("disp"), is_absence("Algebra")
    (True, True, False)
    """
    return "".join(character for character in plain(word) if character.isalnum()) in ABSENCE


def _column(source: pl.Series, place: int, texts: pl.Series, written: _Written, *, commas: bool) -> Column:
    name = source.name
    anything = Feature(name=name, kind="categorical", open=True)
    if not written.cells:
        return Column(name, place, texts, "nothing", anything, parse(texts, anything))
    if _are_times(texts, written):
        return Column(name, place, texts, "time", anything, parse(texts, anything))
    if written.is_numbers and not written.mixed and not _has_zeros_in_front(texts):
        words = tuple(word for word in written.other if rules.shown(word))
        accepts = tuple(written.accepts(commas=commas))
        reading = Feature(name=name, kind="numeric", accepts=accepts, missing=words)
        parsed = parse(source, reading)
        if not parsed.bad.any():
            return Column(name, place, texts, "number", reading, parsed, dict(written.other))
    odd = dict(written.other) if written.numbers > written.cells / 2 else {}
    return Column(name, place, texts, "text", anything, parse(texts, anything), odd, written.mixed)


def _are_times(texts: pl.Series, written: _Written) -> bool:
    if written.numbers >= SAME_KIND * written.cells:
        numbers = texts.cast(pl.Float64, strict=False).drop_nulls()
        inside = numbers.is_between(*TIMESTAMPS) | (numbers == 0)
        return bool(len(numbers)) and numbers.max() != 0 and inside.sum() >= SAME_KIND * len(numbers)
    alike = _share(
        bool(TIME.fullmatch(text) or DURATION.fullmatch(text.lower())) for text in texts.drop_nulls().head(500)
    )
    return alike >= SAME_KIND or (alike >= 0.5 and all(is_absence(text) for text in _no_times(texts)))


def _no_times(texts: pl.Series) -> list[str]:
    return [text for text in texts.drop_nulls().unique() if not _is_time(text)]


def _is_time(text: str) -> bool:
    written = WRITTEN_DATE.search(text)
    if written and plain(written[1] or written[2]) in MONTHS:
        return True
    return bool(TIME.fullmatch(text) or DURATION.fullmatch(text.lower()))


def _share(flags: Iterable[bool]) -> float:
    known = list(flags)
    return sum(known) / len(known) if known else 0.0


def _has_zeros_in_front(texts: pl.Series) -> bool:
    return bool(texts.str.contains(r"^0\d{2,}$").any())


def said_cells(odd: Mapping[str, int], most: int = 6) -> str:
    """Cells that are no numbers, as words: "Abs ×11, disp. ×8"; those that may name a person are only counted."""
    counts = Counter(odd).most_common()
    shown: Sequence[str] = [f"{rules.shown(word) or '(hidden)'} ×{times}" for word, times in counts[:most]]
    return ", ".join(shown) + (f" and {len(counts) - most} more" if len(counts) > most else "")
