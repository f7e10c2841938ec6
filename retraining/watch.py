"""Drift of new rows against what a champion was trained on, or of one file against another; reports are stored.

What drift is, is decided in `drift.report`; here the two samples are found.
"""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from database.records import DriftRecord, new_id, now
from drift.profile import Profile, build_profile
from drift.report import DriftPolicy, DriftReport, compare
from model.home import Home
from model.predictor import Predictor
from model.registry import NoChampion, Serving
from preprocessing.read import read_table
from preprocessing.schema import DomainSchema
from preprocessing.validate import rows_of, validate_table


def watch_file(
    home: Home,
    domain: str,
    current: Path | bytes,
    reference: Path | bytes | None = None,
    *,
    name: str = "",
    policy: DriftPolicy | None = None,
) -> tuple[DriftReport, Profile, Profile]:
    """The stored report of a file against `reference` (the champion's data if None), with both profiles.

    Raises UnreadableFile, BadData, NoChampion, SameSample, NotComparable.
    """
    schema = home.service.schema(domain)
    frame = read_frame(home, schema, current, name)
    if reference is None:
        return watch_frame(home, schema, frame, policy=policy)
    before = build_profile(read_frame(home, schema, reference, ""), schema)
    after = build_profile(frame, schema)
    report = compare(before, after, policy=policy, schema=schema)
    home.store.add_drift_report(drift_record(report))
    return report, before, after


def watch_frame(
    home: Home, schema: DomainSchema, frame: pl.DataFrame, *, policy: DriftPolicy | None = None
) -> tuple[DriftReport, Profile, Profile]:
    """The stored report of a typed frame against the data of the champion that sees most of its columns."""
    predictor = widest_champion(home, schema, frame).predictor
    before = Profile.from_bytes(predictor.profile)
    after = profile_for(predictor, schema, frame)
    report = compare(before, after, policy=policy, schema=schema, importance=predictor.manifest.importance)
    home.store.add_drift_report(drift_record(report))
    return report, before, after


def read_frame(home: Home, schema: DomainSchema, source: Path | bytes, name: str) -> pl.DataFrame:
    """The typed frame of a file, outcomes included where it has them. Raises UnreadableFile, BadData."""
    return validate_table(read_table(source, name=name), schema, secret=home.secret).require_clean().frame


def widest_champion(home: Home, schema: DomainSchema, frame: pl.DataFrame) -> Serving:
    """The champion of the latest moment whose inputs the frame has, for the schema's first target that has one."""
    home.champions.refresh()
    for moment in reversed(schema.moments):
        known = all(f.optional or f.name in frame.columns for f in schema.inputs_at(moment))
        serving: Mapping[str, Serving] = {}
        if known:
            try:
                serving = home.champions.at(schema.name, moment)
            except NoChampion:
                continue
        for target in schema.targets:
            if target.name in serving:
                return serving[target.name]
    raise NoChampion(f"no champion for {schema.name} sees these columns; train one, or name a reference file")


def profile_for(predictor: Predictor, schema: DomainSchema, frame: pl.DataFrame) -> Profile:
    """The profile of a typed frame as the predictor's own reference has it: columns, outcomes, predictions."""
    manifest = predictor.manifest
    needed = [f.name for f in schema.inputs_at(manifest.moment) if not f.optional]
    complete = frame.drop_nulls(needed)
    name = f"_prediction:{manifest.target.name}"
    levels, rows = manifest.target.levels, [row.inputs for row in rows_of(complete, schema)]
    said = [levels[int(number)] if levels else float(number) for number in predictor.numbers(rows)]
    kind = pl.String if levels else pl.Float64
    columns = [f.name for f in schema.features_at(manifest.moment) if f.name in frame.columns]
    outcome = [manifest.target.name] if manifest.target.name in frame.columns else []
    answered = complete.with_columns(pl.Series(name, said, dtype=kind))
    return build_profile(answered, schema, columns=[*columns, *outcome, name])


def drift_record(report: DriftReport) -> DriftRecord:
    """A drift report as the store keeps it."""
    return DriftRecord(
        id=new_id(),
        domain=report.domain,
        at=now(),
        alarm=report.alarm,
        reference=report.reference_digest,
        current=report.current_digest,
        document=report.to_document(),
    )
