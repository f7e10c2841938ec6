"""Where a student stands among the others of one course and period: in each subject, and in single columns.

Pure functions over rows; a share is of the others and comes with their number, and never of fewer than ten.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from database.records import Cell
from preprocessing.schema import DomainSchema, Feature, Target

FEWEST_OTHERS = 10
"""Others from whom there is a share: it would tell of single ones."""

WEAK_FROM = 0.75
"""The share of others that did better from which a result is weak: the lowest quarter."""


class Place(NamedTuple):
    """A course (the domain's group) in a period."""

    group: str | None
    period: str | None


class CourseRow(NamedTuple):
    """The newest that is known of a student in a place. inputs: columns of the schema. outcomes: those of its targets
    that are known."""

    student: str
    place: Place
    inputs: Mapping[str, Cell]
    outcomes: Mapping[str, float | str] = {}


class Position(msgspec.Struct, frozen=True, kw_only=True):
    """Of n others of whom the same is known, which share has a worse and which a better value; the rest has the
    same."""

    n: int
    below: float
    above: float

    @property
    def weak(self) -> bool:
        """Whether this is the lowest quarter."""
        return self.above >= WEAK_FROM

    @property
    def rank(self) -> float:
        """0, all others are better, to 1."""
        return (1 + self.below - self.above) / 2


class SubjectResult(msgspec.Struct, frozen=True, kw_only=True):
    """A student's own result in one subject beside those of the others there in the same period.

    basis: "final" is an outcome; "so far" are the marks that `columns` hold, together, as a share of what they could
    be. others: of whom the same is known. position: None where these are fewer than ten.
    """

    group: str | None
    period: str | None
    basis: Literal["final", "so far"]
    columns: tuple[str, ...]
    value: float | str
    others: int
    position: Position | None = None

    @property
    def weak(self) -> bool:
        """Whether the student belongs to the lowest quarter; False where nobody can say."""
        return self.position is not None and self.position.weak


def stand(own: float, others: Iterable[float | None]) -> Position | None:
    """Where `own` stands among the known values of `others`, of which larger ones are better; None among fewer than
    ten.

    >>> stand(4, range(10))
    Position(n=10, below=0.4, above=0.5)
    """
    known = [other for other in others if other is not None]
    if len(known) < FEWEST_OTHERS:
        return None
    below, above = (sum(1 for other in known if beats(other)) for beats in (own.__gt__, own.__lt__))
    return Position(n=len(known), below=below / len(known), above=above / len(known))


def goodness(feature: Feature) -> Callable[[CourseRow], float | None]:
    """What a row has in a column; larger is better."""
    sign = -1.0 if feature.better == "lower" else 1.0

    def value(row: CourseRow) -> float | None:
        cell = row.inputs.get(feature.name)
        return sign * cell if isinstance(cell, float | int) else None

    return value


def marks_so_far(schema: DomainSchema, row: CourseRow) -> tuple[Feature, ...]:
    """The columns that hold marks of the running course, of those that the row knows."""
    return tuple(
        feature
        for feature in schema.features
        if feature.family in ("result", "work") and feature.better == "higher" and _known(row, feature)
    )


def _known(row: CourseRow, feature: Feature) -> bool:
    return isinstance(row.inputs.get(feature.name), float | int)


def share_reached(columns: Sequence[Feature], row: CourseRow) -> float | None:
    """The marks of these columns together as a share of what they could be, 0 to 1; None where one is not known.

    Each counts as much as it has points.
    """
    if not columns or not all(_known(row, column) for column in columns):
        return None
    points = sum(float(row.inputs[column.name] or 0) - (column.minimum or 0) for column in columns)
    return points / sum((column.maximum or 0) - (column.minimum or 0) for column in columns)


def subject_results(
    schema: DomainSchema, own: Sequence[CourseRow], cohorts: Callable[[Place], Sequence[CourseRow]]
) -> tuple[SubjectResult, ...]:
    """A student's results, one of each place: final where that is known, else so far; the weakest first, then those
    without a position.

    own: rows of one student. cohorts: the newest row of each student of a place, that student's own among them or not.
    """
    found = []
    for row in own:
        others = [other for other in cohorts(row.place) if other.student != row.student]
        if result := _final(schema, row, others) or _so_far(schema, row, others):
            found.append(result)
    return tuple(sorted(found, key=_weakest_first))


def _weakest_first(one: SubjectResult) -> tuple[bool, float, str, str]:
    rank = one.position.rank if one.position else 1.0
    return one.position is None, rank, one.period or "", one.group or ""


def _final(schema: DomainSchema, row: CourseRow, others: Sequence[CourseRow]) -> SubjectResult | None:
    target = next((target for target in schema.targets if target.name in row.outcomes), None)
    if target is None:
        return None
    own = row.outcomes[target.name]
    values = [_outcome(target, other) for other in others]
    return _beside_others(row, "final", (target.name,), own, _outcome(target, row), values)


def _outcome(target: Target, row: CourseRow) -> float | None:
    value = row.outcomes.get(target.name)
    if isinstance(value, str):
        return float(target.levels.index(value)) if value in target.levels else None
    return value


def _so_far(schema: DomainSchema, row: CourseRow, others: Sequence[CourseRow]) -> SubjectResult | None:
    columns = marks_so_far(schema, row)
    own = share_reached(columns, row)
    if own is None:
        return None
    values = [share_reached(columns, other) for other in others]
    return _beside_others(row, "so far", tuple(column.name for column in columns), own, own, values)


def _beside_others(
    row: CourseRow,
    basis: Literal["final", "so far"],
    columns: tuple[str, ...],
    shown: float | str,
    own: float | None,
    values: Sequence[float | None],
) -> SubjectResult:
    known = [value for value in values if value is not None]
    return SubjectResult(
        group=row.place.group,
        period=row.place.period,
        basis=basis,
        columns=columns,
        value=shown,
        others=len(known),
        position=None if own is None else stand(own, known),
    )
