"""Are two samples alike? Two profiles in, a report out: per column a verdict with its evidence, and one alarm.

It reads no file, no store and no model; importance, where a model gives it, is passed in. Drawing is `drift.render`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from drift.answers import ClassChange, Said, describe_classes, with_probabilities
from drift.classifier_test import Separation
from drift.column import same
from drift.correct import adjust
from drift.effective_size import WHOLE, Worths
from drift.evidence import Evidence, LevelCount, gather
from drift.impact import ErrorChange, ExpectedError, describe_change, describe_expected
from drift.profile import PREDICTION, Kind, Profile
from drift.univariate import chi_square, cramers_v_interval, ks_band, share_interval
from errors import GradewatchError
from preprocessing.schema import DomainSchema

SCHEMA_VERSION = 2
READABLE = (1, 2)  # a report of version 1 is one of version 2 without means, ranges and costs
Verdict = Literal["drift", "warn", "ok", "undecided", "constant"]
ALARMING: frozenset[Verdict] = frozenset({"drift", "warn"})


class SameSample(GradewatchError):
    """The current sample is the reference itself: that nothing changed would be true and mean nothing."""


class NotComparable(GradewatchError):
    """Profiles that no verdict can be given on: of two schemas, or without a column in common."""


class DriftPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What counts as drift.

    q: share of false alarms among flagged columns (Benjamini–Hochberg, over all tests of the report).
    ks_threshold: share of rows, 0 to 1, that must have moved in a numeric column. cramers_v_threshold: the effect that
    levels must show. missing_threshold: difference in the share of missing values. thresholds: effects by column,
    before a schema's own and these. level: at which all intervals of a report hold together. together: columns that
    raise the alarm jointly when each changed beyond chance and may have changed enough, but none surely did.
    auc_threshold: how well rows of both samples must be told apart, from 0.5 (not at all) to 1.
    """

    q: float = 0.05
    ks_threshold: float = 0.1
    cramers_v_threshold: float = 0.1
    missing_threshold: float = 0.05
    thresholds: dict[str, float] = {}
    level: float = 0.95
    together: int = 2
    auc_threshold: float = 0.55

    def __post_init__(self) -> None:
        shares = {"q": self.q, "level": self.level}
        effects = {"ks_threshold": self.ks_threshold, "cramers_v_threshold": self.cramers_v_threshold}
        effects |= {"missing_threshold": self.missing_threshold, **self.thresholds}
        wrong = [f"{name} is {value}, not above 0 and below 1" for name, value in shares.items() if not 0 < value < 1]
        wrong += [f"{name} is {value}, not from 0 to 1" for name, value in effects.items() if not 0 <= value <= 1]
        wrong += [] if 0.5 <= self.auc_threshold < 1 else [f"auc_threshold is {self.auc_threshold}, not from 0.5 to 1"]
        wrong += [f"together is {self.together}, not 1 or more"] if self.together < 1 else []
        if wrong:
            raise ValueError("drift policy: " + "; ".join(wrong))


class MissingDrift(msgspec.Struct, frozen=True, kw_only=True):
    """Whether values are missing more or less often: chi-square on present and missing rows, None where none are.

    effect: absolute difference of the rates; effect_low, effect_high: its interval.
    """

    rate_reference: float
    rate_current: float
    statistic: float | None
    p_value: float | None
    p_adjusted: float | None
    effect: float
    effect_low: float
    effect_high: float
    threshold: float
    verdict: Verdict


