"""Answers as columns: those of one champion for a whole frame at once, and those of predictions, in the same layout.

A row about which there is more to say than a number (unlike any training row, or lacking too much) is answered by
the predictor itself, so what such answers are is said in one place. It logs nothing.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from database.records import Answer, Factor, Prediction
from model.bundle import Manifest
from model.predictor import Predictor
from model.registry import Serving
from preprocessing.encode import NumberedColumns, number_columns
from preprocessing.schema import Target

Floats = NDArray[np.float64]

DECIMALS = 4  # more than any mark has, and fewer than a float shows


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
    values[f"{name}_naive"] = [answer and answer.naive for answer in answers]
    values[f"{name}_model"] = [answer and answer.model for answer in answers]
    values[f"{name}_out_of_range"] = ["; ".join(answer.out_of_range) if answer else None for answer in answers]
    values[f"{name}_insufficient"] = ["; ".join(answer.insufficient) if answer else None for answer in answers]
    return values


def answers_csv(rows: Sequence[int], predictions: Sequence[Prediction], targets: Sequence[Target]) -> str:
    """A line per prediction, numbers to four decimals. rows: their numbers in the file; targets: the domain's.

    Factors, where any were asked for, stand in one more column per target, the strongest first.
    """
    given = {answer.target for prediction in predictions for answer in prediction.answers}
    frame = frame_of_predictions(rows, predictions, [target for target in targets if target.name in given])
    factors = [{answer.target: answer.factors for answer in p.answers if answer.factors} for p in predictions]
    for name in dict.fromkeys(name for found in factors for name in found):
        told = ["; ".join(_words(factor) for factor in found.get(name, ())) for found in factors]
        frame = frame.with_columns(pl.Series(f"{name}_factors", told, dtype=pl.String()))
    return frame.with_columns(pl.col(pl.Float64).round(DECIMALS)).write_csv()


def _words(factor: Factor) -> str:
    """A factor in a cell: "G2 = 8 (-1.9)"; the number is its effect."""
    value = (
        "missing" if factor.value is None else factor.value if isinstance(factor.value, str) else f"{factor.value:g}"
    )
    return f"{factor.feature} = {value} ({factor.effect:+.3g})"


def answer_frame(frame: pl.DataFrame, champions: Mapping[str, Serving], targets: Sequence[Target]) -> pl.DataFrame:
    """The champions' answers to the rows of a typed `frame`, all of one moment: the same, to the last bit, as
    `Predictor.answer` gives. champions: by target."""
    columns: dict[str, pl.Series] = {
        "row": frame["_row"],
        "student": frame["_student"],
        "moment": frame["_moment"],
    }
    for target in targets:
        if serving := champions.get(target.name):
            columns |= _answer(serving, frame)
    height = frame.height
    wanted = answer_schema(targets, logged=False)
    empty = {name: pl.Series([None], dtype=kind).new_from_index(0, height) for name, kind in wanted.items()}
    return pl.DataFrame([(columns.get(name, empty[name])).alias(name) for name in wanted])


def outputs_of(predictor: Predictor, frame: pl.DataFrame) -> Floats:
    """(n, 1) values in target units, or (n, levels) probabilities, for the rows of a typed `frame`; an optional input
    that it does not have is missing everywhere."""
    return predictor.outputs_of(_numbered(predictor.manifest, frame))


def numbers_of(predictor: Predictor, frame: pl.DataFrame) -> Floats:
    """(n,) answers to the rows of a typed `frame` as numbers: values in target units, or level numbers."""
    outputs = outputs_of(predictor, frame)
    return outputs[:, 0] if predictor.manifest.target.kind == "value" else outputs.argmax(axis=1).astype(np.float64)


def naive_numbers_of(manifest: Manifest, frame: pl.DataFrame) -> Floats:
    """(n,) answers of a model's naive rule, as `numbers_of`."""
    levels = manifest.target.levels
    said = _naive(manifest, frame, pl.String() if levels else pl.Float64())
    if levels:
        said = said.replace_strict({level: float(place) for place, level in enumerate(levels)})
    return np.asarray(said.to_numpy(), dtype=np.float64)


def _numbered(manifest: Manifest, frame: pl.DataFrame) -> NumberedColumns:
    absent = {part.name: pl.Float64() for part in manifest.encoding.numeric if part.name not in frame.columns}
    levels = {part.name: pl.String() for part in manifest.encoding.categorical if part.name not in frame.columns}
    nothing = [pl.lit(None, dtype=kind).alias(name) for name, kind in {**absent, **levels}.items()]
    return number_columns(manifest.encoding, frame.with_columns(nothing) if nothing else frame)


def _answer(serving: Serving, frame: pl.DataFrame) -> dict[str, pl.Series]:
    predictor, manifest = serving.predictor, serving.predictor.manifest
    target, name = manifest.target, manifest.target.name
    numbered = number_columns(manifest.encoding, frame)
    outputs = predictor.outputs_of(numbered)
    kinds = _columns_of(target)
    columns = _numbers(manifest, outputs) if target.kind == "value" else _levels(manifest, outputs)
    columns[f"{name}_naive"] = _naive(manifest, frame, kinds[f"{name}_naive"])
    columns[f"{name}_model"] = pl.Series([predictor.version]).new_from_index(0, frame.height)
    for part in ("out_of_range", "insufficient"):
        columns[f"{name}_{part}"] = pl.Series([""]).new_from_index(0, frame.height)
    missing = {one: frame[one].is_null().to_numpy() for one in manifest.inputs if frame[one].null_count()}
    special = np.flatnonzero(predictor.special(numbered, missing))
    if len(special):
        inputs = frame[special].select(manifest.inputs).to_dicts()
        said = _values_of(target, predictor.answer(inputs, generation=serving.generation))
        columns = {
            column: values.scatter(special, pl.Series(said[column], dtype=kinds[column]))
            for column, values in columns.items()
        }
    return columns


def _numbers(manifest: Manifest, outputs: Floats) -> dict[str, pl.Series]:
    name, width = manifest.target.name, manifest.half_width
    values = outputs[:, 0]
    columns = {name: pl.Series(values)}
    for part, sign in (("low", -1.0), ("high", 1.0)):
        bound = np.full(len(values), np.nan) if width is None else _within(manifest.target, values + sign * width)
        columns[f"{name}_{part}"] = pl.Series(bound).fill_nan(None)
    return columns


def _within(target: Target, values: Floats) -> Floats:
    low = -math.inf if target.minimum is None else target.minimum
    high = math.inf if target.maximum is None else target.maximum
    return np.minimum(np.maximum(values, low), high)


def _levels(manifest: Manifest, outputs: Floats) -> dict[str, pl.Series]:
    name, levels = manifest.target.name, manifest.target.levels
    columns = {name: pl.Series(levels, dtype=pl.String).gather(outputs.argmax(axis=1))}
    return columns | {f"{name}_p_{level}": pl.Series(outputs[:, place]) for place, level in enumerate(levels)}


def _naive(manifest: Manifest, frame: pl.DataFrame, kind: pl.DataType) -> pl.Series:
    rule = manifest.naive
    constant = pl.Series([rule.constant], dtype=kind).new_from_index(0, frame.height)
    if rule.column is None or rule.column not in frame.columns:
        return constant
    known = frame[rule.column].cast(kind)  # levels may be codes
    return known.zip_with(known.is_not_null(), constant)
