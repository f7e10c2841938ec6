"""Students' weeks: what features cost, and which models of them are worth having on an invented district.

`python -m benchmarks.k12 [--quick]` from the project's root. Features go through the command; models are fitted by the
candidates that training has, on the weeks of one year, and answer other students' weeks of the next.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.commands import GRADEWATCH, measured
from benchmarks.result import Figure, print_figures, write_results
from preprocessing.panel.example import write_district
from preprocessing.schema import DomainSchema, Feature, load_domains
from preprocessing.split import folds
from training.candidates import CLASS_CANDIDATES, Candidate
from training.fit import Floats, Task, fit

STUDENTS, MANY_STUDENTS, QUICK_STUDENTS = 10_000, 100_000, 600
MODEL_STUDENTS, SEEDS = 1_000, 3
CPU_GOAL, MEMORY_GOAL = 4.0, 600.0
LINEAR_GOAL = 1.2  # of the tenfold: what 100,000 students may take for each of them, against 10,000
RESAMPLES, LEVEL = 60, 0.9
BINS = 10  # of chances, for the expected calibration error
WEEKS_SHOWN = (4, 8, 12, 16, 20)
DOMAIN = "k12"
BASE_RATE, RULE = "base rate", "ABC rule"
AGGREGATED = ("att_rate_w", "pct_w", "missing_rate_4w", "unexc_rate_4w", "tardy_rate_4w", "inc_w", "sev_decay_hl4")
SPANS = (4, 12, 20)  # weeks


def main(given: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few students and one seed, to see that it works")
    quick = parser.parse_args(given).quick
    schema = load_domains()[DOMAIN]
    with tempfile.TemporaryDirectory(prefix="gradewatch-k12-") as made:
        figures = [*features(Path(made), schema, quick=quick), *models(Path(made), schema, quick=quick)]
    print_figures(DOMAIN, figures) if quick else write_results(DOMAIN, figures)


# Features -------------------------------------------------------------------------------------------------------------


def features(folder: Path, schema: DomainSchema, *, quick: bool) -> Iterator[Figure]:
    """CPU and memory of the command, start, reading, checks and writing included, and how it grows with students."""
    few, many = (QUICK_STUDENTS, 2 * QUICK_STUDENTS) if quick else (STUDENTS, MANY_STUDENTS)
    seconds = dict[int, float]()
    for students in (few, many):
        print(f"  features of {students:,} students", flush=True)
        district = folder / f"{students}"
        write_district(district, schema, students=students, seed=1)
        command = (GRADEWATCH, "features", str(district), "-d", schema.name, "-o", str(folder / "rows.parquet"))
        seconds[students], memory = min(measured({}, *command) for _ in range(1 if students == many else 3))
        if students == few:
            how = f"gradewatch features, {few:,} students in 39 weeks from Parquet, with start and checks"
            yield Figure("features of a district", round(seconds[few], 2), "s of CPU", f"≤ {CPU_GOAL:g}",
                         seconds[few] <= CPU_GOAL, f"{how}; best of 3")  # fmt: skip
            yield Figure("memory of that", round(memory), "MB", f"≤ {MEMORY_GOAL:g}", memory <= MEMORY_GOAL, how)
    growth = seconds[many] / seconds[few] / (many / few)
    yield Figure("growth with students", round(growth, 2), "of proportion", f"≤ {LINEAR_GOAL:g}", growth <= LINEAR_GOAL,
                 f"{many:,} students: {seconds[many]:.1f} s of CPU")  # fmt: skip


# Models ---------------------------------------------------------------------------------------------------------------


class Told(NamedTuple):
    """What a model said of rows: (n, horizons) chances."""

    rows: pl.DataFrame
    chances: Floats


def models(folder: Path, schema: DomainSchema, *, quick: bool) -> Iterator[Figure]:
    """Every candidate on the same rows: taught by one year, tested on other students of the next."""
    target = schema.targets[0]
    said = dict[str, list[Told]]()
    for seed in range(1 if quick else SEEDS):
        print(f"  models, seed {seed + 1}", flush=True)
        district = folder / f"models-{seed}"
        write_district(district, schema, students=QUICK_STUDENTS if quick else MODEL_STUDENTS, seed=seed + 10, years=2)
        rows = with_aggregates(pl.read_parquet(district / "rows.parquet")).drop_nulls(target.name)
        for name, chances, tested in candidates(rows, schema, seed):
            said.setdefault(name, []).append(Told(tested, chances))
    for name, told in said.items():
        yield table_row(name, told, target.within, auc(said[RULE]))


def candidates(rows: pl.DataFrame, schema: DomainSchema, seed: int) -> Iterator[tuple[str, Floats, pl.DataFrame]]:
    """Each candidate's name, its chances within each horizon, and the rows that it was asked about."""
    placed = rows.with_columns(_group="school", _period="week", _student="student_id")
    truth = levels_of(placed, schema)
    train, test = folds(placed, schema, k=3, seed=seed, classes=truth)[0]
    tested, happened = rows[test], truth[train]
    horizons = len(schema.targets[0].within)
    base = np.array([(happened <= level).mean() for level in range(horizons)])
    yield BASE_RATE, np.tile(base, (len(test), 1)), tested
    by_flag = [
        pl.col(flag.column) < flag.below if flag.below is not None else pl.col(flag.column) > flag.above
        for flag in schema.targets[0].flags
    ]
    rule = pl.any_horizontal(one.fill_null(value=False) for one in by_flag)
    flagged = {
        part: rows[which].select(rule).to_series().to_numpy() for part, which in (("train", train), ("test", test))
    }
    rates = [[(happened[flagged["train"] == flag] <= level).mean() for level in range(horizons)] for flag in (0, 1)]
    yield RULE, np.array(rates)[flagged["test"].astype(int)], tested
    inputs = schema.inputs_at(schema.moments[0])
    wide = (*inputs, *(Feature(name=name, kind="numeric", optional=True) for name in aggregate_names()))
    for name, kind, given in (
        ("logistic regression, last week", "logistic", inputs),
        ("histogram boosting, last week", "hist_gradient_boosting", inputs),
        ("histogram boosting, window aggregates", "hist_gradient_boosting", wide),
    ):
        candidate = next(one for one in CLASS_CANDIDATES if one.name == kind)
        yield name, chances_of(candidate, schema, given, rows, truth, train, test, seed), tested


