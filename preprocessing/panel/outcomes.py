"""What became of each student's week: how soon an event came, as a level of a target that has horizons.

A week is told only where it was followed long enough; what nobody could have seen yet is no answer.
"""

import polars as pl

from preprocessing.panel.grid import SchoolYear
from preprocessing.panel.kinds import WEEK_DAYS
from preprocessing.schema import Target

EVENT_COLUMNS = pl.Schema({"student": pl.String, "at": pl.Date})


def with_outcome(
    rows: pl.DataFrame, events: pl.DataFrame, year: SchoolYear, target: Target, *, weeks: int
) -> pl.DataFrame:
    """Weekly rows with the column of `target`: by the weeks until the student's first event of the year.

    events: of `EVENT_COLUMNS`, all there were within the first `weeks` of the year, which are over. Null from the week
    of that event on, where fewer of them follow than the longest horizon has, and of a student who left within them
    without an event.
    """
    week = (pl.col("at") - year.start).dt.total_days() // WEEK_DAYS
    inside = events.filter(pl.col("at").is_between(year.start, year.end, closed="left"))
    first = inside.group_by("student").agg(week.min().cast(pl.Int32).alias("event_week"))
    left = pl.col("school_week").max().over("student")
    longest = max(target.within)
    ahead = pl.col("event_week") - pl.col("school_week")
    followed = pl.col("school_week") + longest < weeks
    stayed = pl.when(left >= pl.col("school_week") + longest).then(pl.lit(target.levels[-1]))
    level: pl.Expr = pl.when(ahead.is_null() | (ahead > longest)).then(stayed)
    for horizon, name in zip(reversed(target.within), reversed(target.levels[:-1]), strict=True):
        level = pl.when(ahead <= horizon).then(pl.lit(name)).otherwise(level)
    outcome = pl.when(followed & (ahead.is_null() | (ahead > 0))).then(level).alias(target.name)
    return rows.join(first, on="student", how="left", maintain_order="left").with_columns(outcome).drop("event_week")
