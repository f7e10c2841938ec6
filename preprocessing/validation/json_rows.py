"""Checks JSON rows, as requests bring them, against a domain's rules.

Strict where files are lenient: a number is a number, a level is spelled exactly, an unknown field is refused. Imports
no polars: it lives in serving processes.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import msgspec

from clock import now
from preprocessing.schema import DomainSchema, Feature, Target, fold
from preprocessing.validation import rules
from preprocessing.validation.pii import identifying_name, pseudonym
from preprocessing.validation.rules import BadData, Known, Problem

Cell = float | str | None
ID = re.compile("[0-9a-f]{32}")
NEAR = 20  # faults of a row up to which a field like it is looked for: 0.1 ms each, and a body may hold 10 million


class ValidRow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row that keeps every rule.

    inputs: canonical name to value for every feature known at `moment`, None where an optional one is missing.
    row: its number as the user counts. student: a pseudonym. targets: the known ones only.
    """

    row: int
    inputs: Mapping[str, Cell]
    moment: str
    student: str | None = None
    group: str | None = None
    period: str | None = None
    targets: Mapping[str, float | str] = {}


class ValidatedRows(msgspec.Struct, frozen=True, kw_only=True):
    """Rows after validation: the good ones and every problem of the others (`row` counts from 1)."""

    rows: tuple[ValidRow, ...]
    problems: tuple[Problem, ...]
    problem_count: int

    @property
    def refused(self) -> bool:
        """Whether anything is wrong at all."""
        return bool(self.problems)

    def require_clean(self) -> "ValidatedRows":
        """Itself. Raises BadData when anything is wrong."""
        if self.problems:
            raise BadData(self.problems, self.problem_count)
        return self


def validate_rows(
    rows: Sequence[Mapping[str, object]],
    schema: DomainSchema,
    *,
    moment: str | None = None,
    secret: bytes | None = None,
    with_targets: Known = "optional",
    name: str = "request",
) -> ValidatedRows:
    """The rows that keep every rule of the domain, and all that is wrong with the others.

    rows: one mapping per row; names as in the schema or its aliases. moment: the moment all rows are seen at (values
    known later are left out); None takes the latest whose columns are filled. secret: needed as soon as a student key
    is given. Duplicate rows are allowed: a request may ask twice. Raises ValueError for an unknown `moment`.
    """
    if moment is not None and moment not in schema.moments:
        raise ValueError(rules.unknown_moment(schema, moment))
    plan = _plan(schema, secret, moment, with_targets)
    good: list[ValidRow] = []
    problems: list[Problem] = []
    count = 0
    for number, row in enumerate(rows, 1):
        reading = _read_row(row, plan)
        if reading.faults:
            count += len(reading.faults)
            kept = reading.faults[: max(0, rules.PROBLEMS_KEPT - len(problems))]
            problems += [
                Problem(file=name, row=number, column=column, value=value, rule=rule) for column, value, rule in kept
            ]
        else:
            good.append(_valid(number, reading, plan))
    return ValidatedRows(rows=tuple(good), problems=tuple(problems), problem_count=count)


class PlainOutcome(NamedTuple):
    """A row of outcomes in which nothing is wrong, the prediction that it names, and when it says that it happened."""

    row: ValidRow
    prediction: str | None
    at: datetime | None


def plain_outcomes(
    rows: Sequence[Mapping[str, object]], schema: DomainSchema, *, secret: bytes
) -> list[PlainOutcome] | None:
    """Rows of outcomes as `preprocessing.validation.validate.validate_outcomes` reads them; None where anything is
    unusual, which only that can judge or say: a spelling of its own, another column, a fault."""
    plan = _plan(schema, secret, None, "required")
    found = [_plain_outcome(number, row, plan) for number, row in enumerate(rows, 1)]
    plain = [one for one in found if one is not None]
    return plain if plain and len(plain) == len(found) else None


PREDICTION_FIELD = "prediction_id"


