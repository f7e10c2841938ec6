"""Applies a domain's rules to whole columns, a million rows at once, and turns typed frames into rows and back.

It says what a rule is nowhere: limits and words come from `preprocessing.validation.rules`. Callers that must not load
data frames before they need them use `preprocessing.validation.validate`.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import polars.selectors as cs
from numpy.typing import NDArray

from clock import now
from preprocessing.periods import sorted_periods
from preprocessing.reading.raw_table import FaultyCell, RawTable, some_of
from preprocessing.schema import CONTEXT, DomainSchema, Feature, Target, fold
from preprocessing.validation import rules
from preprocessing.validation.json_rows import ValidRow
from preprocessing.validation.pii import ALMOST_ALIKE, are_almost_alike, identifying_columns, pseudonym
from preprocessing.validation.results import HasRow, Observed, RefusedValues, Validated
from preprocessing.validation.rules import BadData, Known, Problem

Mask = NDArray[np.bool_]
Words = Callable[[int], tuple[str | None, str]]
"""From a row's place to (what may be shown of its value, the rule it breaks)."""

IDENTITY = ("_student", "_group", "_period")
MOST_OTHERS = 1_000  # different levels of a column that the domain does not list, and that are named or counted
PREDICTION_NAMES = frozenset({"prediction", "predictionid"})
"""Folded names of the column of an outcomes table that says which prediction is meant."""


@dataclass(frozen=True)
class Parsed:
    """One column after reading. values: null where missing or bad. given: something stands there. words: of the bad."""

    values: pl.Series
    given: Mask
    bad: Mask
    words: Words


@dataclass(frozen=True)
class Identities:
    """Who some rows of a file are about: of every row that names its student a 64-bit hash of student, group and
    period, one of all that the row says, and its number. Two that are alike by chance come once in 37 million files of
    a million rows."""

    hashes: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))
    contents: NDArray[np.uint64] = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))
    numbers: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


@dataclass
class Ledger:
    """What is wrong with a table so far: whole-file problems, and per finding the rows it concerns; notes of how it was
    read; by target the rows whose outcome is not taken; and the places of rows that say again what an earlier one says,
    which are left out."""

    file: str
    numbers: NDArray[np.int64]
    notes: tuple[str, ...] = ()
    whole: list[Problem] = field(default_factory=list)
    unread: dict[str, int] = field(default_factory=dict)
    findings: list[tuple[str | None, Mask, Words]] = field(default_factory=list)
    again: list[int] = field(default_factory=list)

    def refuse(self, column: str | None, rule: str) -> None:
        """Notes a problem of the whole file."""
        self.whole.append(Problem(file=self.file, row=None, column=column, value=None, rule=rule))

    def note(self, column: str | None, rows: Mask, words: Words) -> None:
        """Notes a problem of single rows."""
        if rows.any():
            self.findings.append((column, rows, words))

    def bad_rows(self) -> Mask:
        """Rows with any problem; all of them when the file is refused."""
        bad = np.full(len(self.numbers), bool(self.whole))
        for _, rows, _ in self.findings:
            bad |= rows
        return bad

    def count(self) -> int:
        """The number of problems."""
        return len(self.whole) + sum(int(rows.sum()) for _, rows, _ in self.findings)

    def problems(self) -> tuple[Problem, ...]:
        """The whole-file problems, then the first of the others by row and column, `rules.PROBLEMS_KEPT` in all."""
        places = [np.flatnonzero(rows)[: rules.PROBLEMS_KEPT] for _, rows, _ in self.findings]
        if not places:
            return tuple(self.whole[: rules.PROBLEMS_KEPT])
        which = np.repeat(np.arange(len(places)), [len(place) for place in places])
        at = np.concatenate(places)
        kept = np.lexsort((which, at))[: max(0, rules.PROBLEMS_KEPT - len(self.whole))]
        return (*self.whole, *(self._problem(int(which[i]), int(at[i])) for i in kept))

    def _problem(self, finding: int, place: int) -> Problem:
        column, _, words = self.findings[finding]
        value, rule = words(place)
        return Problem(file=self.file, row=int(self.numbers[place]), column=column, value=value, rule=rule)


# Tables -------------------------------------------------------------------------------------------------------------


def check_table(
    raw: RawTable,
    schema: DomainSchema,
    *,
    secret: bytes,
    moment: str | None = None,
    with_targets: Known = "optional",
) -> Validated:
    """`preprocessing.validation.validate.validate_table`."""
    typed, ledger, extra = _examine(raw, schema, secret, moment, with_targets)
    if not ledger.whole:
        _check_duplicates(typed, ledger)
        if ledger.again:
            ledger.notes += (rules.said_again(ledger.numbers[ledger.again].tolist()),)
    return _result(typed, ledger, extra)


