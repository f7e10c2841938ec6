"""Are two samples alike? Two samples in, a report out: per column a verdict with its evidence, and one alarm.

It knows no store and no model: what only rows or a model tell is handed in. Drawing is `drift.render`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NamedTuple

import msgspec
import numpy as np

from drift.classifier_test import ClassifierResult
from drift.impact import ErrorChange, ExpectedError, Said
from drift.policy import ALARMING, DEFAULT_POLICY, FEWEST_ALARMING, DriftPolicy
from drift.profile import Profile
from drift.records import (
    SCHEMA_VERSION,
    ColumnDrift,
    DriftReport,
    JointDrift,
    NotComparable,
    NotCompared,
    Provenance,
    SameSample,
    SegmentDrift,
)
from drift.samples import Columns, Given, MeasuredSample, measure_sample, profile_of
from drift.sentences import summarise_report, with_words
from drift.statistics import EACH_ROW, METHOD, EffectiveShares
from drift.verdicts import (
    Evidence,
    Family,
    Verdicts,
    adjust,
    compare_jointly,
    conclude,
    measure,
    most_telling,
)
from preprocessing.schema import DomainSchema
from preprocessing.validation.results import RefusedValues

CURVES_OF_ALL = 120  # columns; of a longer report only those that changed have one, and of a very long one the first
CURVES_AT_MOST = 250
METHOD_JOINT = (
    "classifier two-sample test: boosted trees, each half of the rows judged by the other; AUC, its error over rows or "
    "groups from influence curves"
)


def compare(
    reference: Given,
    current: Given | MeasuredSample,
    schema: DomainSchema | None = None,
    policy: DriftPolicy | None = None,
    *,
    rows: Findings | None = None,
) -> DriftReport:
    """The drift report of `current` against `reference`: profiles, frames or files of one schema.

    current: may have been measured beside this reference already (`measure_sample`), where rows of it were wanted.
    schema: needed for frames and files; gives thresholds per column that the policy does not set. rows: what rows, a
    model or segments tell besides. Raises SameSample when both hold the same rows' values, NotComparable for another
    schema or no column in common, and what reading a file raises. An empty sample is not an error: every verdict is
    then "undecided".
    """
    rows = rows or Findings()
    if not isinstance(current, MeasuredSample):
        current = measure_sample(profile_of(reference, schema), current, schema)
    require_schema(current.reference, current.fingerprint, schema)
    found = _compared(current, rows.effective, rows.answers)
    skipped = {one.column: one for one in (*found.skipped, *rows.not_compared)}
    found = found._replace(evidence=[*found.evidence, *rows.besides], skipped=tuple(skipped.values()))
    return conclude_all(found, schema, policy, rows)


def compare_columns(
    reference: Profile, current: Profile, effective: tuple[EffectiveShares, EffectiveShares] = ({}, {})
) -> Compared:
    """What the tests say about each column of both. Raises SameSample."""
    return _compared(measure_sample(reference, current), effective, ({}, {}))


def _compared(
    sample: MeasuredSample, effective: tuple[EffectiveShares, EffectiveShares], answers: tuple[Columns, Columns]
) -> Compared:
    """answers: columns that were made of some rows of both samples, in place of the sample's own."""
    reference = sample.reference
    refuse_same(reference, sample.rows, sample.names, lambda name: name in sample.same)
    columns = {name: column for name, column in sample.columns.items() if name not in answers[1]}
    for name, after in answers[1].items():
        if (before := answers[0].get(name) or reference.columns.get(name)) is not None:
            columns[name] = measure(name, before, after)
    pairs = {name: (effective[0].get(name, EACH_ROW), effective[1].get(name, EACH_ROW)) for name in columns}
    evidence = [conclude(column, pairs[name]) for name, column in sorted(columns.items())]
    skipped = left_out(reference.columns, {*sample.names, *answers[1]}, set(columns))
    return Compared(reference, (sample.rows, sample.digest), evidence, skipped)


def require_schema(reference: Profile, fingerprint: str, schema: DomainSchema | None) -> None:
    """NotComparable unless reference, current sample and `schema` agree on what a row means."""
    others = [fingerprint] + ([schema.fingerprint] if schema else [])
    if any(other != reference.fingerprint for other in others):
        what = f"the reference was read with schema {reference.domain!r} {reference.fingerprint[:12]}"
        raise NotComparable(f"{what}, the current sample or the schema given is {sorted({o[:12] for o in others})}")


