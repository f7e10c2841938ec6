"""Drift of a window of days against what came before it, and what every report is kept and compared with.

Files are `monitoring.drift_files`'. What drift is, is decided in `drift.compare`; here the two samples are found.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

import polars as pl

from database.records import DriftRecord, LabeledRecord, new_id, now, record_id
from drift.column import ProfileError
from drift.compare import Findings, compare, compare_columns, require_schema
from drift.effective_size import EffectiveShares, effective_shares_of
from drift.impact import ErrorChange
from drift.policy import DriftPolicy
from drift.profile import PREDICTION, Profile, build_profile
from drift.records import DriftReport, NotComparable
from drift.segments import gather_segments, segment_column
from model.artifacts import CorruptArtifact, MissingArtifact
from model.bundle import BrokenBundle
from model.predictor import Predictor
from model.registry import NoChampion, Serving, load_bundle
from model.workspace import Workspace
from monitoring.drift_days import ComparedDays, Days, compared_days
from monitoring.error_timeline import find_error_changes
from monitoring.model_findings import (
    findings_of,
    part_rows,
    with_answers,
)
from monitoring.profile_archive import midnight
from monitoring.samples import ROWS_A_SIDE, Sample, as_record, rows_behind
from preprocessing.schema import DomainSchema
from preprocessing.validation.validate import frame_of, rows_of

NEWEST_LOOKED_AT = 20_000  # logged predictions that segments are looked for in
MEMORY = timedelta(days=400)  # before a window's end, in which changes of the error are looked for


class KeptReport(NamedTuple):
    """A report as it was made, the two profiles it compares, and the record that was stored of it."""

    report: DriftReport
    reference: Profile
    current: Profile
    record: DriftRecord


def report_days(
    workspace: Workspace, domain: str, window: Days, *, policy: DriftPolicy | None = None, by: str | None = None
) -> KeptReport:
    """The stored report of a window of days: its columns from stored profiles, the rest from rows.

    Rows tell how well a classifier parts the samples, what error to expect, and what rows of one student are worth. Of
    more than `ROWS_A_SIDE` a random sample is read, and the report says so; with `by`, which reports on segments as
    well, and for an exact window, all are. Raises NoChampion, SameSample, NotComparable, ProfileError.
    """
    schema = workspace.service.schema(domain)
    compared = compared_days(workspace, schema, window)
    require_schema(compared.reference, compared.current.fingerprint, schema)
    compare_columns(compared.reference, compared.current)  # refuses the reference itself before any row is read
    limit = None if by or window.exact else ROWS_A_SIDE
    rows, past = (
        rows_behind(workspace.store, schema, window.source, parts, limit) if parts else None
        for parts in (compared.parts, compared.past)
    )
    assert rows is not None  # noqa: S101 (a window without parts is refused)
    findings = _findings_of_days(workspace, schema, compared, rows, past)
    if window.source == "predictions":
        findings = findings._replace(changes=_error_changes(workspace, schema, window, compared.moment, rows.frame))
    if by:
        before = midnight(window.since)
        earlier = past.frame if past else earlier_rows(workspace, schema, rows.frame, by, compared.moment, before)
        findings = findings._replace(segments=gather_segments(earlier, rows.frame, schema, by))
    importance = compared.standard.importance if compared.standard else {}
    findings = findings._replace(effective=_effective_shares(compared, rows, past), importance=importance)
    report = compare(compared.reference, compared.current, schema, policy, rows=findings)
    return keep_report(workspace, report, compared.reference, compared.current)


def _findings_of_days(
    workspace: Workspace, schema: DomainSchema, compared: ComparedDays, rows: Sample, past: Sample | None
) -> Findings:
    """What a model and the rows say, the report's basis, and how many rows were read where that is not all."""
    if compared.standard:
        predictor = compared.standard.predictor
        findings = findings_of(workspace, predictor, schema, rows.frame, past.frame if past else None)
    else:
        findings = Findings(classifier=part_rows(past.frame, rows.frame, schema) if past else None)
    read = [rows.describe("of now"), past.describe("of the past") if past else "", findings.sampled]
    return findings._replace(basis=compared.basis, sampled=" and ".join(filter(None, read)))


def _error_changes(
    workspace: Workspace, schema: DomainSchema, window: Days, moment: str, rows: pl.DataFrame
) -> tuple[ErrorChange, ...]:
    """When errors changed of the targets that were answered, in the 400 days up to the window's end."""
    since, until = midnight(window.until - MEMORY), midnight(window.until)
    answered = [t for t in schema.targets if PREDICTION + t.name in rows.columns and rows[PREDICTION + t.name].count()]
    return find_error_changes(workspace, schema, answered, moment, since=since, until=until)


