"""Drift by segment: each school, course or group compared with its own past, corrected over all of them together.

It says where a change is. Why segments differ from each other is not its question, nor fairness between them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import msgspec
import polars as pl

from drift.column import ProfileError
from drift.profile import Profile, build_profile, kinds_of
from drift.report import (
    Compared,
    DriftPolicy,
    DriftReport,
    NotComparable,
    SameSample,
    SegmentDrift,
    conclude_together,
    gather_all,
    summarise_report,
)
from preprocessing.schema import DomainSchema

FEWEST = 30  # rows of a segment on either side; the interval of D is wider than .5 below
MOST = 1_000  # segments; more are keys of rows, not kinds of them
NAMELESS = "(none)"
PLACES = {"group": "_group", "period": "_period"}


class Segmented(NamedTuple):
    """A sample by segment. per_group: columns of which each group's value is counted once."""

    profiles: Mapping[str, Profile]
    per_group: tuple[str, ...]


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


def columns_per_group(frame: pl.DataFrame, names: Collection[str]) -> set[str]:
    """Those of the columns `names` that never differ within a group, though groups of several rows are there.

    Their rows are not independent: a test that counts them all finds drift where there is none in a quarter of runs.
    """
    if "_group" not in frame.columns or not names:
        return set()
    placed = frame.drop_nulls("_group")
    groups = placed["_group"].n_unique()
    if groups < 2 or placed.height < 2 * groups:
        return set()
    known = placed.group_by("_group").agg(pl.col(sorted(names)).drop_nulls().n_unique())
    most = known.select(pl.col(sorted(names)).max()).row(0, named=True)
    return {name for name in names if most[name] == 1 and placed[name].n_unique() > 1}


def segmented(
    frame: pl.DataFrame, schema: DomainSchema, by: str, *, per_group: Collection[str], columns: Collection[str]
) -> Segmented:
    """The profiles of a typed frame's segments; those of `per_group` count one row for each group.

    columns: to profile, but for the one that makes the segments. Raises ProfileError for more than 1,000 segments.
    """
    place = segment_column(frame, schema, by)
    parts = frame.with_columns(pl.col(place).fill_null(NAMELESS)).partition_by(place, as_dict=True)
    if len(parts) > MOST:
        raise ProfileError(f"{by!r} has {len(parts):,} values: at most {MOST:,} segments are compared")
    names = [name for name in columns if name in frame.columns and name != place]
    profiles = {str(key[0]): _profile(part, schema, names, per_group) for key, part in parts.items()}
    return Segmented(dict(sorted(profiles.items())), tuple(sorted({*per_group} & {*names})))


def _profile(part: pl.DataFrame, schema: DomainSchema, names: list[str], per_group: Collection[str]) -> Profile:
    rows = build_profile(part, schema, columns=[name for name in names if name not in per_group])
    clustered = [name for name in names if name in per_group]
    if not clustered:
        return rows
    once = part.group_by("_group", maintain_order=True).agg(pl.col(clustered).drop_nulls().first())
    counted = build_profile(once, schema, columns=clustered).columns
    return Profile(rows.domain, rows.fingerprint, rows.rows, dict(sorted({**rows.columns, **counted}.items())))


def add_segments(
    report: DriftReport,
    reference: pl.DataFrame,
    current: pl.DataFrame,
    schema: DomainSchema,
    by: str,
    *,
    importance: Mapping[str, float] | None = None,
) -> DriftReport:
    """The report with each segment of `by` compared with the same segment of `reference`; both frames are typed.

    Columns with one value per group in both samples count each group once. A segment with fewer than 30 rows on either
    side is named and not compared. Raises ProfileError where `by` makes no segments.
    """
    kinds = kinds_of(schema)
    names = [name for name in reference.columns if name in current.columns and name in kinds]
    per_group = columns_per_group(reference, names) & columns_per_group(current, names)
    before, after = (segmented(f, schema, by, per_group=per_group, columns=names) for f in (reference, current))
    segments = compare_segments(before.profiles, after.profiles, schema, policy=report.policy, importance=importance)
    alarm = report.alarm or any(segment.alarm for segment in segments)
    found = msgspec.structs.replace(report, by=by, segments=segments, per_group=after.per_group, alarm=alarm)
    return msgspec.structs.replace(found, summary=summarise_report(found))


def compare_segments(
    reference: Mapping[str, Profile],
    current: Mapping[str, Profile],
    schema: DomainSchema,
    *,
    policy: DriftPolicy | None = None,
    importance: Mapping[str, float] | None = None,
) -> tuple[SegmentDrift, ...]:
    """Each segment against itself, alarms first: one Benjamini–Hochberg correction over segments × columns."""
    pairs: dict[str, Compared] = {}
    reasons: dict[str, str] = {}
    for name in sorted({*reference, *current}):
        pair, reasons[name] = _pair(reference.get(name), current.get(name))
        if pair:
            pairs[name] = pair
    together = list(pairs.values())
    reports = conclude_together(together, policy=policy, schema=schema, importance=importance) if together else []
    found = dict(zip(pairs, reports, strict=True))
    segments = [
        SegmentDrift(
            segment=name,
            n_reference=reference[name].rows if name in reference else 0,
            n_current=current[name].rows if name in current else 0,
            alarm=name in found and found[name].alarm,
            columns=found[name].columns if name in found else (),
            reason=reason,
        )
        for name, reason in reasons.items()
    ]
    return tuple(sorted(segments, key=lambda one: (not one.alarm, bool(one.reason), one.segment)))


def _pair(before: Profile | None, after: Profile | None) -> tuple[Compared | None, str]:
    """What is compared of one segment, or why nothing is."""
    if before is None:
        return None, "new: the reference has no such segment"
    if after is None:
        return None, "gone: the current sample has no such segment"
    if min(before.rows, after.rows) < FEWEST:
        return None, f"not enough data: fewer than {FEWEST} rows on one side"
    try:
        pair = gather_all(before, after)
    except (SameSample, NotComparable) as error:
        return None, str(error)
    return (pair, "") if pair.evidence else (None, "no column in common")