class ColumnDrift(msgspec.Struct, frozen=True, kw_only=True):
    """What one column shows. Rows are those with a value; shares are 0 to 1; nothing is ever NaN.

    statistic: D, or chi-square; for profiles counted on a grid, the smallest D possible, statistic_high the largest.
    effect: D, or bias-corrected Cramér's V; effect_low to effect_high contains the truth behind the samples, for all
    tests of the report together, at the policy's level. independent_…: rows that the rows are worth in tests and
    intervals, where one student or group has several; None where each counts. classes: of class answers. where: the
    value (numeric: at or below) or level whose share changed most. share_reference, share_current: those shares.
    new_levels, vanished_levels: the most frequent 50, of new_level_count and vanished_level_count. pooled_levels: rare
    ones tested together. outside_range: rows beyond the reference's smallest and largest value; known only up to a
    grid's edge for a grid. severity, with its interval: effect × importance, in target units: what the change can cost
    at most if the model is as wrong about the rows that moved as it is with the column shuffled. lowest_…, highest_…,
    mean_…: of numbers; mean_change_low to mean_change_high: 95 % interval of mean_current - mean_reference.
    wasserstein_deviations: wasserstein over the reference's standard deviation.
    significant: changed beyond chance, the correction considered, by however little.
    read_rows_again: a grid leaves the verdict open that the rows themselves would settle.
    """

    column: str
    kind: Kind
    test: Literal["ks", "chi-square", "none"]
    n_reference: int
    n_current: int
    statistic: float
    statistic_high: float
    p_value: float
    p_adjusted: float
    effect: float
    effect_low: float
    effect_high: float
    threshold: float
    verdict: Verdict
    significant: bool
    missing: MissingDrift
    where: float | str | None = None
    share_reference: float | None = None
    share_current: float | None = None
    middle_reference: float | str | None = None
    middle_current: float | str | None = None
    new_levels: tuple[LevelCount, ...] = ()
    new_level_count: int = 0
    vanished_levels: tuple[LevelCount, ...] = ()
    vanished_level_count: int = 0
    pooled_levels: tuple[str, ...] = ()
    pooled_level_count: int = 0
    outside_range: int | None = None
    importance: float | None = None
    severity: float | None = None
    severity_low: float | None = None
    severity_high: float | None = None
    psi: float | None = None
    jensen_shannon: float | None = None
    wasserstein: float | None = None
    wasserstein_deviations: float | None = None
    lowest_reference: float | None = None
    highest_reference: float | None = None
    lowest_current: float | None = None
    highest_current: float | None = None
    mean_reference: float | None = None
    mean_current: float | None = None
    mean_change_low: float | None = None
    mean_change_high: float | None = None
    deviation_reference: float | None = None
    independent_reference: float | None = None
    independent_current: float | None = None
    classes: tuple[ClassChange, ...] = ()
    read_rows_again: bool = False

    @property
    def label(self) -> str:
        """What readers call the column."""
        return (
            self.column.replace(PREDICTION, "prediction of ", 1) if self.column.startswith(PREDICTION) else self.column
        )

    @property
    def alarming(self) -> bool:
        """Whether the values or the missing rate moved enough to matter."""
        return self.verdict in ALARMING or self.missing.verdict in ALARMING

    @property
    def suspect(self) -> bool:
        """Whether it changed beyond chance and only the number of rows leaves open whether that is enough to matter."""
        return self.significant and self.verdict == "undecided"


class NotCompared(msgspec.Struct, frozen=True):
    """A column that only one of the samples has, or that is summarised differently, and why it was left out."""

    column: str
    reason: str


class JointDrift(msgspec.Struct, frozen=True, kw_only=True):
    """What rows show that single columns may hide: a model tells the samples apart.

    p_adjusted: corrected for all tests of the report and this one. threshold: of the AUC. hidden: the columns by which
    they are told apart that raise no alarm by themselves; how they go together changed.
    """

    separation: Separation
    p_adjusted: float
    threshold: float
    verdict: Verdict
    hidden: tuple[str, ...] = ()


class SegmentDrift(msgspec.Struct, frozen=True, kw_only=True):
    """One segment's columns, the most telling first. reason: why nothing was compared, where nothing was.

    They are corrected together with the whole report's (`conclude`).
    """

    segment: str
    n_reference: int
    n_current: int
    alarm: bool = False
    columns: tuple[ColumnDrift, ...] = ()
    reason: str = ""

    @property
    def flagged(self) -> tuple[ColumnDrift, ...]:
        """The columns that raise the segment's alarm."""
        found = tuple(column for column in self.columns if column.alarming)
        return found or tuple(column for column in self.columns if column.suspect and self.alarm)


