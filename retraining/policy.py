"""Whether a challenger replaces the champion: pure functions over errors on the same unseen rows.

No store, no model, no clock: the same errors give the same decision, with its reasons.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from model.scores import Estimate, PairedGain, mean_with_interval, paired_gain

Floats = NDArray[np.float64]
Verdict = Literal["promote", "shadow", "keep"]


class PromotionPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What a challenger must show.

    min_gain: how much smaller its mean absolute error must be, in target units (the schema's own by default).
    level: of the one-sided paired lower bound that must be above 0. min_rows: fewer unseen rows decide nothing.
    holdout_share: of the rows that the champion has not seen, the newest that are held out. slice_rows: a slice of
    students (group, protected column) with so many rows must not get credibly worse. trial_rows: after so many new
    outcomes a challenger in shadow is judged, once; 0: none is tried in shadow.
    """

    min_gain: float | None = None
    level: float = 0.9
    min_rows: int = 50
    holdout_share: float = 0.5
    slice_rows: int = 30
    trial_rows: int = 200

    def __post_init__(self) -> None:
        wrong = (
            [f"min_gain is {self.min_gain}, below 0"] if self.min_gain is not None and not self.min_gain >= 0 else []
        )
        shares = {"level": (self.level, 0.5), "holdout_share": (self.holdout_share, 0.0)}
        for name, (value, least) in shares.items():
            wrong += [] if least < value < 1 else [f"{name} is {value}, not above {least:g} and below 1"]
        rows = {"min_rows": self.min_rows, "slice_rows": self.slice_rows, "trial_rows": self.trial_rows}
        wrong += [f"{name} is {value}, below 0" for name, value in rows.items() if value < 0]
        if wrong:
            raise ValueError("promotion policy: " + "; ".join(wrong))


class SliceGain(msgspec.Struct, frozen=True, kw_only=True):
    """The gain within one slice of students; worse: credibly so, by more than the minimum gain."""

    column: str
    value: str
    gain: PairedGain
    worse: bool


class PromotionDecision(msgspec.Struct, frozen=True, kw_only=True):
    """What was decided and why. Errors are mean absolute errors in target units, with 95 % intervals, over n rows."""

    verdict: Verdict
    reasons: tuple[str, ...]
    n: int
    clusters: int
    champion_mae: Estimate | None
    challenger_mae: Estimate | None
    naive_mae: Estimate | None
    gain: PairedGain | None
    slices: tuple[SliceGain, ...] = ()


class PromotionEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """(n,) absolute errors of champion, challenger and plain rule on the same unseen rows, with their clusters.

    slices: column name to (n,) values by which students are told apart.
    """

    champion: Floats
    challenger: Floats
    naive: Floats
    clusters: NDArray[np.int64]
    slices: Mapping[str, NDArray[np.str_]] = {}


def decide(
    evidence: PromotionEvidence, policy: PromotionPolicy, *, min_gain: float, unit: str = ""
) -> PromotionDecision:
    """Promote when the gain is above `min_gain`, its lower bound above 0, and no slice gets worse; else shadow.

    With fewer than `policy.min_rows` rows, or all of one cluster, nothing is proved and the challenger stays in shadow.
    """
    n, groups = len(evidence.champion), len(np.unique(evidence.clusters))
    if n < policy.min_rows or groups < 2:
        found = f"{n} rows in {groups} clusters that neither model has seen"
        reason = f"not enough data: {found}; {policy.min_rows} rows in 2 clusters are the least"
        return refusal(reason, n=n, clusters=groups, verdict="shadow")
    gain = paired_gain(evidence.champion, evidence.challenger, evidence.clusters, level=policy.level)
    slices = slice_gains(evidence, policy, min_gain)
    failures = [*gain_failures(gain, min_gain, unit), *slice_failures(slices)]
    success = (
        f"the challenger's error is {gain.mean:.4g} {unit} smaller".replace("  ", " ")
        + f" (more than {min_gain:g}), with a {policy.level:.0%} lower bound of {gain.lower:.4g}, on {n} unseen rows"
    )
    return PromotionDecision(
        verdict="shadow" if failures else "promote",
        reasons=tuple(failures) or (success,),
        n=n,
        clusters=gain.clusters,
        champion_mae=mean_with_interval(evidence.champion, evidence.clusters),
        challenger_mae=mean_with_interval(evidence.challenger, evidence.clusters),
        naive_mae=mean_with_interval(evidence.naive, evidence.clusters),
        gain=gain,
        slices=tuple(slices),
    )


def refusal(reason: str, *, n: int = 0, clusters: int = 0, verdict: Verdict = "keep") -> PromotionDecision:
    """A decision that needed no comparison."""
    return PromotionDecision(
        verdict=verdict,
        reasons=(reason,),
        n=n,
        clusters=clusters,
        champion_mae=None,
        challenger_mae=None,
        naive_mae=None,
        gain=None,
    )


def gain_failures(gain: PairedGain, min_gain: float, unit: str) -> list[str]:
    """Why the gain is not enough; empty when it is."""
    failures = []
    if not gain.mean > min_gain:
        failures.append(f"the gain of {gain.mean:.4g} {unit} is not above {min_gain:g}".replace("  ", " "))
    if not gain.lower > 0:
        failures.append(
            f"the gain may be luck: its {gain.level:.0%} lower bound is {gain.lower:.4g} over {gain.n} rows "
            f"in {gain.clusters} clusters"
        )
    return failures


def slice_gains(evidence: PromotionEvidence, policy: PromotionPolicy, min_gain: float) -> list[SliceGain]:
    """The gain in every slice that is large enough to be judged.

    All slices together are found worse by mere luck with a chance of 1 - level at most (Bonferroni).
    """
    parts = [
        (column, str(value), values == value)
        for column, values in sorted(evidence.slices.items())
        for value in np.unique(values)
        if (values == value).sum() >= policy.slice_rows
    ]
    level = 1 - (1 - policy.level) / max(1, len(parts))
    return [_slice_gain(evidence, *part, level=level, min_gain=min_gain) for part in parts]


def _slice_gain(
    evidence: PromotionEvidence, column: str, value: str, rows: NDArray[np.bool_], *, level: float, min_gain: float
) -> SliceGain:
    """The gain over `rows`; within one cluster its rows are the units, for it is that cluster that is judged."""
    champion, challenger, groups = evidence.champion[rows], evidence.challenger[rows], evidence.clusters[rows]
    if len(np.unique(groups)) < 2:
        groups = np.arange(len(groups))
    loss = paired_gain(challenger, champion, groups, level=level)
    gain = paired_gain(champion, challenger, groups, level=level)
    return SliceGain(column=column, value=value, gain=gain, worse=loss.mean > min_gain and loss.lower > 0)


def slice_failures(slices: list[SliceGain]) -> list[str]:
    """The slices that would get worse, in words."""
    return [
        f"students with {part.column.lstrip('_')} = {part.value} would get worse by {-part.gain.mean:.4g} "
        f"({part.gain.n} rows)"
        for part in slices
        if part.worse
    ]
