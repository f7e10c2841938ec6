"""What tells the rows of a file apart: whose they are, when they are from, which class they belong to.

A key is a column, alone or with the period or a course, that is unique and opaque; its name only breaks ties.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import polars as pl

from preprocessing.drafting.header_words import hints, tokens
from preprocessing.drafting.kinds import ENOUGH_ROWS, Column
from preprocessing.periods import sorted_periods, tells_time
from preprocessing.validation.rules import ROUNDED_KEY, text_fault

NO_COLUMN = "-"  # instead of a column: there is none
MOST_PERIODS = 60
FEWEST_GROUPS = 10  # among fewer, models cannot be compared group by group: the column is a feature then
MOST_PLACING = 6  # columns of which two together may tell rows apart
ROWS_A_PERIOD = 3  # on average, for values to be said to repeat
NUMBERED_PERIODS = frozenset(
    """
    term period trimester trimestre quarter quartal halbjahr periode periodo bimestre cuatrimestre quadrimestre
    evaluacion rapportperiode quadrimester session
    """.split()  # noqa: SIM905 (a word list reads better so)
)
"""Headers over bare numbers that are periods; a semester or year may as well be how far a student is."""
BIRTH = frozenset(
    """
    birth born naissance geburt geburts nacimiento nascimento nascita geboorte dob
    """.split()  # noqa: SIM905 (a word list reads better so)
)
DATED = re.compile(r"(19|20)\d\d|\d\d ?/ ?\d\d")


@dataclass
class Placement:
    """Whose rows they are and when. group: in which class. why: of each of them, and of columns that are keys too.

    apart: whether student, group and period tell every row from every other. repeats: a column that is called like a
    key but whose values repeat within them.
    """

    student: str | None = None
    period: str | None = None
    period_order: list[str] = field(default_factory=list)
    group: list[str] = field(default_factory=list)
    why: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def roles(self) -> set[str]:
        """The columns that have one."""
        return {*self.group, *([self.student] if self.student else []), *([self.period] if self.period else [])}


@dataclass(frozen=True)
class Roles:
    """What the user says: columns, or `NO_COLUMN`; None where the values are to tell."""

    student: str | None = None
    period: str | None = None
    group: tuple[str, ...] = ()


def place_rows(columns: Sequence[Column], told: Roles) -> Placement:
    """Finds student, period and group among columns that identify nobody."""
    found = Placement()
    if told.student and told.student != NO_COLUMN:
        found.student, found.why[told.student] = told.student, "as you said"
    keys = _keys(columns)
    period = _of(columns, told.period) if told.period and told.period != NO_COLUMN else None
    period = period if told.period else _period(columns, keys)
    if period:
        _set_period(found, period, said=bool(told.period))
    found.group = (
        [name for name in told.group if name != NO_COLUMN]
        if told.group
        else [c.name for c in columns if _is_group(c) and c.name not in found.roles]
    )
    found.why |= {
        name: "as you said" if told.group else f"{len(_of(columns, name).levels)} groups" for name in found.group
    }
    if not told.student:
        _set_student(found, columns, [key for key in keys if key.name not in found.roles])
    _leave_out_others(found, columns, keys)
    return found


def _of(columns: Sequence[Column], name: str) -> Column:
    return next(column for column in columns if column.name == name)


# Keys ---------------------------------------------------------------------------------------------------------------


def is_called_key(column: Column) -> bool:
    """Whether its header says that it tells students apart."""
    found = hints(column.name)
    return "student" in found and not found & {"mark", "final", "group", "other", "access"}


def _is_key(column: Column) -> bool:
    if column.kind not in ("number", "text") or len(column.levels) < 2 or not column.is_code:
        return is_called_key(column) and _may_be_key(column)
    if is_called_key(column):
        return _may_be_key(column)
    if hints(column.name) & {"mark", "final", "period", "group", "protected", "other"}:
        return False
    if column.is_row_number:
        return bool(tokens(column.name) & {"id", "key", "code", "ref"})
    called = "key" in hints(column.name)
    return column.is_surely_code and (called or column.given >= ENOUGH_ROWS or column.kind == "text")


def _may_be_key(column: Column) -> bool:
    if column.kind == "number" and not column.is_whole:
        return False
    return all(text_fault(text, key=True) is None for text in column.levels)


def _keys(columns: Sequence[Column]) -> list[Column]:
    """Columns that may be the student's key, the likeliest first."""

    def likelihood(column: Column) -> tuple[bool, bool, bool, int]:
        called = "key" in hints(column.name)
        return column.is_unique, is_called_key(column), called, -column.place

    return sorted((column for column in columns if _is_key(column)), key=likelihood, reverse=True)


