"""The newest answer of each student, in each group and period, about each target: what lists of students are read from.

How it follows from predictions, for every store; it knows no database and ranks nothing. Of school weeks the newest one
takes the place of earlier ones, wherever the student was then: a student is at risk once, not once for each week.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

from database.layout import SEPARATOR, micros
from database.packed import PackedPredictions
from database.records import Answer, BatchRow, Prediction
from preprocessing.periods import is_week

if TYPE_CHECKING:
    from database.answer_columns import AnswerColumn, SaidChances

Reason = Literal["insufficient", "out_of_range", "no_pass_mark"]
"""Why an answer has no chance below the pass mark: too little known, an input unlike any in training, or no such mark
when its model learned."""

REASONS: tuple[Reason, ...] = get_args(Reason)
NOWHERE = ""
"""Stands in rows for no group, and no period: keys hold no NULL."""

WITH_CHANCE: Literal[""] = ""
"""Stands in rows for no reason: there is a chance."""


class NewestRow(NamedTuple):
    """What is kept of one answer; of equal keys (the first four) the one of the last week, and of these the newest by
    time and id. place: as of `place_of`. at: microseconds."""

    domain: str
    student: str
    target: str
    place: str
    group: str
    period: str
    at: int
    prediction: str
    below: float | None
    why: Reason | Literal[""]


NEWER_BY = ("period", "at", "prediction")
kept_once, _age_of = itemgetter(0, 1, 2, 3), itemgetter(5, 6, 7)
"""Of a row what there is one of, and what is larger of the newer one: where there is one of several periods, they are
weeks, whose names sort."""

in_order = itemgetter(1, 0, 2, 3)
"""What there is one of by student first, as tables are."""


class NewestAnswer(NamedTuple):
    """The newest answer about a target of a student in a group and period, or in the newest of its weeks. below: the
    chance of ending below the pass mark."""

    student: str
    group: str | None
    period: str | None
    prediction: str
    at: datetime
    below: float


class SilentAnswer(NamedTuple):
    """The newest answer about a target of a student in a group and period, where it says no such chance. why: the
    reason."""

    student: str
    group: str | None
    period: str | None
    prediction: str
    at: datetime
    why: Reason


class AskedAbout(NamedTuple):
    """That one prediction was about a student in a group and period, and when."""

    student: str
    group: str | None
    period: str | None
    at: datetime
    prediction: str

    @property
    def about(self) -> tuple[str, str]:
        """What answers follow one another about: the student in that place."""
        return self.student, place_of(self.group, self.period)

    @property
    def age(self) -> tuple[str, datetime, str]:
        """Larger of what came later about the same."""
        return self.period or NOWHERE, self.at, self.prediction


class PlacedRow(NamedTuple):
    """The newest row of a student in one group and period, labelled or not. batch: it came with. at: when that did."""

    student: str
    row: BatchRow
    batch: str
    at: datetime


class Standing(NamedTuple):
    """How a student stands in one group and period: as `PlacedRow` says, and what was answered there. predictions: by
    target, the newest that answered it."""

    student: str
    row: BatchRow
    batch: str
    at: datetime
    predictions: Mapping[str, Prediction]


class NewestCounts(NamedTuple):
    """How many newest answers say a chance, and how many do not, by reason."""

    known: int
    without: Mapping[Reason, int]

    def less(self, answers: Sequence["Chance"], least: float) -> "NewestCounts":
        """Those that are left without some of the answers that were counted, of which each says this."""
        known = sum(below is not None and below >= least for below, _ in answers)
        without = Counter(self.without) - Counter(why for _, why in answers if why)
        return NewestCounts(self.known - known, dict(without))


class Which(NamedTuple):
    """Of which newest answers something is asked. groups: of these alone. since: given from then on. from_week: of this
    school week or a later one."""

    groups: Sequence[str] | None = None
    period: str | None = None
    since: datetime | None = None
    from_week: str | None = None


OF_ALL = Which()


def place_of(group: str | None, period: str | None) -> str:
    """Where there is one newest answer of a student: in a group and period; of all its weeks together, in no place."""
    return NOWHERE if period and is_week(period) else SEPARATOR.join((group or NOWHERE, period or NOWHERE))


Chance = tuple[float | None, Reason | Literal[""]]
Placed = tuple[str, str, str | None, str | None, int, str]
"""The domain, student, group, period, time and id of a prediction."""


def newest_of(rows: Iterable[NewestRow]) -> list[NewestRow]:
    """The newest of each key, by student first, as tables are: who writes many at once locks them in one order."""
    found: dict[tuple[str, ...], NewestRow] = {}
    for row in rows:
        key = kept_once(row)
        known = found.get(key)
        if known is None or _age_of(row) > _age_of(known):
            found[key] = row
    return sorted(found.values(), key=in_order)


def rows_of(predictions: Iterable[Prediction]) -> Iterator[NewestRow]:
    """Of each answer about a student."""
    for one in predictions:
        if one.student is not None:
            place = one.domain, one.student, one.group, one.period, micros(one.at), one.id
            yield from (row_of(place, answer.target, chance_of(answer)) for answer in one.answers)


def rows_of_packed(packed: PackedPredictions) -> Iterator[NewestRow]:
    """As `rows_of`, of predictions by column."""
    if packed.students is None:
        return
    common, at = packed.common, micros(packed.common.at)
    groups, periods = (column or [None] * len(packed) for column in (packed.groups, packed.periods))
    for column in packed.answers:
        chances = chances_of(column, len(packed))
        for student, group, period, one, chance in zip(
            packed.students, groups, periods, packed.ids, chances, strict=True
        ):
            if student is not None:
                yield row_of((common.domain, student, group, period, at, one), column.target, chance)


def chances_of(column: "AnswerColumn | SaidChances", rows: int) -> list[Chance]:
    """Of each of so many rows of a column of answers."""
    found: list[Chance]
    if column.below_pass is None:
        found = [(None, "no_pass_mark")] * rows
    else:
        found = [(below, WITH_CHANCE) for below in column.below_pass.values.tolist()]
    for place, answer in column.others.items():
        found[place] = chance_of(answer)
    return found


def chance_of(answer: Answer) -> Chance:
    """That of ending below the pass mark, or why there is none."""
    if answer.below_pass is not None:
        return answer.below_pass, WITH_CHANCE
    return None, "insufficient" if answer.insufficient else "out_of_range" if answer.out_of_range else "no_pass_mark"


def row_of(placed: Placed, target: str, chance: Chance) -> NewestRow:
    """What is kept of an answer of a prediction that is `placed`."""
    domain, student, group, period, at, prediction = placed
    place = place_of(group, period), group or NOWHERE, period or NOWHERE
    return NewestRow(domain, student, target, *place, at, prediction, *chance)


def standings_of(
    rows: Iterable[PlacedRow], newest: Iterable[tuple[str, str, str]], predictions: Iterable[Prediction]
) -> list[Standing]:
    """The rows of students with what was answered. newest: student, target and id of the newest prediction of each."""
    by_id = {one.id: one for one in predictions}
    said: dict[str, dict[str, Prediction]] = {}
    for student, target, prediction in newest:
        if prediction in by_id:  # else it was taken back meanwhile
            said.setdefault(student, {})[target] = by_id[prediction]
    return [Standing(*row, said.get(row.student, {})) for row in rows]