def _plain_outcome(number: int, row: Mapping[str, object], plan: "_Plan") -> PlainOutcome | None:
    schema, reading, prediction = plan.schema, _Reading(), row.get(PREDICTION_FIELD)
    placing = {*schema.target_by_name, *schema.placing, *schema.context_names}
    happened, at = row.get(rules.HAPPENED_AT), None
    if happened is not None:
        read = rules.read_instant(happened, now())[0] if isinstance(happened, str) else None
        if read is None:
            return None
        at = datetime.fromisoformat(read)
    for name, value in row.items():
        if name not in (PREDICTION_FIELD, rules.HAPPENED_AT) and value is not None:
            if name not in placing:
                return None
            reading.given[name] = name
            _read_value(name, value, plan, reading)
    _check_targets(plan, reading)
    if prediction is not None and not (isinstance(prediction, str) and ID.fullmatch(prediction)):
        return None
    about = prediction is not None or (schema.student is not None and schema.student.name in reading.values)
    return None if reading.faults or not about else PlainOutcome(_valid(number, reading, plan), prediction, at)


@dataclass(frozen=True)
class _Plan:
    """A schema made ready for many rows."""

    schema: DomainSchema
    secret: bytes | None
    moment: int | None
    with_targets: Known
    spellings: Mapping[str, str]
    columns: Mapping[str, Feature | Target]
    features: tuple[tuple[Feature, int], ...]


@dataclass
class _Reading:
    """What one row holds while it is read. faults: (column, shown value, rule)."""

    values: dict[str, float | str] = field(default_factory=dict)
    given: dict[str, str] = field(default_factory=dict)
    faults: list[tuple[str | None, str | None, str]] = field(default_factory=list)
    moment: int = 0


def _plan(schema: DomainSchema, secret: bytes | None, moment: str | None, with_targets: Known) -> _Plan:
    spellings = {name: name for name in (*schema.feature_by_name, *schema.target_by_name, *schema.context_names)}
    return _Plan(
        schema=schema,
        secret=secret,
        moment=None if moment is None else schema.moments.index(moment),
        with_targets=with_targets,
        spellings=spellings,
        columns={**schema.feature_by_name, **schema.target_by_name},
        features=tuple((feature, rules.moment_index(schema, feature)) for feature in schema.features),
    )


def _read_row(row: Mapping[str, object], plan: _Plan) -> _Reading:
    reading = _Reading()
    folded: Mapping[str, str] | None = None
    for given, value in row.items():
        canonical = plan.spellings.get(given)
        if canonical is None:
            folded = folded if folded is not None else plan.schema.aliases()
            canonical = folded.get(fold(given))
        if canonical is None:
            reading.faults.append(
                (given[: rules.CELL_LETTERS], None, _stranger(given, plan.schema, len(reading.faults)))
            )
        elif canonical in reading.given:
            fault = rules.twice_fault(reading.given[canonical], given, canonical)
            reading.faults.append((given, None, fault))
        else:
            reading.given[canonical] = given
            _read_value(canonical, value, plan, reading)
    _check_moment(plan, reading)
    _check_targets(plan, reading)
    return reading


def _stranger(given: str, schema: DomainSchema, before: int) -> str:
    """What is wrong with a field that nobody knows. before: faults of the row so far; the more, the fewer words."""
    if before >= rules.PROBLEMS_KEPT:
        return ""
    if reason := identifying_name(given[: rules.CELL_LETTERS]):
        return f"{reason}, which identifies people: leave it out"
    return rules.unknown_fault(given[: rules.CELL_LETTERS], schema, near=before < NEAR)