def chances_of(
    candidate: Candidate,
    schema: DomainSchema,
    inputs: Sequence[Feature],
    rows: pl.DataFrame,
    truth: NDArray[np.int64],
    train: NDArray[np.int64],
    test: NDArray[np.int64],
    seed: int,
) -> Floats:
    """(n, horizons) the sums of the chances of levels, which cannot fall."""
    target = schema.targets[0]
    task = Task(target, tuple(inputs), rows, truth.astype(np.float64), seed)
    outputs = fit(candidate, task.subset(train)).outputs(rows[test])
    return np.cumsum(outputs, axis=1)[:, : len(target.within)]


def levels_of(rows: pl.DataFrame, schema: DomainSchema) -> NDArray[np.int64]:
    target = schema.targets[0]
    places = {level: place for place, level in enumerate(target.levels)}
    return rows[target.name].replace_strict(places, return_dtype=pl.Int64).to_numpy()


def aggregate_names() -> list[str]:
    return [f"{name}_{what}_{span}w" for name in AGGREGATED for span in SPANS for what in ("mean", "min", "max")]


def with_aggregates(rows: pl.DataFrame) -> pl.DataFrame:
    """Means and extremes of weekly columns over the weeks of each student until each row."""
    told: dict[str, Callable[[pl.Expr, int], pl.Expr]] = {
        "mean": lambda one, span: one.rolling_mean(span, min_samples=1),
        "min": lambda one, span: one.rolling_min(span, min_samples=1),
        "max": lambda one, span: one.rolling_max(span, min_samples=1),
    }
    year = pl.col("week").str.head(7)
    return rows.sort("student_id", "week").with_columns(
        told[what](pl.col(name), span).over("student_id", year).alias(f"{name}_{what}_{span}w")
        for name in AGGREGATED
        for span in SPANS
        for what in ("mean", "min", "max")
    )


