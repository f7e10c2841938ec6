"""Puts a draft of a domain together: roles, the outcome, its inputs and when they are known, and what is to be said.

A draft is a guess to be read by someone who knows the data, and says so line by line. It never holds a student's value:
only ranges, and levels that repeat.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from errors import GradewatchError
from preprocessing.biometrics import refusal_of
from preprocessing.drafting.header_words import hints
from preprocessing.drafting.keys import NO_COLUMN, Placement, Roles, place_rows
from preprocessing.drafting.kinds import Column, read_columns, said_cells
from preprocessing.drafting.targets import (
    MOST_CLASSES,
    SAYS_THE_SAME,
    TargetChoice,
    choose_target,
    correlation,
    is_running_total,
    known_when,
    parts_of,
)
from preprocessing.reading.raw_table import RawTable
from preprocessing.schema import Feature, Target, fold
from preprocessing.validation.leakage import find_suspects
from preprocessing.validation.pii import identifying_columns
from preprocessing.validation.rules import nearest, text_fault
from preprocessing.validation.tables import as_texts

Rows = NDArray[np.bool_]

MOST_NAMED_LEVELS = 30  # a column with more distinct texts is open, or free text
OPEN_SHARE = 0.5  # distinct texts per row, at most, of an open column
CODES = 10  # a column called like an address but of so few distinct short values holds codes
FEWEST_OF_BAND = 2  # rows of a level that say which numbers it stands for


class NoDraft(GradewatchError):
    """A file from which no domain can be drafted as asked; the message says why."""


@dataclass(frozen=True)
class Wishes:
    """What the user says of a file: a column, or "-" for none; what is not said is found."""

    target: str | None = None
    student: str | None = None
    period: str | None = None
    group: tuple[str, ...] = ()


@dataclass
class Draft:
    """What is found in a file. left_out: column to reason. moments: column to the moment from which it is known. blank:
    rows in which nothing stands."""

    placement: Placement
    choice: TargetChoice
    targets: list[Column] = field(default_factory=list)
    features: list[Column] = field(default_factory=list)
    moments: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    remarks: dict[str, str] = field(default_factory=dict)
    allow: list[str] = field(default_factory=list)
    missing: tuple[str, ...] = ()
    blank: Rows = field(default_factory=lambda: np.zeros(0, dtype=bool))

    @property
    def target(self) -> Column:
        """The first target."""
        return self.targets[0]


def find_domain(raw: RawTable, wishes: Wishes) -> Draft:
    """What a table holds. Raises NoDraft where it cannot be told what to predict, or nothing tells it."""
    columns = read_columns(raw)
    asked = _asked(columns, wishes)
    left_out, allow = _refused(raw, columns)
    wanted = _named(columns, wishes.target, "target") if wishes.target else None
    for name in (asked.student, asked.period, *asked.group, wanted):
        if name and name in left_out:
            raise NoDraft(f"column {name!r} cannot be used: {left_out[name]}")
    usable = [column for column in columns if column.name not in left_out]
    placement = place_rows(usable, asked)
    left_out |= placement.left_out
    left_out |= {c.name: why for c in usable if (why := _no_input(c, placement)) and c.name not in left_out}
    if wanted in left_out and left_out[wanted] == placement.left_out.get(wanted):
        del left_out[wanted]
    inputs = [c for c in usable if c.name not in left_out and c.name not in placement.roles]
    choice = _wanted(wanted, inputs, left_out) if wanted else choose_target(inputs)
    if choice.column is None:
        likely = [c.name for c in usable if c.odd and c.name in left_out and hints(c.name) & {"final", "mark"}]
        raise NoDraft("; ".join([choice.why, *(f"{name!r} is left out: {left_out[name]}" for name in likely)]))
    draft = Draft(placement, choice, left_out=left_out, allow=allow, blank=_blank_rows(raw))
    _settle(draft, choice.column, inputs)
    return draft


def _asked(columns: Sequence[Column], wishes: Wishes) -> Roles:
    def named(name: str, role: str) -> str:
        return NO_COLUMN if name == NO_COLUMN else _named(columns, name, role)

    student = named(wishes.student, "student") if wishes.student else None
    period = named(wishes.period, "period") if wishes.period else None
    return Roles(student, period, tuple(named(name, "group") for name in wishes.group))


def _named(columns: Sequence[Column], wanted: str, role: str) -> str:
    """The column that is meant. Raises NoDraft for none."""
    found = next((column.name for column in columns if fold(column.name) == fold(wanted)), None)
    if found is None:
        names = [column.name for column in columns]
        near = nearest(wanted, names) or names[:5]
        raise NoDraft(f"{role} {wanted!r} is no column; the file has {' and '.join(map(repr, near))}")
    return found


def _blank_rows(raw: RawTable) -> Rows:
    cells = raw.frame.select(
        as_texts(column).str.strip_chars().fill_null("").alias(column.name) for column in raw.frame
    )
    return cells.select(pl.all_horizontal(pl.all() == "")).to_series().to_numpy()


# What is no input -----------------------------------------------------------------------------------------------------


def _refused(raw: RawTable, columns: Sequence[Column]) -> tuple[dict[str, str], list[str]]:
    """Columns that no domain may have, with the reason; and those that only look as if they identified people."""
    reasons = identifying_columns(raw.frame)
    faulty = {fault.column: fault.rule for fault in reversed(raw.faults)}
    left_out: dict[str, str] = {}
    allow: list[str] = []
    spelled: dict[str, str] = {}
    for column in columns:
        name = column.name
        earlier = spelled.setdefault(fold(name), name)
        if not fold(name) or name.startswith("_"):
            left_out[name] = "give it a name that starts with a letter or digit"
        elif earlier != name:
            left_out[name] = f"its name is read as {earlier!r}"
        elif name in raw.repeated:
            left_out[name] = raw.repeated[name]
        elif why := refusal_of(name):
            left_out[name] = why
        elif name in reasons and not _holds_codes(column, reasons[name]):
            left_out[name] = f"identifies people: {reasons[name]}"
        elif name in faulty:
            left_out[name] = f"some of its cells cannot be taken: {faulty[name]}"
        elif name in reasons:
            allow.append(name)
    return left_out, allow


def _holds_codes(column: Column, reason: str) -> bool:
    short = bool(column.levels) and all(len(level) <= 3 or level.islower() for level in column.levels)
    return reason.startswith("it is called") and short and len(column.levels) <= CODES < len(column.texts) / 5


def _no_input(column: Column, placement: Placement) -> str | None:
    """Why a column that has no role cannot be an input or an outcome."""
    if column.name in placement.roles:
        return None
    found = hints(column.name)
    reasons = {
        "it is empty": column.kind == "nothing",
        "dates or times: no amounts": column.kind == "time",
        "it says when somebody was there, by its name: no mark": "access" in found and not found & {"mark", "other"},
        "it holds one value only": column.is_constant,
    }
    return next((why for why, is_so in reasons.items() if is_so), _no_levels(column))


def _no_levels(column: Column) -> str | None:
    """Why texts are no levels."""
    if column.kind != "text":
        return None
    if column.mixed:
        return column.mixed
    if column.odd:
        cells = f"{sum(column.odd.values())} of {column.given} cells are no numbers ({said_cells(column.odd)})"
        return f"{cells}: mend them, or replace them by a blank"
    if len(column.levels) > MOST_NAMED_LEVELS and len(column.levels) > OPEN_SHARE * column.given:
        return "nearly every value is another one: a key or free text"
    if faults := [fault for text in column.levels if (fault := text_fault(text))]:
        return f"of a value, {faults[0]}"
    return None


def _wanted(wanted: str, inputs: Sequence[Column], left_out: dict[str, str]) -> TargetChoice:
    found = next((column for column in inputs if column.name == wanted), None)
    if found is None:
        why = left_out.get(wanted, "it says whose row it is, in which group or when")
        raise NoDraft(f"target {wanted!r} cannot be predicted: {why}")
    if found.kind == "text" and len(found.levels) > MOST_CLASSES:
        raise NoDraft(f"target {wanted!r} has more than {MOST_CLASSES} different texts; expected numbers or levels")
    numbers = [column for column in inputs if column.kind == "number"]
    return TargetChoice(found, "as you said", parts=parts_of(found, numbers) if found.kind == "number" else ())


# What is known when ---------------------------------------------------------------------------------------------------


def _settle(draft: Draft, target: Column, inputs: Sequence[Column]) -> None:
    draft.targets = [target]
    numbers = [column for column in inputs if column.kind == "number"]
    draft.moments, later = known_when(target, numbers, draft.choice.parts)
    draft.left_out |= dict.fromkeys(later, f"it is known after {target.name!r}: time does not run backwards")
    for column in inputs:
        if column is target or column.name in draft.left_out:
            continue
        if _is_other_clothes(target, column):
            _put_aside(draft, target, column)
        elif is_running_total(target, column):
            draft.left_out[column.name] = f"what {target.name!r} or a part of it has come to, by its name"
        else:
            draft.features.append(column)
    if draft.choice.parts:
        draft.remarks[target.name] = (
            f"put together from {', '.join(draft.choice.parts)}: nothing is left to predict once all are known"
        )
    _without_leaks(draft)
    if not draft.features:
        why = "; ".join(f"{name!r}: {reason}" for name, reason in draft.left_out.items())
        raise NoDraft(f"there is no column to predict {target.name!r} from{f' ({why})' if why else ''}")
    words = {word: None for column in [*draft.features, *draft.targets] for word in column.reading.missing}
    draft.missing = tuple(words)


def _is_other_clothes(target: Column, column: Column) -> bool:
    """Whether a column says the outcome in other words: as a letter, in points, or with a day's delay."""
    if target.kind != "number":
        return column.kind == "number" and _has_bands(column, target) and bool(hints(column.name) & {"final", "mark"})
    if column.kind == "number":
        return correlation(target.numbers, column.numbers) ** 2 >= SAYS_THE_SAME
    return bool(hints(column.name) & {"final", "mark"}) and _has_bands(target, column)