@dataclass
class Noticed:
    """What a user should know of good rows, which may come in several frames: levels that the schema does not list, and
    the periods there are. given, others: rows by column; levels: of the others."""

    given: Counter[str] = field(default_factory=Counter)
    others: Counter[str] = field(default_factory=Counter)
    levels: dict[str, set[str]] = field(default_factory=dict)
    periods: set[str] = field(default_factory=set)

    def see(self, typed: pl.DataFrame, schema: DomainSchema) -> None:
        """Counts what is in a frame."""
        self.periods |= set(typed["_period"].drop_nulls().unique())
        for feature in schema.features:
            if feature.open and feature.levels and feature.name in typed.columns:
                counted = typed[feature.name].drop_nulls().value_counts(name="_rows")
                other = counted.filter(~pl.col(feature.name).cast(pl.String).is_in(list(feature.levels)))
                self.given[feature.name] += int(counted["_rows"].sum())
                self.others[feature.name] += int(other["_rows"].sum())
                known = self.levels.setdefault(feature.name, set())
                known |= set(other[feature.name].cast(pl.String).head(MOST_OTHERS - len(known)))

    def notes(self, schema: DomainSchema) -> tuple[str, ...]:
        """It in sentences."""
        notes = []
        for name, rows in self.others.items():
            if rows:
                said = f"{rows:,} of {self.given[name]:,} rows ({rows / self.given[name]:.0%})"
                named = some_of([repr(level) for level in sorted(self.levels[name])])
                notes.append(f"column {name!r}: levels that the domain does not list in {said}: {named}")
        return (*notes, *(_told_periods(list(self.periods), schema) if len(self.periods) > 1 else ()))


def _told_periods(periods: list[str], schema: DomainSchema) -> list[str]:
    declared = schema.period_order
    ordered = sorted_periods(periods, declared)
    if declared and (new := [period for period in ordered if period not in declared]):
        return [f"{some_of([repr(period) for period in new])}: not in period_order, taken as newer than all in it"]
    if not declared and ordered != sorted(periods):
        said = "say period_order in the domain file where that is wrong"
        return [f"periods from the oldest on: {some_of(ordered)}; {said}"]
    return []


def check_piece(
    raw: RawTable,
    schema: DomainSchema,
    *,
    secret: bytes,
    moment: str | None,
    with_targets: Known,
    commas: Mapping[str, str] | None,
    asked: Collection[str] = (),
) -> tuple[Validated, Identities]:
    """As `check_table` for one chunk of a longer file, and who its rows are about, bad ones too: whether two rows say
    the same thing is for the whole file to tell. commas: `comma_rules` of the whole file. asked: the targets that
    something is asked of; all where none is named."""
    typed, ledger, extra = _examine(raw, schema, secret, moment, with_targets, commas, asked)
    if ledger.whole:
        return _result(typed, ledger, extra), Identities()
    known = typed["_student"].is_not_null()
    named = typed.filter(known)  # a row that names nobody is never the same as another: nothing of it is hashed
    at = known.to_numpy()
    numbers, bad = ledger.numbers[at], ledger.bad_rows()[at]
    contents = named.with_columns(cs.enum().cast(pl.String)).hash_rows(seed=1).to_numpy(writable=True)
    contents[bad] = numbers[bad]  # a bad row says the same as no other
    identities = Identities(named.select(IDENTITY).hash_rows(seed=0).to_numpy(), contents, numbers)
    return _result(typed, ledger, extra), identities


def without_rows(checked: Validated, out: pl.Series, words: Callable[[str], str], name: str) -> Validated:
    """What was checked, its rows where `out` is true problems of theirs. words: what is wrong, by a row's moment. name:
    of the file."""
    if not out.any():
        return checked
    at = checked.frame.filter(out).select("_row", "_moment")
    shown = at.head(rules.PROBLEMS_KEPT).iter_rows()
    found = [Problem(file=name, row=row, column=None, value=None, rule=words(moment)) for row, moment in shown]
    problems = sorted([*checked.problems, *found], key=lambda problem: problem.row or 0)[: rules.PROBLEMS_KEPT]
    return replace(
        checked,
        frame=checked.frame.filter(~out),
        problems=tuple(problems),
        problem_count=checked.problem_count + at.height,
    )


def _examine(
    raw: RawTable,
    schema: DomainSchema,
    secret: bytes,
    moment: str | None,
    with_targets: Known,
    commas: Mapping[str, str] | None = None,
    asked: Collection[str] = (),
) -> tuple[pl.DataFrame, Ledger, tuple[str, ...]]:
    """The table typed, what is wrong with each row by itself, and the columns that were not read: those that the schema
    does not know, and targets where they are ignored."""
    if moment is not None and moment not in schema.moments:
        raise ValueError(rules.unknown_moment(schema, moment))
    frame, ledger = _start(raw)
    columns = _match(raw, frame, schema, ledger)
    if ledger.whole:
        return frame.clear(), ledger, columns.extra
    wanted: list[Feature | Target] = list(schema.features)
    wanted += schema.targets if with_targets != "ignored" else ()
    present = [column for column in wanted if column.name in columns.found]
    parsed = {c.name: parse(frame[columns.found[c.name]], c, (commas or {}).get(c.name)) for c in present}
    parsed = _with_faults(raw, parsed, columns, ledger)
    unasked = {*schema.target_by_name} - {*asked} if asked else set()
    for name, column in parsed.items():
        if name not in unasked:
            ledger.note(name, column.bad, column.words)
        elif column.bad.any():
            ledger.notes += (rules.unasked_values(columns.found[name], int(column.bad.sum())),)
    ledger.unread = {t.name: int(parsed[t.name].bad.sum()) for t in schema.targets if t.name in {*parsed} - unasked}
    moments = _check_moments(parsed, schema, moment, columns.extra, ledger)
    if with_targets == "required":
        _require_targets(parsed, schema, columns.extra, ledger)
    context = _context(frame, columns, parsed, schema, secret, ledger)
    known = {f.name for f in (schema.features_at(moment) if moment else schema.features)} | set(schema.target_by_name)
    typed = [column.values.alias(name) for name, column in parsed.items() if name in known]
    named = pl.Series("_moment", schema.moments, dtype=pl.String).gather(moments)
    unread = [columns.found[name] for name in schema.target_by_name if name in columns.found and name not in parsed]
    return pl.DataFrame([*typed, *context, named]), ledger, (*columns.extra, *unread)


