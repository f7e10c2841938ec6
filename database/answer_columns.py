"""Answers of many predictions as columns, and rows of them."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from database.records import Answer, Cell
from preprocessing.columns import Column, Numbers

NO_OTHERS: Mapping[int, Answer] = MappingProxyType({})


Said = tuple[Answer, ...]


class SaidChances(NamedTuple):
    """What a column of answers says of chances of ending below the pass mark; as in `AnswerColumn`."""

    target: str
    below_pass: Numbers | None
    others: Mapping[int, Answer]


class AnswerColumn(NamedTuple):
    """What one model said of many rows: an `Answer` of each, by column where rows differ.

    low, high: the interval. shares: probabilities, by level. below_pass: the chance of an outcome below the pass mark.
    others: answers about which there is more to say, by row.
    """

    target: str
    model: str
    generation: int
    value: Column
    naive: Column
    low: Numbers | None = None
    high: Numbers | None = None
    coverage: float | None = None
    shares: Mapping[str, Numbers] | None = None
    below_pass: Numbers | None = None
    others: Mapping[int, Answer] = NO_OTHERS

    def take(self, places: Sequence[int]) -> "AnswerColumn":
        """The rows at `places`."""
        return self._replace(
            value=self.value.take(places),
            naive=self.naive.take(places),
            low=None if self.low is None else self.low.take(places),
            high=None if self.high is None else self.high.take(places),
            shares=None if self.shares is None else {name: one.take(places) for name, one in self.shares.items()},
            below_pass=None if self.below_pass is None else self.below_pass.take(places),
            others={new: self.others[old] for new, old in enumerate(places) if old in self.others},
        )

    def answers(self) -> list[Answer]:
        """A record for each row."""
        said = [
            Answer(
                target=self.target,
                value=value,
                naive=naive,
                model=self.model,
                generation=self.generation,
                interval=interval,
                coverage=self.coverage,
                probabilities=shares,
                below_pass=below,
            )
            for value, naive, interval, shares, below in zip(
                self.value.cells(), self.naive.cells(), self._intervals(), self._shares(), self._below(), strict=False
            )
        ]
        for place, answer in self.others.items():
            said[place] = answer
        return said

    def _intervals(self) -> Iterator[tuple[float, float] | None]:
        if self.low is None or self.high is None:
            return repeat(None)
        return zip(self.low.values.tolist(), self.high.values.tolist(), strict=True)

    def _shares(self) -> Iterator[dict[str, float] | None]:
        if self.shares is None:
            return repeat(None)
        rows = zip(*[share.values.tolist() for share in self.shares.values()], strict=True)
        return (dict(zip(self.shares, row, strict=True)) for row in rows)

    def _below(self) -> Iterator[float | None]:
        return repeat(None) if self.below_pass is None else iter(self.below_pass.values.tolist())

    def faulty(self) -> int | None:
        """The first row whose answer is no number where it should be one."""
        columns = [column.values for column in (self.value, self.naive) if isinstance(column, Numbers)]
        wrong = {place for values in columns for place in np.flatnonzero(~np.isfinite(values)).tolist()}
        wrong -= self.others.keys()
        wrong |= {place for place, answer in self.others.items() if not _is_finite(answer)}
        return min(wrong, default=None)


def _is_finite(answer: Answer) -> bool:
    return not any(isinstance(value, float) and value - value != 0 for value in (answer.value, answer.naive))


def rows_of(
    inputs: Mapping[str, Column], answers: Sequence[AnswerColumn], shadow: Sequence[AnswerColumn]
) -> list[tuple[dict[str, Cell], Said, Said]]:
    """The inputs, the answers and what was answered in shadow, of each row."""
    cells = zip(*[column.cells() for column in inputs.values()], strict=True)
    given = zip(*[column.answers() for column in answers], strict=True)
    beside = zip(*[column.answers() for column in shadow], strict=True) if shadow else repeat(())
    return [(dict(zip(inputs, row, strict=True)), *said) for row, *said in zip(cells, given, beside, strict=False)]  # type: ignore[misc]
