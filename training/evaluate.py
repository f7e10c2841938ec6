"""From unseen answers to a choice: scores per candidate, calibration, signal, importance, interval width.

Pure functions over arrays and fitted models; nothing here trains the final model or saves it.
"""

from collections.abc import Mapping

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression

from model.bundle import Bands, ErrorTable, MissingPattern, answered_levels
from model.naive import NaiveRule, fit_naive
from model.predictor import ENOUGH_KNOWN, BandCurves, calibrate, importance_shares
from model.scores import (
    PairedGain,
    Scores,
    ValueScores,
    absolute_errors,
    paired_gain,
    score_classes,
    score_values,
)
from preprocessing.encode import Cell, encode_frame
from preprocessing.split import Rows
from training.fit import Fitted, Floats, Task

COVERAGE = 0.9
SIGNAL_LEVEL = 0.99
IMPORTANCE_REPEATS, IMPORTANCE_ROWS = 3, 500
REFERENCE_PARTS = 8
FEWEST_OF_PATTERN = 30
"""Unseen rows that lack the same inputs, from which their answers can be judged."""
PATTERN_LEVEL = 0.9
CURVE_POINTS, BAND_DECIMALS = 101, 6
PLATT_ROWS = 200
"""As many rows as the curve of one shape counts: near the best of 0 to 200 at 60, 300 and 1,500 rows of four kinds."""
CURVE_CELLS = 2_000
"""Of neighbouring answers, into which many rows are gathered before a curve is drawn through them."""


def score(task: Task, outputs: Floats, clusters: NDArray[np.int64]) -> Scores:
    """Scores of `outputs` ((n, 1) values or (n, levels) probabilities) for the rows of `task`."""
    if task.target.kind == "value":
        return score_values(task.truth, outputs[:, 0], clusters)
    truth, answers = task.truth.astype(np.int64), answers_of(task, outputs)
    return score_classes(truth, answers.astype(np.int64), outputs, task.target.levels, clusters)


def answers_of(task: Task, outputs: Floats) -> Floats:
    """(n,) what `outputs` are answered with, as numbers: values in the target's unit, or level numbers."""
    if task.target.kind == "value":
        return outputs[:, 0]
    return answered_levels(outputs, banded=task.banded).astype(np.float64)


def score_naive(task: Task, answers: Floats, clusters: NDArray[np.int64]) -> Scores:
    """Scores of the plain rule's (n,) `answers`; it gives no probabilities."""
    if task.target.kind == "value":
        return score_values(task.truth, answers, clusters)
    truth = task.truth.astype(np.int64)
    return score_classes(truth, answers.astype(np.int64), None, task.target.levels, clusters)


def better(first: Scores, second: Scores) -> bool:
    """Whether `first` wins by the rule that chooses: lowest RMSE, or highest weighted F1."""
    return merit(first) > merit(second)


def merit(scores: Scores) -> float:
    """The number that chooses, larger is better."""
    return -scores.rmse.value if isinstance(scores, ValueScores) else scores.weighted_f1.value


def choose(scores: Mapping[str, Scores]) -> str:
    """The name of the best candidate; of equals the first."""
    return max(scores, key=lambda name: merit(scores[name]))


def naive_rule(task: Task, column: str | None) -> NaiveRule:
    """The plain rule learned from all rows of `task`."""
    return fit_naive(task.target, column, labels(task))


def labels(task: Task) -> list[float | str]:
    """The outcomes as the schema writes them: values, or level names."""
    if task.target.kind == "value":
        return [float(value) for value in task.truth]
    return [task.target.levels[int(value)] for value in task.truth]


def answer_naively(task: Task, column: str | None, folds: list[tuple[Rows, Rows]]) -> Floats:
    """(n,) answers of the plain rule as numbers, each row's rule learned without its fold; NaN where untested."""
    answers = np.full(task.frame.height, np.nan)
    for train, test in folds:
        rule = naive_rule(task.subset(train), column)
        rows = task.frame[test].select(rule.columns).to_dicts() if rule.columns else [{}] * len(test)
        said = [rule.answer(row) for row in rows]
        answers[test] = [task.target.levels.index(a) if isinstance(a, str) else a for a in said]
    return answers