def observe_table(raw: RawTable, schema: DomainSchema, *, secret: bytes, skip_bad_rows: bool = False) -> Observed:
    """The rows of a table as they are, with what prediction would refuse of them.

    Values out of range, not whole, and levels that are not declared stay; what is no number, or no text that may be
    kept, is missing. Raises BadData for what nobody may read: columns that identify people, or that are there twice,
    and, unless `skip_bad_rows` leaves such rows out, student keys, groups and periods that are none.
    """
    frame, ledger = _start(raw)
    columns = _match(raw, frame, schema, ledger)
    if ledger.whole:
        raise BadData(ledger.problems(), ledger.count())
    wanted: list[Feature | Target] = [*schema.features, *schema.targets]
    present = {column.name: column for column in wanted if column.name in columns.found}
    sources = {name: frame[columns.found[name]] for name in present}
    parsed = {name: parse(sources[name], column, lenient=True) for name, column in present.items()}
    parsed = _with_faults(raw, parsed, columns, ledger)
    gaps = Ledger(raw.name, ledger.numbers)
    moments = _check_moments(parsed, schema, None, columns.extra, gaps)
    context = _context(frame, columns, parsed, schema, secret, ledger)
    if ledger.findings:
        if not skip_bad_rows or (bad := ledger.bad_rows()).all():
            raise BadData(ledger.problems(), ledger.count())
        left = pl.Series(~np.isin(np.arange(raw.frame.height) + raw.first_row, ledger.numbers[bad]))
        kept = raw.frame.with_columns(pl.when(left).then(pl.all()).otherwise(None).name.keep())
        seen = observe_table(replace(raw, frame=kept), schema, secret=secret)
        said = f"{rules.left_out(int(bad.sum()))}: it cannot be read whose they are"
        return replace(seen, notes=(*seen.notes, said), problems=ledger.problems())
    for name, column in parsed.items():
        ledger.note(name, column.bad, column.words)
    refused = [one for name, column in present.items() for one in _refused(sources[name], column, parsed[name])]
    absent = [problem.column for problem in gaps.whole if problem.column]
    refused += [refused_column(name, schema, frame.height) for name in absent]
    _check_duplicates(pl.DataFrame(context), repeats := Ledger(raw.name, ledger.numbers), alike=False)
    refused += [repeated_rows(repeats.count(), frame.height)] if repeats.findings else []
    named = pl.Series("_moment", schema.moments, dtype=pl.String).gather(moments)
    valid = ~(ledger.bad_rows() | gaps.bad_rows() | repeats.bad_rows())
    typed = [column.values.alias(name) for name, column in parsed.items()]
    rows = [pl.Series("_row", ledger.numbers, dtype=pl.Int64), pl.Series("_valid", valid)]
    return Observed(pl.DataFrame([*typed, *context, named, *rows]), tuple(refused), raw.notes)


def _refused(source: pl.Series, column: Feature | Target, parsed: Parsed) -> list[RefusedValues]:
    """What is refused of a column, by kind."""
    if not parsed.bad.any():
        return []
    rows = {"unknown level": parsed.bad}
    if rules.is_numeric(column):
        numbers, (low, high) = _floats(parsed.values), rules.bounds(column)
        none = parsed.bad & np.isnan(numbers)
        beyond = parsed.bad & ~none & ~((numbers >= low) & (numbers <= high))
        rows = {"no number": none, "out of range": beyond, "not whole": parsed.bad & ~none & ~beyond}
    return [_refused_values(source, column, kind, at) for kind, at in rows.items() if at.any()]


def _refused_values(source: pl.Series, column: Feature | Target, kind: Any, rows: Mask) -> RefusedValues:
    often = source.filter(rows).value_counts(sort=True).head(rules.VALUES_SHOWN)[source.name]
    told = (rules.shown(f"{value:g}" if isinstance(value, float) else str(value)) for value in often)
    count, rule = int(rows.sum()), rules.expected(column)
    examples = tuple(text for text in told if text)
    return RefusedValues(column=column.name, kind=kind, rows=count, of=len(rows), rule=rule, examples=examples)


def refused_column(name: str, schema: DomainSchema, rows: int) -> RefusedValues:
    """That a column is not there which every row needs."""
    rule = rules.expected(schema.feature_by_name[name])
    return RefusedValues(column=name, kind="no such column", rows=rows, of=rows, rule=rule)


def repeated_rows(rows: int, of: int) -> RefusedValues:
    """That rows are about the same student, group and period as others."""
    return RefusedValues(column="", kind="repeated", rows=rows, of=of, rule="a file says each thing once")


