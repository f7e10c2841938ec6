"""From measures to verdicts: what the tests say about each column, corrected together, beside a policy.

First the values are measured, and are needed no more; then tests conclude from that and from how much rows count;
then all columns of a report are corrected together. It does not know what samples they are of.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from drift.buckets import BucketedColumn, Moments, moments
from drift.classifier_test import ClassifierResult
from drift.column import PREDICTION, CategoricalColumn, Column, Floats, Kind
from drift.impact import ClassChange, Said
from drift.policy import FEWEST_ALARMING, DriftPolicy, Verdict
from drift.records import ColumnDrift, JointDrift, MissingDrift
from drift.statistics import (
    EACH_ROW,
    LEVEL,
    MEASURES,
    TESTS,
    EffectiveShare,
    TestResult,
    mean_change,
    measured,
)
from drift.univariate import aligned, side_by_side, signed_interval
from preprocessing.schema import DomainSchema

Pair = tuple[EffectiveShare, EffectiveShare]
NONE = TestResult(0.0, 0.0, 1.0, 1.0, 0.0)


class Measured(NamedTuple):
    """One column of both samples, measured.

    test: what its test needs; None where a sample holds no value. constant: one value, the same on both sides.

    moments: of numbers. levels: both summaries of a categorical column.
    """

    name: str
    kind: Kind
    rows: tuple[int, int]
    missing: tuple[int, int]
    test: Any = None
    facts: Mapping[str, Any] = {}
    constant: bool = False
    moments: tuple[Moments | None, Moments | None] = (None, None)
    levels: tuple[CategoricalColumn, CategoricalColumn] | None = None


class Evidence(NamedTuple):
    """What the tests say about one column before correction.

    effective: what a row of each sample is worth in independent rows; all tests count those. lost: the test of the
    missing rates, None where nothing is missing or a sample has no rows at all. untested: why there is no test.
    """

    name: str
    kind: Kind
    test: Literal["ks", "chi-square", "none"]
    rows: tuple[int, int]
    missing: tuple[int, int]
    outcome: TestResult
    lost: TestResult | None
    constant: bool
    facts: Mapping[str, Any]
    effective: Pair = (EACH_ROW, EACH_ROW)
    untested: str = ""

    @property
    def independent(self) -> tuple[float, float]:
        """Independent rows that the rows with a value are worth, at least 1."""
        before, after = (
            max(1.0, rows * effective.values) for rows, effective in zip(self.rows, self.effective, strict=True)
        )
        return before, after


def measure(name: str, reference: Column, current: Column | BucketedColumn) -> Measured:
    """What is needed of one column; both summaries are of one kind."""
    rows, missing = (reference.present, current.present), (reference.missing, current.missing)
    if isinstance(reference, CategoricalColumn) and isinstance(current, CategoricalColumn):
        changes = next(one for one in MEASURES if one.name == "levels").measure(reference, current)
        if not all(rows):
            return Measured(name, "categorical", rows, missing, facts=changes)
        found, facts = measured("categorical", reference, current)
        constant = len({*reference.levels, *current.levels}) == 1
        return Measured(name, "categorical", rows, missing, found, facts, constant, levels=(reference, current))
    assert not isinstance(reference, CategoricalColumn)  # noqa: S101 (callers check the kinds)
    assert not isinstance(current, CategoricalColumn)  # noqa: S101
    if not all(rows):
        return Measured(name, "numeric", rows, missing)
    before, after = side_by_side(reference, current)
    found, facts = measured("numeric", before, after)
    constant = len({*before.ends, *after.ends}) == 1
    return Measured(name, "numeric", rows, missing, found, facts, constant, (moments(reference), moments(after)))


def conclude(column: Measured, effective: Pair = (EACH_ROW, EACH_ROW)) -> Evidence:
    """All that the tests say about one measured column. effective: of a row of each sample in independent rows."""
    facts, outcome = dict(column.facts), NONE
    if column.test is not None:
        weights = (effective[0].values, effective[1].values)
        outcome = TESTS[column.kind].conclude(column.test, column.rows, weights)
        facts |= {**outcome.facts, **_changes(column, effective)}
    untested = _why_untested(column, outcome)
    return Evidence(
        name=column.name,
        kind=column.kind,
        test="none" if untested else TESTS[column.kind].name,  # type: ignore[arg-type]  # of columns: ks, chi-square
        rows=column.rows,
        missing=column.missing,
        outcome=outcome,
        lost=_missing(column, effective),
        constant=column.constant,
        facts=facts,
        effective=effective,
        untested=untested,
    )


def _why_untested(column: Measured, outcome: TestResult) -> str:
    if column.test is None:
        return "there are no values in the current sample" if column.rows[0] else "there are no values in the reference"
    if column.levels and not outcome.freedom and not column.constant:
        return "its levels are too rare to be compared, even counted together"
    return ""


def _changes(column: Measured, effective: Pair) -> dict[str, Any]:
    """What moved, with an interval that knows how much rows count: the mean of numbers, the classes of answers."""
    if column.levels:
        return {"classes": class_changes(*column.levels, effective)} if column.name.startswith(PREDICTION) else {}
    change = mean_change(*column.moments, (effective[0].values, effective[1].values))
    if change is None:
        return {}
    found = {"mean_reference": change.before, "mean_current": change.after, "deviation_reference": change.deviation}
    found |= {"mean_change_low": change.low, "mean_change_high": change.high}
    distance = column.facts.get("wasserstein")
    if change.deviation and distance is not None:
        found["wasserstein_deviations"] = distance / change.deviation
    return found


def _missing(column: Measured, effective: Pair) -> TestResult | None:
    rows = (column.rows[0] + column.missing[0], column.rows[1] + column.missing[1])
    if not any(column.missing) or not all(rows):
        return None
    return TESTS["missing"].conclude(column.missing, rows, (effective[0].missing, effective[1].missing))


def class_changes(
    reference: CategoricalColumn, current: CategoricalColumn, effective: tuple[EffectiveShare, EffectiveShare]
) -> tuple[ClassChange, ...]:
    """How the share of each class moved, in the order of their names; empty where a sample has no answers."""
    if not reference.present or not current.present:
        return ()
    levels, table = aligned(reference, current)
    rows = (reference.present, current.present)
    before, after = (n * one.values for n, one in zip(rows, effective, strict=True))
    found = []
    for level, (old, new) in zip(levels, (table / np.array(rows)[:, None]).T.tolist(), strict=True):
        low, high = signed_interval((old * before, new * after), (before, after), 1 - LEVEL)
        found.append(
            ClassChange(
                level=level,
                n_reference=rows[0],
                n_current=rows[1],
                share_reference=old,
                share_current=new,
                change=new - old,
                low=low,
                high=high,
            )
        )
    return tuple(found)


def with_probabilities(changes: Sequence[ClassChange], before: Said, after: Said) -> tuple[ClassChange, ...]:
    """The changes with the mean probabilities of both samples (interval: Welch 1947, normal)."""
    from scipy.special import ndtri

    z = float(ndtri((1 + LEVEL) / 2))
    found = []
    for one in changes:
        if one.level not in before.classes or one.level not in after.classes:
            found.append(one)
            continue
        (old, old_deviation), (new, new_deviation) = before.classes[one.level], after.classes[one.level]
        half = z * math.hypot(old_deviation / math.sqrt(before.n), new_deviation / math.sqrt(after.n))
        probability = {"probability_reference": old, "probability_current": new}
        ends = {"probability_low": new - old - half, "probability_high": new - old + half}
        found.append(msgspec.structs.replace(one, **probability, **ends))
    return tuple(found)


def adjust(p_values: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> npt.NDArray[np.float64]:
    """Benjamini–Hochberg adjusted p-values of (tests,) `p_values`, in their order.

    weights: (tests,) above 0, of mean 1, fixed before the p-values are known: what a test may spend beside the others
    (Genovese, Roeder and Wasserman 2006). A test whose adjusted value is at most q belongs to a set in which at most
    the share q is false alarms, on average (Benjamini and Hochberg 1995; valid for independent and positively dependent
    tests).

    >>> adjust([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.04, 0.04]
    """
    p = np.asarray(p_values, dtype=np.float64)
    if weights is not None:
        p = p / np.asarray(weights, dtype=np.float64)
    order = np.argsort(p, kind="stable")[::-1]
    ranks = np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.minimum.accumulate(p[order] * len(p) / ranks), 1.0)
    return adjusted


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
    """The verdict on rows told apart, whose p-value was `adjusted` with all others, as is the interval."""
    if classifier is None:
        return None
    threshold = verdicts.policy.auc_threshold
    tails = 2 if verdicts.shows(adjusted) else 1  # the test looks at one side
    classifier = classifier.at_level(1 - tails * verdicts.alpha_of(adjusted))
    ends = (classifier.auc_low, classifier.auc_high)
    verdict = verdicts.verdict(adjusted, classifier.auc, ends, threshold)
    seen = {column.column for column in columns if column.alarming or column.significant}
    hidden = tuple(one.column for one in classifier.columns if one.column not in seen)
    return JointDrift(classifier=classifier, p_adjusted=adjusted, threshold=threshold, verdict=verdict, hidden=hidden)


class Verdicts(NamedTuple):
    """Turns evidence into verdicts. alpha: chance that an interval misses; all of a report together keep its level.
    alpha_shown: of those beside a change that was shown, the share of which may miss (Benjamini and Yekutieli 2005).
    said: by target, what the answers of both samples gave each class."""

    policy: DriftPolicy
    schema: DomainSchema | None
    importance: Mapping[str, float]
    alpha: float
    alpha_shown: float
    said: Mapping[str, tuple[Said, Said]] = {}

    def columns(self, family: Family, adjusted: Floats, sharper: Floats) -> list[ColumnDrift]:
        """The columns of a family, whose p-values are `adjusted` in its order; sharper: those of `Family.sharpest`."""
        further = iter(adjusted[len(family.evidence) :].tolist())
        missing = [next(further) if item.lost else None for item in family.evidence]
        rows = zip(family.evidence, adjusted.tolist(), sharper.tolist(), missing, strict=False)
        return [self.column(*row) for row in rows]

    def column(self, item: Evidence, adjusted: float, sharper: float, lost_adjusted: float | None) -> ColumnDrift:
        """One column, of which `lost_adjusted` is the adjusted p of its missing rate."""
        found, threshold, importance = item.outcome, self.threshold(item), self.importance.get(item.name)
        low, high = self.interval(item, adjusted)
        enough = min(item.rows) >= FEWEST_ALARMING
        verdict = self.verdict(adjusted, found.effect, (low, high), threshold, enough=enough)
        slack = found.statistic_high - found.statistic
        best = self.verdict(sharper, found.effect + slack, (low, high), threshold, enough=enough)
        if item.constant or item.untested:
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
            p_value=None if item.untested else found.p_high,
            p_adjusted=None if item.untested else adjusted,
            effect=found.effect,
            effect_low=low,
            effect_high=high,
            threshold=threshold,
            verdict=verdict,
            significant=self.shows(adjusted),
            untested=item.untested,
            missing=self.missing(item, lost_adjusted),
            importance=importance,
            severity=priced[0],
            severity_low=priced[1],
            severity_high=priced[2],
            independent_reference=_less_than(item.rows[0], item.independent[0]),
            independent_current=_less_than(item.rows[1], item.independent[1]),
            read_rows_again=best != verdict or self.open(slack, low, high, threshold),
            **self.moved(item, adjusted),
        )

    def shows(self, adjusted: float) -> bool:
        """Whether a test, corrected with all others, shows a change, by however little."""
        return adjusted <= self.policy.q

    def alpha_of(self, adjusted: float) -> float:
        """The chance that an interval misses which informs beside a test."""
        return self.alpha_shown if self.shows(adjusted) else self.alpha

    def moved(self, item: Evidence, adjusted: float) -> dict[str, Any]:
        """The facts of a column with intervals of what moved that do not say more than its test: corrected as this is,
        and with 0 inside where no change is shown."""
        facts, shown = dict(item.facts), self.shows(adjusted)
        if "mean_change_low" in facts:
            change = facts["mean_current"] - facts["mean_reference"]
            wider = _wider(self.alpha_of(adjusted))
            ends = _corrected((facts["mean_change_low"], change, facts["mean_change_high"]), wider, shown=shown)
            facts["mean_change_low"], facts["mean_change_high"] = ends
        classes: tuple[ClassChange, ...] = facts.get("classes", ())
        if classes:
            said = self.said.get(item.name.removeprefix(PREDICTION))
            classes = with_probabilities(classes, *said) if said else classes
            wider = _wider(self.alpha_of(adjusted) / len(classes))
            facts["classes"] = tuple(_correct_class(one, wider, shown=shown) for one in classes)
        return facts

    def threshold(self, item: Evidence) -> float:
        declared = None
        if self.schema and item.name in self.schema.feature_by_name:
            declared = self.schema.feature_by_name[item.name].drift_threshold
        general = self.policy.ks_threshold if item.kind == "numeric" else self.policy.cramers_v_threshold
        return self.policy.thresholds.get(item.name, general if declared is None else declared)

    def interval(self, item: Evidence, adjusted: float) -> tuple[float, float]:
        """Where the effect lies; from 0 on where no change is shown."""
        if item.constant:
            return 0.0, 0.0
        if item.untested:
            return 0.0, 1.0
        low, high = TESTS[item.kind].interval(item.outcome, item.independent, self.alpha)
        return low if self.shows(adjusted) else 0.0, high

    def verdict(
        self, adjusted: float, effect: float, ends: tuple[float, float], threshold: float, *, enough: bool = True
    ) -> Verdict:
        """ends: where the effect lies. enough: rows for an alarm."""
        if self.shows(adjusted) and enough:
            if ends[0] > threshold:
                return "drift"
            if effect >= threshold:
                return "warn"
        return "ok" if ends[1] < threshold else "undecided"

    def open(self, slack: float, low: float, high: float, threshold: float) -> bool:
        """Whether a narrower distance could turn "undecided" into "ok", or "warn" into "drift"."""
        return slack > 0 and (low <= threshold < low + slack or high - slack < threshold <= high)

    def missing(self, item: Evidence, adjusted: float | None) -> MissingDrift:
        """The missing rate of one column."""
        rows = (item.rows[0] + item.missing[0], item.rows[1] + item.missing[1])
        rates = [lost / total if total else 0.0 for lost, total in zip(item.missing, rows, strict=True)]
        effect, threshold, low, high = abs(rates[1] - rates[0]), self.policy.missing_threshold, 0.0, 1.0
        if item.lost and adjusted is not None:
            independent = (rows[0] * item.effective[0].missing, rows[1] * item.effective[1].missing)
            low, high = TESTS["missing"].interval(item.lost, independent, self.alpha)
            low = low if self.shows(adjusted) else 0.0
        enough = min(rows) >= FEWEST_ALARMING
        verdict = self.verdict(1.0 if adjusted is None else adjusted, effect, (low, high), threshold, enough=enough)
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


def _wider(alpha: float) -> float:
    """How many times wider an interval is that misses with a chance of `alpha` than one at LEVEL."""
    from scipy.special import ndtri

    return float(ndtri(1 - alpha / 2) / ndtri((1 + LEVEL) / 2))


def _corrected(known: tuple[float, float, float], wider: float, *, shown: bool) -> tuple[float, float]:
    """The ends of the interval (low, value, high), so many times wider; with 0 inside unless a change is shown."""
    low, value, high = known
    low, high = value - (value - low) * wider, value + (high - value) * wider
    return (low, high) if shown else (min(low, 0.0), max(high, 0.0))


def _correct_class(change: ClassChange, wider: float, *, shown: bool) -> ClassChange:
    low, high = _corrected((change.low, change.change, change.high), wider, shown=shown)
    found = msgspec.structs.replace(change, low=max(-1.0, low), high=min(1.0, high))
    before, after = change.probability_reference, change.probability_current
    if before is None or after is None or change.probability_low is None or change.probability_high is None:
        return found
    known = (change.probability_low, after - before, change.probability_high)
    low, high = _corrected(known, wider, shown=shown)
    return msgspec.structs.replace(found, probability_low=low, probability_high=high)


def _less_than(rows: int, independent: float) -> float | None:
    return independent if independent < rows else None