# How good ------------------------------------------------------------------------------------------------------------


def happened_within(rows: pl.DataFrame, level: int) -> NDArray[np.bool_]:
    target = load_domains()[DOMAIN].targets[0]
    return rows[target.name].is_in(list(target.levels[: level + 1])).to_numpy()


def auc(told: Sequence[Told]) -> float:
    """Of the longest horizon, the mean over seeds."""
    longest = [(happened_within(one.rows, one.chances.shape[1] - 1), one.chances[:, -1]) for one in told]
    return float(np.mean([_auc(*pair) for pair in longest]))


def table_row(name: str, told: Sequence[Told], within: Sequence[int], rule: float) -> Figure:
    """The AUC of the longest horizon; the others, precision, Brier, calibration and single weeks beside it. rule: what
    the rule reaches, which a model must be above."""
    low, high = interval(told)
    asked = "taught by one year and asked about other students in the next"
    parts = [f"{len(told)} districts, {asked}; {LEVEL:.0%} interval by students {low:.3f} to {high:.3f}"]
    for place, weeks in enumerate(within):
        truths = [(happened_within(one.rows, place), one.chances[:, place]) for one in told]
        scores = [float(np.mean([score(*pair) for pair in truths])) for score in (_auc, _precision, _brier, _ece)]
        area, precision, brier, ece = scores
        parts.append(f"within {weeks} weeks: AUC {area:.3f}, PR {precision:.3f}, Brier {brier:.4f}, ECE {ece:.4f}")
    weekly = ", ".join(f"{week}: {value:.3f}" for week, value in by_week(told))
    parts.append(f"AUC by school week {weekly}")
    value = auc(told)
    stands_beside = name in (BASE_RATE, RULE)
    goal = "shown beside models" if stands_beside else f"> {rule:.3f} (the rule)"
    holds = stands_beside or value > rule
    return Figure(f"{within[-1]}-week risk: {name}", round(value, 3), "AUC", goal, holds, "; ".join(parts))


def interval(told: Sequence[Told]) -> tuple[float, float]:
    """Of the AUC of the longest horizon, resampling students."""
    found, rng = list[float](), np.random.default_rng(1)
    for one in told:
        truth, chances = happened_within(one.rows, one.chances.shape[1] - 1), one.chances[:, -1]
        students = one.rows["student_id"].rank("dense").to_numpy().astype(int) - 1
        order, sizes = np.argsort(students, kind="stable"), np.bincount(students)
        places = np.split(order, np.cumsum(sizes)[:-1])
        for _ in range(RESAMPLES):
            drawn = np.concatenate([places[i] for i in rng.integers(0, len(places), len(places))])
            found.append(_auc(truth[drawn], chances[drawn]))
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def by_week(told: Sequence[Told]) -> Iterator[tuple[int, float]]:
    for week in WEEKS_SHOWN:
        scores = []
        for one in told:
            at = (one.rows["school_week"] == week).to_numpy()
            truth = happened_within(one.rows, one.chances.shape[1] - 1)[at]
            if truth.any() and not truth.all():
                scores.append(_auc(truth, one.chances[at, -1]))
        if scores:
            yield week, float(np.mean(scores))


def _auc(truth: NDArray[np.bool_], chances: Floats) -> float:
    return float(roc_auc_score(truth, chances))


def _precision(truth: NDArray[np.bool_], chances: Floats) -> float:
    return float(average_precision_score(truth, chances))


def _brier(truth: NDArray[np.bool_], chances: Floats) -> float:
    return float(((chances - truth) ** 2).mean())


def _ece(truth: NDArray[np.bool_], chances: Floats) -> float:
    bins = np.minimum((chances * BINS).astype(int), BINS - 1)
    sizes, said = np.bincount(bins, minlength=BINS), np.bincount(bins, chances, BINS)
    return float(np.abs(said - np.bincount(bins, truth, BINS)).sum() / sizes.sum())


if __name__ == "__main__":
    import sys

    main(sys.argv[1:])