def constant_losses(task: Task, folds: list[tuple[Rows, Rows]]) -> Floats:
    """(n,) losses of knowing only the mean, or the class shares, of the other folds."""
    losses = np.full(task.frame.height, np.nan)
    for train, test in folds:
        if task.target.kind == "value":
            outputs = np.full((len(test), 1), task.truth[train].mean())
        else:
            counts = np.bincount(task.truth[train].astype(np.int64), minlength=len(task.target.levels))
            outputs = np.tile(counts / counts.sum(), (len(test), 1))
        losses[test] = proper_losses(task.subset(test), outputs)
    return losses


def proper_losses(task: Task, outputs: Floats) -> Floats:
    """(n,) squared errors, or Brier losses summed over classes: least when the truth is told (Gneiting 2007)."""
    if task.target.kind == "value":
        return np.asarray((outputs[:, 0] - task.truth) ** 2)
    happened = np.eye(outputs.shape[1])[task.truth.astype(np.int64)]
    return np.asarray(((outputs - happened) ** 2).sum(axis=1))


def signal(
    task: Task, outputs: Floats, folds: list[tuple[Rows, Rows]], tested: Rows, clusters: NDArray[np.int64]
) -> PairedGain:
    """How much smaller the loss of `outputs` is than that of a constant answer, over the `tested` rows."""
    constant = constant_losses(task, folds)[tested]
    fitted = proper_losses(task.subset(tested), outputs[tested])
    return paired_gain(constant, fitted, clusters[tested], level=SIGNAL_LEVEL)


def temperature(truth: NDArray[np.int64], probabilities: Floats) -> float:
    """The temperature with the least log loss over unseen rows (Guo et al. 2017), from 0.2 to 5."""
    rows = np.arange(len(truth))

    def log_loss(log_temperature: float) -> float:
        told = calibrate(probabilities, float(np.exp(log_temperature)))[rows, truth]
        return float(-np.log(np.maximum(told, 1e-12)).mean())

    found = minimize_scalar(log_loss, bounds=(np.log(0.2), np.log(5.0)), method="bounded")
    return round(float(np.exp(found.x)), 4)


def calibrate_unseen(task: Task, outputs: Floats, folds: list[tuple[Rows, Rows]]) -> Floats:
    """(n, levels) calibrated probabilities, each fold's temperature learned from the other folds' answers.

    With a single tested fold there is no other: its answers stay as they are.
    """
    truth, calibrated = task.truth.astype(np.int64), outputs.copy()
    for _, test in folds:
        others = np.setdiff1d(np.concatenate([rows for _, rows in folds]), test)
        if others.size:
            calibrated[test] = calibrate(outputs[test], temperature(truth[others], outputs[others]))
    return calibrated


def half_width(errors: Floats, coverage: float = COVERAGE) -> float | None:
    """The conformal half width: the ceil((n + 1) coverage)-th smallest unseen error (Vovk et al. 2005; Barber et al.
    2021 for cross-validated errors). None when there are too few rows to promise `coverage`."""
    rank = int(np.ceil((len(errors) + 1) * coverage))
    return None if rank > len(errors) else float(np.partition(errors, rank - 1)[rank - 1])


def reference(task: Task) -> dict[str, tuple[tuple[Cell, float], ...]]:
    """Input to the values that its training rows held, with their shares: what explanations put in an input's place.

    Levels as they are; numbers as the middles of eight parts of equal size; None with the share of the missing.
    """
    return {feature.name: _values(task.frame[feature.name]) for feature in task.inputs}


def _values(column: pl.Series) -> tuple[tuple[Cell, float], ...]:
    known = column.drop_nulls()
    if known.dtype.is_numeric() and len(known):
        middles = (np.arange(REFERENCE_PARTS) + 0.5) / REFERENCE_PARTS
        values = np.quantile(known.to_numpy().astype(np.float64), middles, method="inverted_cdf")
        levels, counts = np.unique(values, return_counts=True)
    else:
        levels, counts = np.unique(known.to_numpy().astype(str), return_counts=True)
    missing = column.null_count() / max(1, len(column))
    shares = (counts * ((1 - missing) / max(1, counts.sum()))).tolist()
    found: list[tuple[Cell, float]] = list(zip(levels.tolist(), shares, strict=True))
    return (*found, *([(None, missing)] if missing else []))


