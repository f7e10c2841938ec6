"""Drift of a file or a frame against the champion's data or another file; reports are stored.

Columns are counted as the file is read; a random sample of its rows is read by the rules, answered by the champion, and
tells what only rows tell. Values that prediction would refuse are counted, told and compared like others. Where a file
is not plainly written, it is read row by row. What drift is, is decided in `drift.compare`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import msgspec
import numpy as np
import polars as pl

from clock import new_id, now
from database.records import DriftRecord
from drift.column import PREDICTION, BinnedColumn, CategoricalColumn, Column, NumericColumn, ProfileError, same
from drift.compare import Findings, compare, refuse_same
from drift.files import separator_of
from drift.policy import DriftPolicy
from drift.profile import Profile, build_profile
from drift.records import DriftReport
from drift.samples import MeasuredSample, effective_shares_of, measure_sample, places_of, profile_sample
from drift.segments import gather_segments
from drift.statistics import EffectiveShares
from model.predictor import Predictor
from model.registry import NoChampion
from model.workspace import Workspace
from monitoring.row_findings import (
    Sample,
    changed_of,
    complete_inputs,
    context_of,
    context_of_model,
    effective_shares_of_model,
    expect_of,
    findings_of,
    origin_of,
    part_rows,
    population_of,
    reference_of,
    said_of,
    widest_champion,
    with_answers,
    with_context,
)
from monitoring.stored_rows import earlier_rows
from preprocessing.reading.files import kind_of, read_table
from preprocessing.reading.raw_table import RawTable, UnreadableFile
from preprocessing.schema import DomainSchema, Feature, Target
from preprocessing.validation import rules
from preprocessing.validation.pii import harmless_name, looks_identifying
from preprocessing.validation.results import RefusedValues
from preprocessing.validation.rules import BadData, Columns, Problem
from preprocessing.validation.tables import observe_table, refused_column, repeated_rows

ROWS_OF_FILE = 20_000  # that are read for what only rows tell
FEW_ROWS = 1_000  # that are looked at where nothing is asked of rows
COUNTED = {"parquet": ".parquet", "text": ".csv"}  # kinds of files that are counted as they are read
MAGIC_BYTES = 16  # bytes at a file's beginning that say what it is


class ReportOptions(NamedTuple):
    """What is asked of a report.

    by: a column whose values are reported on as segments, each against its own rows in the reference file, or else in
    the labelled records or logged predictions; all rows are read for it. columns_only: nothing is asked of rows:
    neither whether a classifier parts the samples nor what the champion answers. cluster: the address of a Dask
    scheduler, whose workers measure the columns; the report is the same. sheet, reference_sheet: of workbooks.
    skip_bad_rows: leave out rows of which it cannot be read whose they are; values out of range are findings.
    """

    policy: DriftPolicy | None = None
    by: str | None = None
    columns_only: bool = False
    cluster: str | None = None
    sheet: str = ""
    reference_sheet: str = ""
    skip_bad_rows: bool = False


NO_OPTIONS = ReportOptions()


def report_file(
    workspace: Workspace,
    domain: str,
    current: Path | bytes,
    reference: Path | bytes | None = None,
    options: ReportOptions = NO_OPTIONS,
    *,
    name: str = "",
) -> KeptReport:
    """The stored report of a file against `reference` (the champion's data if None). name: what whoever gave the file
    calls it.

    Raises UnreadableFile, BadData for what nobody may read, NoChampion, SameSample, NotComparable, ProfileError, and
    what `cluster.map_on` raises.
    """
    report, problems = _judge(workspace, workspace.schemas[domain], current, reference, options, name)
    files = {"file": _name_of(current, name), "reference_file": _name_of(reference)}
    origin = msgspec.structs.replace(report.origin, **files)
    return keep_report(workspace, msgspec.structs.replace(report, origin=origin), problems)


def _name_of(source: Path | bytes | None, name: str = "") -> str:
    return harmless_name(name or (source.name if isinstance(source, Path) else ""))


def _judge(
    workspace: Workspace,
    schema: DomainSchema,
    current: Path | bytes,
    reference: Path | bytes | None,
    options: ReportOptions,
    name: str,
) -> Judged:
    with _as_file(current) as now, _as_file(reference) as before:
        try:
            sheets = options.sheet or options.reference_sheet
            if options.by or options.cluster or sheets or now is None or (reference is not None and before is None):
                raise _Doubtful
            if before is None:
                return _count_against_champion(workspace, schema, now, options)
            return _count_against_file(workspace, schema, before, now, options)
        except _Doubtful:
            pass
    read = partial(_read, workspace, schema, skip_bad_rows=options.skip_bad_rows)
    rows = read(current, name, options.sheet)
    if reference is None:
        if options.reference_sheet:
            raise UnreadableFile("a sheet of a reference is named, and no reference is given")
        return judge_rows(workspace, schema, rows, options)
    return _judge_both(workspace, schema, read(reference, "", options.reference_sheet), rows, options)


class _Doubtful(Exception):
    """Counting found something that has to be read row by row to be read right."""


@contextmanager
def _as_file(source: Path | bytes | None) -> Iterator[Path | None]:
    """The source as a file that can be counted while it is read; None where it is of another kind."""
    if source is None:
        yield None
        return
    start = source[:MAGIC_BYTES] if isinstance(source, bytes) else _beginning(source)
    suffix = COUNTED.get(kind_of(start))
    if suffix is None or (suffix == ".csv" and start.lstrip()[:1] in (b"{", b"[")):
        yield None
    elif isinstance(source, Path) and source.suffix.casefold() in (".parquet", ".csv"):
        yield source if source.suffix.casefold() == suffix else None
    else:
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"rows{suffix}"
            if isinstance(source, bytes):
                path.write_bytes(source)
            else:
                path.symlink_to(source.resolve())
            yield path


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAGIC_BYTES)
    except OSError as error:
        raise UnreadableFile(f"{path.name}: {error.strerror or error}") from None


class Judged(NamedTuple):
    """A report that is not stored yet. problems: of the rows of files that were left out."""

    report: DriftReport
    problems: tuple[Problem, ...] = ()


class KeptReport(NamedTuple):
    """A report as it was made, and the record that was stored of it. problems: as of one that is not stored."""

    report: DriftReport
    record: DriftRecord
    problems: tuple[Problem, ...] = ()


def keep_report(workspace: Workspace, report: DriftReport, problems: tuple[Problem, ...] = ()) -> KeptReport:
    """Store a report."""
    record = drift_record(report)
    workspace.store.add_drift_report(record)
    return KeptReport(report, record, problems)


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


def outcomes_known(profile: Profile, schema: DomainSchema) -> Profile:
    """A profile in which an outcome or an answer that a row does not have is no missing value."""
    unknown = {*schema.target_by_name, *(PREDICTION + name for name in schema.target_by_name)}
    columns = {n: replace(c, missing=0) if n in unknown else c for n, c in profile.columns.items()}
    return replace(profile, columns=columns)


# Files that are counted


def _count_against_champion(workspace: Workspace, schema: DomainSchema, path: Path, options: ReportOptions) -> Judged:
    columns = _columns_of(path, schema)
    with _doubted():
        predictor = widest_champion(workspace, schema, columns.found).predictor
    before = population_of(predictor, schema)
    rows, known = _rows_wanted(schema, columns, options), _known(predictor, schema)
    with _doubted():
        measured = measure_sample(before, path, schema, rows=rows, columns=known, context=_others(columns))
    sample = _checked(workspace, schema, path, columns, measured.known, measured.taken, measured.uncounted)
    return _against_champion(workspace, schema, predictor, measured, sample, options)


def _count_against_file(
    workspace: Workspace, schema: DomainSchema, reference: Path, path: Path, options: ReportOptions
) -> Judged:
    earlier, later = (_columns_of(one, schema) for one in (reference, path))
    rows = max(_rows_wanted(schema, columns, options) for columns in (earlier, later))
    with _doubted():
        profile, taken = profile_sample(reference, schema, rows=rows, context=_others(earlier))
        past = _checked(workspace, schema, reference, earlier, profile, taken)
        before = outcomes_known(profile, schema)
        measured = measure_sample(before, path, schema, rows=rows, context=_others(later))
    sample = _checked(workspace, schema, path, later, measured.known, measured.taken, measured.uncounted)
    return _against_rows(workspace, schema, measured, past, sample, options)


def _known(predictor: Predictor, schema: DomainSchema) -> set[str]:
    """The columns that are known when the champion is asked, and its outcome."""
    manifest = predictor.manifest
    return {feature.name for feature in schema.features_at(manifest.moment)} | {manifest.target.name}


def _against_champion(
    workspace: Workspace,
    schema: DomainSchema,
    predictor: Predictor,
    measured: MeasuredSample,
    rows: Sample,
    options: ReportOptions,
) -> Judged:
    """The report of a sample that was measured beside the champion's data, by its typed rows or some of them."""
    manifest, findings = predictor.manifest, Findings()
    if options.columns_only:
        findings = with_context(findings, context_of_model(predictor), context_of(rows.frame, schema))
    else:
        rows = rows._replace(frame=with_answers(predictor, schema, rows.frame))
        findings = findings_of(workspace, predictor, schema, rows.frame)
        sampled = " and ".join(filter(None, [rows.describe("rows of now"), findings.sampled]))
        findings = findings._replace(sampled=sampled, answers=({}, _answers(rows.frame, schema)))
    if options.by:
        earlier = earlier_rows(workspace, schema, rows.frame, options.by, manifest.moment)
        findings = findings._replace(segments=gather_segments(earlier, rows.frame, schema, options.by))
    findings = findings._replace(
        effective=(effective_shares_of_model(manifest), _effective_share(rows)),
        importance=manifest.importance,
        origin=origin_of(predictor),
        refused=rows.refused,
        notes=rows.notes,
        not_compared=(*findings.not_compared, *changed_of(manifest, schema)),
    )
    report = compare(measured.reference, _outcomes_known(measured, schema), schema, options.policy, rows=findings)
    return Judged(report, rows.problems)


def _against_rows(
    workspace: Workspace,
    schema: DomainSchema,
    measured: MeasuredSample,
    past: Sample,
    rows: Sample,
    options: ReportOptions,
) -> Judged:
    """The report of a sample that was measured beside another one, by typed rows of both, priced and answered by the
    champion where there is one."""
    predictor, findings = _champion_of(workspace, schema, rows.frame.columns), Findings()
    if predictor:
        findings = findings._replace(importance=predictor.manifest.importance, origin=origin_of(predictor))
        if not options.columns_only:
            past, rows = (one._replace(frame=with_answers(predictor, schema, one.frame)) for one in (past, rows))
            findings = _answered(findings, predictor, schema, past, rows)
    if not options.columns_only:
        sampled = " and ".join(filter(None, [rows.describe("rows of now"), past.describe("rows of the past")]))
        findings = findings._replace(classifier=part_rows(past.frame, rows.frame, schema), sampled=sampled)
    if options.by:
        findings = findings._replace(segments=gather_segments(past.frame, rows.frame, schema, options.by))
    findings = with_context(findings, context_of(past.frame, schema), context_of(rows.frame, schema))._replace(
        effective=(_effective_share(past), _effective_share(rows)),
        refused=_beside(past.refused, rows.refused),
        notes=tuple(dict.fromkeys([*past.notes, *rows.notes])),
    )
    report = compare(measured.reference, _outcomes_known(measured, schema), schema, options.policy, rows=findings)
    return Judged(report, (*past.problems, *rows.problems))


def _beside(past: Sequence[RefusedValues], now: Sequence[RefusedValues]) -> tuple[RefusedValues, ...]:
    """What is refused now, with the share of it that was before."""
    shares = {(one.column, one.kind): one.share for one in past}
    return tuple(msgspec.structs.replace(one, share_reference=shares.get((one.column, one.kind), 0.0)) for one in now)


def _answered(findings: Findings, predictor: Predictor, schema: DomainSchema, past: Sample, rows: Sample) -> Findings:
    """What the champion says of rows of both."""
    known, complete = (complete_inputs(predictor, schema, one.frame) for one in (past, rows))
    old, new = said_of(predictor, known, schema), said_of(predictor, complete, schema)
    return findings._replace(
        expected=expect_of(predictor, complete, schema),
        said={predictor.manifest.target.name: (old, new)} if old and new else {},
        answers=(_answers(past.frame, schema), _answers(rows.frame, schema)),
    )


def _champion_of(workspace: Workspace, schema: DomainSchema, columns: Collection[str]) -> Predictor | None:
    try:
        return widest_champion(workspace, schema, columns).predictor
    except NoChampion:
        return None


def _answers(frame: pl.DataFrame, schema: DomainSchema) -> dict[str, Column]:
    """What the champion answered, where it did: rows that it cannot answer miss nothing."""
    names = [name for name in frame.columns if name.startswith(PREDICTION)]
    profile = build_profile(frame, schema, columns=names)
    return {name: replace(column, missing=0) for name, column in profile.columns.items()}


def _effective_share(rows: Sample) -> EffectiveShares:
    """What rows count as in independent rows, by column."""
    kinds = [name for name in rows.frame.columns if not name.startswith("_") or name.startswith(PREDICTION)]
    return effective_shares_of(rows.frame, kinds, share=rows.share)


def _rows_wanted(schema: DomainSchema, columns: Columns, options: ReportOptions) -> int:
    """Of rows that belong to students or groups enough are read, whatever is asked, to know how much each counts."""
    placed = any(name in columns.found for name in schema.placing)
    return ROWS_OF_FILE if placed or not options.columns_only else FEW_ROWS


def _columns_of(path: Path, schema: DomainSchema) -> Columns:
    """Which columns the file has. Raises _Doubtful where that is not plain."""
    try:
        if path.suffix == ".parquet":
            names = list(pl.read_parquet_schema(path))
        else:
            names = pl.scan_csv(path, separator=separator_of(path), infer_schema=False).collect_schema().names()
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError) as error:
        raise _Doubtful from error
    columns = rules.match_columns(names, schema)
    if columns.twice:
        raise _Doubtful
    return columns


