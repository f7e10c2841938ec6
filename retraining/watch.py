"""Drift of a file, a frame or a window of days against what came before it; reports are stored.

What drift is, is decided in `drift.report`; here the two samples are found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path
from typing import NamedTuple

import polars as pl

from database.records import BatchRow, DriftRecord, LabeledRecord, Prediction, new_id, now, record_id
from drift.column import same
from drift.profile import Profile, build_profile
from drift.report import DriftPolicy, DriftReport, NotComparable, compare, refuse_same
from drift.segments import add_segments
from model.artifacts import CorruptArtifact, MissingArtifact
from model.bundle import BrokenBundle
from model.home import Home
from model.predictor import Predictor
from model.registry import NoChampion, Serving, load_bundle
from preprocessing.read import read_table
from preprocessing.schema import DomainSchema
from preprocessing.validate import frame_of, rows_of, validate_table
from retraining.impact import add_model, add_rows
from retraining.profiles import Part, midnight
from retraining.window import Weighed, Window, report_window

ROWS_AT_MOST = 100_000  # of a window and its past, that are read where profiles would do but for what only rows tell


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
    _refuse_its_own(Profile.from_bytes(predictor.profile), predictor, schema, frame)
    before = population_of(home, predictor)
    after = profile_for(predictor, schema, frame)
    report = compare(before, after, policy=policy, schema=schema, importance=predictor.manifest.importance)
    report = add_model(home, report, predictor, complete_inputs(predictor, schema, frame), schema)
    if by:
        earlier = _labeled_frame(home, schema, frame)
        report = add_segments(report, earlier, frame, schema, by, importance=predictor.manifest.importance)
    return keep_report(home, report, before, after)


def watch_window(
    home: Home,
    domain: str,
    window: Window,
    *,
    policy: DriftPolicy | None = None,
    by: str | None = None,
    rows: bool = False,
) -> Watched:
    """The stored report of a window of days, from stored profiles.

    rows: up to 100,000 rows are read too, for what profiles cannot tell: whether rows are told apart, and the error to
    expect. by: report on segments as well. `by` and an exact window read all rows. Raises NoChampion, SameSample,
    NotComparable, ProfileError.
    """
    schema = home.service.schema(domain)
    weighed = report_window(home, schema, window, policy=policy)
    report = weighed.report
    few = sum(part.rows for part in (*weighed.parts, *(weighed.past or ()))) <= ROWS_AT_MOST
    if by or window.exact or (rows and few):
        frame = _rows_of(home, schema, window, weighed.parts)
        report = _add_rows_of_window(home, schema, window, weighed, frame)
        if by:
            importance = weighed.standard.importance if weighed.standard else None
            earlier = _labeled_frame(home, schema, frame, window)
            report = add_segments(report, earlier, frame, schema, by, importance=importance)
    return keep_report(home, report, weighed.reference, weighed.current)


def _add_rows_of_window(
    home: Home, schema: DomainSchema, window: Window, weighed: Weighed, frame: pl.DataFrame
) -> DriftReport:
    """The report with what the rows of the window, and of the past that it was compared with, tell."""
    past = _rows_of(home, schema, window, weighed.past) if weighed.past else None
    if weighed.standard:
        return add_model(home, weighed.report, weighed.standard.predictor, frame, schema, past)
    return weighed.report if past is None else add_rows(weighed.report, past, frame, schema)


def population_of(home: Home, predictor: Predictor) -> Profile:
    """All rows that were offered to the predictor's training, those that lack an input included: what a file is
    compared with, whose rows may lack some too. (Logged predictions lack none: they were asked for at their moment.)"""
    answered = Profile.from_bytes(predictor.profile)
    try:
        aside = load_bundle(home.artifacts, predictor.version).aside
    except (MissingArtifact, CorruptArtifact, BrokenBundle):  # it still serves from memory
        return answered
    return answered + Profile.from_bytes(aside) if aside else answered


def _refuse_its_own(reference: Profile, predictor: Predictor, schema: DomainSchema, frame: pl.DataFrame) -> None:
    """SameSample where the complete rows are those that the model learned from, whatever incomplete ones are beside."""
    complete = complete_inputs(predictor, schema, frame)
    if reference.rows == complete.height < frame.height:
        own = build_profile(complete, schema).columns
        shared = {name: column for name, column in own.items() if name in reference.columns}
        refuse_same(reference, complete.height, shared, lambda name: same(reference.columns[name], shared[name]))


def keep_report(home: Home, report: DriftReport, reference: Profile, current: Profile) -> Watched:
    """Store a report."""
    record = drift_record(report)
    home.store.add_drift_report(record)
    return Watched(report, reference, current, record)


def _rows_of(home: Home, schema: DomainSchema, window: Window, parts: Sequence[Part]) -> pl.DataFrame:
    """The rows behind `parts`, which are of one moment, typed; with the columns that are known then."""
    moment, wanted = parts[0].moment, {(part.day, part.period) for part in parts}
    days = sorted({day for day, _ in wanted})
    found: list[LabeledRecord | BatchRow] = []
    if window.source == "predictions":
        for day in days:
            asked = home.store.predictions(schema.name, since=midnight(day), until=midnight(day + timedelta(days=1)))
            found += [as_record(one) for one in asked if one.moment == moment and (day, one.period) in wanted]
    else:
        for batch in home.store.batches(schema.name, window.source):
            day = batch.at.astimezone(UTC).date()
            rows = home.store.batch_rows(batch.id) if day in days else []
            found += [row for row in rows if (day, row.period) in wanted and _moment(schema, row) == moment]
    frame, known = frame_of(found, schema), {feature.name for feature in schema.features_at(moment)}
    return frame.drop([f.name for f in schema.features if f.name in frame.columns and f.name not in known])


def _moment(schema: DomainSchema, row: BatchRow) -> str:
    return schema.moment_of(name for name, value in row.inputs.items() if value is not None)


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
    """The profile of a typed frame as the predictor's own reference has it: columns, outcomes, predictions.

    Rows that lack an input count, and count as missing it; they have no prediction. An outcome that is not known yet
    does not count as missing, nor does a prediction that nobody made.
    """
    manifest = predictor.manifest
    complete = complete_inputs(predictor, schema, frame)
    name = f"_prediction:{manifest.target.name}"
    levels, rows = manifest.target.levels, [row.inputs for row in rows_of(complete, schema)]
    said = [levels[int(number)] if levels else float(number) for number in predictor.numbers(rows)] if rows else []
    answers = pl.DataFrame({name: pl.Series(said, dtype=pl.String if levels else pl.Float64)})
    columns = [f.name for f in schema.features_at(manifest.moment) if f.name in frame.columns]
    outcome = [manifest.target.name] if manifest.target.name in frame.columns else []
    profile = build_profile(frame, schema, columns=[*columns, *outcome])
    known = {**profile.columns, **build_profile(answers, schema).columns}
    known |= {one: replace(known[one], missing=0) for one in outcome}
    return replace(profile, columns=dict(sorted(known.items())))


def complete_inputs(predictor: Predictor, schema: DomainSchema, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows of a typed frame that the predictor answers: those with every input that is not optional."""
    return frame.drop_nulls([f.name for f in schema.inputs_at(predictor.manifest.moment) if not f.optional])


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
