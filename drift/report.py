"""Are two samples alike? Two profiles in, a report out: per column a verdict with its evidence, and one alarm.

It reads no file, no store and no model; importance, where a model gives it, is passed in. Drawing is `drift.render`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np

from drift.column import same
from drift.correct import adjust
from drift.evidence import Evidence, LevelCount, gather
from drift.profile import Kind, Profile
from drift.univariate import chi_square, cramers_v_interval, ks_band, share_interval
from preprocessing.schema import DomainSchema

SCHEMA_VERSION = 1
PREDICTION = "_prediction:"
"""How the column of a target's predictions is named in a profile."""

Verdict = Literal["drift", "warn", "ok", "undecided", "constant"]
ALARMING: frozenset[Verdict] = frozenset({"drift", "warn"})


class SameSample(ValueError):
    """The current sample is the reference itself: that nothing changed would be true and mean nothing."""


class NotComparable(ValueError):
    """Profiles that no verdict can be given on: of two schemas, or without a column in common."""


class DriftPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What counts as drift.

    q: share of false alarms among flagged columns (Benjamini–Hochberg, over all tests of the report).
    ks_threshold: share of rows, 0 to 1, that must have moved in a numeric column. cramers_v_threshold: the effect that
    levels must show. missing_threshold: difference in the share of missing values. thresholds: effects by column,
    before a schema's own and these. level: at which all intervals of a report hold together. together: columns that
    raise the alarm jointly when each changed beyond chance and may have changed enough, but none surely did.
    """

    q: float = 0.05
    ks_threshold: float = 0.1
    cramers_v_threshold: float = 0.1
    missing_threshold: float = 0.05
    thresholds: dict[str, float] = {}
    level: float = 0.95
    together: int = 2

    def __post_init__(self) -> None:
        shares = {"q": self.q, "level": self.level}
        effects = {"ks_threshold": self.ks_threshold, "cramers_v_threshold": self.cramers_v_threshold}
        effects |= {"missing_threshold": self.missing_threshold, **self.thresholds}
        wrong = [f"{name} is {value}, not above 0 and below 1" for name, value in shares.items() if not 0 < value < 1]
        wrong += [f"{name} is {value}, not from 0 to 1" for name, value in effects.items() if not 0 <= value <= 1]
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
    columns of the report together, at the policy's level. where: the value (numeric: at or below) or level whose share
    changed most; share_reference, share_current: those shares. new_levels, vanished_levels: the most frequent 50, of
    new_level_count and vanished_level_count. pooled_levels: rare ones tested together. outside_range: rows beyond the
    reference's smallest and largest value; known only up to a grid's edge for a grid. severity: effect × importance.
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
    psi: float | None = None
    jensen_shannon: float | None = None
    wasserstein: float | None = None
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


class DriftReport(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the current sample is still what the reference was.

    columns: the most telling first. alarm: some column drifted or warns, by its values or its missing rate, or as many
    as the policy's `together` are suspect. tests: how many were corrected for. summary: the same in plain sentences.
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
    method: dict[str, str] = {}

    def to_document(self) -> dict[str, Any]:
        """The report as plain dictionaries, lists, texts and finite numbers, ready for JSON or a database."""
        document: dict[str, Any] = msgspec.to_builtins(self)
        return document

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> DriftReport:
        """The report that `to_document` gave. ValueError for another version or a damaged document."""
        if (version := document.get("schema_version")) != SCHEMA_VERSION:
            raise ValueError(f"drift report of version {version}; this program reads version {SCHEMA_VERSION}")
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
    "correction": "Benjamini-Hochberg over all tests of the report",
    "intervals": "D: Dvoretzky-Kiefer-Wolfowitz-Massart; V: non-central chi-square; rates: Newcombe; Bonferroni",
}


def compare(
    reference: Profile,
    current: Profile,
    *,
    policy: DriftPolicy | None = None,
    schema: DomainSchema | None = None,
    importance: Mapping[str, float] | None = None,
) -> DriftReport:
    """The drift report of `current` against `reference`, both of one schema.

    schema: gives thresholds per column that the policy does not set. importance: of columns to the champion, at least
    0, any scale. Raises SameSample when both hold the same rows' values, NotComparable for another schema or no
    column in common. An empty sample is not an error: every verdict is then "undecided".
    """
    require_schema(reference, current.fingerprint, schema)
    before, after = reference.columns, current.columns
    refuse_same(reference, current.rows, after, lambda name: same(before[name], after[name]))
    common = [name for name in before if name in after and before[name].categorical == after[name].categorical]
    evidence = [gather(name, before[name], after[name]) for name in common]
    skipped = left_out(before, after, set(common))
    sample = (current.rows, current.digest)
    return conclude(reference, sample, evidence, skipped, policy=policy, schema=schema, importance=importance)


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


def conclude(
    reference: Profile,
    current: tuple[int, str],
    evidence: list[Evidence],
    skipped: tuple[NotCompared, ...],
    *,
    policy: DriftPolicy | None,
    schema: DomainSchema | None,
    importance: Mapping[str, float] | None,
) -> DriftReport:
    """The report that `evidence` supports. current: rows and digest of the current sample."""
    if not evidence:
        names = sorted(reference.columns)
        raise NotComparable(f"the samples have no column in common; the reference has {names}")
    policy = policy or DriftPolicy()
    rates = [_missing_test(item) for item in evidence]
    tests = [item.p_high for item in evidence] + [rate[1] for rate in rates if rate]
    adjusted = iter(adjust(tests).tolist())
    column_p = [next(adjusted) for _ in evidence]
    missing_p = [next(adjusted) if rate else None for rate in rates]
    sharper = adjust([item.p_low for item in evidence] + tests[len(evidence) :])
    judge = _Judge(policy, schema, importance or {}, 1 - policy.level, len(evidence))
    rows = zip(evidence, column_p, sharper.tolist(), rates, missing_p, strict=False)
    columns = tuple(sorted((judge.column(*row) for row in rows), key=_most_telling))
    report = DriftReport(
        schema_version=SCHEMA_VERSION,
        domain=reference.domain,
        fingerprint=reference.fingerprint,
        n_reference=reference.rows,
        n_current=current[0],
        reference_digest=reference.digest,
        current_digest=current[1],
        policy=policy,
        tests=len(tests),
        alarm=any(column.alarming for column in columns) or sum(c.suspect for c in columns) >= policy.together,
        summary="",
        columns=columns,
        not_compared=skipped,
        method=METHOD,
    )
    return msgspec.structs.replace(report, summary=summarise_report(report))


def _missing_test(item: Evidence) -> tuple[float, float] | None:
    """Statistic and p of the missing rates; None where nothing is missing, or a sample has no rows at all."""
    table = np.array([item.rows, item.missing]).T
    if not any(item.missing) or not table.sum(axis=1).all():
        return None
    statistic, p_value, _ = chi_square(table[:, table.sum(axis=0) > 0])
    return statistic, p_value


RANK: dict[Verdict, int] = {"drift": 0, "warn": 1, "undecided": 2, "ok": 3, "constant": 4}


def _most_telling(column: ColumnDrift) -> tuple[bool, int, bool, float, str]:
    rank = min(RANK[column.verdict], RANK[column.missing.verdict]) if column.alarming else RANK[column.verdict]
    weight = column.severity if column.severity is not None else max(column.effect, column.missing.effect)
    return not column.alarming, rank, not column.suspect, -weight, column.column


class _Judge(NamedTuple):
    """Turns evidence into verdicts. alpha: chance that any interval of the report misses; columns: that share it."""

    policy: DriftPolicy
    schema: DomainSchema | None
    importance: Mapping[str, float]
    alpha: float
    columns: int

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
        alpha = self.alpha / self.columns
        if item.constant:
            return 0.0, 0.0
        if item.test == "none":
            return 0.0, 1.0
        if item.test == "chi-square":
            low, high = cramers_v_interval(item.statistic, sum(item.rows), item.freedom, alpha)
            return min(low, item.effect), max(high, item.effect)
        band = ks_band(*item.rows, alpha)
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
        low, high = share_interval(item.missing, rows, self.alpha / self.columns) if rate else (0.0, 1.0)
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
        sentences.append(f"{column.new_level_count} levels are new: {names}{more}.")
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


def summarise_report(report: DriftReport) -> str:
    """The report in a few plain sentences: the alarm first, then what changed most."""
    rows = f"{report.n_current:,} rows against {report.n_reference:,}"
    if not report.n_current or not report.n_reference:
        return f"No verdict: one of the samples is empty ({rows})."
    count, total = len(report.flagged), len(report.columns)
    undecided = sum(column.verdict == "undecided" for column in report.columns)
    open_words = f" {undecided} of {total} columns are undecided: too few rows to tell." if undecided else ""
    if not count:
        return f"No drift found in {rows}.{open_words}"
    top = " ".join(describe(column) for column in report.flagged[:3])
    return f"Drift in {count} of {total} columns ({rows}). {top}{open_words}"
