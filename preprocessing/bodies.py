"""Reads a request's body into valid rows: by a type made for the domain where that accepts it, else by the rules.

Which rows are valid is `preprocessing.rows`' word alone; this only comes to the same answer sooner. Knows no HTTP.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import msgspec

from preprocessing import rules
from preprocessing.pii import pseudonym
from preprocessing.request import row_type
from preprocessing.rows import ValidRow, read_placing, validate_rows
from preprocessing.rules import BadData, Problem
from preprocessing.schema import DomainSchema

REQUEST = "request"
NO_GROUP: list[Any] = [None]
Values = tuple[Any, ...]


class MalformedBody(ValueError):
    """A body that is no JSON, or JSON of the wrong shape; the message says which and where."""


class TooManyRows(ValueError):
    """A request with more rows than are allowed; the message names the limit."""


class RowReader:
    """Reads bodies of one domain; compiled once, safe to share between threads. secret: key of the pseudonyms."""

    def __init__(self, schema: DomainSchema, secret: bytes) -> None:
        self.schema = schema
        self._secret = secret
        self._moments = [_Moment(schema, number) for number in range(len(schema.moments))]
        row = row_type(schema)
        self._one = msgspec.json.Decoder(row)
        students = msgspec.defstruct("Students", [("students", list[row])], forbid_unknown_fields=True)  # type: ignore[valid-type]
        self._many = msgspec.json.Decoder(list[row] | students)  # type: ignore[valid-type]
        names = [feature.name for feature in schema.features]
        columns = [*names, *schema.context_names]
        self._open = [(place, feature) for place, feature in enumerate(schema.features) if feature.open]
        self._features = len(names)
        self._unplaced = (None,) * (len(columns) - len(names))
        self._student = columns.index(schema.student.name) if schema.student else None
        self._group = [columns.index(name) for name in schema.group]
        self._period = columns.index(schema.period) if schema.period else None
        self._grouped_by_inputs = any(place < len(names) for place in (*self._group, self._period) if place is not None)

    def one(self, body: bytes, *, moment: str | None = None) -> ValidRow:
        """The row in a body. Raises MalformedBody, BadData with everything wrong, ValueError for an unknown moment."""
        try:
            values = msgspec.structs.astuple(self._one.decode(body))
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return self._by_rules([_record(_json(body))], moment)[0]
        quick = self._quick(1, values, self._number(moment))
        return quick or self._by_rules([_record(_json(body))], moment)[0]

    def many(self, body: bytes, *, limit: int, moment: str | None = None) -> list[ValidRow]:
        """The rows in a body: a list, or {"students": list}. Raises as `one` does, and TooManyRows above `limit`."""
        try:
            decoded = self._many.decode(body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return self._by_rules(_records(_json(body), limit), moment)
        structs = decoded if isinstance(decoded, list) else decoded.students
        _check_count(len(structs), limit)
        number = self._number(moment)
        rows = [self._quick(i, msgspec.structs.astuple(struct), number) for i, struct in enumerate(structs, 1)]
        quick = [row for row in rows if row is not None]
        return quick if len(quick) == len(rows) else self._by_rules(_records(_json(body), limit), moment)

    def _number(self, moment: str | None) -> int | None:
        if moment is None:
            return None
        if moment not in self.schema.moments:
            raise ValueError(rules.unknown_moment(self.schema, moment))
        return self.schema.moments.index(moment)

    def _by_rules(self, rows: Sequence[dict[str, object]], moment: str | None) -> list[ValidRow]:
        self._number(moment)
        return list(validate_rows(rows, self.schema, moment=moment, secret=self._secret).require_clean().rows)

    def _quick(self, number: int, values: Values, moment: int | None) -> ValidRow | None:
        """The row, or None where it takes the rules to say what is wrong, or that nothing is."""
        for place, feature in self._open:
            value = values[place]
            if value is not None and value not in feature.levels:
                level, _ = rules.read_level(feature, value, exact=True)
                if level is None:
                    return None
                values = (*values[:place], level, *values[place + 1 :])
        at = self._moments[moment if moment is not None else self._latest(values)]
        if at.number and None in at.required(values):  # the row's type sees to what the first moment requires
            return None
        inputs = dict(zip(at.names, at.inputs(values), strict=True))
        if values[self._features :] == self._unplaced and not self._grouped_by_inputs:
            return ValidRow(row=number, inputs=inputs, moment=at.name)
        placed = self._place(values)
        if placed is None:
            return None
        student, group, period = placed
        return ValidRow(row=number, inputs=inputs, moment=at.name, student=student, group=group, period=period)

    def _place(self, values: Values) -> tuple[str | None, str | None, str | None] | None:
        """A row's student, as pseudonym, group and period; None where the rules must say what is wrong with one."""
        placing = list(values)
        for place in range(self._features, len(values)):
            if values[place] is not None:
                placing[place], fault = read_placing(values[place], key=place == self._student)
                if fault is not None:
                    return None
        student = placing[self._student] if self._student is not None else None
        group = [placing[place] for place in self._group] or NO_GROUP
        return (
            None if student is None else pseudonym(student, self._secret),
            None if None in group else rules.group_of(group),
            rules.context_text(placing[self._period]) if self._period is not None else None,
        )

    def _latest(self, values: Values) -> int:
        """The place in time of the latest moment of which the row has a value."""
        for number in range(len(self._moments) - 1, 0, -1):
            if any(values[place] is not None for place in self._moments[number].new):
                return number
        return 0


class _Moment:
    """One moment of a schema, as places in a row's values. new: known from it on."""

    def __init__(self, schema: DomainSchema, number: int) -> None:
        known = [(p, f) for p, f in enumerate(schema.features) if rules.moment_index(schema, f) <= number]
        self.number = number
        self.name = schema.moments[number]
        self.names = tuple(feature.name for _, feature in known)
        self.inputs = _getter([place for place, _ in known])
        self.required = _getter([place for place, feature in known if not feature.optional])
        self.new = tuple(p for p, feature in known if rules.moment_index(schema, feature) == number)


def _getter(places: list[int]) -> Callable[[Values], Values]:
    """A function that takes `places` of a tuple as a tuple, however many there are."""
    if places == list(range(len(places))):
        end = len(places)
        return lambda values: values[:end]
    if len(places) == 1:
        return lambda values: (values[places[0]],)
    return itemgetter(*places)


def _json(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except RecursionError:
        raise MalformedBody("the body is nested too deeply") from None
    except (msgspec.DecodeError, UnicodeError) as error:
        raise MalformedBody(f"the body is no JSON: {error}" if body.strip() else "the body is empty") from None


def _record(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise MalformedBody("expected one JSON object with the fields of a row")
    return value


def _records(value: object, limit: int) -> list[dict[str, object]]:
    """The rows of a decoded body. Raises BadData naming every element that is no object."""
    rows = value.get("students") if isinstance(value, dict) and value.keys() == {"students"} else value
    if not isinstance(rows, list):
        raise MalformedBody('expected a JSON list of rows, or {"students": [...]}')
    _check_count(len(rows), limit)
    wrong = [number for number, row in enumerate(rows, 1) if not isinstance(row, dict)]
    if wrong:
        rule = "must be a JSON object with the fields of a row"
        problems = [Problem(file=REQUEST, row=n, column=None, value=None, rule=rule) for n in wrong[: rules.KEPT]]
        raise BadData(problems, len(wrong))
    return rows


def _check_count(rows: int, limit: int) -> None:
    if not rows:
        raise MalformedBody("the list of rows is empty")
    if rows > limit:
        raise TooManyRows(f"{rows:,} rows in one request; at most {limit:,} are allowed")
