"""What models say of many rows as the columns of a table, and what their plain rules say of a frame.

What an answer is, is the predictor's to say; nothing is logged here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from database.answer_columns import AnswerColumn
from database.packed import PackedPredictions
from database.records import Answer, Factor, Prediction
from model.bundle import Manifest
from preprocessing.columns import Column, Numbers
from preprocessing.schema import Flag, Target

Floats = NDArray[np.float64]


def answer_schema(targets: Sequence[Target], *, logged: bool) -> dict[str, pl.DataType]:
    """The columns of an answers file. row: as the user counts the file's rows. student: a pseudonym."""
    columns: dict[str, pl.DataType] = {"row": pl.Int64()}
    columns |= {"prediction_id": pl.String()} if logged else {}
    columns |= {"student": pl.String(), "moment": pl.String()}
    for target in targets:
        columns |= _columns_of(target)
    return columns


def _columns_of(target: Target) -> dict[str, pl.DataType]:
    name = target.name
    number = target.kind == "value"
    columns: dict[str, pl.DataType] = {name: pl.Float64() if number else pl.String()}
    columns |= {f"{name}_{part}": pl.Float64() for part in (("low", "high") if number else ())}
    columns |= {f"{name}_p_{level}": pl.Float64() for level in target.levels}
    columns |= {} if number else {f"{name}_likelier": pl.String()}
    columns |= {f"{name}_below_pass": pl.Float64()} if target.cut_points else {}
    columns[f"{name}_naive"] = columns[name]
    return columns | {f"{name}_{part}": pl.String() for part in ("model", "out_of_range", "insufficient")}


def frame_of_predictions(
    rows: Sequence[int], predictions: Sequence[Prediction], targets: Sequence[Target], *, logged: bool = True
) -> pl.DataFrame:
    """One row per prediction. rows: their numbers in the file."""
    placed = [{answer.target: answer for answer in prediction.answers} for prediction in predictions]
    data: dict[str, Sequence[object]] = {
        "row": rows,
        "prediction_id": [prediction.id for prediction in predictions],
        "student": [prediction.student for prediction in predictions],
        "moment": [prediction.moment for prediction in predictions],
    }
    for target in targets:
        data |= _values_of(target, [answers.get(target.name) for answers in placed])
    schema = answer_schema(targets, logged=logged)
    return pl.DataFrame([pl.Series(name, data[name], dtype=kind) for name, kind in schema.items()])


def _values_of(target: Target, answers: Sequence[Answer | None]) -> dict[str, list[object]]:
    """The cells of one target's columns; empty where there is no answer."""
    name, nothing = target.name, [None] * len(answers)
    values: dict[str, list[object]] = dict.fromkeys(_columns_of(target), nothing)  # type: ignore[arg-type]
    values[name] = [answer and answer.value for answer in answers]
    if target.kind == "value":
        values[f"{name}_low"] = [answer and answer.interval and answer.interval[0] for answer in answers]
        values[f"{name}_high"] = [answer and answer.interval and answer.interval[1] for answer in answers]
    for level in target.levels:
        values[f"{name}_p_{level}"] = [a and a.probabilities and a.probabilities[level] for a in answers]
    if target.levels:
        values[f"{name}_likelier"] = [answer and answer.likelier for answer in answers]
    if target.cut_points:
        values[f"{name}_below_pass"] = [answer and answer.below_pass for answer in answers]
    values[f"{name}_naive"] = [answer and answer.naive for answer in answers]
    values[f"{name}_model"] = [answer and answer.model for answer in answers]
    values[f"{name}_out_of_range"] = ["; ".join(answer.out_of_range) if answer else None for answer in answers]
    values[f"{name}_insufficient"] = ["; ".join(answer.insufficient) if answer else None for answer in answers]
    return values


def words_of_factor(factor: Factor, *, comma: bool = False) -> str:
    """A factor in a cell: "G2 = 8 (-1.9)"; the number is its effect. comma: of decimals."""

    def written(number: float, form: str) -> str:
        text = format(number, form)
        return text.replace(".", ",") if comma else text

    value = "missing" if factor.value is None else factor.value
    told = value if isinstance(value, str) else written(value, "g")
    return f"{factor.feature} = {told} ({written(factor.effect, '+.3g')})"


def frame_of_batches(
    batches: Sequence[PackedPredictions],
    rows: Sequence[Sequence[int]],
    targets: Sequence[Target],
    *,
    logged: bool = True,
) -> pl.DataFrame:
    """As `frame_of_predictions`, of predictions by column, by the numbers of their rows. rows: those of each batch."""
    wanted = answer_schema(targets, logged=logged)
    parts = [_frame_of_batch(batch, numbers, targets) for batch, numbers in zip(batches, rows, strict=True)]
    frames = [part.select(*wanted) for part in parts]
    if len(frames) == 1 and frames[0]["row"].is_sorted():  # as where the same models answer all
        return frames[0]
    return pl.concat(frames).sort("row") if frames else pl.DataFrame(schema=wanted)


