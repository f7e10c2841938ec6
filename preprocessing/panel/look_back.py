"""Columns of a week that are made of the weeks before it: single ones, means and extremes.

Which there are, the domain's panel says (`preprocessing.schema.looking_back`). A week without a row tells nothing, and
no column looks past the school year or ahead of its week.
"""

import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from preprocessing.panel.windows import Weeks
from preprocessing.schema import SUMS, DomainSchema, Feature

if TYPE_CHECKING:
    import polars as pl

SUMMED: dict[str, Callable[..., Weeks]] = dict(zip(SUMS, (np.nanmean, np.nanmin, np.nanmax), strict=True))


def with_look_back(
    rows: "pl.DataFrame", schema: DomainSchema, *, student: str = "student", week: str = "school_week"
) -> "pl.DataFrame":
    """Rows of one school year, each student's weeks among them once, with the columns of `schema` that look back.

    week: the column of the week's number in the year, from 0. What of a window has no row is not counted.
    """
    import polars as pl  # a service, which knows no tables, looks back on arrays

    made = [feature for feature in schema.features if feature.of]
    if not made or schema.panel is None or rows.is_empty():
        return rows.with_columns(pl.lit(None, pl.Float64).alias(feature.name) for feature in made)
    of, at = (rows[student].rank("dense") - 1).to_numpy().astype(np.int64), rows[week].to_numpy().astype(np.int64)
    weekly = dict[str, Weeks]()
    for name in {feature.of for feature in made}:
        weekly[name] = np.full((int(of.max()) + 1, int(at.max()) + 1), np.nan)
        weekly[name][of, at] = rows[name].cast(pl.Float64).fill_null(np.nan).to_numpy()
    found = {name: values[of, at] for name, values in look_back(weekly, schema).items()}
    return rows.with_columns(pl.Series(name, values, nan_to_null=True) for name, values in found.items())


def look_back(weekly: Mapping[str, Weeks], schema: DomainSchema) -> dict[str, Weeks]:
    """(S, W) each column of `schema` that looks back. weekly: what they are made of, NaN in weeks without a row."""
    made = [feature for feature in schema.features if feature.of]
    window = 0 if schema.panel is None else schema.panel.window
    padded = {
        name: np.pad(weekly[name], ((0, 0), (window - 1, 0)), constant_values=np.nan)
        for name in {feature.of for feature in made}
    }
    return {feature.name: _told(padded[feature.of], feature, window) for feature in made}


def _told(padded: Weeks, feature: Feature, window: int) -> Weeks:
    """(S, W) values of a column. padded: those of what it is made of, with a window's empty weeks before the first."""
    if feature.weeks_before:
        return padded[:, window - 1 - feature.weeks_before : padded.shape[1] - feature.weeks_before]
    how, span = _sum_of(feature)
    with warnings.catch_warnings(action="ignore", category=RuntimeWarning):  # of windows that say nothing
        last: NDArray[np.float64] = np.lib.stride_tricks.sliding_window_view(padded[:, window - span :], span, axis=1)
        return np.asarray(SUMMED[how](last, axis=2))


def _sum_of(feature: Feature) -> tuple[str, int]:
    """What a column says of so many weeks, as its name has it."""
    how, span = feature.name.removeprefix(f"{feature.of}_").split("_")
    return how, int(span.removesuffix("w"))