def _others(columns: Columns) -> list[str]:
    return [*columns.found.values(), *columns.extra]


@contextmanager
def _doubted() -> Iterator[None]:
    """What cannot be counted, or nobody answers, is read carefully: rows say better what is wrong with it."""
    try:
        yield
    except (ProfileError, NoChampion, pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        raise _Doubtful from error


def _checked(
    workspace: Workspace,
    schema: DomainSchema,
    path: Path,
    columns: Columns,
    profile: Profile,
    taken: pl.DataFrame | None,
    uncounted: Collection[str] = (),
) -> Sample:
    """The typed rows that were taken of a file, and what prediction would refuse of all of it: told by the profile, and
    of the columns `uncounted` by the rows taken. Raises _Doubtful unless the file is plainly written."""
    if taken is None or not profile.rows:
        raise _Doubtful
    raw = RawTable(taken, path.name, is_text=path.suffix != ".parquet", first_row=1)
    try:
        seen = observe_table(raw, schema, secret=workspace.secret)
    except BadData as error:
        raise _Doubtful from error
    if seen.frame.height != taken.height:
        raise _Doubtful
    declared: dict[str, Feature | Target] = {**schema.feature_by_name, **schema.target_by_name}
    counted = {n: column for n, column in profile.columns.items() if n in declared and n not in uncounted}
    absent = [one.column for one in seen.refused if one.kind == "no such column"]
    refused = [refused_column(name, schema, profile.rows) for name in absent]
    refused += [one for one in seen.refused if _is_told_by_rows(one, counted, path)]
    refused += [one for name, summary in counted.items() for one in _refused(declared[name], summary)]
    refused += _not_a_number(schema, path, columns, profile)
    refused += [repeated_rows(rows, profile.rows)] if (rows := _repeats(path, schema, columns)) else []
    return Sample(seen.frame, profile.rows, tuple(refused), seen.notes)


def _is_told_by_rows(one: RefusedValues, counted: Collection[str], path: Path) -> bool:
    """Whether only rows tell it: of columns that were not counted value by value, and NaN that is written as text."""
    if one.kind in ("no such column", "repeated"):
        return False
    return one.column not in counted or (one.kind == "no number" and path.suffix != ".parquet")


def _refused(column: Feature | Target, summary: Column) -> list[RefusedValues]:
    """What prediction would refuse of a column, by all that it holds. Raises _Doubtful for levels that would be read
    otherwise than they stand, or may name somebody, and where not every value is known."""
    if isinstance(summary, CategoricalColumn):
        others = [place for place, level in enumerate(summary.levels) if level not in column.levels]
        if any(_is_odd(column, summary.levels[place]) for place in others):
            raise _Doubtful
        closed = column.levels and not getattr(column, "open", False)
        return [_refused_values(column, "unknown level", summary, others)] if closed and others else []
    if isinstance(summary, BinnedColumn) or any(rules.parse_number(word) is not None for word in column.missing):
        raise _Doubtful
    low, high = rules.bounds(column)
    beyond = (summary.values < low) | (summary.values > high)
    broken = ~beyond & (summary.values != np.floor(summary.values)) if column.integer else np.zeros_like(beyond)
    kinds = (("out of range", beyond), ("not whole", broken))
    return [_refused_values(column, kind, summary, np.flatnonzero(at).tolist()) for kind, at in kinds if at.any()]


def _refused_values(
    column: Feature | Target, kind: Any, summary: NumericColumn | CategoricalColumn, places: Sequence[int]
) -> RefusedValues:
    """places: of the values or levels of the summary that are refused."""
    values = summary.levels if isinstance(summary, CategoricalColumn) else summary.values
    often = sorted(places, key=lambda place: (-summary.counts[place], place))[: rules.VALUES_SHOWN]
    examples = tuple(values[place] if isinstance(values, tuple) else f"{values[place]:g}" for place in often)
    rows, of = int(summary.counts[[*places]].sum()), summary.present + summary.missing
    return RefusedValues(
        column=column.name, kind=kind, rows=rows, of=of, rule=rules.expected(column), examples=examples
    )


def _is_odd(column: Feature | Target, level: str) -> bool:
    """Whether the rules would read a level otherwise than it stands, or may refuse it as somebody's name."""
    allowed = isinstance(column, Feature) and column.allow
    named = bool(looks_identifying(level, key=allowed))
    if level != level.strip() or level.casefold() in rules.missing_words(column) or named:
        return True
    read, fault = rules.read_level(column, level)
    return read != level if fault is None else rules.text_fault(level, key=allowed) is not None


def _repeats(path: Path, schema: DomainSchema, columns: Columns) -> int:
    """How many rows are of the same student, group and period as another."""
    if schema.student is None or schema.student.name not in columns.found:
        return 0
    names = [columns.found[name] for name in sorted(schema.placing) if name in columns.found]
    parquet = path.suffix == ".parquet"
    scan = pl.scan_parquet(path) if parquet else pl.scan_csv(path, separator=separator_of(path), infer_schema=False)
    known = scan.select(names).drop_nulls(columns.found[schema.student.name]).collect()
    return 0 if known.n_unique() == known.height else int(known.is_duplicated().sum())


def _not_a_number(schema: DomainSchema, path: Path, columns: Columns, profile: Profile) -> list[RefusedValues]:
    """The numbers of a Parquet file that are NaN, which is no missing value in a file."""
    if path.suffix != ".parquet":
        return []
    header = pl.read_parquet_schema(path)
    lost = {n: columns.found[n] for n, column in profile.columns.items() if column.missing and n in columns.found}
    floats = {name: given for name, given in lost.items() if header[given].is_float()}
    if not floats:
        return []
    declared: dict[str, Feature | Target] = {**schema.feature_by_name, **schema.target_by_name}
    counted = pl.scan_parquet(path).select(pl.col(list(floats.values())).is_nan().sum()).collect().row(0, named=True)
    return [
        RefusedValues(
            column=name,
            kind="no number",
            rows=counted[given],
            of=profile.rows,
            rule=rules.expected(declared[name]),
            examples=("NaN",),
        )
        for name, given in floats.items()
        if counted[given] and name in declared
    ]


# Frames


def _read(
    workspace: Workspace, schema: DomainSchema, source: Path | bytes, name: str, sheet: str, *, skip_bad_rows: bool
) -> Sample:
    """All rows of a file as they are, outcomes included where it has them. Raises UnreadableFile, BadData."""
    raw = read_table(source, name=name, sheet=sheet)
    seen = observe_table(raw, schema, secret=workspace.secret, skip_bad_rows=skip_bad_rows)
    return Sample(seen.frame, seen.frame.height, seen.refused, seen.notes, seen.problems)


def judge_rows(workspace: Workspace, schema: DomainSchema, rows: Sample, options: ReportOptions) -> Judged:
    """The report of all rows of a file against the data of the champion that sees most of its columns."""
    frame = rows.frame
    predictor = widest_champion(workspace, schema, frame.columns).predictor
    own = reference_of(predictor.manifest, Profile.from_bytes(predictor.profile), schema)
    _refuse_its_own(own, predictor, schema, frame)
    before = population_of(predictor, schema)
    known = _known(predictor, schema)
    chosen = frame.select(name for name in frame.columns if name in known)
    measured = measure_sample(before, chosen, schema, cluster=options.cluster)
    rows = _some(rows, whole=options.by is not None)
    return _against_champion(workspace, schema, predictor, measured, rows, options)


def _judge_both(
    workspace: Workspace, schema: DomainSchema, past: Sample, rows: Sample, options: ReportOptions
) -> Judged:
    """The report of all rows of a file against those of another."""
    before = outcomes_known(build_profile(past.frame, schema), schema)
    measured = measure_sample(before, rows.frame, schema, cluster=options.cluster)
    past, rows = (_some(one, whole=options.by is not None) for one in (past, rows))
    return _against_rows(workspace, schema, measured, past, rows, options)


def _some(rows: Sample, *, whole: bool) -> Sample:
    """All rows, or a random sample of many, in their order."""
    return rows if whole else rows._replace(frame=rows.frame[places_of(rows.frame.height, ROWS_OF_FILE)])


def _refuse_its_own(reference: Profile, predictor: Predictor, schema: DomainSchema, frame: pl.DataFrame) -> None:
    """SameSample where the complete rows are those that the model learned from, whatever incomplete ones are beside."""
    complete = complete_inputs(predictor, schema, frame)
    if reference.rows == complete.height < frame.height:
        own = build_profile(complete, schema).columns
        shared = {name: column for name, column in own.items() if name in reference.columns}
        refuse_same(reference, complete.height, shared, lambda name: same(reference.columns[name], shared[name]))


def _outcomes_known(measured: MeasuredSample, schema: DomainSchema) -> MeasuredSample:
    """The sample without a count of outcomes that are missing: they are not known yet."""
    columns = {
        name: one._replace(missing=(one.missing[0], 0)) if name in schema.target_by_name else one
        for name, one in measured.columns.items()
    }
    return replace(measured, columns=columns)
