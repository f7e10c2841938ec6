"""Which models of students' weeks are worth having: an invented district, and courses of the Open University by week.

`python -m benchmarks.week_models [--quick] [--only district|oulad]` from the project's root. Every candidate learns
from the same weeks of one year and answers other students' weeks of the next; a fifth of the teaching students say only
how sure it may be (temperature). Networks need PyTorch (`make torch`), else they are left out; those of seed size come
last, for the first seed alone, and what is known until then is kept. OULAD lies in ../shared/data/oulad, or where
GRADEWATCH_OULAD_DIR says.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from benchmarks.result import Figure, print_figures, write_results
from benchmarks.servers import ROOT
from model.predictor import calibrate
from preprocessing.panel.channels import CHANNEL_NAMES
from preprocessing.panel.computed import ATTENDANCE_FEATURES, DISCIPLINE_FEATURES, GRADE_FEATURES
from preprocessing.panel.example import write_district
from preprocessing.panel.look_back import with_look_back
from preprocessing.schema import DomainSchema, Feature, load_domains, looking_back, read_schema
from training.candidates import CLASS_CANDIDATES, Candidate
from training.evaluate import temperature
from training.fit import Floats, Task, fit
from training.window_models import BASE_RATE, network_candidate, rule_rates, window_candidates

SEEDS, STUDENTS, ENROLMENTS, ASKED = 3, 900, 1_500, 3_000
"""Districts or draws; students of a district; enrolments of the Open University that teach and that are asked about."""
QUICK_STUDENTS = 200
LEARNED_EVERY = 2
"""Weeks from which a district's models learn: neighbouring ones of a student say nearly the same."""
FOR_TEMPERATURE = 5  # one in so many students
RESAMPLES, LEVEL, BINS = 100, 0.9, 10
WEEKS_SHOWN = (4, 8, 12, 16, 20)
LARGE_EPOCHS, LARGE_BATCH = 4, 64
SHOWN_BESIDE = ("base rate", "plain rule")

ATTENDED = ("att_rate_w", "unexc_rate_w", "exc_rate_w", "tardy_rate_w")
MARKED = ("pct_w", "missing_rate_w", "late_rate_w", "math_pct_w", "ela_pct_w")
REMOVED = ("inc_w", "sev_sum_w", "removal_days_w")
RAW = {"attendance": ATTENDED, "grades": MARKED, "incidents": REMOVED}
ENGINEERED = {"attendance": ATTENDANCE_FEATURES, "grades": GRADE_FEATURES, "incidents": DISCIPLINE_FEATURES}
SUMMED = ("att_rate_w", "pct_w", "missing_rate_4w", "unexc_rate_4w", "tardy_rate_4w", "inc_w", "sev_decay_hl4")


class Table(NamedTuple):
    """A table of models. rows: of which those `teaches` are learned from and those `asked` are answered; whose: the
    student of each; week: its number. schemas: that models see these by, each by what its networks look back on."""

    title: str
    rows: pl.DataFrame
    teaches: NDArray[np.bool_]
    asked: NDArray[np.bool_]
    whose: NDArray[np.int64]
    week: NDArray[np.int64]
    schemas: Mapping[str, DomainSchema]


Candidates = Callable[[Table], Iterator[tuple[str, Candidate, DomainSchema]]]
"""Of a table: what each is called, and the schema whose inputs it sees."""


class Told(NamedTuple):
    """What a model said of the rows asked about: (n, horizons) chances and whether it happened."""

    chances: Floats
    happened: NDArray[np.bool_]
    whose: NDArray[np.int64]
    week: NDArray[np.int64]


def main(given: Sequence[str] = ()) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few students and one seed, to see that it works")
    parser.add_argument("--only", choices=("district", "oulad"))
    asked = parser.parse_args(given)
    for name, tables in (("district", districts), ("oulad", courses)):
        if asked.only in (None, name):
            for figures in figures_of(tables, quick=asked.quick):
                result = f"week_models_{name}"
                print_figures(result, figures) if asked.quick else write_results(result, figures)