def importance(fitted: Fitted, task: Task) -> dict[str, float]:
    """Input to the rise of the mean absolute error, in target units, when its values are shuffled (Breiman 2001).

    `task` holds rows that `fitted` has not seen; 500 of them at most are used. Never below 0. What is made of a
    column's weeks is shuffled with it, and has none of its own: alone each tells little beside its neighbours.
    """
    generator = np.random.default_rng(task.seed)
    if task.frame.height > IMPORTANCE_ROWS:
        task = task.subset(np.sort(generator.choice(task.frame.height, IMPORTANCE_ROWS, replace=False)))
    X = encode_frame(fitted.encoding, task.frame)
    source = {feature.name: feature.of or feature.name for feature in task.inputs}
    behind, sources = np.array([source[name] for name in fitted.encoding.columns]), list(dict.fromkeys(source.values()))
    shuffled = []
    for name in sources:
        for _ in range(IMPORTANCE_REPEATS):
            copy = X.copy()
            copy[:, behind == name] = X[generator.permutation(len(X))][:, behind == name]
            shuffled.append(copy)
    outputs = fitted.outputs_of(np.concatenate([X, *shuffled]))
    answers = outputs[:, 0] if task.target.kind == "value" else outputs.argmax(axis=1)
    errors = absolute_errors(np.tile(task.truth, len(answers) // len(X)), answers).reshape(-1, len(X)).mean(axis=1)
    rises = errors[1:].reshape(len(sources), IMPORTANCE_REPEATS).mean(axis=1) - errors[0]
    rise_of = dict(zip(sources, rises, strict=True))
    return {feature.name: max(0.0, float(rise_of.get(feature.name, 0.0))) for feature in task.inputs}


def missing_patterns(
    task: Task, outputs: Floats, naive: Floats, importance: Mapping[str, float], clusters: NDArray[np.int64]
) -> tuple[MissingPattern, ...]:
    """How rows were answered that lack more than half of the importance, by what they lack; only what is common.

    outputs, naive: what model and plain rule said of the rows of `task`, none of which they had seen.
    """
    shares = importance_shares(importance)
    names = [name for name in shares if task.frame[name].null_count()]
    if not names:
        return ()
    answers = answers_of(task, outputs)
    mine, rule = absolute_errors(task.truth, answers), absolute_errors(task.truth, naive)
    lacks = np.column_stack([task.frame[name].is_null().to_numpy() for name in names])
    kinds, kind = np.unique(lacks, axis=0, return_inverse=True)
    found = []
    for number, pattern in enumerate(kinds):
        rows = np.flatnonzero(kind.reshape(-1) == number)
        missing = tuple(name for name, lacking in zip(names, pattern, strict=True) if lacking)
        if len(rows) >= FEWEST_OF_PATTERN and sum(shares[name] for name in missing) > 1 - ENOUGH_KNOWN:
            found.append(_judged(task, missing, mine[rows], rule[rows], clusters[rows]))
    return tuple(found)


def _judged(
    task: Task, missing: tuple[str, ...], mine: Floats, rule: Floats, clusters: NDArray[np.int64]
) -> MissingPattern:
    gain = paired_gain(rule, mine, clusters, level=PATTERN_LEVEL)
    loss = paired_gain(mine, rule, clusters, level=PATTERN_LEVEL)
    return MissingPattern(
        missing=missing,
        n=len(mine),
        mae=float(mine.mean()),
        naive_mae=float(rule.mean()),
        verdict="better" if gain.lower > 0 else "worse" if loss.lower > 0 else "alike",
        half_width=half_width(mine) if task.target.kind == "value" else None,
    )


def bands(task: Task, values: Floats) -> Bands:
    """How likely outcomes lie below each cut point of the value that `task` learns, by (n,) answers to its rows; the
    model had seen none of them."""
    at = np.unique(np.quantile(values, np.linspace(0, 1, CURVE_POINTS)).round(BAND_DECIMALS))
    curves = [_chances(values, task.truth < cut, at) for cut in task.target.cut_points]
    ordered = np.minimum.accumulate(np.maximum.accumulate(curves, axis=0), axis=1).round(BAND_DECIMALS)
    return Bands(
        cuts=task.target.cut_points,
        minimum=task.target.minimum,
        maximum=task.target.maximum,
        at=tuple(at.tolist()),
        below=tuple(tuple(curve) for curve in ordered.tolist()),
    )


def unseen_shares(task: Task, values: Floats, folds: list[tuple[Rows, Rows]]) -> Floats:
    """(n, levels) probabilities of the bands about (n,) unseen answers, each fold's from the others' (its own where it
    is the only one); NaN where untested."""
    tested = [rows for _, rows in folds]
    found = np.full((len(values), len(task.target.cut_points) + 1), np.nan)
    for rows in tested:
        others = np.setdiff1d(np.concatenate(tested), rows)
        known = others if others.size else rows
        learned = msgspec.structs.replace(bands(task.subset(known), values[known]), sided=True)
        found[rows] = BandCurves(learned).shares(values[rows])
    return found


def _chances(values: Floats, happened: NDArray[np.bool_], at: Floats) -> Floats:
    """The chance of what `happened` to rows of (n,) `values` where a value is `at`; it never rises.

    Two curves in one: isotonic regression (Zadrozny and Elkan 2002) between the centres of its blocks, which takes any
    shape, and Platt's (1999), which has one shape, is nearer where rows are few, and nowhere flat.
    """
    order = np.argsort(values, kind="stable")
    starts = np.unique(np.linspace(0, len(values), min(len(values), CURVE_CELLS), endpoint=False).astype(np.int64))
    n = np.diff(np.append(starts, len(values))).astype(np.float64)
    centers, k = (np.add.reduceat(part[order], starts) for part in (values, happened.astype(np.float64)))
    share = PLATT_ROWS / (PLATT_ROWS + len(values))
    return share * _platt(centers / n, n, k, at) + (1 - share) * _isotonic(centers / n, n, k, at)


def _platt(centers: Floats, n: Floats, k: Floats, at: Floats) -> Floats:
    """The logistic curve through k of n in each cell, towards Platt's targets, which no finite sample exceeds."""
    middle, spread = np.average(centers, weights=n), max(float(centers.std()), 1e-9)
    scaled, yes, no = (centers - middle) / spread, k.sum(), (n - k).sum()
    target = (k * (yes + 1) / (yes + 2) + (n - k) / (no + 2)) / n

    def log_loss(fitted: Floats) -> tuple[float, Floats]:
        slope = np.exp(fitted[1])
        exponent = fitted[0] - slope * scaled
        loss, off = n @ (np.logaddexp(0, exponent) - target * exponent), n * (expit(exponent) - target)
        return float(loss) / len(n), np.array([off.sum(), -slope * (off @ scaled)]) / len(n)

    level, slope = minimize(log_loss, [0.0, 0.0], jac=True, bounds=[(-30, 30), (-9, 5)], method="L-BFGS-B").x
    return np.asarray(expit(level - np.exp(slope) * (at - middle) / spread))


def _isotonic(centers: Floats, n: Floats, k: Floats, at: Floats) -> Floats:
    fitted = IsotonicRegression(increasing=False).fit_transform(centers, k / n, sample_weight=n)
    starts = np.flatnonzero(np.append(True, np.diff(fitted) != 0))
    rows, happened, middle = (np.add.reduceat(part, starts) for part in (n, k, centers * n))
    shares = np.minimum.accumulate((happened + 0.5) / (rows + 1))  # of few rows nothing is sure
    return np.interp(at, middle / rows, shares)


def in_levels(importance: Mapping[str, float], values: ErrorTable | None, levels: ErrorTable) -> dict[str, float]:
    """The importance of a value's inputs for its bands: the same shares, as large as errors in levels are beside those
    of the value."""
    of_value = float(np.average(values.mean, weights=values.n)) if values else 0.0
    ratio = float(np.average(levels.mean, weights=levels.n)) / of_value if of_value else 1.0
    return {name: rise * ratio for name, rise in importance.items()}


def as_leader(patterns: tuple[MissingPattern, ...], leader: tuple[MissingPattern, ...]) -> tuple[MissingPattern, ...]:
    """The patterns of bands with the verdicts of the value's: both are answered, or neither."""
    verdicts = {one.missing: one.verdict for one in leader}
    known = [one for one in patterns if one.missing in verdicts]
    return tuple(msgspec.structs.replace(one, verdict=verdicts[one.missing]) for one in known)
