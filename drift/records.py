"""What a drift report says, as frozen records that go into a database and come out again. Nothing here decides.

Sentences about them are `drift.sentences`', verdicts `drift.verdicts`'.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

import msgspec

from drift.classifier_test import ClassifierResult
from drift.column import PREDICTION, Kind
from drift.impact import ClassChange, ErrorChange, ExpectedError
from drift.policy import ALARMING, FEWEST_ALARMING, DriftPolicy, Verdict
from errors import GradewatchError
from preprocessing.validation.results import RefusedValues

SCHEMA_VERSION = 2
TAUGHT_BY = "what the champion was trained on"
"""The basis of a report whose reference is that and nothing else."""

READABLE = (1, 2)  # a report of version 1 is one of version 2 without means, ranges and costs
Doubt = Literal["", "untested", "few rows", "no sign", "at the limit"]


class SameSample(GradewatchError):
    """The current sample is the reference itself: that nothing changed would be true and mean nothing."""


class NotComparable(GradewatchError):
    """Profiles that no verdict can be given on: of two schemas, or without a column in common."""


class LevelCount(msgspec.Struct, frozen=True):
    """A level and in how many rows it occurred."""

    level: str
    rows: int


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """One column of both samples: rows with a value in each bin of numbers, or of each level.

    edges: of bins, increasing, in the column's unit, one more than bins: from each up to below the next. The outermost
    bins hold what lies beyond them too. whole: all values are whole numbers. levels: the commonest, commonest first;
    words: what readers see of each. other_before, other_now: rows of all other levels. All rows that hold a value are
    counted: of long continuous columns and of grids, those of one bucket may stand on the other side of an edge.
    """

    before: tuple[int, ...]
    now: tuple[int, ...]
    edges: tuple[float, ...] = ()
    whole: bool = False
    levels: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    other_before: int = 0
    other_now: int = 0

    @property
    def shares(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Of the rows with a value, before and now: in each bin, or of each level."""
        rows = sum(self.before) + self.other_before, sum(self.now) + self.other_now
        before, now = (tuple(n / of for n in side) for side, of in zip((self.before, self.now), rows, strict=True))
        return before, now


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
    p_value, p_adjusted: None where nothing was tested, `untested` says why. p_method: how p was found.
    effect: D, or bias-corrected Cramér's V; effect_low to effect_high contains the truth behind the samples, for all
    tests of the report together, at the policy's level. independent_…: rows that the rows are worth in tests and
    intervals, where one student or group has several; None where each counts. classes: of class answers. where: the
    value (numeric: at or below) or level whose share changed most. share_reference, share_current: those shares.
    new_levels, vanished_levels: the most frequent 50, of new_level_count and vanished_level_count. pooled_levels: rare
    ones tested together. outside_range: rows beyond the reference's smallest and largest value; known only up to a
    grid's edge for a grid. severity, with its interval: effect × importance, in target units: what the change can cost
    at most if the model is as wrong about the rows that moved as it is with the column shuffled. lowest_…, highest_…,
    mean_…: of numbers; mean_change_low to mean_change_high: interval of mean_current - mean_reference, corrected as the
    test is, with 0 inside where that shows no change.
    wasserstein_deviations: wasserstein over the reference's standard deviation.
    significant: changed beyond chance, the correction considered, by however little.
    read_rows_again: a grid leaves the verdict open that the rows themselves would settle. title, unit: what readers
    call the column and its numbers. curve: what it looked like; None of segments, where a sample holds no value, and of
    calm columns of a report on very many.
    """

    column: str
    kind: Kind
    test: Literal["ks", "chi-square", "none"]
    n_reference: int
    n_current: int
    statistic: float
    statistic_high: float
    p_value: float | None
    p_adjusted: float | None
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
    p_method: Literal["", "exact", "asymptotic"] = ""
    untested: str = ""
    title: str = ""
    unit: str = ""
    curve: Curve | None = None

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
        """Whether it changed beyond chance, and it is open whether by enough to matter."""
        return self.doubt == "at the limit"

    @property
    def doubt(self) -> Doubt:
        """Why the verdict is undecided; empty where it is not. "no sign": the effect is below half of its limit and
        surely below one and a half times that."""
        if self.verdict != "undecided":
            return ""
        if self.test == "none":
            return "untested"
        if min(self.n_reference, self.n_current) < FEWEST_ALARMING:
            return "few rows"
        if self.significant:
            return "at the limit"
        calm = self.effect < self.threshold / 2 and self.effect_high <= 1.5 * self.threshold
        return "no sign" if calm else "few rows"


class NotCompared(msgspec.Struct, frozen=True):
    """A column that only one of the samples has, or that is summarised differently, and why it was left out."""

    column: str
    reason: str


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at. file, reference_file: names of files, empty where there were none. source, since, until:
    which stored rows of a window of days (UTC, `until` excluded). moment: of the rows. model: the version of the
    champion that was asked, or whose data they were compared with; candidate: its kind."""

    file: str = ""
    reference_file: str = ""
    source: str = ""
    since: date | None = None
    until: date | None = None
    moment: str = ""
    model: str = ""
    candidate: str = ""


class JointDrift(msgspec.Struct, frozen=True, kw_only=True):
    """What rows show that single columns may hide: a model tells the samples apart.

    p_adjusted: corrected for all tests of the report and this one, as is the interval of the AUC. threshold: of the
    AUC. hidden: the columns by which
    they are told apart that raise no alarm by themselves; how they go together changed.
    """

    classifier: ClassifierResult = msgspec.field(name="separation")  # its name in stored reports
    p_adjusted: float
    threshold: float
    verdict: Verdict
    hidden: tuple[str, ...] = ()

    @property
    def calm(self) -> bool:
        """Whether the verdict is undecided without any sign of a difference, as "no sign" of a column."""
        beyond, limit = self.classifier.auc_high - 0.5, self.threshold - 0.5
        return self.verdict == "undecided" and self.classifier.auc - 0.5 < limit / 2 and beyond <= 1.5 * limit


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

    @property
    def too_small(self) -> bool:
        """Whether it has too few rows to say anything of most of its columns."""
        told = [column.doubt for column in self.columns]
        return 2 * (told.count("few rows") + told.count("untested")) > len(told)


class DriftReport(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the current sample is still what the reference was.

    columns: the most telling first. alarm: some column drifted or warns, by its values or its missing rate, or as many
    as the policy's `together` are suspect, or rows are told apart. tests: how many were corrected for. joint: where
    rows were at hand. expected: where a model was. changes: of the error, where outcomes are known; they raise no alarm
    here. basis: what the reference is, where that is a choice. by: the column whose values are the `segments`; their
    alarm is one too. sampled: how many rows what only rows tell was read from, where that is not all. refused: what
    prediction would refuse of the current sample, which is an alarm too where it is more than the policy's
    missing_threshold more than in the reference. notes: of how a file was read. summary: the same in plain sentences.
    origin: what was looked at.
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
    refused: tuple[RefusedValues, ...] = ()
    notes: tuple[str, ...] = ()
    origin: Provenance = Provenance()

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