def _read_value(canonical: str, value: object, plan: _Plan, reading: _Reading) -> None:
    """Reads one field into `reading.values`, or notes its fault. A field that is null is as good as absent."""
    column = plan.columns.get(canonical)
    if value is None:
        del reading.given[canonical]
    elif column is None:
        _read_context(canonical, value, plan, reading)
    elif canonical in plan.schema.target_by_name and plan.with_targets in ("ignored", "refused"):
        if plan.with_targets == "refused":
            reading.faults.append((canonical, None, rules.OUTCOME_FAULT))
    elif rules.is_numeric(column):
        fault = _number_fault(column, value)
        if fault is None:
            reading.values[canonical] = float(value)  # type: ignore[arg-type]
        else:
            reading.faults.append((canonical, rules.shown(value), fault))
    elif not isinstance(value, str):
        reading.faults.append((canonical, rules.shown(value), f"{rules.expected(column)}, as text"))
    else:
        level, fault = rules.read_level(column, value, exact=True)
        if level is not None:
            reading.values[canonical] = level
        else:
            reading.faults.append((canonical, rules.shown(value), fault or ""))


def _number_fault(column: Feature | Target, value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"{rules.expected(column)}, not {_kind(value)}"
    if isinstance(value, int) and abs(value) > rules.LARGEST_NUMBER:
        return rules.expected(column)
    return rules.number_fault(column, value)


def _kind(value: object) -> str:
    names = {str: "text", bool: "true or false", list: "a list", dict: "a record"}
    return names.get(type(value), "this")


def _read_context(canonical: str, value: object, plan: _Plan, reading: _Reading) -> None:
    is_key = plan.schema.student is not None and canonical == plan.schema.student.name
    text, fault = read_placing(value, key=is_key or canonical in plan.schema.allow)
    if fault is None and is_key and plan.secret is None:
        fault = "must be a short text; no secret is set to make pseudonyms of student keys; leave it out"
    if fault is not None:
        reading.faults.append((canonical, None if is_key or text is None else rules.shown(text), fault))
    elif text is not None:
        reading.values[canonical] = text


def read_placing(value: object, *, key: bool) -> tuple[str | None, str | None]:
    """A student key (`key`), group or period as text, and what is wrong with it; a whole number is as good as text.

    >>> read_placing(" 7b ", key=False), read_placing(7, key=True)
    (('7b', None), ('7', None))
    """
    if isinstance(value, int) and not isinstance(value, bool):
        text = str(value) if abs(value) < 10**rules.LONGEST_TEXT else "9" * (rules.LONGEST_TEXT + 1)
    elif isinstance(value, str):
        text = rules.plain_key(value)
    else:
        return None, "must be text or a whole number"
    fault = rules.text_fault(text, key=key)
    return text, None if fault is None else f"must be a short text; {fault}"


def _check_moment(plan: _Plan, reading: _Reading) -> None:
    """Finds the row's moment and what is missing at it."""
    latest: str | None = None
    for feature, known_at in plan.features:
        if known_at > reading.moment and feature.name in reading.given:
            reading.moment, latest = known_at, feature.name
    if plan.moment is not None:
        reading.moment, latest = plan.moment, None
    schema = plan.schema
    for feature, known_at in plan.features:
        if known_at <= reading.moment and not feature.optional and feature.name not in reading.given:
            by = latest if known_at < reading.moment and known_at > 0 else None
            fault = rules.missing_fault(schema, feature, schema.moments[reading.moment], by)
            reading.faults.append((feature.name, None, fault))


def _check_targets(plan: _Plan, reading: _Reading) -> None:
    targets = plan.schema.target_by_name
    if plan.with_targets == "required" and not any(name in reading.given for name in targets):
        reading.faults.append((None, None, rules.no_target_fault(plan.schema)))


def _valid(number: int, reading: _Reading, plan: _Plan) -> ValidRow:
    values, schema = reading.values, plan.schema
    key = values.get(schema.student.name) if schema.student else None
    return ValidRow(
        row=number,
        inputs={f.name: values.get(f.name) for f, known_at in plan.features if known_at <= reading.moment},
        moment=schema.moments[reading.moment],
        student=pseudonym(str(key), plan.secret) if key is not None and plan.secret else None,
        group=rules.group_of([values.get(name) for name in schema.group]),
        period=rules.context_text(values.get(schema.period)) if schema.period else None,
        targets={name: values[name] for name in schema.target_by_name if name in values},
    )
