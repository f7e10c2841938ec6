"""The plain rule: what a careful person would say without a model.

It answers with a column that is itself a plausible answer (the last grade), where the schema names one, else with the
mean or the most frequent level of the training rows. It learns nothing else.
"""

import math
from collections.abc import Mapping, Sequence

import msgspec

from preprocessing.schema import Target

Cell = float | str | None

RULE = "plain_rule"
"""The candidate's name where the rule itself serves as a model."""


class NaiveRule(msgspec.Struct, frozen=True, kw_only=True):
    """column: answer with its value where it is known. constant: the answer everywhere else."""

    column: str | None
    constant: float | str

    def answer(self, row: Mapping[str, Cell]) -> float | str:
        value = row.get(self.column) if self.column else None
        return self.constant if value is None else value

    def __str__(self) -> str:
        constant = self.constant if isinstance(self.constant, str) else f"{self.constant:.4g}"
        return f"{self.column}, or {constant} where it is missing" if self.column else f"always {constant}"


def fit_naive(target: Target, column: str | None, truth: Sequence[float | str]) -> NaiveRule:
    """The rule for `target`; truth: the outcomes of the training rows."""
    if target.kind == "value":
        return NaiveRule(column=column, constant=math.fsum(float(value) for value in truth) / len(truth))
    return NaiveRule(column=column, constant=max(target.levels, key=list(truth).count))
