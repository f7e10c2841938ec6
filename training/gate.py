"""What must be settled before a model of these rows may serve: the ways in which it would be proud and useless.

Objections refuse the training, questions are asked beside a model that serves; each is a sentence with its remedy.
Single columns that hold the future are `preprocessing.validation.leakage`'s.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from model.scores import absolute_errors
from preprocessing.drafting.header_words import hints, stem
from preprocessing.schema import Feature
from preprocessing.validation.composition import FEWEST_PARTS, adds_up
from training.fit import Floats, Task

NEARLY_ALL = 0.95  # different values per row
OFTEN = 0.5  # different texts per row, from which a column tells rows apart and teaches nothing
CODES_FROM = 10_000  # whole numbers of five digits or more, hardly one of which repeats, are codes
UNKNOWN_SHARE = 0.4  # of levels that the domain does not list
COPIES_SHARE = 0.2  # of rows that only say again what another says (`preprocessing.copies`)
FEWEST_OF_LEVEL = 3  # rows of a level that say which numbers it stands for
NO_ERROR = 1e-3  # of the outcome's deviation


def objections(task: Task) -> list[str]:
    """Why nothing may be trained on these rows as they are described. Inputs that are `trusted` are let be."""
    inputs = [feature for feature in task.inputs if not feature.trusted and feature.name in task.frame.columns]
    found = [said for feature in inputs if (said := _no_input(task, feature))]
    found += _backwards(task, inputs)
    return found + _other_clothes(task, inputs)


def _no_input(task: Task, feature: Feature) -> str | None:
    values = task.frame[feature.name].drop_nulls()
    different = values.n_unique() / len(values) if len(values) else 0.0
    if feature.kind == "categorical":
        if different >= OFTEN:
            return f"input {feature.name!r} is another text in {different:.0%} of the rows: leave it out"
        return None
    numbers = values.to_numpy()
    if different < NEARLY_ALL or (numbers != np.floor(numbers)).any():
        return None
    remedy = "leave it out, name it under [student], or say trusted = true where it is an amount"
    if len(numbers) == values.n_unique() and numbers.max() - numbers.min() == len(numbers) - 1:
        return f"input {feature.name!r} counts the rows: {remedy}"
    if numbers.min() >= CODES_FROM:
        return f"input {feature.name!r} looks like a key, {different:.0%} of its whole numbers are different: {remedy}"
    return None


def _backwards(task: Task, inputs: Sequence[Feature]) -> list[str]:
    """Inputs that are known after what they would predict, by what both are called."""
    target = task.target.name
    called, number = stem(target)
    later = [f.name for f in inputs if number is not None and _is_after(f.name, called, number)]
    if "earlier" in hints(target):
        later += [f.name for f in inputs if "final" in hints(f.name)]
    remedy = "predict the later one, leave it out, or say trusted = true where it is known before"
    return [f"{target!r} is known before {name!r}, from which it would be predicted: {remedy}" for name in later]


def _is_after(name: str, called: str, number: int) -> bool:
    own, place = stem(name)
    return own == called and place is not None and place > number


def _other_clothes(task: Task, inputs: Sequence[Feature]) -> list[str]:
    """Inputs that together are the outcome, or of which one is it in other words."""
    numeric = [feature for feature in inputs if feature.kind == "numeric"]
    remedy = (
        "leave out what is not known yet, or say from when on each is known (known_at): before all are known there is "
        "something to predict"
    )
    if task.target.kind == "ordered_class":
        bands = [f.name for f in numeric if _has_bands(task.truth, task.frame[f.name])]
        return [f"{task.target.name!r} is {name!r} by bands, the same in other words: {remedy}" for name in bands]
    if len(numeric) < FEWEST_PARTS:
        return []
    used = adds_up(task.truth, np.column_stack([_numbers(task, feature) for feature in numeric]))
    parts = [repr(feature.name) for feature, is_part in zip(numeric, used, strict=True) if is_part]
    if not parts:
        return []
    together = f"{', '.join(parts[:-1])} and {parts[-1]}"
    return [f"{together} together are {task.target.name!r}, their sum or weighted mean in every row: {remedy}"]


def _numbers(task: Task, feature: Feature) -> Floats:
    return task.frame[feature.name].cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _has_bands(truth: Floats, values: pl.Series) -> bool:
    """Whether every level has numbers of its own, in the order of levels or against it; two levels prove nothing."""
    bands = pl.DataFrame({"level": truth, "n": values}).drop_nulls().group_by("level")
    known = bands.agg(pl.col("n").min().alias("low"), pl.col("n").max().alias("high"), pl.len()).sort("low")
    known = known.filter(pl.col("len") >= FEWEST_OF_LEVEL)
    order = np.sign(np.diff(known["level"].to_numpy()))
    apart = known["high"].to_numpy()[:-1] < known["low"].to_numpy()[1:]
    return known.height > 2 and bool(apart.all()) and abs(int(order.sum())) == len(order)


def told_without_error(task: Task, outputs: Floats) -> str | None:
    """What to say where answers that no fold had seen are all right: the inputs hold the outcome, however they do."""
    if task.target.kind == "value":
        errors, spread = absolute_errors(task.truth, outputs[:, 0]), float(task.truth.std())
        faultless = errors.max() <= NO_ERROR * spread
    else:
        faultless = bool((outputs.argmax(axis=1) == task.truth).all())
    if not faultless:
        return None
    return (
        f"all of {len(task.truth)} unseen answers are right to the last digit: the inputs hold the outcome "
        f"{task.target.name!r}; leave out what is put together from it, or say from when on it is known (known_at)"
    )


def questions(task: Task, copied: int) -> list[str]:
    """What somebody should settle, though a model may serve meanwhile. copied: rows beside the task's own that only say
    again what one of these says."""
    found = []
    for feature in task.inputs:
        if feature.open and feature.levels and feature.name in task.frame.columns:
            values = task.frame[feature.name].drop_nulls()
            share = 1 - values.is_in(list(feature.levels)).sum() / len(values) if len(values) else 0.0
            if share >= UNKNOWN_SHARE:
                said = f"{share:.0%} of {feature.name!r} are levels that the domain does not list, all one to the model"
                found.append(f"{said}: list them (levels), or leave the column out")
    if "_student" in task.frame.columns and task.frame["_student"].null_count() < task.frame.height:
        return found
    share = copied / (copied + task.frame.height)
    if share >= COPIES_SHARE:
        remedy = "name the student key under [student], and the period if students come again"
        found.append(f"{share:.0%} of the rows say again what another says, and no key tells whose they are: {remedy}")
    return found