def _has_bands(numbers: Column, levels: Column) -> bool:
    """Whether each level stands for a range of the numbers that no other has."""
    pairs = pl.DataFrame({"n": numbers.numbers, "level": levels.texts}).drop_nulls().filter(pl.col("n").is_not_nan())
    bands = pairs.group_by("level").agg(pl.col("n").min().alias("low"), pl.col("n").max().alias("high"), pl.len())
    bands = bands.filter(pl.col("len") >= FEWEST_OF_BAND).sort("low")
    highs, lows = bands["high"].to_numpy(), bands["low"].to_numpy()
    return 2 <= bands.height <= MOST_CLASSES and bool((highs[:-1] <= lows[1:]).all())


def _put_aside(draft: Draft, target: Column, column: Column) -> None:
    """The outcome in other clothes is an outcome too where it is of few levels, else nothing."""
    known_together = "final" in hints(column.name) or fold(column.name).startswith("final")
    if column.kind == "text" and len(column.levels) <= MOST_CLASSES and known_together:
        draft.targets.append(column)
    else:
        draft.left_out[column.name] = f"it says the same as {target.name!r}"


def _without_leaks(draft: Draft) -> None:
    """Takes out what surely holds the future; strong columns, with which training is refused until somebody says when
    they are known, get a remark."""
    target = draft.target
    for column in list(draft.features):  # the final marks beside a final grade are known together
        if fold(column.name).startswith("final") and (column.kind == "number" or len(column.levels) <= MOST_CLASSES):
            draft.features.remove(column)
            draft.targets.append(column)
    outcomes = target.parsed.values
    levels = () if target.kind == "number" else tuple(outcomes.drop_nulls().unique().sort())
    if len(levels) == 1:
        return
    values = [column.parsed.values.alias(column.name) for column in draft.features]
    asked = Target(name=target.name, kind="ordered_class" if levels else "value", levels=levels)
    known = [Feature(name=c.name, kind=c.reading.kind, open=c.reading.open) for c in draft.features]
    for suspect in find_suspects(pl.DataFrame([outcomes.alias(target.name), *values]), asked, known):
        if suspect.sure:
            draft.left_out[suspect.column] = f"it holds the future: {suspect}"
        elif suspect.column not in draft.moments:
            draft.remarks[suspect.column] = f"say since when this is known (known_at), or trusted = true: {suspect}"
    draft.features = [column for column in draft.features if column.name not in draft.left_out]


def has_start(draft: Draft) -> bool:
    """Whether anything is known before the first mark."""
    return any(column.name not in draft.moments for column in draft.features)


def optional_columns(draft: Draft) -> set[str]:
    """Columns that are empty in a row at whose moment they would have to be known."""
    order = {moment: n for n, moment in enumerate(dict.fromkeys(draft.moments.values()), has_start(draft))}
    read = [*draft.features, *draft.targets]
    height = len(read[0].parsed.given)
    row_moment = np.zeros(height, dtype=np.int64)
    for column in draft.features:
        place = order.get(draft.moments.get(column.name, ""), 0)
        row_moment[column.parsed.given] = np.maximum(row_moment[column.parsed.given], place)
    return {
        c.name
        for c in draft.features
        if (~c.parsed.given & ~draft.blank & (order.get(draft.moments.get(c.name, ""), 0) <= row_moment)).any()
    }