# The invented district ------------------------------------------------------------------------------------------------


def districts(*, quick: bool) -> Iterator[Table]:
    """Year 1 teaches; other students of year 2 are asked about, those whose keys are divisible by three."""
    shipped = load_domains()["k12"]
    raw = tuple(Feature(name=name, kind="numeric", optional=True) for name in CHANNEL_NAMES)
    assert shipped.panel is not None
    both = {
        what: looking_back(
            msgspec.structs.replace(
                shipped,
                features=(*shipped.features, *(raw if weekly is RAW else ())),
                panel=msgspec.structs.replace(shipped.panel, weekly=weekly, summed=SUMMED),
            )
        )
        for what, weekly in (("42 features", ENGINEERED), ("raw channels", RAW))
    }
    everything = {one.name: one for schema in both.values() for one in schema.features}
    asked_of = msgspec.structs.replace(shipped, features=tuple(everything.values()))
    for seed in range(1 if quick else SEEDS):
        with tempfile.TemporaryDirectory(prefix="gradewatch-weeks-") as made:
            folder, count = Path(made), QUICK_STUDENTS if quick else STUDENTS
            write_district(folder, asked_of, students=count, seed=seed + 10, years=2)
            rows = pl.read_parquet(folder / "labelled.parquet")
        whose = (rows["student_id"].rank("dense") - 1).to_numpy().astype(np.int64)
        first = rows["week"].str.head(7) == rows["week"].str.head(7).min()
        week, teaching = rows["school_week"].to_numpy().astype(np.int64), first.to_numpy()
        in_test = whose % 3 == 0
        title = f"{count:,} students a year in {SEEDS} districts, taught by every second week of two thirds of one year"
        teaches = teaching & ~in_test & (week % LEARNED_EVERY == 0)
        yield Table(
            f"{title}, asked about the others in the next", rows, teaches, ~teaching & in_test, whose, week, both
        )


# Courses of the Open University ---------------------------------------------------------------------------------------

OULAD = """
name = "oulad_weeks"
title = "Open University, week by week"
period = "week"
[panel]
entity = "id_student"
period = "week"
weekly = { coursework = ["due_w", "missed_w", "late_w"], marks = ["score"] }
summed = ["score", "missed_w", "late_w"]
[student]
name = "id_student"
[[context]]
name = "week"
[[features]]
name = "score"
kind = "numeric"
optional = true
[[features]]
name = "missed_so_far"
kind = "numeric"
[[features]]
name = "due_w"
kind = "numeric"
[[features]]
name = "missed_w"
kind = "numeric"
[[features]]
name = "late_w"
kind = "numeric"
[[targets]]
name = "how"
kind = "ordered_class"
levels = ["fails or leaves", "passes"]
cut_points = [1]
[[targets.flags]]
column = "score"
below = 40
[[targets.flags]]
column = "missed_so_far"
above = 0
"""


def courses(*, quick: bool) -> Iterator[Table]:
    """2013 teaches, 2014 is asked about, whoever is still registered after each week and as it was known then: course,
    what was known on entry, clicks before the course, coursework."""
    rows = weeks_of_courses(Path(os.environ.get("GRADEWATCH_OULAD_DIR", ROOT.parent / "shared" / "data" / "oulad")))
    whose = (rows["id_student"].rank("dense") - 1).to_numpy().astype(np.int64)
    enrolled = (rows["enrolment"].rank("dense") - 1).to_numpy().astype(np.int64)
    week, of_2013 = rows["number"].to_numpy().astype(np.int64), rows["presentation"].str.starts_with("2013").to_numpy()
    shown = np.isin(week, WEEKS_SHOWN)
    schema = looking_back(_with_entry(read_schema(OULAD), rows))
    for seed in range(1 if quick else SEEDS):
        draw = np.random.default_rng(seed)
        asked = _some(enrolled, shown & ~of_2013, 300 if quick else ASKED, draw)
        apart = shown & of_2013 & ~np.isin(whose, np.unique(whose[asked]))
        teaches = _some(enrolled, apart, 300 if quick else ENROLMENTS, draw)
        title = (
            f"{ENROLMENTS:,} enrolments of 2013 teach, {ASKED:,} of 2014 of other students are asked about, drawn "
            f"{SEEDS} times; after weeks {', '.join(map(str, WEEKS_SHOWN))}, who is registered then"
        )
        yield Table(title, rows, teaches, asked, whose, week, {"weekly coursework": schema})