def refuse_same(reference: Profile, rows: int, columns: Collection[str], is_same: Callable[[str], bool]) -> None:
    """SameSample when a sample of `rows` rows has the reference's values, equally often, in all columns of both.

    What a model said or missed (columns called _…) does not count: of its own training rows a champion says something
    else than the models of the folds said, and they are the same rows still.
    """
    given = [name for name in reference.columns if not name.startswith("_")]
    common = [name for name in given if name in columns]
    if reference.rows != rows or not rows or not common:
        return
    enough = len(common) == len(given) or len(common) >= MANY_COLUMNS
    if enough and all(is_same(name) for name in common):
        what = f"{rows} rows, digest {reference.digest[:12]}"
        raise SameSample(f"the current sample is the reference itself ({what}); give the rows that came after it")


MANY_COLUMNS = 5  # that two different samples of the same size do not share by chance


def left_out(reference: Collection[str], current: Collection[str], compared: set[str]) -> tuple[NotCompared, ...]:
    """The columns of either sample that are not among the `compared`, and why."""
    left = sorted({*reference, *current} - compared)
    reasons = {name: "only in the reference" for name in left if name not in current}
    reasons |= {name: "only in the current sample" for name in left if name not in reference}
    other = "numeric in one sample, categorical in the other"
    return tuple(NotCompared(name, reasons.get(name, other)) for name in left)


class Compared(NamedTuple):
    """One pair of samples whose columns have been tested. current: rows and digest of the current sample."""

    reference: Profile
    current: tuple[int, str]
    evidence: list[Evidence]
    skipped: tuple[NotCompared, ...]


class Segments(NamedTuple):
    """The segments that the column `by` cuts both samples into, tested. rows: of each, before and now. reasons: why a
    segment is not among the `pairs`."""

    by: str
    rows: Mapping[str, tuple[int, int]]
    pairs: Mapping[str, Compared]
    reasons: Mapping[str, str]


class Findings(NamedTuple):
    """What a report holds beside the columns of both samples, from rows of them that a model has answered where one is.

    importance: of columns to the champion, at least 0, any scale. effective: of rows of each sample, by column, in
    independent rows (`drift.samples`). answers: columns of answers to rows of each, where the samples have none
    themselves; the reference's own count where its are empty. classifier: where rows were at hand. expected: where a
    model was. changes: of the error, where outcomes are known. said: by target, what the reference's answers and the
    current ones gave each class. besides: further columns, tested. basis, sampled, refused, notes, not_compared: as in
    a DriftReport.
    """

    classifier: ClassifierResult | None = None
    expected: ExpectedError | None = None
    changes: tuple[ErrorChange, ...] = ()
    said: Mapping[str, tuple[Said, Said]] = {}
    segments: Segments | None = None
    basis: str = ""
    sampled: str = ""
    importance: Mapping[str, float] = {}
    effective: tuple[EffectiveShares, EffectiveShares] = ({}, {})
    answers: tuple[Columns, Columns] = ({}, {})
    refused: tuple[RefusedValues, ...] = ()
    notes: tuple[str, ...] = ()
    besides: tuple[Evidence, ...] = ()
    not_compared: tuple[NotCompared, ...] = ()
    origin: Provenance = Provenance()


def conclude_all(
    compared: Compared, schema: DomainSchema | None, policy: DriftPolicy | None, findings: Findings
) -> DriftReport:
    """The report that the evidence supports. Raises NotComparable for samples without a column in common.

    All its tests are one family: columns, missing rates, rows told apart, and those of segments. Where there are
    segments, half of the weight (and of the intervals' level) is theirs, so that many of them do not blind the report
    for what concerns all rows, and the whole still alarms falsely no more often than one without segments.
    """
    if not compared.evidence:
        names = sorted(compared.reference.columns)
        raise NotComparable(f"the samples have no column in common; the reference has {names}")
    policy = policy or DEFAULT_POLICY
    pairs = findings.segments.pairs if findings.segments else {}
    told = findings.classifier.p_value if findings.classifier else None
    families = [Family(compared.evidence, told), *(Family(pair.evidence) for pair in pairs.values())]
    sizes = [len(family.p_values) for family in families]
    weights = _weights(sizes)
    adjusted, sharper = (
        np.split(adjust(np.concatenate(p), np.repeat(weights, sizes)), np.cumsum(sizes)[:-1])
        for p in ([family.p_values for family in families], [family.sharpest for family in families])
    )
    shown = sum(int((p <= policy.q).sum()) for p in adjusted)
    verdicts = [
        Verdicts(
            policy,
            schema,
            findings.importance,
            alpha=min(1 - policy.level, policy.q) * weight / sum(sizes),
            alpha_shown=min(policy.q, policy.q * weight * shown / sum(sizes)),
            said=findings.said,
        )
        for weight in weights
    ]
    columns = [
        [with_words(column, schema) for column in one.columns(f, p, least)]
        for one, f, p, least in zip(verdicts, families, adjusted, sharper, strict=True)
    ]
    joint = compare_jointly(findings.classifier, float(adjusted[0][-1]), verdicts[0], columns[0])
    bare = [[msgspec.structs.replace(one, curve=None) for one in found] for found in columns[1:]]
    segments = _segments(findings.segments, dict(zip(pairs, bare, strict=True)), policy)
    return _report(compared, policy, columns[0], sum(sizes), joint, segments, findings)


