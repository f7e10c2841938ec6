"""Predictions of one batch by column: as they are made, answered and kept, without a record for each.

Whoever wants one by itself gets it made. How columns lie in a database is `database.blocks`' word; this loads no numpy,
so that whoever only opens a store needs none.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, overload

from database.records import Prediction

if TYPE_CHECKING:
    from database.answer_columns import AnswerColumn
    from preprocessing.columns import Column

Nobody = Sequence[str | None] | None


class Common(NamedTuple):
    """What all predictions of a batch have in common, as `Prediction` has it. at: aware, UTC."""

    domain: str
    moment: str
    source: str
    at: datetime
    actor: str | None


class PackedRows(NamedTuple):
    """Rows of a batch by column, as stores keep them: in the order of `BatchRow`'s fields; inputs, targets: JSON."""

    record: Sequence[str]
    number: Sequence[int]
    inputs: Sequence[str]
    targets: Sequence[str]
    student: Sequence[str | None]
    group: Sequence[str | None]
    period: Sequence[str | None]


class PackedPredictions(Sequence[Prediction]):
    """Predictions of one batch, by column. ids: ascending, and made for these alone: stores know a block by its first.
    answers, shadow: a column for each model.

    Raises ValueError when an answer is NaN or infinite, as `database.layout.check_finite` does of records.
    """

    def __init__(
        self,
        common: Common,
        ids: Sequence[str],
        inputs: "Mapping[str, Column]",
        answers: "Sequence[AnswerColumn]",
        shadow: "Sequence[AnswerColumn]" = (),
        *,
        students: Nobody = None,
        groups: Nobody = None,
        periods: Nobody = None,
    ) -> None:
        self.common = common
        self.ids = ids
        self.inputs = inputs
        self.answers = answers
        self.shadow = shadow
        self.students = students
        self.groups = groups
        self.periods = periods
        for column in (*answers, *shadow):
            if (place := column.faulty()) is not None:
                raise ValueError(f"prediction {ids[place]}: {column.target!r} is answered with no finite number")

    def __len__(self) -> int:
        return len(self.ids)

    def __iter__(self) -> Iterator[Prediction]:
        yield from self[:]

    @overload
    def __getitem__(self, place: int) -> Prediction: ...
    @overload
    def __getitem__(self, place: slice) -> list[Prediction]: ...
    def __getitem__(self, place: int | slice) -> Prediction | list[Prediction]:
        if not isinstance(place, slice):
            number = range(len(self))[place]
            return self[number : number + 1][0]
        from database.answer_columns import rows_of

        numbers = range(len(self))[place]
        answers, shadow = ([column.take(numbers) for column in said] for said in (self.answers, self.shadow))
        said = rows_of({name: column.take(numbers) for name, column in self.inputs.items()}, answers, shadow)
        return [
            Prediction(
                id=self.ids[number],
                domain=self.common.domain,
                moment=self.common.moment,
                inputs=inputs,
                answers=answers,
                source=self.common.source,
                at=self.common.at,
                student=self.students[number] if self.students else None,
                group=self.groups[number] if self.groups else None,
                period=self.periods[number] if self.periods else None,
                actor=self.common.actor,
                shadow=shadow,
            )
            for number, (inputs, answers, shadow) in zip(numbers, said, strict=True)
        ]