def weeks_of_courses(folder: Path) -> pl.DataFrame:
    """A row for each enrolment and week of `WEEKS_SHOWN`' span, of whoever was registered at its end."""
    sys.path.insert(0, str(ROOT / "examples" / "oulad"))
    from prepare import ENROLMENT, registered  # type: ignore[import-not-found]
    from weeks import KNOWN, as_of, clicks, coursework  # type: ignore[import-not-found]

    works, parts = coursework(folder), []
    for week in range(1, max(WEEKS_SHOWN) + 1):
        known = as_of(works, week, week - 1).rename(lambda name, end=f"_{week}": name.removesuffix(end))
        found = registered(folder, 7 * week).join(clicks(folder, -1), on=ENROLMENT, how="left")
        found = found.with_columns(pl.col("clicks_before").fill_null(0)).join(known, on=ENROLMENT)
        how = pl.when(pl.col("outcome") == "at risk").then(pl.lit("fails or leaves")).otherwise(pl.lit("passes"))
        works_of_week = [pl.col(name).cast(pl.Float64).alias(f"{name}_w") for name in ("due", "missed", "late")]
        entry = [name for name in KNOWN if name not in ("gender", "disability")]
        parts.append(found.select(*ENROLMENT, *entry, "score", *works_of_week, how=how, number=pl.lit(week)))
    rows: pl.DataFrame = pl.concat(parts).collect().sort("number")
    key = pl.concat_str([pl.col(name).cast(pl.String) for name in ENROLMENT], separator=" ")
    named = {"course": "code_module", "presentation": "code_presentation"}
    return rows.with_columns(
        enrolment=key,
        missed_so_far=pl.col("missed_w").cum_sum().over(key),
        week=pl.format("{} W{}", "code_presentation", pl.col("number").cast(pl.String).str.zfill(2)),
        **{name: pl.col(column).cast(pl.String) for name, column in named.items()},
    )


def _with_entry(schema: DomainSchema, rows: pl.DataFrame) -> DomainSchema:
    """The schema with what is known on entry."""
    names = [*rows.columns[3 : rows.columns.index("score")], "course"]
    texts = {name for name in names if rows.schema[name] == pl.String}
    made = [Feature(name=name, kind="categorical" if name in texts else "numeric", optional=True, open=name in texts)
            for name in names]  # fmt: skip
    return msgspec.structs.replace(schema, features=(*schema.features, *made))


def _some(of: NDArray[np.int64], which: NDArray[np.bool_], count: int, draw: np.random.Generator) -> NDArray[np.bool_]:
    """The rows among `which` of so many of those that they are `of`."""
    there = np.unique(of[which])
    return which & np.isin(of, draw.permutation(there)[:count])


# Candidates -----------------------------------------------------------------------------------------------------------


def candidates_of(table: Table) -> Iterator[tuple[str, Candidate, DomainSchema]]:
    """What each is called, and the schema whose inputs it sees."""
    schema = next(iter(table.schemas.values()))
    target = schema.targets[0]
    by_name = {one.name: one for one in CLASS_CANDIDATES}
    yield SHOWN_BESIDE[0], BASE_RATE, schema
    yield SHOWN_BESIDE[1], rule_rates(target), schema
    yield "logistic regression, last week", by_name["logistic"], schema
    yield "histogram boosting, last week", by_name["hist_gradient_boosting"], schema
    [wide] = window_candidates(schema, target, schema.features)
    yield "histogram boosting, window sums", wide, schema
    if find_spec("torch"):
        for what, looked in table.schemas.items():
            yield f"small network, {what}", network_candidate(looked, "small"), _weekly_alone(looked)


