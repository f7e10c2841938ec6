"""Reads a request's body into valid rows: by a type made for the domain where that accepts it, else by the rules.

Which rows are valid is `preprocessing.validation.json_rows`' word alone; this only comes to the same answer sooner.
Knows no HTTP.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, repeat
from operator import itemgetter
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET

from errors import Category, GradewatchError
from preprocessing.columns import ColumnRows, Levels, Numbers, columns_of
from preprocessing.schema import DomainSchema, Feature
from preprocessing.validation import rules
from preprocessing.validation.json_rows import Cell, ValidRow, read_placing, validate_rows
from preprocessing.validation.pii import pseudonym
from preprocessing.validation.row_type import row_type
from preprocessing.validation.rules import BadData, Problem, TooManyRows

REQUEST = "request"
COLON = ord(":")
NO_GROUP: list[Any] = [None]
TOO_DEEP = "the body is nested too deeply"
LONE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
NO_NUMBER = re.compile(rb"-?(NaN|nan|Infinity|inf)")
QUOTED_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
DEEPEST = 1_000  # records or lists within one another
SPARE = 20  # fields of a row that nobody asked for
BYTE = re.compile(r"\(byte (\d+)\)")
Values = tuple[Any, ...]
CellList = list[Any]


class MalformedBody(GradewatchError):
    """A body that is no JSON, or JSON of the wrong shape; the message says which and where."""

    category = Category.MALFORMED


class RowReader:
    """Reads bodies of one domain; compiled once, safe to share between threads. secret: key of the pseudonyms."""

    def __init__(self, schema: DomainSchema, secret: bytes) -> None:
        self.schema = schema
        self._secret = secret
        self._moments = [_Moment(schema, number) for number in range(len(schema.moments))]
        row = row_type(schema)
        self._one = msgspec.json.Decoder(row)
        row = row_type(schema, ints=True)
        self._one_of_many = msgspec.json.Decoder(row)
        students = msgspec.defstruct("Students", [("students", list[row])], forbid_unknown_fields=True)  # type: ignore[valid-type]
        self._many = msgspec.json.Decoder(list[row] | students)  # type: ignore[valid-type]
        names = [feature.name for feature in schema.features]
        columns = [*names, *schema.context_names]
        self._open = [(place, feature) for place, feature in enumerate(schema.features) if feature.open]
        self._features, self._width = len(names), len(columns)
        self._whole = [place for place, feature in enumerate(schema.features) if feature.integer]
        self._unplaced = (None,) * (len(columns) - len(names))
        self._student = columns.index(schema.student.name) if schema.student else None
        self._named = {self._student, *(columns.index(name) for name in schema.allow)}
        self._group = [columns.index(name) for name in schema.group]
        self._period = columns.index(schema.period) if schema.period else None
        self._may_be_absent = [place for place, field in enumerate(msgspec.structs.fields(row)) if not field.required]
        self._grouped_by_inputs = any(place < len(names) for place in (*self._group, self._period) if place is not None)

    def one(self, body: bytes, *, moment: str | None = None) -> ValidRow:
        """The row in a body. Raises MalformedBody, BadData with everything wrong, ValueError for an unknown moment."""
        try:
            struct = self._one.decode(body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return self._by_rules([body], [_record(_json(body))], moment)[0]
        quick = self._each_quick(body, [struct], moment, ints=False)
        return (quick or self._by_rules([body], [_record(_json(body))], moment))[0]

    def many(self, body: bytes, *, limit: int, moment: str | None = None) -> list[ColumnRows]:
        """The rows in a body, by column and moment: of a list, or {"students": list}. Raises as `one` does, and
        TooManyRows above `limit`."""
        try:
            decoded = self._many.decode(body)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            self._check_size(body, limit)
            return columns_of(self._by_rules([body], _records(_json(body), limit), moment), self.schema)
        listed = isinstance(decoded, list)
        structs = decoded if listed else decoded.students
        _check_count(len(structs), limit)
        quick = self._all_quick(body, structs, moment, around=0 if listed else 1)
        return quick or columns_of(self._by_rules([body], _records(_json(body), limit), moment), self.schema)

    def lines(self, body: bytes, *, limit: int, moment: str | None = None) -> list[ColumnRows]:
        """The rows in JSON lines, as `many`: an object on each, empty lines aside. Raises as it does."""
        self._check_size(body, limit, lines=True)
        try:
            structs = [self._one_of_many.decode(line) for line in _filled_lines(body)]
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return self._lines_by_rules(body, limit, moment)
        _check_count(len(structs), limit)
        return self._all_quick(body, structs, moment, lines=True) or self._lines_by_rules(body, limit, moment)

    def _check_size(self, body: bytes, limit: int, *, lines: bool = False) -> None:
        """Raises TooManyRows for a body that holds more than `limit` rows can, before it is decoded: an empty row takes
        two bytes as text and seventy in memory."""
        most = {b"{": limit + 1, b"[": limit + 1, b",": (limit + 1) * (self._width + SPARE)}
        most |= {b"\n": 2 * limit + 1} if lines else {}  # some are empty
        if any(body.count(mark) > number for mark, number in most.items()):
            bare = QUOTED_TEXT.sub(b"", body).translate(None, b" \t\r")
            if any(bare.count(mark) > number for mark, number in most.items()):
                deep = b"[" * DEEPEST in bare or b"{:" * DEEPEST in bare  # which decoding would find
                raise MalformedBody(TOO_DEEP) if deep else TooManyRows("far more", limit)

    def _lines_by_rules(self, body: bytes, limit: int, moment: str | None) -> list[ColumnRows]:
        found = list(_json_lines(body, limit))
        rows = self._by_rules([line for line, _ in found], _records([value for _, value in found], limit), moment)
        return columns_of(rows, self.schema)

    def _all_quick(
        self,
        body: bytes,
        structs: Sequence[msgspec.Struct],
        moment: str | None,
        *,
        around: int = 0,
        lines: bool = False,
    ) -> list[ColumnRows]:
        """The rows, or none where it takes the rules to say what is wrong, or that nothing is: looked at by column
        where all are of one moment, else one by one. around: keys outside the rows. lines: one row on each."""
        if structs:
            table = _Table(structs, self.schema.features, self._may_be_absent)
            found = self._by_column(table, self._number(moment))
            if found and (_colons(body) == around + table.keys or not given_twice(_texts(body, lines))):
                return [found]
        return columns_of(self._each_quick(body, structs, moment, around=around, lines=lines), self.schema)

    def _each_quick(
        self,
        body: bytes,
        structs: Sequence[msgspec.Struct],
        moment: str | None,
        *,
        around: int = 0,
        lines: bool = False,
        ints: bool = True,
    ) -> list[ValidRow]:
        """As `_all_quick`, row by row. ints: whether whole numbers may be that.

        Where a body has as many colons as there are keys, none of them stands in a text and no key is given twice (a
        decoder keeps the last and says nothing).
        """
        number = self._number(moment)
        rows, keys = [], around
        for place, struct in enumerate(structs, 1):
            values = msgspec.structs.astuple(struct)
            absent = values.count(UNSET)
            keys += len(values) - absent
            values = self._without_unset(values) if absent else values
            row = self._quick(place, self._with_floats(values) if ints else values, number)
            if row is None:
                return []
            rows.append(row)
        if body.count(b":") == keys:
            return rows
        return [] if given_twice(_texts(body, lines)) else rows

    def _without_unset(self, values: Values) -> Values:
        """A row's values with None for what was not given."""
        found = list(values)
        for place in self._may_be_absent:
            if found[place] is UNSET:
                found[place] = None
        return tuple(found)

    def _with_floats(self, values: Values) -> Values:
        """A row's values with its whole numbers as floats."""
        found = list(values)
        for place in self._whole:
            if found[place] is not None:
                found[place] = float(found[place])
        return tuple(found)

    def _by_column(self, table: "_Table", moment: int | None) -> ColumnRows | None:
        """The rows of a table; None where they are of several moments, or where it takes the rules to judge them."""
        number = self._latest_of_all(table) if moment is None else moment
        if number is None or not self._read_levels(table):
            return None
        at = self._moments[number]
        if not at.names or (at.number and any(table.missing.get(place) for place in at.needed)):
            return None
        inputs = dict(zip(at.names, at.inputs(tuple(table.inputs)), strict=True))
        placing = range(self._features, self._width)
        if not self._grouped_by_inputs and all(table.missing.get(place) == table.rows for place in placing):
            return ColumnRows(at.name, inputs)
        asked = {*placing, *self._group, self._period}
        cells = [table.cells(place) if place in asked else repeat(None, table.rows) for place in range(self._width)]
        places = [self._place(values) for values in zip(*cells, strict=True)]
        if None in places:
            return None
        students, groups, periods = zip(*places, strict=True)
        return ColumnRows(at.name, inputs, students=students, groups=groups, periods=periods)

    def _read_levels(self, table: "_Table") -> bool:
        """Whether the open columns of a table hold levels, spelled as the domain spells them afterwards."""
        for place, feature in self._open:
            column = table.inputs[place]
            spelled: dict[Cell, Cell] = {level: level for level in (None, *feature.levels)}
            for name in column.names:
                if name not in spelled:
                    spelled[name], _ = rules.read_level(feature, name, exact=True)
                    if spelled[name] is None:
                        return False
            table.inputs[place] = Levels(tuple([spelled[name] for name in column.names]), column.codes)
        return True

    def _latest_of_all(self, table: "_Table") -> int | None:
        """The latest moment, in time, of which every row has a value; None where rows are of several."""
        for number in range(len(self._moments) - 1, 0, -1):
            new = self._moments[number].new
            if any(not table.missing.get(place) for place in new):
                return number
            if any(table.missing[place] < table.rows for place in new):
                return None
        return 0

    def _number(self, moment: str | None) -> int | None:
        if moment is None:
            return None
        if moment not in self.schema.moments:
            raise ValueError(rules.unknown_moment(self.schema, moment))
        return self.schema.moments.index(moment)

    def _by_rules(
        self, texts: Sequence[bytes], rows: Sequence[dict[str, object]], moment: str | None
    ) -> list[ValidRow]:
        self._number(moment)
        validated = validate_rows(rows, self.schema, moment=moment, secret=self._secret, with_targets="refused")
        if twice := given_twice(texts):
            problems = sorted([*twice, *validated.problems], key=lambda problem: problem.row or 0)
            raise BadData(problems[: rules.PROBLEMS_KEPT], len(twice) + validated.problem_count)
        return list(validated.require_clean().rows)

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
                placing[place], fault = read_placing(values[place], key=place in self._named)
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
            for place in self._moments[number].new:
                if values[place] is not None:
                    return number
        return 0