def _weights(sizes: Sequence[int]) -> list[float]:
    """What a test of each family may spend, 1 on average over tests: the first family half of all, the others, which
    are segments, the other half together."""
    whole, inside = sizes[0], sum(sizes[1:])
    if not inside:
        return [1.0] * len(sizes)
    half = (whole + inside) / 2
    return [half / whole] + [half / inside] * (len(sizes) - 1)


def _alarms(columns: Sequence[ColumnDrift], policy: DriftPolicy) -> bool:
    return any(column.alarming for column in columns) or sum(c.suspect for c in columns) >= policy.together


def _segments(
    segments: Segments | None, found: Mapping[str, list[ColumnDrift]], policy: DriftPolicy
) -> tuple[SegmentDrift, ...]:
    """Alarms first, what was not compared last."""
    drifts = [
        SegmentDrift(
            segment=name,
            n_reference=rows[0],
            n_current=rows[1],
            alarm=_alarms(found.get(name, ()), policy),
            columns=tuple(sorted(found.get(name, ()), key=most_telling)),
            reason=segments.reasons.get(name, ""),
        )
        for name, rows in (segments.rows.items() if segments else ())
        if segments
    ]
    return tuple(sorted(drifts, key=lambda one: (not one.alarm, bool(one.reason), one.segment)))


def _report(
    pair: Compared,
    policy: DriftPolicy,
    found: list[ColumnDrift],
    tests: int,
    joint: JointDrift | None,
    segments: tuple[SegmentDrift, ...],
    findings: Findings,
) -> DriftReport:
    columns = _few_curves(tuple(sorted(found, key=most_telling)))
    loud = _alarms(columns, policy) or (joint is not None and joint.verdict in ALARMING)
    report = DriftReport(
        schema_version=SCHEMA_VERSION,
        domain=pair.reference.domain,
        fingerprint=pair.reference.fingerprint,
        n_reference=pair.reference.rows,
        n_current=pair.current[0],
        reference_digest=pair.reference.digest,
        current_digest=pair.current[1],
        policy=policy,
        tests=tests,
        alarm=loud or any(segment.alarm for segment in segments) or _refuses(pair, policy, findings),
        summary="",
        columns=columns,
        not_compared=pair.skipped,
        joint=joint,
        expected=findings.expected,
        changes=findings.changes,
        method=METHOD | ({"joint": METHOD_JOINT} if joint else {}),
        basis=findings.basis,
        by=findings.segments.by if findings.segments else None,
        segments=segments,
        sampled=findings.sampled,
        refused=findings.refused,
        notes=findings.notes,
        origin=findings.origin,
    )
    return msgspec.structs.replace(report, summary=summarise_report(report))


def _few_curves(columns: tuple[ColumnDrift, ...]) -> tuple[ColumnDrift, ...]:
    """The columns, the most telling first, with no more curves than a document has room for."""
    if len(columns) <= CURVES_OF_ALL:
        return columns
    return tuple(
        one if place < CURVES_AT_MOST and (one.alarming or one.suspect) else msgspec.structs.replace(one, curve=None)
        for place, one in enumerate(columns)
    )


def _refuses(pair: Compared, policy: DriftPolicy, findings: Findings) -> bool:
    """Whether so many rows more than before hold in some column what prediction refuses."""
    few = min(pair.reference.rows, pair.current[0]) < FEWEST_ALARMING
    more = (one.share - one.share_reference for one in findings.refused if one.column)
    return not few and any(share > policy.missing_threshold for share in more)