def large_networks(table: Table) -> Iterator[tuple[str, Candidate, DomainSchema]]:
    """Those of seed size."""
    if find_spec("torch"):
        for what, looked in table.schemas.items():
            yield f"seed-size network, {what}", _shortened(network_candidate(looked, "large")), _weekly_alone(looked)


def _weekly_alone(schema: DomainSchema) -> DomainSchema:
    """Of a district a network sees the weekly columns and nothing else; of a course also what was known on entry."""
    assert schema.panel is not None
    weekly = {name for names in schema.panel.weekly.values() for name in names}
    computed = {*ATTENDANCE_FEATURES, *GRADE_FEATURES, *DISCIPLINE_FEATURES} - weekly
    return msgspec.structs.replace(schema, features=tuple(one for one in schema.features if one.name not in computed))


def _shortened(candidate: Candidate) -> Candidate:
    """The same with fewer epochs: minutes each on two busy cores."""
    from training.temporal import SIZES, TemporalClassifier

    size = SIZES["large"]._replace(epochs=LARGE_EPOCHS, batch=LARGE_BATCH)
    return replace(candidate, make=lambda seed, _: TemporalClassifier(size, seed=seed))


def answers(table: Table, candidates: Candidates, seed: int) -> Iterator[tuple[str, Told]]:
    """What each candidate says, its chances made as sure as a fifth of the teaching students show that they may be."""
    rows = with_windows(table)
    first = next(iter(table.schemas.values())).targets[0]
    levels = {level: place for place, level in enumerate(first.levels)}
    truth = rows[first.name].replace_strict(levels, return_dtype=pl.Int64).to_numpy()
    horizons = max(1, len(first.within))
    asked, whose = np.flatnonzero(table.asked), table.whose
    aside = table.teaches & (whose % FOR_TEMPERATURE == seed % FOR_TEMPERATURE)
    taught, aside = np.flatnonzero(table.teaches & ~aside), np.flatnonzero(aside)
    happened = np.column_stack([truth[asked] <= level for level in range(horizons)])
    for name, candidate, schema in candidates(table):
        started = time.perf_counter()
        inputs = schema.inputs_at(schema.moments[0])
        fitted = fit(candidate, Task(first, inputs, rows[taught], truth[taught].astype(np.float64), seed))
        heat = temperature(truth[aside], fitted.outputs(rows[aside])) if name not in SHOWN_BESIDE else 1.0
        chances = np.cumsum(calibrate(fitted.outputs(rows[asked]), heat), axis=1)[:, :horizons]
        told = Told(chances, happened, whose[asked], table.week[asked])
        took = time.perf_counter() - started
        print(f"  {name}: AUC {area(told, -1):.3f}, n {len(taught):,} and {len(asked):,}, {took:.0f} s", flush=True)
        yield name, told


def with_windows(table: Table) -> pl.DataFrame:
    """The rows with the columns that look back, and the names that training knows students by."""
    rows = table.rows.with_columns(_student=pl.Series(table.whose).cast(pl.String))
    for schema in table.schemas.values():
        if any(one.of and one.name not in rows.columns for one in schema.features):
            rows = with_look_back(rows, schema, student="enrolment", week="number")
    return rows


# How good -------------------------------------------------------------------------------------------------------------


def figures_of(tables: Callable[..., Iterator[Table]], *, quick: bool) -> Iterator[list[Figure]]:
    """The figures of all candidates, then again with the networks of seed size."""
    said = dict[str, list[Told]]()
    for candidates in (candidates_of, large_networks):
        table = None
        for seed, table in enumerate(islice(tables(quick=quick), None if candidates is candidates_of else 1)):
            print(f"  seed {seed + 1}: {table.title}", flush=True)
            for name, told in answers(table, candidates, seed):
                said.setdefault(name, []).append(told)
        assert table is not None
        within = next(iter(table.schemas.values())).targets[0].within or (0,)
        rule = float(np.mean([area(one, -1) for one in said[SHOWN_BESIDE[1]]]))
        yield [*(row_of(name, told, within, rule, table.title) for name, told in said.items()), *comparisons(said)]


