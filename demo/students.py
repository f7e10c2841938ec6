"""The invented students of the demo, by seed: classes of two schools, and of a university that is always calm.

What columns mean is drawn once per domain (`invent`'s population), so that classes differ only in what the story says.
"""

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from preprocessing.schema import DomainSchema
from preprocessing.synthetic import frame_of_columns, invent

NORTH, SOUTH = "GP", "MS"  # levels of the column `school`
GRADES = ("G1", "G2", "G3")
HIGHEST = 20  # of the marks of a school
POPULATION = 11
INVENTED_MEAN, MIDDLE_MARK, NARROWED = 12.1, 13.0, 0.75  # marks as `invent` spreads them, and as they are spread here


class Year(NamedTuple):
    """What is different in a year. better: points that all marks are higher. Beside what was known before, of the final
    mark: harder: points off; loose: points of chance."""

    better: float = 0.0
    harder: float = 0.0
    loose: float = 0.0


AS_EVER = Year()
COMMON_EXAM = Year(harder=0.5, loose=1.1)  # both schools' exam, which the north was not prepared for
LOWER = {"G1": 1.4, "G2": 1.2, "G3": 2.8}  # points by which the south is below the north


def school_class(schema: DomainSchema, prefix: str, rows: int, seed: int, year: Year, *, south: bool) -> pl.DataFrame:
    """One class of the north or of the south, with its final marks. prefix: of the students' keys."""
    drawn = frame_of_columns(invent(schema, rows, seed, population=POPULATION))
    chance = np.random.default_rng([seed, 2])
    off = {name: (LOWER[name] if south else 0.0) - year.better for name in GRADES}
    off["G3"] += year.harder
    marks = {name: MIDDLE_MARK + NARROWED * (drawn[name].to_numpy() - INVENTED_MEAN) - off[name] for name in GRADES}
    marks["G3"] = marks["G3"] + year.loose * chance.standard_normal(rows)
    changed = [
        pl.Series("student_id", [f"{prefix}-{number:03d}" for number in range(1, rows + 1)]),
        pl.Series("school", [SOUTH if south else NORTH] * rows),
        (pl.col("traveltime") + int(south)).clip(upper_bound=4),
        *(pl.Series(name, _marks(values)) for name, values in marks.items()),
    ]
    return drawn.with_columns(changed)


def _marks(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.clip(np.round(values), 0, HIGHEST).astype(np.int64)


def university_term(schema: DomainSchema, prefix: str, rows: int, seed: int, term: str) -> pl.DataFrame:
    """Students of all subjects in one term, with their final marks and grades."""
    drawn = frame_of_columns(invent(schema, rows, seed, population=POPULATION))
    keys = pl.Series("student_id", [f"{prefix}-{number:04d}" for number in range(1, rows + 1)])
    return drawn.with_columns(keys, pl.lit(term).alias("term"))