def check_outcomes(raw: RawTable, schema: DomainSchema, *, secret: bytes) -> Validated:
    """`preprocessing.validation.validate.validate_outcomes`."""
    frame, ledger = _start(raw)
    columns = _match(raw, frame, schema, ledger)
    by_prediction = next((name for name in columns.extra if fold(name) in PREDICTION_NAMES), None)
    student = schema.student.name if schema.student else None
    if by_prediction is None and student not in columns.found:
        ledger.refuse(student, rules.absent_fault(student or "prediction", columns.extra))
    if ledger.whole:
        return _result(frame.clear(), ledger, columns.extra)
    wanted: list[Feature | Target] = [*schema.targets, *(f for f in schema.features if f.name in schema.placing)]
    parsed = {c.name: parse(frame[columns.found[c.name]], c) for c in wanted if c.name in columns.found}
    parsed = _with_faults(raw, parsed, columns, ledger)
    for name, column in parsed.items():
        ledger.note(name, column.bad, column.words)
    _require_targets(parsed, schema, columns.extra, ledger)
    context = _context(frame, columns, parsed, schema, secret, ledger)
    happened, at = _happened(frame, columns.extra, ledger)
    prediction = pl.Series("_prediction", [None] * frame.height, dtype=pl.String)
    if by_prediction is not None:
        read = _parse_texts(frame[by_prediction])
        ledger.note(by_prediction, read.bad, read.words)
        prediction = read.values.alias("_prediction")
    nobody = (context[0].is_null() & prediction.is_null()).to_numpy()
    ledger.note(student, nobody, lambda _: (None, "missing; an outcome needs the student or the prediction it is of"))
    typed = [column.values.alias(name) for name, column in parsed.items()]
    extra = tuple(name for name in columns.extra if name not in (by_prediction, happened))
    named = pl.Series("_moment", [schema.moments[-1]] * frame.height, dtype=pl.String)
    return _result(pl.DataFrame([*typed, *context, named, prediction, at]), ledger, extra)


def _happened(frame: pl.DataFrame, extra: Iterable[str], ledger: Ledger) -> tuple[str | None, pl.Series]:
    """The column that says when outcomes happened, and its times as ISO 8601 in UTC."""
    name = next((name for name in extra if fold(name) == fold(rules.HAPPENED_AT)), None)
    if name is None:
        return None, pl.Series("_happened_at", [None] * frame.height, dtype=pl.String)
    latest = now()

    def read(text: str) -> tuple[str | None, str | None]:
        return (None, None) if rules.is_missing(rules.tidy(text)) else rules.read_instant(text, latest)

    parsed = _parse_distinct(as_texts(frame[name]), read)
    ledger.note(name, parsed.bad, parsed.words)
    return name, parsed.values.alias("_happened_at")


def _start(raw: RawTable) -> tuple[pl.DataFrame, Ledger]:
    """The rows that are not blank, and a ledger that knows their numbers."""
    blank = _blank_rows(raw.frame)
    numbers = np.arange(raw.frame.height, dtype=np.int64) + raw.first_row
    if not len(blank):
        return raw.frame, Ledger(raw.name, numbers, raw.notes)
    filled = np.delete(np.arange(raw.frame.height), blank)
    return raw.frame[filled], Ledger(raw.name, numbers[filled], raw.notes)


def _blank_rows(frame: pl.DataFrame) -> NDArray[np.int64]:
    """The places of rows in which nothing stands."""
    if any(column.dtype != pl.String and not column.null_count() for column in frame):
        return np.arange(0)
    candidates = np.arange(frame.height)
    for column in frame:
        cells = column.gather(candidates)
        blank = cells.str.strip_chars().fill_null("") == "" if cells.dtype == pl.String else cells.is_null()
        candidates = candidates[blank.to_numpy()]
        if not len(candidates):
            break
    return candidates


def _match(raw: RawTable, frame: pl.DataFrame, schema: DomainSchema, ledger: Ledger) -> rules.Columns:
    columns = rules.match_columns(frame.columns, schema)
    for given in columns.found.values():
        if given in raw.repeated:
            ledger.refuse(given, raw.repeated[given])
    for first, second, canonical in columns.twice:
        ledger.refuse(second, rules.twice_fault(first, second, canonical))
    for column, reason in identifying_columns(frame, schema, columns.found).items():
        if column in columns.found.values():
            ledger.refuse(
                column, f"{reason}: columns that identify people are refused; {_remedy(column, columns, schema)}"
            )
        else:
            handed_back = "stored nowhere, and handed back to you in your own file of answers, as you asked"
            fate = handed_back if column in raw.handed_back else "dropped, not stored"
            ledger.notes += (f"column {column!r} identifies people ({reason}): {fate}",)
    return columns


def _remedy(column: str, columns: rules.Columns, schema: DomainSchema) -> str:
    if schema.student and columns.found.get(schema.student.name) == column:
        return "keep an opaque student key instead"
    return 'remove it, or say allow = ["column"] in the domain file where it names nobody'


def _with_faults(
    raw: RawTable, parsed: Mapping[str, Parsed], columns: rules.Columns, ledger: Ledger
) -> dict[str, Parsed]:
    """The columns, bad where a cell of the file cannot be taken as it stands; such cells of others are noted."""
    names = {given: name for name, given in columns.found.items()}
    by_column: dict[str, dict[int, FaultyCell]] = {}
    for fault in raw.faults:
        place = int(np.searchsorted(ledger.numbers, fault.row))
        if fault.column in names and place < len(ledger.numbers) and ledger.numbers[place] == fault.row:
            by_column.setdefault(names[fault.column], {})[place] = fault
    found = dict(parsed)
    for name, faults in by_column.items():
        rows = np.zeros(len(ledger.numbers), dtype=bool)
        rows[list(faults)] = True
        if name in parsed:
            found[name] = _faulty(parsed[name], rows, faults)
        else:
            ledger.note(name, rows, lambda place, faults=faults: (faults[place].value or None, faults[place].rule))  # type: ignore[misc]
    return found