class DriftReport(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the current sample is still what the reference was.

    columns: the most telling first. alarm: some column drifted or warns, by its values or its missing rate, or as many
    as the policy's `together` are suspect, or rows are told apart. tests: how many were corrected for. joint: where
    rows were at hand. expected: where a model was. changes: of the error, where outcomes are known; they raise no alarm
    here. basis: what the reference is, where that is a choice. by: the column whose values are the `segments`; their
    alarm is one too. sampled: how many rows what only rows tell was read from, where that is not all. summary: the same
    in plain sentences.
    """

    schema_version: int
    domain: str
    fingerprint: str
    n_reference: int
    n_current: int
    reference_digest: str
    current_digest: str
    policy: DriftPolicy
    tests: int
    alarm: bool
    summary: str
    columns: tuple[ColumnDrift, ...]
    not_compared: tuple[NotCompared, ...] = ()
    joint: JointDrift | None = None
    expected: ExpectedError | None = None
    changes: tuple[ErrorChange, ...] = ()
    method: dict[str, str] = {}
    basis: str = ""
    by: str | None = None
    segments: tuple[SegmentDrift, ...] = ()
    sampled: str = ""

    def to_document(self) -> dict[str, Any]:
        """The report as plain dictionaries, lists, texts and finite numbers, ready for JSON or a database."""
        document: dict[str, Any] = msgspec.to_builtins(self)
        return document

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> DriftReport:
        """The report that `to_document` gave. ValueError for another version or a damaged document."""
        if (version := document.get("schema_version")) not in READABLE:
            raise ValueError(f"drift report of version {version}; this program reads versions {READABLE}")
        try:
            return msgspec.convert(document, DriftReport)
        except msgspec.ValidationError as error:
            raise ValueError(f"the drift report is damaged: {error}") from error

    def column(self, name: str) -> ColumnDrift:
        """The column called `name`; KeyError when it was not compared."""
        for column in self.columns:
            if column.column == name:
                return column
        raise KeyError(f"column {name!r} was not compared; compared were {[c.column for c in self.columns]}")

    @property
    def flagged(self) -> tuple[ColumnDrift, ...]:
        """The columns that raise the alarm."""
        found = tuple(column for column in self.columns if column.alarming)
        return found or tuple(column for column in self.columns if column.suspect and self.alarm)


METHOD = {
    "numeric": "two-sample Kolmogorov-Smirnov; p from the one-sample distribution at round(nm/(n+m)) rows",
    "categorical": "chi-square homogeneity on the 2 x k table, levels with fewer than 5 expected rows pooled",
    "missing": "chi-square on present and missing rows, where any are missing",
    "correction": "Benjamini-Hochberg over all tests of the report; with segments, half the weight is theirs",
    "intervals": "D: Dvoretzky-Kiefer-Wolfowitz-Massart; V: non-central chi-square; rates: Newcombe; Bonferroni",
}


def compare(
    reference: Profile,
    current: Profile,
    *,
    policy: DriftPolicy | None = None,
    schema: DomainSchema | None = None,
    importance: Mapping[str, float] | None = None,
    worth: tuple[Worths, Worths] = ({}, {}),
    findings: Findings | None = None,
) -> DriftReport:
    """The drift report of `current` against `reference`, both of one schema.

    schema: gives thresholds per column that the policy does not set. importance: of columns to the champion, at least
    0, any scale. worth: of rows of each, by column, in independent rows (`drift.effective_size`). findings: what rows,
    a model or segments tell besides. Raises SameSample when both hold the same rows' values, NotComparable for another
    schema or no column in common. An empty sample is not an error: every verdict is then "undecided".
    """
    require_schema(reference, current.fingerprint, schema)
    pair = gather_all(reference, current, worth)
    return conclude(pair, policy=policy, schema=schema, importance=importance, findings=findings)


def gather_all(reference: Profile, current: Profile, worth: tuple[Worths, Worths] = ({}, {})) -> Compared:
    """What the tests say about each column of both. Raises SameSample."""
    before, after = reference.columns, current.columns
    refuse_same(reference, current.rows, after, lambda name: same(before[name], after[name]))
    common = [name for name in before if name in after and before[name].categorical == after[name].categorical]
    worths = {name: (worth[0].get(name, WHOLE), worth[1].get(name, WHOLE)) for name in common}
    evidence = [gather(name, before[name], after[name], worth=worths[name]) for name in common]
    skipped = left_out(before, after, set(common))
    return Compared(reference, (current.rows, current.digest), evidence, skipped)


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
    """What a report holds beside the tests of its columns.

    separation: where rows were at hand. expected: where a model was. changes: of the error, where outcomes are known.
    said: by target, what the reference's answers and the current ones gave each class. basis, sampled: as in a
    DriftReport.
    """

    separation: Separation | None = None
    expected: ExpectedError | None = None
    changes: tuple[ErrorChange, ...] = ()
    said: Mapping[str, tuple[Said, Said]] = {}
    segments: Segments | None = None
    basis: str = ""
    sampled: str = ""


def conclude(
    compared: Compared,
    *,
    policy: DriftPolicy | None,
    schema: DomainSchema | None,
    importance: Mapping[str, float] | None,
    findings: Findings | None = None,
) -> DriftReport:
    """The report that the evidence supports. Raises NotComparable for samples without a column in common.

    All its tests are one family: columns, missing rates, rows told apart, and those of segments. Where there are
    segments, half of the weight (and of the intervals' level) is theirs, so that many of them do not blind the report
    for what concerns all rows, and the whole still alarms falsely no more often than one without segments.
    """
    if not compared.evidence:
        names = sorted(compared.reference.columns)
        raise NotComparable(f"the samples have no column in common; the reference has {names}")
    policy, findings = policy or DriftPolicy(), findings or Findings()
    pairs = findings.segments.pairs if findings.segments else {}
    told = findings.separation.p_value if findings.separation else None
    families = [_family(compared, told), *map(_family, pairs.values())]
    sizes = [len(family.p_values) for family in families]
    weights = _weights(sizes)
    adjusted, sharper = (
        np.split(adjust(np.concatenate(p), np.repeat(weights, sizes)), np.cumsum(sizes)[:-1])
        for p in ([family.p_values for family in families], [family.sharpest for family in families])
    )
    alphas = [(1 - policy.level) * weight / sum(sizes) for weight in weights]
    judges = [_Judge(policy, schema, importance or {}, alpha) for alpha in alphas]
    judged = [
        judge.columns(f, p, least) for judge, f, p, least in zip(judges, families, adjusted, sharper, strict=True)
    ]
    joint = _judge_joint(findings.separation, float(adjusted[0][-1]), judges[0], judged[0])
    segments = _segments(findings.segments, dict(zip(pairs, judged[1:], strict=True)), policy)
    return _report(compared, policy, judged[0], sum(sizes), joint, segments, findings)


class _Family(NamedTuple):
    """The tests of one pair of samples: columns first, then missing rates where any are missing, then `told`: the p of
    rows told apart, where they were."""

    evidence: list[Evidence]
    rates: list[tuple[float, float] | None]
    told: float | None

    @property
    def p_values(self) -> list[float]:
        return [item.p_high for item in self.evidence] + self._further

    @property
    def sharpest(self) -> list[float]:
        """The same for the largest distances possible."""
        return [item.p_low for item in self.evidence] + self._further

    @property
    def _further(self) -> list[float]:
        return [rate[1] for rate in self.rates if rate] + ([] if self.told is None else [self.told])


def _family(pair: Compared, told: float | None = None) -> _Family:
    return _Family(pair.evidence, [_missing_test(item) for item in pair.evidence], told)


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
    segments: Segments | None, judged: Mapping[str, list[ColumnDrift]], policy: DriftPolicy
) -> tuple[SegmentDrift, ...]:
    """Alarms first, what was not compared last."""
    found = [
        SegmentDrift(
            segment=name,
            n_reference=rows[0],
            n_current=rows[1],
            alarm=_alarms(judged.get(name, ()), policy),
            columns=tuple(sorted(judged.get(name, ()), key=_most_telling)),
            reason=segments.reasons.get(name, ""),
        )
        for name, rows in (segments.rows.items() if segments else ())
        if segments
    ]
    return tuple(sorted(found, key=lambda one: (not one.alarm, bool(one.reason), one.segment)))


def _report(
    pair: Compared,
    policy: DriftPolicy,
    judged: list[ColumnDrift],
    tests: int,
    joint: JointDrift | None,
    segments: tuple[SegmentDrift, ...],
    findings: Findings,
) -> DriftReport:
    columns = tuple(sorted((_with_said(column, findings.said) for column in judged), key=_most_telling))
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
        alarm=loud or any(segment.alarm for segment in segments),
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
    )
    return msgspec.structs.replace(report, summary=summarise_report(report))


def _with_said(column: ColumnDrift, said: Mapping[str, tuple[Said, Said]]) -> ColumnDrift:
    target = column.column.removeprefix(PREDICTION)
    if not column.classes or target not in said:
        return column
    return msgspec.structs.replace(column, classes=with_probabilities(column.classes, *said[target]))


def _missing_test(item: Evidence) -> tuple[float, float] | None:
    """Statistic and p of the missing rates; None where nothing is missing, or a sample has no rows at all."""
    table = np.array([item.rows, item.missing]).T
    if not any(item.missing) or not table.sum(axis=1).all():
        return None
    if any(worth.missing != 1 for worth in item.worth):
        table = table * np.array([worth.missing for worth in item.worth])[:, None]
    statistic, p_value, _ = chi_square(table[:, table.sum(axis=0) > 0])
    return statistic, p_value


RANK: dict[Verdict, int] = {"drift": 0, "warn": 1, "undecided": 2, "ok": 3, "constant": 4}


def _most_telling(column: ColumnDrift) -> tuple[bool, bool, int, bool, float, str]:
    """What alarms comes first, by what it can cost where that is known; the rest by verdict."""
    effect, priced = max(column.effect, column.missing.effect), column.alarming and column.importance is not None
    rank = min(RANK[column.verdict], RANK[column.missing.verdict]) if column.alarming else RANK[column.verdict]
    weight = effect if column.importance is None else effect * column.importance
    return not column.alarming, not priced, 0 if priced else rank, not column.suspect, -weight, column.column


def _in_deviations(item: Evidence) -> float | None:
    """The Wasserstein distance in standard deviations of the reference, where both are known."""
    deviation = item.facts.get("deviation_reference")
    if item.divergence is None or item.divergence.wasserstein is None or not deviation:
        return None
    return item.divergence.wasserstein / float(deviation)


METHOD_JOINT = (
    "classifier two-sample test: boosted trees, each half of the rows judged by the other; AUC, its error over rows or "
    "groups from influence curves"
)


def _judge_joint(
    separation: Separation | None, adjusted: float, judge: _Judge, columns: Sequence[ColumnDrift]
) -> JointDrift | None:
    """The verdict on rows told apart, whose p-value was `adjusted` with all others."""
    if separation is None:
        return None
    threshold = judge.policy.auc_threshold
    verdict = judge.verdict(adjusted, separation.auc, separation.auc_low, separation.auc_high, threshold)
    seen = {column.column for column in columns if column.alarming or column.significant}
    hidden = tuple(one.column for one in separation.columns if one.column not in seen)
    return JointDrift(separation=separation, p_adjusted=adjusted, threshold=threshold, verdict=verdict, hidden=hidden)


class _Judge(NamedTuple):
    """Turns evidence into verdicts. alpha: chance that an interval misses; all of a report together keep its level."""

    policy: DriftPolicy
    schema: DomainSchema | None
    importance: Mapping[str, float]
    alpha: float

    def columns(
        self, family: _Family, adjusted: npt.NDArray[np.float64], sharper: npt.NDArray[np.float64]
    ) -> list[ColumnDrift]:
        further = iter(adjusted[len(family.evidence) :].tolist())
        missing = [next(further) if rate else None for rate in family.rates]
        rows = zip(family.evidence, adjusted.tolist(), sharper.tolist(), family.rates, missing, strict=False)
        return [self.column(*row) for row in rows]

    def column(
        self,
        item: Evidence,
        adjusted: float,
        sharper: float,
        rate: tuple[float, float] | None,
        missing_adjusted: float | None,
    ) -> ColumnDrift:
        threshold = self.threshold(item)
        low, high = self.interval(item)
        verdict = self.verdict(adjusted, item.effect, low, high, threshold)
        best = self.verdict(sharper, item.statistic_high if item.test == "ks" else item.effect, low, high, threshold)
        if item.constant or item.test == "none":
            verdict = best = "constant" if item.constant else "undecided"
        importance = self.importance.get(item.name)
        further = item.divergence._asdict() if item.divergence else {}
        return ColumnDrift(
            column=item.name,
            kind=item.kind,
            test=item.test,
            n_reference=item.rows[0],
            n_current=item.rows[1],
            statistic=item.statistic,
            statistic_high=item.statistic_high,
            p_value=item.p_high,
            p_adjusted=adjusted,
            effect=item.effect,
            effect_low=low,
            effect_high=high,
            threshold=threshold,
            verdict=verdict,
            significant=adjusted <= self.policy.q,
            missing=self.missing(item, rate, missing_adjusted),
            importance=importance,
            severity=None if importance is None else item.effect * importance,
            severity_low=None if importance is None else low * importance,
            severity_high=None if importance is None else high * importance,
            wasserstein_deviations=_in_deviations(item),
            independent_reference=_less_than(item.rows[0], item.independent[0]),
            independent_current=_less_than(item.rows[1], item.independent[1]),
            read_rows_again=best != verdict or self.open(item, low, high, threshold),
            **item.facts,
            **further,
        )

    def threshold(self, item: Evidence) -> float:
        declared = None
        if self.schema and item.name in self.schema.feature_by_name:
            declared = self.schema.feature_by_name[item.name].drift_threshold
        general = self.policy.ks_threshold if item.kind == "numeric" else self.policy.cramers_v_threshold
        return self.policy.thresholds.get(item.name, general if declared is None else declared)

    def interval(self, item: Evidence) -> tuple[float, float]:
        if item.constant:
            return 0.0, 0.0
        if item.test == "none":
            return 0.0, 1.0
        if item.test == "chi-square":
            low, high = cramers_v_interval(item.statistic, sum(item.independent), item.freedom, self.alpha)
            return min(low, item.effect), max(high, item.effect)
        band = ks_band(*item.independent, self.alpha)
        return max(0.0, item.statistic - band), min(1.0, item.statistic_high + band)

    def verdict(self, adjusted: float, effect: float, low: float, high: float, threshold: float) -> Verdict:
        if adjusted <= self.policy.q and low > threshold:
            return "drift"
        if adjusted <= self.policy.q and effect >= threshold:
            return "warn"
        return "ok" if high < threshold else "undecided"

    def open(self, item: Evidence, low: float, high: float, threshold: float) -> bool:
        """Whether a narrower distance could turn "undecided" into "ok", or "warn" into "drift"."""
        slack = item.statistic_high - item.statistic
        return slack > 0 and (low <= threshold < low + slack or high - slack < threshold <= high)

    def missing(self, item: Evidence, rate: tuple[float, float] | None, adjusted: float | None) -> MissingDrift:
        rows = (item.rows[0] + item.missing[0], item.rows[1] + item.missing[1])
        rates = [lost / total if total else 0.0 for lost, total in zip(item.missing, rows, strict=True)]
        effect, threshold = abs(rates[1] - rates[0]), self.policy.missing_threshold
        low, high = self.missing_interval(item, rows) if rate else (0.0, 1.0)
        low, high = min(low, effect), max(high, effect)
        verdict = self.verdict(1.0 if adjusted is None else adjusted, effect, low, high, threshold)
        if all(rows) and not any(item.missing):
            verdict, high = "constant", 0.0
        return MissingDrift(
            rate_reference=rates[0],
            rate_current=rates[1],
            statistic=rate[0] if rate else None,
            p_value=rate[1] if rate else None,
            p_adjusted=adjusted,
            effect=effect,
            effect_low=low,
            effect_high=high,
            threshold=threshold,
            verdict=verdict,
        )

    def missing_interval(self, item: Evidence, rows: tuple[int, int]) -> tuple[float, float]:
        worth = [one.missing for one in item.worth]
        lost, all_rows = ([n * one for n, one in zip(counts, worth, strict=True)] for counts in (item.missing, rows))
        return share_interval(lost, all_rows, self.alpha)


def _less_than(rows: int, independent: float) -> float | None:
    return independent if independent < rows else None


def describe(column: ColumnDrift) -> str:
    """What one column shows, in a plain sentence."""
    sentences = []
    if column.verdict == "constant":
        sentences.append(f"{column.label} has one value, the same in both samples.")
    elif column.test == "none":
        side = "current sample" if column.n_reference else "reference"
        sentences.append(f"{column.label} has no values in the {side}: nothing can be said.")
    else:
        words = SUSPECT if column.suspect else WORDS[column.verdict]
        sentences.append(f"{column.label} {words}: {_change(column)}.")
    if column.missing.verdict in ALARMING:
        before, after = _percent(column.missing.rate_reference), _percent(column.missing.rate_current)
        sentences.append(f"Its values are missing in {after} of the rows, {before} before.")
    if column.new_level_count:
        names = ", ".join(f"{item.level} ({item.rows})" for item in column.new_levels[:3])
        more = " and more" if column.new_level_count > 3 else ""
        levels = "level is" if column.new_level_count == 1 else "levels are"
        sentences.append(f"{column.new_level_count} {levels} new: {names}{more}.")
    return " ".join(sentences)


WORDS: dict[Verdict, str] = {
    "drift": "changed clearly",
    "warn": "probably changed",
    "ok": "is still the same, within the limit",
    "undecided": "may or may not have changed (too few rows to tell)",
}
SUSPECT = "changed beyond chance (too few rows to tell whether it is enough to matter)"


def _change(column: ColumnDrift) -> str:
    before, after = _percent(column.share_reference or 0.0), _percent(column.share_current or 0.0)
    if column.kind == "categorical":
        return f"{after} of the rows are {column.where!r}, {before} before"
    if column.where is None:
        return f"largest difference {_percent(column.statistic)} of the rows"
    return f"{after} of the rows are at or below {column.where:.4g}, {before} before"


def _percent(share: float) -> str:
    return f"{share:.1%}" if 0 < share < 0.1 or 0.9 < share < 1 else f"{share:.0%}"


def describe_answers(column: ColumnDrift) -> str:
    """How the mean answer about a target moved, or its classes, in a plain sentence; empty where that is unknown."""
    low, high = column.mean_change_low, column.mean_change_high
    if column.classes:
        return describe_classes(column.column.removeprefix(PREDICTION), column.classes)
    if column.mean_reference is None or column.mean_current is None or low is None or high is None:
        return ""
    change = column.mean_current - column.mean_reference
    told = (
        f"from {column.mean_reference:.3g} to {column.mean_current:.3g} ({change:+.2g}, 95% interval {low:+.2g} to "
        f"{high:+.2g}, {column.n_current:,} rows)"
    )
    target = column.column.removeprefix(PREDICTION)
    if low <= 0 <= high:
        return f"Whether the mean answer for {target} moved is open: {told}."
    return f"The mean answer for {target} {'rose' if change > 0 else 'fell'} {told}."


def describe_joint(joint: JointDrift) -> str:
    """What telling rows apart showed, in a plain sentence."""
    found = joint.separation
    n = f"{found.n_current:,} rows against {found.n_reference:,}"
    told = f"{found.auc:.0%} of pairs (95% interval {found.auc_low:.0%} to {found.auc_high:.0%}; 50% is guessing; {n})"
    by = ", ".join(one.column for one in found.columns)
    besides = f", even without {', '.join(found.left_out)}" if found.left_out else ""
    if joint.verdict in ALARMING:
        sentence = f"Rows of now can be told from earlier ones, in {told}{', by ' + by if by else ''}{besides}."
        if joint.hidden:
            names = ", ".join(joint.hidden)
            sentence += f" How {names} go together with the others changed, though not surely by themselves."
        return sentence
    if joint.verdict == "ok":
        return f"Rows of now can hardly be told from earlier ones, in {told}."
    return f"Whether rows of now can be told from earlier ones is open: in {told}."


def costs_of(report: DriftReport) -> list[str]:
    """What the change costs, in sentences: when errors changed, how far the answers moved, the expected error."""
    predictions = [column for column in report.columns if column.column.startswith(PREDICTION)]
    sentences = [describe_change(change) for change in report.changes]
    sentences += [describe_answers(column) for column in sorted(predictions, key=lambda one: one.column)]
    sentences += [describe_expected(report.expected)] if report.expected else []
    return [sentence for sentence in sentences if sentence]


def summarise_report(report: DriftReport) -> str:
    """The report in a few plain sentences: what changed and by how much, then what that likely costs."""
    return " ".join(sentences_of(report))


def sentences_of(report: DriftReport) -> list[str]:
    """The parts of the summary, the finding first."""
    rows = f"{report.n_current:,} rows against {report.n_reference:,}"
    if not report.n_current or not report.n_reference:
        return [f"No verdict: one of the samples is empty ({rows})."]
    count, total = len(report.flagged), len(report.columns)
    undecided = sum(column.verdict == "undecided" for column in report.columns)
    told = report.joint is not None and report.joint.verdict in ALARMING
    parts = [
        f"Drift in {count} of {total} columns ({rows})."
        if count
        else f"No drift found in single columns of {rows}."
        if told
        else f"Too few rows to tell whether anything changed ({rows})."
        if undecided == total
        else f"No drift found in {rows}.",
        *(describe(column) for column in report.flagged[:3]),
        describe_joint(report.joint) if report.joint and told else "",
        *costs_of(report),
        f"{undecided} of {total} columns are undecided: too few rows to tell." if 0 < undecided < total else "",
        describe_open(report),
        describe_segments(report),
        describe_repeats(report),
        f"Told apart and estimated by {report.sampled}." if report.sampled else "",
        f"Compared with {report.basis}." if report.basis else "",
    ]
    return [part for part in parts if part]


def describe_open(report: DriftReport) -> str:
    """Which verdicts stored counts leave open that the rows would settle; empty where none."""
    names = [column.label for column in report.columns if column.read_rows_again]
    if not names:
        return ""
    named = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return f"Counts alone leave the verdict on {named} open; reading the rows again (exact) settles it."


def describe_repeats(report: DriftReport) -> str:
    """How much rows are worth where students or groups have several; empty where each row counts."""
    repeated = [column for column in report.columns if column.independent_current or column.independent_reference]
    if not repeated:
        return ""
    column = min(repeated, key=lambda one: (one.independent_current or one.n_current) / max(1, one.n_current))
    now, before = column.independent_current or column.n_current, column.independent_reference or column.n_reference
    return (
        f"Some students or groups stand in several rows, which count by what they tell in {len(repeated)} columns: of "
        f"{column.label}, {column.n_current:,} rows as {now:,.0f} against {column.n_reference:,} as {before:,.0f}."
    )


def describe_segments(report: DriftReport) -> str:
    """What the segments show, in a plain sentence; empty where there are none."""
    if report.by is None:
        return ""
    loud = [segment for segment in report.segments if segment.alarm]
    quiet = sum(not segment.alarm and not segment.reason for segment in report.segments)
    told = [
        f"drift in {segment.segment} ({segment.n_current:,} rows against {segment.n_reference:,}: "
        f"{', '.join(column.label for column in segment.flagged[:3])})"
        for segment in loud[:5]
    ]
    told += [f"drift in {len(loud) - 5} more"] if len(loud) > 5 else []
    told += [f"none found in {quiet}"] if quiet else []
    left = len(report.segments) - len(loud) - quiet
    told += [f"{left} not compared (not enough data, or on one side only)"] if left else []
    return f"By {report.by}: {'; '.join(told) or 'no segments'}."
