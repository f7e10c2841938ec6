"""Drift of a file, a frame or a window of days against what came before it; reports are stored.

What drift is, is decided in `drift.report`; here the two samples are found.
"""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import polars as pl

from database.records import DriftRecord, LabeledRecord, Prediction, new_id, now, record_id
from drift.profile import Profile, build_profile
from drift.report import DriftPolicy, DriftReport, NotComparable, compare
from drift.segments import add_segments
from model.home import Home
from model.predictor import Predictor
from model.registry import NoChampion, Serving
from preprocessing.read import read_table
from preprocessing.schema import DomainSchema
from preprocessing.validate import frame_of, rows_of, validate_table
from retraining.impact import add_model, add_rows
from retraining.profiles import midnight
from retraining.window import Window, report_window


class Watched(NamedTuple):
    """A report as it was made, the two profiles it compares, and the record that was stored of it."""

    report: DriftReport
    reference: Profile
    current: Profile
    record: DriftRecord


def watch_file(
    home: Home,
    domain: str,
    current: Path | bytes,
    reference: Path | bytes | None = None,
    *,
    name: str = "",
    policy: DriftPolicy | None = None,
    by: str | None = None,
) -> Watched:
    """The stored report of a file against `reference` (the champion's data if None).

    by: a column whose values are reported on as segments, each against its own rows in the reference file, or else in
    the labelled records. Raises UnreadableFile, BadData, NoChampion, SameSample, NotComparable, ProfileError.
    """
    schema = home.service.schema(domain)
    frame = read_frame(home, schema, current, name)
    if reference is None:
        return watch_frame(home, schema, frame, policy=policy, by=by)
    earlier = read_frame(home, schema, reference, "")
    before, after = build_profile(earlier, schema), build_profile(frame, schema)
    report = add_rows(compare(before, after, policy=policy, schema=schema), earlier, frame, schema)
    if by:
        report = add_segments(report, earlier, frame, schema, by)
    return keep_report(home, report, before, after)


def watch_frame(
    home: Home, schema: DomainSchema, frame: pl.DataFrame, *, policy: DriftPolicy | None = None, by: str | None = None
) -> Watched:
    """The stored report of a typed frame against the data of the champion that sees most of its columns."""
    predictor = widest_champion(home, schema, frame).predictor
    before = Profile.from_bytes(predictor.profile)
    after = profile_for(predictor, schema, frame)
    report = compare(before, after, policy=policy, schema=schema, importance=predictor.manifest.importance)
    report = add_model(home, report, predictor, frame, schema)
    if by:
        earlier = _labeled_frame(home, schema, frame)
        report = add_segments(report, earlier, frame, schema, by, importance=predictor.manifest.importance)
    return keep_report(home, report, before, after)


def watch_window(
    home: Home, domain: str, window: Window, *, policy: DriftPolicy | None = None, by: str | None = None
) -> Watched:
    """The stored report of a window of days, from stored profiles; with `by` also by segment, which reads the rows.

    Raises NoChampion, SameSample, NotComparable, ProfileError.
    """
    schema = home.service.schema(domain)
    report, before, after, moment = report_window(home, schema, window, policy=policy)
    if by:
        frame = _window_frame(home, schema, window).filter(pl.col("_moment") == moment)
        report = add_segments(report, _labeled_frame(home, schema, frame, window), frame, schema, by)
    return keep_report(home, report, before, after)


def keep_report(home: Home, report: DriftReport, reference: Profile, current: Profile) -> Watched:
    """Store a report."""
    record = drift_record(report)
    home.store.add_drift_report(record)
    return Watched(report, reference, current, record)


def _window_frame(home: Home, schema: DomainSchema, window: Window) -> pl.DataFrame:
    """The rows of a window, typed."""
    start, end = midnight(window.since), midnight(window.until)
    if window.source == "predictions":
        asked = home.store.predictions(schema.name, since=start, until=end)
        return frame_of([as_record(one) for one in asked], schema)
    batches = [one for one in home.store.batches(schema.name, window.source) if start <= one.at < end]
    return frame_of([row for batch in batches for row in home.store.batch_rows(batch.id)], schema)


def _labeled_frame(
    home: Home, schema: DomainSchema, current: pl.DataFrame, window: Window | None = None
) -> pl.DataFrame:
    """The labelled records that are not among the current rows, and older than the window. NotComparable for none."""
    here = {record_id(schema.name, r.student, r.group, r.period, r.inputs) for r in rows_of(current, schema)}
    records = home.store.labeled_records(schema.name)
    end = midnight(window.since) if window else now() + timedelta(days=1)
    earlier = [record for record in records if record.id not in here and record.at < end]
    if not earlier:
        raise NotComparable(
            f"segments are compared with the labelled records of {schema.name} from before, and there are none; "
            "ingest labelled files, or name a reference file"
        )
    return frame_of(earlier, schema)


def as_record(asked: Prediction) -> LabeledRecord:
    """What was asked, as a record whose outcome nobody knows."""
    return LabeledRecord(
        id=asked.id,
        domain=asked.domain,
        inputs=asked.inputs,
        targets={},
        at=asked.at,
        student=asked.student,
        group=asked.group,
        period=asked.period,
    )


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