def _faulty(column: Parsed, rows: Mask, faults: Mapping[int, FaultyCell]) -> Parsed:
    def words(place: int) -> tuple[str | None, str]:
        fault = faults.get(place)
        return (fault.value or None, fault.rule) if fault else column.words(place)

    values = column.values.scatter(np.flatnonzero(rows), None)
    return Parsed(values, column.given | rows, column.bad | rows, words)


def _result(typed: pl.DataFrame, ledger: Ledger, extra: tuple[str, ...]) -> Validated:
    rows = len(ledger.numbers)
    if typed.height == rows:
        kept = ~ledger.bad_rows()
        kept[ledger.again] = False
        good = typed.with_columns(pl.Series("_row", ledger.numbers, dtype=pl.Int64)).filter(kept)
        left = typed.filter(pl.Series(ledger.bad_rows()))
    else:
        left = pl.DataFrame()
        none = [pl.Series(name, [], dtype=pl.String) for name in ("_student", "_group", "_period", "_moment")]
        good = pl.DataFrame([*none, pl.Series("_row", [], dtype=pl.Int64)])
    count = rows - len(ledger.again)
    return Validated(good, ledger.problems(), ledger.count(), count, extra, ledger.notes, left, ledger.unread)


# Columns ------------------------------------------------------------------------------------------------------------


def parse(source: pl.Series, column: Feature | Target, commas: str | None = None, *, lenient: bool = False) -> Parsed:
    """One raw column read by the rules of a declared one. commas: how its numbers are written (`rules.comma_rule`),
    where that is known from elsewhere. lenient: bad values that can be read are kept."""
    if not rules.is_numeric(column):
        codes = source.dtype == pl.Enum
        return _parse_codes(source, column, lenient) if codes else _parse_levels(source, column, lenient)
    source = source.cast(pl.String) if source.dtype == pl.Enum else source
    if source.dtype == pl.String:
        return _parse_text_numbers(source, column, commas, lenient)
    given = _given(source)
    if not source.dtype.is_numeric():
        return _refuse_all(source, given, f"{rules.expected(column)}, not {source.dtype}")
    if not column.missing and _is_fine(source, column):
        return Parsed(source.cast(pl.Float64), given, np.zeros(len(source), dtype=bool), _no_words)
    numbers = _floats(source)
    given = given & ~_is_code(numbers, column)
    bad = given & _out_of_rule(numbers, column)
    words = _number_words(source, numbers, column)
    return Parsed(_column(numbers, given if lenient else given & ~bad), given, bad, words)


def _is_fine(source: pl.Series, column: Feature | Target) -> bool:
    """Whether a column is whole numbers, none of which breaks its rule: the lowest and the highest say so for all."""
    lowest, highest = (source.min(), source.max()) if source.dtype.is_integer() else (None, None)
    if not isinstance(lowest, int) or not isinstance(highest, int):
        return False
    return not _out_of_rule(np.array([lowest, highest], dtype=np.float64), column).any()


def _no_words(_: int) -> tuple[str | None, str]:
    raise LookupError("nothing is wrong with this column")


def _refuse_all(source: pl.Series, given: Mask, rule: str) -> Parsed:
    nothing = pl.Series([None] * len(source), dtype=pl.Float64)
    return Parsed(nothing, given, given, lambda i: (rules.shown(str(source[i])), rule))


def _floats(source: pl.Series) -> NDArray[np.float64]:
    """The numbers of a column, NaN where null."""
    return source.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy(writable=True)


def _out_of_rule(numbers: NDArray[np.float64], column: Feature | Target) -> Mask:
    """Where `rules.number_fault` finds fault."""
    low, high = rules.bounds(column)
    fine = (numbers >= low) & (numbers <= high)
    return ~(fine & (numbers == np.floor(numbers)) if column.integer else fine)


def _column(numbers: NDArray[np.float64], good: Mask) -> pl.Series:
    return pl.Series(np.where(good, numbers, np.nan), dtype=pl.Float64).fill_nan(None)


def _number_words(source: pl.Series, numbers: NDArray[np.float64], column: Feature | Target) -> Words:
    def words(i: int) -> tuple[str | None, str]:
        rule = rules.number_fault(column, float(numbers[i])) or rules.expected(column)
        return rules.shown(str(source[i])), rule

    return words