def _set_student(found: Placement, columns: Sequence[Column], keys: Sequence[Column]) -> None:
    for key in keys:
        if key.is_unique:
            found.student, found.why[key.name] = key.name, f"{key.given:,} different values, none of which repeats"
            return
    for key in keys:
        placing = [name for name in (found.period, *found.group) if name]
        if placing and _tell_apart(columns, [key.name, *placing]):
            found.student = key.name
            found.why[key.name] = f"{len(key.levels):,} students, each once in {' and '.join(map(repr, placing))}"
            return
        others = _others(columns, found, key)
        for some in [*combinations(others, 1), *combinations(others[:MOST_PLACING], 2)]:
            names = [column.name for column in some]
            if _tell_apart(columns, [key.name, *placing, *names]):
                found.student, found.group = key.name, [*found.group, *names]
                found.why[key.name] = f"{len(key.levels):,} students, each once in {' and '.join(map(repr, names))}"
                found.why |= dict.fromkeys(names, "with it every row is told from every other")
                return
    for key in keys:
        if is_called_key(key) or len(key.levels) >= ENOUGH_ROWS:
            why = "a student key that repeats; say in [[context]] and group what tells rows apart"
            found.left_out[key.name] = why


def _others(columns: Sequence[Column], found: Placement, key: Column) -> list[Column]:
    """Columns of few values that may say in which course a row is, those that are called so first."""
    taken = found.roles | {key.name}
    few = [c for c in columns if c.name not in taken and c.kind == "text" and 1 < len(c.levels) <= MOST_PERIODS]
    sound = [column for column in few if not any(map(text_fault, column.levels))]
    return sorted(sound, key=lambda c: ("group" not in hints(c.name), c.place))


def _tell_apart(columns: Sequence[Column], names: Sequence[str]) -> bool:
    frame = pl.DataFrame([_of(columns, name).texts.alias(name) for name in names])
    return not frame.filter(pl.col(names[0]).is_not_null()).is_duplicated().any()


def _leave_out_others(found: Placement, columns: Sequence[Column], keys: Sequence[Column]) -> None:
    """Keys that were not chosen, running numbers and codes are no amounts: no model learns from them."""
    for column in columns:
        if column.name in found.roles or column.name in found.left_out:
            continue
        rounded = is_called_key(column) and next((t for t in column.levels if ROUNDED_KEY.fullmatch(t)), None)
        if rounded:
            found.left_out[column.name] = f"keys such as {rounded}: {text_fault(rounded, key=True)}"
        elif column in keys and (column.is_unique or is_called_key(column)):
            found.left_out[column.name] = "it tells students apart too: a key is no input"
        elif column.is_row_number and column.given >= ENOUGH_ROWS and not hints(column.name) & {"mark", "final"}:
            found.left_out[column.name] = "it counts the rows"
        elif column.is_surely_code and column.is_nearly_unique:
            found.left_out[column.name] = "codes, nearly all different: no amounts"


# Periods ------------------------------------------------------------------------------------------------------------


def _period(columns: Sequence[Column], keys: Sequence[Column]) -> Column | None:
    scored = [(_period_score(column, columns, keys), -column.place, column) for column in columns]
    best = max((one for one in scored if one[0] > 0), key=lambda one: one[:2], default=None)
    return best[2] if best else None


def _period_score(column: Column, columns: Sequence[Column], keys: Sequence[Column]) -> int:
    """How surely a column is the period: 0 for not at all."""
    found = hints(column.name)
    if found & {"mark", "final", "student", "other"} or tokens(column.name) & BIRTH or not _repeats(column):
        return 0
    called = "period" in found
    dated = all(DATED.search(text) for text in column.levels) or (called and tells_time(column.levels))
    if dated and tells_time(column.levels):
        return 3 + 2 * called if called or len(column.levels) > 1 else 0
    if not called or (column.kind == "number" and not column.is_whole):
        return 0
    if any(not key.is_unique and _tell_apart(columns, [key.name, column.name]) for key in keys):
        return 4
    return 1 if tokens(column.name) & NUMBERED_PERIODS and tokens(column.name) <= NUMBERED_PERIODS | {"s"} else 0


def _repeats(column: Column) -> bool:
    """Whether it has few values, each of which stands in several rows."""
    if column.kind not in ("number", "text") or not 0 < len(column.levels) <= MOST_PERIODS:
        return False
    often = len(column.levels) * ROWS_A_PERIOD <= column.given or column.given < ENOUGH_ROWS
    return (often or len(column.levels) == 1) and not any(map(text_fault, column.levels))


def _set_period(found: Placement, column: Column, *, said: bool) -> None:
    found.period, found.period_order = column.name, sorted_periods(column.levels)
    shown = ", ".join(found.period_order[:6]) + (" …" if len(found.period_order) > 6 else "")
    found.why[column.name] = f"{'as you said; ' if said else ''}from the oldest on: {shown}"


def _is_group(column: Column) -> bool:
    if "group" not in hints(column.name) or hints(column.name) & {"mark", "final", "other", "period"}:
        return False
    few = column.kind in ("text", "number") and len(column.levels) >= FEWEST_GROUPS and not column.is_nearly_unique
    return (
        few and all(text_fault(text) is None for text in column.levels) and (column.kind == "text" or column.is_whole)
    )
