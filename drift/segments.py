"""Drift by segment: each school, course or group tested against its own past; the whole report corrects for all.

It says where a change is. Why segments differ from each other is not its question, nor fairness between them.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import polars as pl

from drift.column import ProfileError
from drift.compare import Compared, Segments, compare_columns
from drift.profile import Profile, build_profile, kinds_of
from drift.records import SameSample
from drift.samples import columns_per_group, effective_shares_of
from drift.statistics import EffectiveShares
from preprocessing.schema import DomainSchema

FEWEST = 30  # rows of a segment on either side; the interval of D is wider than .5 below
MOST = 1_000  # segments; more are keys of rows, not kinds of them
NAMELESS = "(none)"
PLACES = {"group": "_group", "period": "_period"}


def segment_column(frame: pl.DataFrame, schema: DomainSchema, by: str) -> str:
    """The column of a typed frame that `by` names: a categorical feature, "group", "period", or a column that makes up
    the group or is the period. Raises ProfileError, naming those there are."""
    if (feature := schema.feature_by_name.get(by)) and feature.kind == "categorical" and by in frame.columns:
        return by
    if by in PLACES:
        return PLACES[by]
    if by == schema.period:
        return "_period"
    if (by,) == schema.group:
        return "_group"
    features = [f.name for f in schema.features if f.kind == "categorical" and f.name in frame.columns]
    there = [*features, *(["group"] if schema.group else []), *(["period"] if schema.period else [])]
    raise ProfileError(f"{by!r} cuts {schema.name} into no segments; these do: {', '.join(there) or 'none'}")


def gather_segments(
    reference: pl.DataFrame,
    current: pl.DataFrame,
    schema: DomainSchema,
    by: str,
) -> Segments:
    """Each segment of `by` tested against the same segment of `reference`; both frames are typed.

    Rows of one student or group count by what they tell (`drift.samples`). A segment with fewer than 30 rows on
    either side is named and not compared. Raises ProfileError where `by` makes no segments, or more than 1,000.
    """
    kinds = kinds_of(schema)
    names = [name for name in reference.columns if name in current.columns and name in kinds]
    before, after = (_parts(frame, schema, by, names) for frame in (reference, current))
    pairs: dict[str, Compared] = {}
    reasons: dict[str, str] = {}
    rows: dict[str, tuple[int, int]] = {}
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        pair, reasons[name] = _pair(old, new)
        rows[name] = (old.profile.rows if old else 0, new.profile.rows if new else 0)
        if pair:
            pairs[name] = pair
    return Segments(by, rows, pairs, reasons)


class _Part(NamedTuple):
    """One segment of one sample, and what its rows are worth by column."""

    profile: Profile
    effective: EffectiveShares


def _parts(frame: pl.DataFrame, schema: DomainSchema, by: str, names: Collection[str]) -> dict[str, _Part]:
    place = segment_column(frame, schema, by)
    parts = frame.with_columns(pl.col(place).fill_null(NAMELESS)).partition_by(place, as_dict=True)
    if len(parts) > MOST:
        raise ProfileError(f"{by!r} has {len(parts):,} values: at most {MOST:,} segments are compared")
    known = [name for name in names if name != place]
    per_group = columns_per_group(frame, known)
    return {
        str(key[0]): _Part(build_profile(part, schema, columns=known), effective_shares_of(part, known, per_group))
        for key, part in parts.items()
    }


def _pair(before: _Part | None, after: _Part | None) -> tuple[Compared | None, str]:
    """What is compared of one segment, or why nothing is."""
    if before is None:
        return None, "new: the reference has no such segment"
    if after is None:
        return None, "gone: the current sample has no such segment"
    if min(before.profile.rows, after.profile.rows) < FEWEST:
        return None, f"not enough data: fewer than {FEWEST} rows on one side"
    try:
        pair = compare_columns(before.profile, after.profile, (before.effective, after.effective))
    except SameSample as error:
        return None, str(error)
    return (pair, "") if pair.evidence else (None, "no column in common")
