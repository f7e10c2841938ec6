"""What a model of weeks would lose without a kind of record, from a quick model on what is there.

No outcome is needed: it tells whom the domain's plain rule does not flag this week and does some weeks later. It
chooses no model and keeps none; what a real one loses, its training says.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from model.scores import Estimate, area, area_gained
from preprocessing.panel.computed import ATTENDANCE_FEATURES, DISCIPLINE_FEATURES, FEATURE_NAMES, GRADE_FEATURES
from preprocessing.panel.features import weekly_features
from preprocessing.panel.grid import SchoolYear
from preprocessing.panel.observations import Observations
from preprocessing.schema import DomainSchema, Flag

OF_KIND: Mapping[str, tuple[str, ...]] = {
    "attendance": ATTENDANCE_FEATURES,
    "grades": GRADE_FEATURES,
    "incidents": DISCIPLINE_FEATURES,
}
WEEKS_AHEAD = 4
WEEKS_OF_ROWS = 3
"""Of every so many weeks one is looked at: neighbouring ones of a student say nearly the same."""

LEAST_FLAGGED, LEAST_STUDENTS = 30, 100
"""Student-weeks that are flagged later, and students, below which nothing is told."""

HALVES = 2


class LostKinds(NamedTuple):
    """rows: weeks of so many students that the quick model told, of which so many are flagged later. auc: of it; lost:
    by kind how much less it is without."""

    rows: int
    students: int
    flagged: int
    auc: Estimate
    lost: Mapping[str, Estimate]


def lost_kinds(observations: Observations, year: SchoolYear, schema: DomainSchema) -> LostKinds | None:
    """What a quick model on a year loses without each kind that there is. None where there is too little to say."""
    rows = _told_later(observations, year, schema)
    happened, whose = rows["_later"].to_numpy(), rows["student"].rank("dense").to_numpy().astype(np.int64)
    students, flagged = len(np.unique(whose)), int(happened.sum())
    if students < LEAST_STUDENTS or min(flagged, len(happened) - flagged) < LEAST_FLAGGED:
        return None
    there = {kind for kind, frame in observations.frames() if frame.height}
    everything = _answers(rows, FEATURE_NAMES, happened, whose)
    auc = area(happened, everything, whose)
    lost = dict[str, Estimate]()
    for kind, names in OF_KIND.items():
        if kind in there:
            without = _answers(rows, [one for one in FEATURE_NAMES if one not in names], happened, whose)
            lost[kind] = area_gained(happened, everything, without, whose)
    return None if auc is None else LostKinds(rows.height, students, flagged, auc, lost)


def _told_later(observations: Observations, year: SchoolYear, schema: DomainSchema) -> pl.DataFrame:
    """Weeks of enough data that the plain rule does not flag, with whether it does `WEEKS_AHEAD` later (_later)."""
    flags = next((target.flags for target in schema.targets if target.within), ())
    least = schema.panel.least_weeks if schema.panel else 0
    rows = weekly_features(observations, year).with_columns(pl.any_horizontal(*map(_holds, flags)).alias("_flagged"))
    later = rows.select("student", pl.col("school_week") - WEEKS_AHEAD, pl.col("_flagged").alias("_later"))
    known = rows.filter((pl.col("weeks_of_data") >= least) & (pl.col("school_week") % WEEKS_OF_ROWS == 0))
    return known.filter(~pl.col("_flagged")).join(later, on=["student", "school_week"], maintain_order="left")


def _holds(flag: Flag) -> pl.Expr:
    column = pl.col(flag.column)
    return (column < flag.below if flag.below is not None else column > flag.above).fill_null(value=False)


def _answers(
    rows: pl.DataFrame, names: "list[str] | tuple[str, ...]", happened: NDArray[np.bool_], whose: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Of each row what a logistic regression says that learned from the other half of the students."""
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    inputs = rows.select(pl.col(name).cast(pl.Float64).fill_null(np.nan) for name in names).to_numpy()
    said = np.zeros(len(inputs))
    for half in range(HALVES):
        asked = whose % HALVES == half
        imputer = SimpleImputer(strategy="median", keep_empty_features=True, add_indicator=True)
        model = make_pipeline(imputer, StandardScaler(), LogisticRegression(C=0.1, max_iter=300))
        model.fit(inputs[~asked], happened[~asked])
        said[asked] = model.decision_function(inputs[asked])
    return said


def told_lost(found: LostKinds | None) -> list[str]:
    """In words, a sentence for each.

    >>> told_lost(LostKinds(900, 300, 90, Estimate(0.8, 0.77, 0.83), {"attendance": Estimate(0.06, 0.03, 0.09)}))[1]
    'without attendance 0.060 [0.030, 0.090] of that would be lost'
    """
    if found is None:
        return [f"how much a kind of record tells cannot be measured in it: that takes {LEAST_STUDENTS} students and "
                f"{LEAST_FLAGGED} whom the plain rule flags later"]  # fmt: skip
    first = (
        f"a quick model tells whom the plain rule flags {WEEKS_AHEAD} weeks later with an AUC of {found.auc} "
        f"(n = {found.rows:,} weeks of {found.students:,} students, {found.flagged:,} flagged later; 95 % intervals)"
    )
    return [first, *(f"without {kind} {one} of that would be lost" for kind, one in found.lost.items())]
