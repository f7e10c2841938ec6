"""The plain rule: what a careful person would say without a model.

It answers with a column that is itself a plausible answer (the last grade), where the schema names one, or with the
level that flags stand for, where one holds; else with the mean or the most frequent level of the training rows. It
learns nothing else.
"""

import math
from collections.abc import Mapping, Sequence

import msgspec

from preprocessing.schema import Flag, Target

Cell = float | str | None

RULE = "plain_rule"
"""The candidate's name where the rule itself serves as a model."""


class NaiveRule(msgspec.Struct, frozen=True, kw_only=True):
    """column: answer with its value where it is known. flags: answer `flagged` where any holds. constant: the answer
    everywhere else."""

    column: str | None
    constant: float | str
    flags: tuple[Flag, ...] = ()
    flagged: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """What it reads."""
        return (self.column,) if self.column else tuple(flag.column for flag in self.flags)

    def answer(self, row: Mapping[str, Cell]) -> float | str:
        return self.constant if (told := self.told(row)) is None else told

    def told(self, row: Mapping[str, Cell]) -> Cell:
        """What it says of this very row; None where it would say the same of any."""
        if any(flag.holds(_number(row.get(flag.column))) for flag in self.flags):
            return self.flagged
        return row.get(self.column) if self.column else None

    def __str__(self) -> str:
        constant = self.constant if isinstance(self.constant, str) else f"{self.constant:.4g}"
        if self.flags:
            return f"{self.flagged} where {' or '.join(map(str, self.flags))}, else {constant}"
        return f"{self.column}, or {constant} where it is missing" if self.column else f"always {constant}"


def fit_naive(target: Target, column: str | None, truth: Sequence[float | str]) -> NaiveRule:
    """The rule for `target`; truth: the outcomes of the training rows."""
    if target.kind == "value":
        return NaiveRule(column=column, constant=math.fsum(float(value) for value in truth) / len(truth))
    constant = max(target.levels, key=list(truth).count)
    if target.flags and target.pass_mark:
        return NaiveRule(
            column=None, constant=constant, flags=target.flags, flagged=target.levels[int(target.pass_mark) - 1]
        )
    return NaiveRule(column=column, constant=constant)


def _number(cell: Cell) -> float | None:
    return None if isinstance(cell, str) or cell is None or math.isnan(cell) else float(cell)
