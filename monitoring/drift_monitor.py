"""Drift of a window of days against what came before it, and what every report is kept and compared with.

Files are `monitoring.drift_files`'. What drift is, is decided in `drift.compare`; here the two samples are found.
"""

from __future__ import annotations

from datetime import timedelta

import msgspec
import polars as pl

from drift.column import PREDICTION
from drift.compare import Findings, compare, compare_columns
from drift.impact import ErrorChange
from drift.policy import DriftPolicy
from drift.profile import Profile, build_profile
from drift.records import DriftReport, Provenance
from drift.samples import effective_shares_of
from drift.segments import gather_segments
from drift.statistics import EffectiveShares
from model.predictor import Predictor
from model.workspace import Workspace
from monitoring.days import midnight
from monitoring.drift_days import ComparedDays, Days, compared_days
from monitoring.drift_files import KeptReport, keep_report, outcomes_known
from monitoring.error_timeline import find_error_changes
from monitoring.row_findings import (
    Sample,
    changed_of,
    context_of,
    findings_of,
    origin_of,
    part_rows,
    with_answers,
    with_context,
)
from monitoring.sampling import ROWS_A_SIDE
from monitoring.stored_rows import earlier_rows, rows_behind
from preprocessing.schema import DomainSchema

MEMORY = timedelta(days=400)  # before a window's end, in which changes of the error are looked for


def report_days(
    workspace: Workspace, domain: str, window: Days, *, policy: DriftPolicy | None = None, by: str | None = None
) -> KeptReport:
    """The report of a window of days, stored. Raises as `judge_days`."""
    report, _ = judge_days(workspace, domain, window, policy=policy, by=by)
    return keep_report(workspace, report)


def judge_days(
    workspace: Workspace, domain: str, window: Days, *, policy: DriftPolicy | None = None, by: str | None = None
) -> tuple[DriftReport, ComparedDays]:
    """The report of a window of days and what it compares: its columns from stored profiles, the rest from rows.

    Rows tell how well a classifier parts the samples, what error to expect, and what rows of one student are worth. Of
    more than `ROWS_A_SIDE` a random sample is read, and the report says so; with `by`, which reports on segments as
    well, and for an exact window, all are. Raises NoChampion, SameSample, NotComparable, ProfileError.
    """
    schema = workspace.schemas[domain]
    compared = compared_days(workspace, schema, window)
    compare_columns(compared.reference, compared.current)  # refuses the reference itself before any row is read
    limit = None if by or window.exact else ROWS_A_SIDE
    rows, past = (
        rows_behind(workspace.store, schema, source, parts, limit) if parts else None
        for source, parts in ((window.source, compared.parts), (compared.past_source, compared.past))
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
    origin = origin_of(compared.standard.predictor) if compared.standard else Provenance()
    origin = msgspec.structs.replace(
        origin, moment=compared.moment, source=window.source, since=window.since, until=window.until
    )
    effective = _effective_shares(compared, rows, past)
    findings = findings._replace(effective=effective, importance=importance, origin=origin)
    return compare(compared.reference, compared.current, schema, policy, rows=findings), compared


def _findings_of_days(
    workspace: Workspace, schema: DomainSchema, compared: ComparedDays, rows: Sample, past: Sample | None
) -> Findings:
    """What a model and the rows say, the report's basis, and how many rows were read where that is not all."""
    if compared.standard:
        predictor = compared.standard.predictor
        findings = findings_of(workspace, predictor, schema, rows.frame, past.frame if past else None)
        changed = () if past else changed_of(predictor.manifest, schema)
        findings = findings._replace(not_compared=(*findings.not_compared, *changed))
    else:
        findings = Findings(classifier=part_rows(past.frame, rows.frame, schema) if past else None)
        before = context_of(past.frame, schema) if past else None
        findings = with_context(findings, before, context_of(rows.frame, schema))
    read = [rows.describe("rows of now"), past.describe("rows of the past") if past else "", findings.sampled]
    return findings._replace(
        basis=compared.basis,
        sampled=" and ".join(filter(None, read)),
        notes=compared.notes,
    )


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