def _parse_text_numbers(source: pl.Series, column: Feature | Target, decided: str | None, lenient: bool) -> Parsed:
    """Numbers written as text: first as they stand, then what is left without spaces, without what the column accepts
    around a number, and with decimal commas."""
    given = source.is_not_null().to_numpy(writable=True)
    read = _bare(source, column) if "1.000" in column.accepts else source
    numbers = _floats(read)
    rest = np.flatnonzero(given & ~np.isfinite(numbers))
    commas, slips = decided or "accepted", np.zeros(len(source), dtype=bool)
    points = _points(read, numbers)
    if len(rest):
        text = source.gather(rest).str.strip_chars()
        given[rest] = ~text.str.to_lowercase().is_in(list(rules.missing_words(column))).to_numpy()
        text = _bare(text, column)
        if column.accepts:
            numbers[rest] = _floats(text)
            points[rest] = _points(text, numbers[rest])
        with_comma = text.str.contains(f"^(?:{rules.COMMA_NUMBER.pattern})$")
        commas = decided or _count_commas(text, with_comma, points, column).rule
        if commas in ("accepted", "points refused"):
            text = text.str.replace(",", ".", literal=True).zip_with(with_comma, text)
        numbers[rest] = _floats(text)
        slips[rest] = with_comma.to_numpy() & (commas not in ("accepted", "points refused"))
    slips |= points & given & (commas == "points refused")
    given &= ~_is_code(numbers, column)
    shares = _shares(source, numbers, column)
    slips |= shares
    bad = given & (_out_of_rule(numbers, column) | slips)

    def words(i: int) -> tuple[str | None, str]:
        share = f"{rules.expected(column)}{rules.SHARE}" if shares[i] else ""
        return rules.shown(source[i]), share or rules.text_number_fault(column, source[i], commas=commas)

    return Parsed(_column(numbers, given & ~(slips if lenient else bad)), given, bad, words)


def _shares(source: pl.Series, numbers: NDArray[np.float64], column: Feature | Target) -> Mask:
    """Which numbers are shares (0.85) where others of the column are percent and say so (85%)."""
    none = np.zeros(len(source), dtype=bool)
    if "%" not in column.accepts:
        return none
    signed = source.str.contains(r"%\s*$").fill_null(value=False).to_numpy()
    percents = numbers[signed & np.isfinite(numbers)]
    if not len(percents) or np.median(percents) <= 1:
        return none
    shares = ~signed & (numbers > 0) & (numbers < 1)
    return shares | (~signed & (numbers == 1)) if shares.any() else none


def _bare(text: pl.Series, column: Feature | Target) -> pl.Series:
    """`rules.bare_number` of each text."""
    if unit := rules.unit_pattern(column):
        text = text.str.replace(unit, "")
    whole, mark = rules.grouping(column)
    return text.str.replace_all(mark, "").zip_with(text.str.contains(whole), text) if whole else text


def _is_code(numbers: NDArray[np.float64], column: Feature | Target) -> Mask:
    """Which numbers stand for "no value"."""
    codes = [code for word in column.missing if (code := rules.parse_number(word)) is not None]
    return np.isin(numbers, codes) if codes else np.zeros(len(numbers), dtype=bool)


class Commas(NamedTuple):
    """How the numbers of a column are written, counted; counts of chunks add. ambiguous: commas that may as well
    group thousands."""

    points: int = 0
    commas: int = 0
    ambiguous: int = 0

    @property
    def rule(self) -> str:
        """`rules.comma_rule`."""
        return rules.comma_rule(self.points, self.commas, all_ambiguous=self.ambiguous == self.commas)


def comma_rules(
    tables: Iterable[RawTable], schema: DomainSchema, columns: Sequence[Feature | Target]
) -> dict[str, str]:
    """How the numbers of each of these columns are written, for a file that comes as several tables."""
    counted: dict[str, Commas] = {}
    for raw in tables:
        found = rules.match_columns(raw.frame.columns, schema).found
        for column in columns:
            if column.name in found and rules.is_numeric(column):
                source = raw.frame[found[column.name]]
                text = _bare(source.str.strip_chars(), column)
                with_comma = text.str.contains(f"^(?:{rules.COMMA_NUMBER.pattern})$").fill_null(value=False)
                here = _count_commas(text, with_comma, _points(text, _floats(text)), column)
                before = counted.get(column.name, Commas())
                counted[column.name] = Commas(*(a + b for a, b in zip(before, here, strict=True)))
    return {name: count.rule for name, count in counted.items()}


def _points(source: pl.Series, numbers: NDArray[np.float64]) -> Mask:
    """Which texts are numbers with a decimal point."""
    points = source.str.contains(".", literal=True).fill_null(value=False).to_numpy()
    return np.asarray(points & np.isfinite(numbers))


def _count_commas(text: pl.Series, with_comma: pl.Series, points: Mask, column: Feature | Target) -> Commas:
    """A comma before three digits may group thousands, unless the number would then break the column's rule, or commas
    are said to be decimal; beside those, points are accepted too."""
    if "," in column.accepts:
        return Commas()
    texts = text.filter(with_comma)
    groups = texts.str.contains(f"^(?:{rules.AMBIGUOUS_COMMA.pattern})$").to_numpy()
    as_thousands = _floats(texts.str.replace(",", "", literal=True))
    return Commas(int(points.sum()), len(texts), int((groups & ~_out_of_rule(as_thousands, column)).sum()))


def _parse_levels(source: pl.Series, column: Feature | Target, lenient: bool = False) -> Parsed:
    def read(text: str) -> tuple[str | None, str | None]:
        if rules.is_missing(text, column):
            return None, None
        level, fault = rules.read_level(column, text)
        kept = rules.tidy(text)
        return (kept if lenient and fault and not rules.text_fault(kept) else level), fault

    return _parse_distinct(as_texts(source), read)


def _parse_codes(source: pl.Series, column: Feature | Target, lenient: bool = False) -> Parsed:
    """Levels that came as codes. Where all texts are written as the schema has them, no row need be looked at."""
    texts = source.dtype.categories  # type: ignore[attr-defined]  # an Enum has them
    read = _parse_levels(texts, column)
    if not read.given.all() or read.bad.any() or not read.values.equals(texts):
        return _parse_levels(source, column, lenient)
    return Parsed(source, _given(source), np.zeros(len(source), dtype=bool), _no_words)