def _frame_of_batch(batch: PackedPredictions, rows: Sequence[int], targets: Sequence[Target]) -> pl.DataFrame:
    columns: dict[str, pl.Series] = {
        "row": pl.Series(rows, dtype=pl.Int64),
        "prediction_id": pl.Series(batch.ids, dtype=pl.String),
        "student": pl.Series(batch.students or [None] * len(batch), dtype=pl.String),
        "moment": pl.Series([batch.common.moment]).new_from_index(0, len(batch)),
    }
    given = {column.target: column for column in batch.answers}
    for target in targets:
        columns |= _said(target, given.get(target.name), len(batch))
    return pl.DataFrame([values.alias(name) for name, values in columns.items()])


def _said(target: Target, column: AnswerColumn | None, n: int) -> dict[str, pl.Series]:
    """The columns of one target; empty where nobody answered it."""
    kinds, name = _columns_of(target), target.name
    values = {part: pl.Series([None], dtype=kind).new_from_index(0, n) for part, kind in kinds.items()}
    if column is None:
        return values
    shares = {f"{name}_p_{level}": share for level, share in (column.shares or {}).items()}
    found = {name: column.value, f"{name}_naive": column.naive, **shares}
    found |= {f"{name}_low": column.low, f"{name}_high": column.high} if column.low and column.high else {}
    found |= {f"{name}_below_pass": column.below_pass} if column.below_pass and target.cut_points else {}
    values |= {part: _series(cells, kinds[part]) for part, cells in found.items()}
    values |= {f"{name}_likelier": _likelier(target, values)} if shares else {}
    values[f"{name}_model"] = pl.Series([column.model]).new_from_index(0, n)
    values |= {f"{name}_{part}": pl.Series([""]).new_from_index(0, n) for part in ("out_of_range", "insufficient")}
    if column.others:
        others = _values_of(target, list(column.others.values()))
        values = {
            part: cells.scatter(list(column.others), pl.Series(others[part], dtype=kinds[part]))
            for part, cells in values.items()
        }
    return values


def _likelier(target: Target, values: Mapping[str, pl.Series]) -> pl.Series:
    """`Answer.likelier` of whole columns."""
    shares = np.column_stack([values[f"{target.name}_p_{level}"].to_numpy() for level in target.levels])
    said = values[target.name].cast(pl.Enum(target.levels)).to_physical().to_numpy()
    most = shares.argmax(axis=1)
    other = shares[np.arange(len(most)), most] > shares[np.arange(len(most)), said]
    levels = pl.Series(target.levels, dtype=pl.String).gather(most.astype(np.uint32))
    return levels.zip_with(pl.Series(other), pl.Series([None], dtype=pl.String).new_from_index(0, len(most)))


def _series(column: Column, kind: pl.DataType) -> pl.Series:
    if isinstance(column, Numbers):
        return pl.Series(column.values, dtype=pl.Float64).fill_nan(None)
    return pl.Series(column.names, dtype=kind).gather(column.codes)


def naive_numbers_of(manifest: Manifest, frame: pl.DataFrame) -> Floats:
    """(n,) answers of a model's plain rule, as `Predictor.numbers_of`."""
    levels = manifest.target.levels
    said = _naive(manifest, frame, pl.String() if levels else pl.Float64())
    if levels:
        said = said.replace_strict({level: float(place) for place, level in enumerate(levels)})
    return np.asarray(said.to_numpy(), dtype=np.float64)


def _condition(flag: Flag) -> pl.Expr:
    column = pl.col(flag.column).cast(pl.Float64).fill_nan(None)
    return (column < flag.below if flag.below is not None else column > flag.above).fill_null(value=False)


def _naive(manifest: Manifest, frame: pl.DataFrame, kind: pl.DataType) -> pl.Series:
    rule = manifest.naive
    constant = pl.Series([rule.constant], dtype=kind).new_from_index(0, frame.height)
    if rule.flags:
        conditions = [_condition(flag) for flag in rule.flags if flag.column in frame.columns]
        flagged = frame.select(pl.any_horizontal(pl.lit(value=False), *conditions)).to_series()
        return pl.Series([rule.flagged], dtype=kind).new_from_index(0, frame.height).zip_with(flagged, constant)
    if rule.column is None or rule.column not in frame.columns:
        return constant
    known = frame[rule.column].cast(kind)  # levels may be codes
    return known.zip_with(known.is_not_null(), constant)