def _effective_shares(
    compared: ComparedDays, rows: Sample, past: Sample | None
) -> tuple[EffectiveShares, EffectiveShares]:
    """What rows of the reference and of the window are worth in independent rows."""
    after = effective_shares_of(
        rows.frame, [n for n in compared.current.columns if n in rows.frame.columns], share=rows.share
    )
    if past:
        names = [name for name in compared.reference.columns if name in past.frame.columns]
        return effective_shares_of(past.frame, names, share=past.share), after
    return compared.standard.effective if compared.standard else {}, after


def population_of(workspace: Workspace, predictor: Predictor) -> Profile:
    """All rows that were offered to the predictor's training, those that lack an input included: what a file is
    compared with, whose rows may lack some too. (Logged predictions lack none: they were asked for at their moment.)"""
    answered = Profile.from_bytes(predictor.profile)
    try:
        aside = load_bundle(workspace.artifacts, predictor.version).aside
    except (MissingArtifact, CorruptArtifact, BrokenBundle):  # it still serves from memory
        return answered
    return answered + Profile.from_bytes(aside) if aside else answered


def keep_report(workspace: Workspace, report: DriftReport, reference: Profile, current: Profile) -> KeptReport:
    """Store a report."""
    record = drift_record(report)
    workspace.store.add_drift_report(record)
    return KeptReport(report, reference, current, record)


def earlier_rows(
    workspace: Workspace,
    schema: DomainSchema,
    current: pl.DataFrame,
    by: str,
    moment: str,
    before: datetime | None = None,
) -> pl.DataFrame:
    """Rows that segments by `by` are compared with: labelled records from before the time `before` that are not among
    the current rows, or else, where they do not know the segments, the newest 20,000 logged predictions of the moment.

    Raises ProfileError where `by` makes no segments of the current rows, NotComparable where no earlier rows do.
    """
    segment_column(current, schema, by)
    end = before or now() + timedelta(days=1)
    labeled = [record for record in workspace.store.labeled_records(schema.name) if record.at < end]
    found = _segmented(schema, current, by, labeled)
    if found is None:
        asked = workspace.store.predictions(schema.name, until=end, limit=NEWEST_LOOKED_AT)
        found = _segmented(schema, current, by, [as_record(one) for one in asked if one.moment == moment])
    if found is None:
        raise NotComparable(
            f"segments by {by!r} are compared with labelled records of {schema.name} from before, or with predictions "
            f"logged before at moment {moment!r}, and none of them has {by!r}; ingest labelled files, or name a "
            "reference file"
        )
    return found


def _segmented(
    schema: DomainSchema, current: pl.DataFrame, by: str, records: Sequence[LabeledRecord]
) -> pl.DataFrame | None:
    """Those of the records that are not among the current rows, typed; None where they have no segments."""
    here = {record_id(schema.name, r.student, r.group, r.period, r.inputs) for r in rows_of(current, schema)}
    others = [r for r in records if record_id(schema.name, r.student, r.group, r.period, r.inputs) not in here]
    if not others:
        return None
    frame = frame_of(others, schema)
    try:
        return frame if frame[segment_column(frame, schema, by)].count() else None
    except ProfileError:
        return None


def widest_champion(workspace: Workspace, schema: DomainSchema, columns: Collection[str]) -> Serving:
    """The champion of the latest moment whose inputs are among `columns`, for the first target that has one."""
    workspace.champions.refresh()
    for moment in reversed(schema.moments):
        known = all(f.optional or f.name in columns for f in schema.inputs_at(moment))
        serving: Mapping[str, Serving] = {}
        if known:
            try:
                serving = workspace.champions.at(schema.name, moment)
            except NoChampion:
                continue
        for target in schema.targets:
            if target.name in serving:
                return serving[target.name]
    raise NoChampion(f"no champion for {schema.name} sees these columns; train one, or name a reference file")


def outcomes_known(profile: Profile, schema: DomainSchema) -> Profile:
    """A profile in which an outcome or an answer that a row does not have is no missing value."""
    unknown = {*schema.target_by_name, *(PREDICTION + name for name in schema.target_by_name)}
    columns = {n: replace(c, missing=0) if n in unknown else c for n, c in profile.columns.items()}
    return replace(profile, columns=columns)


def profile_for(predictor: Predictor, schema: DomainSchema, frame: pl.DataFrame) -> Profile:
    """The profile of a typed frame as the predictor's own reference has it: columns, outcome, answers (its own, unless
    the frame has them).

    Rows that lack an input count, and count as missing it; they have no answer. An outcome that is not known yet does
    not count as missing, nor does an answer that nobody gave.
    """
    manifest = predictor.manifest
    given = PREDICTION + manifest.target.name in frame.columns
    answered = frame if given else with_answers(predictor, schema, frame)
    known = {f.name for f in schema.features_at(manifest.moment)}
    known |= {manifest.target.name, PREDICTION + manifest.target.name}
    chosen = answered.select(name for name in answered.columns if name in known)
    return outcomes_known(build_profile(chosen, schema), schema)


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