def _parse_texts(source: pl.Series, *, key: bool = False, hidden: bool = False) -> Parsed:
    """A student key, a group, a period: any short text. key: as `rules.text_fault` has it. hidden: never shown."""

    def read(text: str) -> tuple[str | None, str | None]:
        stripped = rules.plain_key(text)
        if rules.is_missing(stripped):
            return None, None
        fault = rules.text_fault(stripped, key=key)
        return (None, f"must be a short text; {fault}") if fault else (stripped, None)

    return _parse_distinct(as_texts(source), read, hidden=hidden)


def _parse_distinct(
    texts: pl.Series, read: Callable[[str], tuple[str | None, str | None]], *, hidden: bool = False
) -> Parsed:
    """Reads each distinct text once. read: text to (value, None), (None, what is wrong) or (None, None): missing; or to
    (value, what is wrong) where it is kept all the same."""
    faults: dict[str, str] = {}
    values: dict[str, str | None] = {}
    missing: list[str] = []
    for text in texts.unique(maintain_order=True).drop_nulls():
        values[text], fault = read(text)
        if fault is not None:
            faults[text] = fault
        elif values[text] is None:
            missing.append(text)
    changed = {text: value for text, value in values.items() if value != text}
    result = texts.replace(list(changed), list(changed.values())) if changed else texts
    given = _given(texts) & ~_is_in(texts, missing)
    bad = _is_in(texts, list(faults))
    return Parsed(result, given, bad, lambda i: (None if hidden else rules.shown(texts[i]), faults[texts[i]]))


def _given(source: pl.Series) -> Mask:
    """Where something stands."""
    return source.is_not_null().to_numpy() if source.null_count() else np.ones(len(source), dtype=bool)


def _is_in(texts: pl.Series, some: Sequence[str]) -> Mask:
    if not some:
        return np.zeros(len(texts), dtype=bool)
    return texts.is_in(pl.Series(some, dtype=pl.String).implode()).fill_null(value=False).to_numpy()


def as_texts(source: pl.Series) -> pl.Series:
    """Any column as text: 3.0 as '3', truth values as 'true' and 'false', dates as ISO 8601 has them."""
    if source.dtype.is_float() or source.dtype.is_decimal():
        return source.cast(pl.Float64).map_elements(rules.context_text, return_dtype=pl.String)
    return source if source.dtype == pl.String else source.cast(pl.String)


# Rows ---------------------------------------------------------------------------------------------------------------


def _check_moments(
    parsed: dict[str, Parsed], schema: DomainSchema, moment: str | None, extra: tuple[str, ...], ledger: Ledger
) -> NDArray[np.int64]:
    """The place in time of every row's moment. Notes what is missing at it."""
    height = len(ledger.numbers)
    moments = np.zeros(height, dtype=np.int64)
    latest = np.full(height, -1)
    for place, feature in enumerate(schema.features):
        known_at = rules.moment_index(schema, feature)
        if known_at and moment is None and feature.name in parsed:
            later = parsed[feature.name].given & (known_at > moments)
            moments[later], latest[later] = known_at, place
    if moment is not None:
        moments[:] = schema.moments.index(moment)
    for feature in schema.features:
        _check_missing(feature, parsed.get(feature.name), schema, moments, latest, extra, ledger)
    return moments


def _check_missing(
    feature: Feature,
    column: Parsed | None,
    schema: DomainSchema,
    moments: NDArray[np.int64],
    latest: NDArray[np.int64],
    extra: tuple[str, ...],
    ledger: Ledger,
) -> None:
    known_at = rules.moment_index(schema, feature)
    if feature.optional or (known_at > moments).all():
        return

    def words(i: int) -> tuple[str | None, str]:
        hole = 0 < known_at < moments[i] and latest[i] >= 0
        by = schema.features[latest[i]].name if hole else None
        return None, rules.missing_fault(schema, feature, schema.moments[moments[i]], by)

    if column is not None:
        ledger.note(feature.name, ~column.given & (known_at <= moments), words)
    elif known_at == 0:
        ledger.refuse(feature.name, rules.absent_fault(feature.name, extra))
    else:
        rule = words(int((known_at <= moments).argmax()))[1]
        ledger.refuse(feature.name, f"{rules.absent_fault(feature.name, extra)}: {rule}")


def _require_targets(parsed: dict[str, Parsed], schema: DomainSchema, extra: tuple[str, ...], ledger: Ledger) -> None:
    """Notes rows without any target; refuses a table without a target column."""
    present = [parsed[name].given for name in schema.target_by_name if name in parsed]
    if not present:
        for name in schema.target_by_name:
            ledger.refuse(name, rules.absent_fault(name, extra))
        return
    none = ~np.logical_or.reduce(present)
    column = next(iter(schema.target_by_name)) if len(schema.targets) == 1 else None
    ledger.note(column, none, lambda _: (None, rules.no_target_fault(schema)))


