"""Verdicts: evidence about columns, corrected together, beside a policy. It does not know what samples they are of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from drift.classifier_test import ClassifierResult
from drift.column import Floats
from drift.evidence import Evidence
from drift.policy import DriftPolicy
from drift.records import ColumnDrift, JointDrift, MissingDrift, Verdict
from drift.statistics import TESTS
from preprocessing.schema import DomainSchema


class Family(NamedTuple):
    """The tests of one pair of samples: columns first, then missing rates where any are missing, then `told`: the p of
    rows told apart, where they were."""

    evidence: list[Evidence]
    told: float | None = None

    @property
    def p_values(self) -> list[float]:
        """In that order."""
        return [item.outcome.p_high for item in self.evidence] + self._further

    @property
    def sharpest(self) -> list[float]:
        """The same for the largest distances possible."""
        return [item.outcome.p_low for item in self.evidence] + self._further

    @property
    def _further(self) -> list[float]:
        lost = [item.lost.p_high for item in self.evidence if item.lost]
        return lost + ([] if self.told is None else [self.told])


RANK: dict[Verdict, int] = {"drift": 0, "warn": 1, "undecided": 2, "ok": 3, "constant": 4}


def most_telling(column: ColumnDrift) -> tuple[bool, bool, int, bool, float, str]:
    """What alarms comes first, by what it can cost where that is known; the rest by verdict."""
    effect, priced = max(column.effect, column.missing.effect), column.alarming and column.importance is not None
    rank = min(RANK[column.verdict], RANK[column.missing.verdict]) if column.alarming else RANK[column.verdict]
    weight = effect if column.importance is None else effect * column.importance
    return not column.alarming, not priced, 0 if priced else rank, not column.suspect, -weight, column.column


def compare_jointly(
    classifier: ClassifierResult | None, adjusted: float, verdicts: Verdicts, columns: Sequence[ColumnDrift]
) -> JointDrift | None:
    """The verdict on rows told apart, whose p-value was `adjusted` with all others."""
    if classifier is None:
        return None
    threshold = verdicts.policy.auc_threshold
    verdict = verdicts.verdict(adjusted, classifier.auc, classifier.auc_low, classifier.auc_high, threshold)
    seen = {column.column for column in columns if column.alarming or column.significant}
    hidden = tuple(one.column for one in classifier.columns if one.column not in seen)
    return JointDrift(classifier=classifier, p_adjusted=adjusted, threshold=threshold, verdict=verdict, hidden=hidden)


class Verdicts(NamedTuple):
    """Turns evidence into verdicts. alpha: chance that an interval misses; all of a report together keep its level."""

    policy: DriftPolicy
    schema: DomainSchema | None
    importance: Mapping[str, float]
    alpha: float

    def columns(self, family: Family, adjusted: Floats, sharper: Floats) -> list[ColumnDrift]:
        """The columns of a family, whose p-values are `adjusted` in its order; sharper: those of `Family.sharpest`."""
        further = iter(adjusted[len(family.evidence) :].tolist())
        missing = [next(further) if item.lost else None for item in family.evidence]
        rows = zip(family.evidence, adjusted.tolist(), sharper.tolist(), missing, strict=False)
        return [self.column(*row) for row in rows]

    def column(self, item: Evidence, adjusted: float, sharper: float, lost_adjusted: float | None) -> ColumnDrift:
        """One column, of which `lost_adjusted` is the adjusted p of its missing rate."""
        found, threshold, importance = item.outcome, self.threshold(item), self.importance.get(item.name)
        low, high = self.interval(item)
        verdict = self.verdict(adjusted, found.effect, low, high, threshold)
        slack = found.statistic_high - found.statistic
        best = self.verdict(sharper, found.effect + slack, low, high, threshold)
        if item.constant or item.test == "none":
            verdict = best = "constant" if item.constant else "undecided"
        priced = [None if importance is None else effect * importance for effect in (found.effect, low, high)]
        return ColumnDrift(
            column=item.name,
            kind=item.kind,
            test=item.test,
            n_reference=item.rows[0],
            n_current=item.rows[1],
            statistic=found.statistic,
            statistic_high=found.statistic_high,
            p_value=found.p_high,
            p_adjusted=adjusted,
            effect=found.effect,
            effect_low=low,
            effect_high=high,
            threshold=threshold,
            verdict=verdict,
            significant=adjusted <= self.policy.q,
            missing=self.missing(item, lost_adjusted),
            importance=importance,
            severity=priced[0],
            severity_low=priced[1],
            severity_high=priced[2],
            independent_reference=_less_than(item.rows[0], item.independent[0]),
            independent_current=_less_than(item.rows[1], item.independent[1]),
            read_rows_again=best != verdict or self.open(slack, low, high, threshold),
            **item.facts,
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
        return TESTS[item.kind].interval(item.outcome, item.independent, self.alpha)

    def verdict(self, adjusted: float, effect: float, low: float, high: float, threshold: float) -> Verdict:
        if adjusted <= self.policy.q and low > threshold:
            return "drift"
        if adjusted <= self.policy.q and effect >= threshold:
            return "warn"
        return "ok" if high < threshold else "undecided"

    def open(self, slack: float, low: float, high: float, threshold: float) -> bool:
        """Whether a narrower distance could turn "undecided" into "ok", or "warn" into "drift"."""
        return slack > 0 and (low <= threshold < low + slack or high - slack < threshold <= high)

    def missing(self, item: Evidence, adjusted: float | None) -> MissingDrift:
        """The missing rate of one column."""
        rows = (item.rows[0] + item.missing[0], item.rows[1] + item.missing[1])
        rates = [lost / total if total else 0.0 for lost, total in zip(item.missing, rows, strict=True)]
        effect, threshold, low, high = abs(rates[1] - rates[0]), self.policy.missing_threshold, 0.0, 1.0
        if item.lost:
            independent = (rows[0] * item.effective[0].missing, rows[1] * item.effective[1].missing)
            low, high = TESTS["missing"].interval(item.lost, independent, self.alpha)
        verdict = self.verdict(1.0 if adjusted is None else adjusted, effect, low, high, threshold)
        if all(rows) and not any(item.missing):
            verdict, high = "constant", 0.0
        return MissingDrift(
            rate_reference=rates[0],
            rate_current=rates[1],
            statistic=item.lost.statistic if item.lost else None,
            p_value=item.lost.p_high if item.lost else None,
            p_adjusted=adjusted,
            effect=effect,
            effect_low=low,
            effect_high=high,
            threshold=threshold,
            verdict=verdict,
        )


def _less_than(rows: int, independent: float) -> float | None:
    return independent if independent < rows else None