def comparisons(said: Mapping[str, Sequence[Told]]) -> Iterator[Figure]:
    """Each network against the best of the others on the same rows: it would serve where it is credibly better."""
    others = {name: area(told[0], -1) for name, told in said.items() if "network" not in name}
    best = max(others, key=lambda name: others[name])
    for name, told in said.items():
        if "network" not in name:
            continue
        pairs = [*zip(told, said[best], strict=False)]
        apart = float(np.mean([area(one, -1) - area(other, -1) for one, other in pairs]))
        draws = [_apart(one, other, which) for one, other in pairs for which in resamples(one)]
        low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        how = f"against {best}, {len(pairs)} seeds; {LEVEL:.0%} interval by students {low:+.3f} to {high:+.3f}"
        goal = "lower bound > 0, to serve"
        yield Figure(f"{name}: what it gains on the best other", round(apart, 3), "AUC", goal, bool(low > 0), how)


def _apart(one: Told, other: Told, which: NDArray[np.int64]) -> float:
    return _auc(one.happened[which, -1], one.chances[which, -1]) - _auc(
        other.happened[which, -1], other.chances[which, -1]
    )


def row_of(name: str, told: Sequence[Told], within: Sequence[int], rule: float, title: str) -> Figure:
    """The AUC of the longest horizon with its interval; the others and each week beside it."""
    draws = [_auc(one.happened[which, -1], one.chances[which, -1]) for one in told for which in resamples(one)]
    parts = [f"n {sum(len(one.week) for one in told):,} asked, {len(told)} seeds: {title}", _between(draws)]
    for place, weeks in enumerate(within):
        when = f"within {weeks} weeks" if weeks else "in the end"
        parts.append(f"{when}: {_scores([(one.happened[:, place], one.chances[:, place]) for one in told])}")
    for week in WEEKS_SHOWN:
        at = [(one.happened[one.week == week, -1], one.chances[one.week == week, -1]) for one in told]
        at = [(happened, chances) for happened, chances in at if happened.any() and not happened.all()]
        if at:
            of_week = [one for one in (_of_week(one, week) for one in told) if one is not None]
            drawn = [
                _auc(one.happened[which, -1], one.chances[which, -1]) for one in of_week for which in resamples(one)
            ]
            parts.append(f"week {week}: {_scores(at)}, {_between(drawn)}")
    value = float(np.mean([area(one, -1) for one in told]))
    beside = name in SHOWN_BESIDE
    goal = "shown beside models" if beside else f"> {rule:.3f} (the rule)"
    return Figure(name, round(value, 3), "AUC", goal, beside or value > rule, "; ".join(parts))


def _of_week(one: Told, week: int) -> Told | None:
    at = one.week == week
    return Told(*(part[at] for part in one)) if at.any() else None


def _between(draws: Sequence[float]) -> str:
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return f"{LEVEL:.0%} interval of AUC by students {low:.3f} to {high:.3f}"


def _scores(pairs: Sequence[tuple[NDArray[np.bool_], Floats]]) -> str:
    named = {"AUC": _auc, "PR": _precision, "Brier": _brier, "ECE": _ece}
    return ", ".join(f"{name} {float(np.mean([score(*pair) for pair in pairs])):.3f}" for name, score in named.items())


def resamples(one: Told) -> Iterator[NDArray[np.int64]]:
    """Rows of students drawn anew; draws in which all or none had it say nothing."""
    rng, who = np.random.default_rng(1), np.unique(one.whose, return_inverse=True)[1]
    places = np.split(np.argsort(who, kind="stable"), np.cumsum(np.bincount(who))[:-1])
    for _ in range(RESAMPLES):
        drawn = np.concatenate([places[place] for place in rng.integers(0, len(places), len(places))])
        if one.happened[drawn, -1].any() and not one.happened[drawn, -1].all():
            yield drawn


def area(one: Told, horizon: int) -> float:
    return _auc(one.happened[:, horizon], one.chances[:, horizon])


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
    main(sys.argv[1:])