def _context(
    frame: pl.DataFrame,
    columns: rules.Columns,
    parsed: dict[str, Parsed],
    schema: DomainSchema,
    secret: bytes,
    ledger: Ledger,
) -> list[pl.Series]:
    """`_student`, `_group` and `_period` of every row, and what else places it."""
    read = dict(parsed)
    for name in schema.context_names:
        if name in columns.found:
            is_key = schema.student is not None and name == schema.student.name
            allowed = name in schema.allow
            read[name] = _parse_texts(frame[columns.found[name]], key=is_key or allowed, hidden=is_key)
            ledger.note(name, read[name].bad, read[name].words)
    nothing = pl.Series([None], dtype=pl.String).new_from_index(0, frame.height)
    texts = {name: as_texts(column.values) for name, column in read.items() if name in schema.placing}
    student = nothing
    if schema.student is not None and schema.student.name in texts:
        distinct = texts[schema.student.name].unique().drop_nulls()
        if are_almost_alike(distinct):
            ledger.notes = (*ledger.notes, ALMOST_ALIKE.format(columns.found[schema.student.name]))
        keys = distinct.to_list()
        pseudonyms = [pseudonym(key, secret) for key in keys]
        student = texts[schema.student.name].replace_strict(keys, pseudonyms, default=None, return_dtype=pl.String)
    group = nothing
    if schema.group and all(name in texts for name in schema.group):
        parts = pl.DataFrame([texts[name].alias(name) for name in schema.group])
        group = parts.select(pl.concat_str(pl.all(), separator=" / ")).to_series()
    period = texts.get(schema.period or "", nothing)
    others = [texts[name].alias(CONTEXT + name) for name in schema.other_context if name in texts]
    return [student.alias("_student"), group.alias("_group"), period.alias("_period"), *others]


def _check_duplicates(typed: pl.DataFrame, ledger: Ledger, *, alike: bool = True) -> None:
    """Notes every row whose student, group and period another row has too, with the first such row. alike: of good rows
    that say the same in everything the first is kept, and the others are no problem."""
    keys = typed.select(IDENTITY).with_row_index("_place")
    known = keys.filter(pl.col("_student").is_not_null())
    repeated = known.filter(known.select(IDENTITY).is_duplicated())
    if repeated.is_empty():
        return
    bad, said = ledger.bad_rows(), typed.hash_rows(seed=1).to_numpy()
    grouped = repeated.group_by(IDENTITY, maintain_order=True).agg("_place")
    other: dict[int, int] = {}
    for places in grouped["_place"].to_list():
        first, second, *_ = places
        if alike and not bad[places].any() and len(set(said[places])) == 1:
            ledger.again += places[1:]
        else:
            other |= dict.fromkeys(places, first) | {first: second}
    rows = np.zeros(keys.height, dtype=bool)
    rows[list(other)] = True

    def words(i: int) -> tuple[str | None, str]:
        pair = sorted((int(ledger.numbers[i]), int(ledger.numbers[other[i]])))
        return None, rules.DUPLICATE.format(*pair)

    ledger.note(None, rows, words)


# Typed frames and rows ----------------------------------------------------------------------------------------------


def frame_of_records(records: Sequence[HasRow], schema: DomainSchema) -> pl.DataFrame:
    """`preprocessing.validation.validate.frame_of`."""
    inputs = [record.inputs for record in records]
    targets = [record.targets for record in records]
    known = {name for row in inputs for name in row} | {name for row in targets for name in row}
    columns = [_series(f, (row.get(f.name) for row in inputs)) for f in schema.features if f.name in known]
    columns += [_series(t, (row.get(t.name) for row in targets)) for t in schema.targets if t.name in known]
    context: dict[str, list[Any]] = {
        "_student": [record.student for record in records],
        "_group": [record.group for record in records],
        "_period": [record.period for record in records],
    }
    ids = [getattr(record, "id", None) for record in records]
    if any(ids) or not ids:
        context["_record"] = ids
    columns += [pl.Series(name, values, dtype=pl.String) for name, values in context.items()]
    frame = pl.DataFrame([*columns, pl.Series("_row", range(1, len(records) + 1), dtype=pl.Int64)])
    return frame.with_columns(_moments(schema, frame.columns).alias("_moment"))


def _moments(schema: DomainSchema, there: Sequence[str]) -> pl.Expr:
    """The latest moment of whose columns a row has any, as `DomainSchema.moment_of`."""
    found: pl.Expr = pl.lit(schema.moments[0], dtype=pl.String)
    for moment in schema.moments[1:]:
        names = [f.name for f in schema.features if f.known_at == moment and f.name in there]
        if names:
            known = pl.any_horizontal(pl.col(names).is_not_null())
            found = pl.when(known).then(pl.lit(moment)).otherwise(found)
    return found


def _series(column: Feature | Target, values: Iterable[float | str | None]) -> pl.Series:
    return pl.Series(column.name, list(values), dtype=pl.Float64 if rules.is_numeric(column) else pl.String)


def rows_of_frame(frame: pl.DataFrame, schema: DomainSchema) -> list[ValidRow]:
    """`preprocessing.validation.validate.rows_of`."""
    known = {moment: [feature.name for feature in schema.features_at(moment)] for moment in schema.moments}
    targets = [name for name in schema.target_by_name if name in frame.columns]
    return [
        ValidRow(
            row=row["_row"],
            inputs={name: row.get(name) for name in known[row["_moment"]]},
            moment=row["_moment"],
            student=row["_student"],
            group=row["_group"],
            period=row["_period"],
            targets={name: row[name] for name in targets if row[name] is not None},
        )
        for row in frame.iter_rows(named=True)
    ]