class _Table:
    """Decoded rows by column. inputs: of every feature. missing: how many cells a column lacks, where it may lack any.
    keys: given in all."""

    def __init__(
        self, structs: Sequence[msgspec.Struct], features: Sequence[Feature], may_be_absent: Sequence[int]
    ) -> None:
        cells = list(chain.from_iterable(map(msgspec.structs.astuple, structs)))
        self.rows = len(structs)
        self.keys = len(cells)
        self.missing: dict[int, int] = {}
        columns = [cells[place :: len(cells) // self.rows] for place in range(len(cells) // self.rows)]
        for place in may_be_absent:
            absent = columns[place].count(UNSET)
            if absent:
                self.keys -= absent
                columns[place] = [None if cell is UNSET else cell for cell in columns[place]]
            self.missing[place] = columns[place].count(None)
        self.inputs: list[Any] = [
            Numbers.of(column) if feature.kind == "numeric" else Levels.of(column, self._names(place, feature))
            for place, (column, feature) in enumerate(zip(columns, features, strict=False))
        ]  # behind the features stands what places a row
        self._placing = columns[len(features) :]

    def _names(self, place: int, feature: Feature) -> tuple[Any, ...]:
        """All that the column of a feature may hold; nothing where that is not known."""
        if feature.open:
            return ()
        return (*feature.levels, None) if self.missing.get(place) else feature.levels

    def cells(self, place: int) -> CellList:
        """The cells of a column."""
        behind = place - len(self.inputs)
        return self._placing[behind] if behind >= 0 else self.inputs[place].cells()


class _Moment:
    """One moment of a schema, as places in a row's values. new: known from it on. needed: by every row."""

    def __init__(self, schema: DomainSchema, number: int) -> None:
        known = [(p, f) for p, f in enumerate(schema.features) if rules.moment_index(schema, f) <= number]
        self.number = number
        self.name = schema.moments[number]
        self.names = tuple(feature.name for _, feature in known)
        self.inputs = _getter([place for place, _ in known])
        self.needed = [place for place, feature in known if not feature.optional]
        self.required = _getter(self.needed)
        self.new = tuple(p for p, feature in known if rules.moment_index(schema, feature) == number)


def _getter(places: list[int]) -> Callable[[Values], Values]:
    """A function that takes `places` of a tuple as a tuple, however many there are."""
    if places == list(range(len(places))):
        end = len(places)
        return lambda values: values[:end]
    if len(places) == 1:
        return lambda values: (values[places[0]],)
    return itemgetter(*places)


class _Object(dict[str, Any]):
    """A decoded object that remembers which of its keys were given more than once."""

    twice: tuple[str, ...] = ()

    @classmethod
    def of(cls, pairs: list[tuple[str, Any]]) -> "_Object":
        """The object of these keys and values."""
        found = cls(pairs)
        if len(found) < len(pairs):
            times = Counter(key for key, _ in pairs)
            found.twice = tuple(key for key in found if times[key] > 1)
        return found


def given_twice(texts: Sequence[bytes]) -> list[Problem]:
    """A problem for every key that an object of a body gives more than once. texts: the body, or its lines; JSON.

    >>> [problem.column for problem in given_twice([b'[{"a": 1}, {"a": 1, "a": 2}]'])]
    ['a']
    """
    problems: list[Problem] = []
    for line, text in enumerate(texts, 1):
        try:
            value = json.loads(
                text.decode("utf-8", "replace"), object_pairs_hook=_Object.of, parse_int=float, strict=False
            )
        except RecursionError:
            raise MalformedBody(TOO_DEEP) from None
        if isinstance(value, _Object) and "students" not in value:
            problems += _twice(value, line)
        elif isinstance(value, _Object):
            problems += _twice(value, None)
            value = value["students"]
        for number, row in enumerate(value if isinstance(value, list) else (), 1):
            problems += _twice(row, number)
    return problems


def _twice(value: object, row: int | None) -> list[Problem]:
    keys = value.twice if isinstance(value, _Object) else ()
    rule = "is given more than once; which one counts?"
    return [Problem(file=REQUEST, row=row, column=key[: rules.CELL_LETTERS], value=None, rule=rule) for key in keys]


def _colons(body: bytes) -> int:
    """How many there are; counted in a third of the time that `bytes.count` takes for what is so frequent."""
    return int(np.count_nonzero(np.frombuffer(body, np.uint8) == COLON))


def _texts(body: bytes, lines: bool) -> list[bytes]:
    return _filled_lines(body) if lines else [body]


def _filled_lines(body: bytes) -> list[bytes]:
    return [line for line in body.split(b"\n") if line.strip()]


def _json_lines(body: bytes, limit: int) -> Iterator[tuple[bytes, object]]:
    """The lines that hold something, and what. Raises MalformedBody naming the line, TooManyRows above `limit`."""
    _check_count(len(_filled_lines(body)), limit)
    for number, line in enumerate(body.split(b"\n"), 1):
        if line.strip():
            try:
                yield line, _json(line)
            except MalformedBody as error:
                raise MalformedBody(f"line {number}: {error}") from None


def _json(body: bytes) -> object:
    try:
        return msgspec.json.decode(body)
    except RecursionError:
        raise MalformedBody(TOO_DEEP) from None
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise MalformedBody(_fault(body, str(error))) from None


def _fault(body: bytes, said: str) -> str:
    """Why a body is no JSON, in words for whoever sent it. said: what the decoder says."""
    if fault := _encoding_fault(body):
        return fault
    if said.startswith("Number out of range"):
        return f"a number is too large to be one: {said}"
    if LONE_SURROGATE.search(body):
        said += "; or a text holds half a character (a surrogate by itself)"
    elif (place := BYTE.search(said)) and (word := NO_NUMBER.match(body, int(place[1]))):
        said = f"{word[0].decode()} at byte {place[1]} is no number; leave the field out or give null"
    return f"the body is no JSON: {said}"


def _encoding_fault(body: bytes) -> str | None:
    if not body.strip():
        return "the body is empty"
    if body.startswith(b"\xef\xbb\xbf"):
        return "the body begins with a byte order mark; send UTF-8 without one"
    if body.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in body[:4]:
        return "the body is in UTF-16 or UTF-32; send it in UTF-8"
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as error:
        return f"byte {error.start} of the body is no UTF-8; send it in UTF-8 (is it Latin-1 or Windows-1252?)"
    return None


def _record(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise MalformedBody("expected one JSON object with the fields of a row; many rows go to …/predict/batch")
    return value


def _records(value: object, limit: int) -> list[dict[str, object]]:
    """The rows of a decoded body. Raises BadData naming every element that is no object."""
    rows = value.get("students") if isinstance(value, dict) and value.keys() == {"students"} else value
    if not isinstance(rows, list):
        raise MalformedBody('expected a JSON list of rows, or {"students": [...]}; one row goes to …/predict')
    _check_count(len(rows), limit)
    wrong = [number for number, row in enumerate(rows, 1) if not isinstance(row, dict)]
    if wrong:
        rule = "must be a JSON object with the fields of a row"
        problems = [
            Problem(file=REQUEST, row=n, column=None, value=None, rule=rule) for n in wrong[: rules.PROBLEMS_KEPT]
        ]
        raise BadData(problems, len(wrong))
    return rows


def _check_count(rows: int, limit: int) -> None:
    if not rows:
        raise MalformedBody("the list of rows is empty")
    if rows > limit:
        raise TooManyRows(rows, limit)
