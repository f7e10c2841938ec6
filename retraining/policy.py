"""Whether a challenger replaces the champion: pure functions over errors on the same unseen rows.

No store, no model, no clock: the same errors give the same decision, with its reasons.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from model.scores import Estimate, PairedGain, absolute_errors, mean_with_interval, paired_gain

Floats = NDArray[np.float64]
Verdict = Literal["promote", "shadow", "keep"]
Winner = Literal["challenger", "plain rule"]

MAX_MEGABYTES = 20.0
"""Of a model's graph, where no policy says otherwise."""

FOLLOWING_LEVEL = 0.99
"""At which answers must be seen to go along with the outcomes; against them, it is a mistake in the file."""


class PromotionPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What a challenger must show.

    min_gain: how much smaller its mean absolute error must be, in target units (the schema's own by default).
    level: of the one-sided paired lower bound that must be above 0. min_rows: fewer unseen rows decide nothing.
    holdout_share: of the rows that the champion has not seen, the newest that are held out. slice_rows: a slice of
    students (group, protected column) with so many rows must not get credibly worse. trial_rows: after so many new
    outcomes a challenger in shadow is judged, once; 0: none is tried in shadow. Of min_rows and trial_rows, those of
    one student count once, as do those with the same inputs and outcome. max_megabytes: of its graph (10^6 bytes),
    which every serving process holds, first champions included.
    """

    min_gain: float | None = None
    level: float = 0.9
    min_rows: int = 50
    holdout_share: float = 0.5
    slice_rows: int = 30
    trial_rows: int = 200
    max_megabytes: float = MAX_MEGABYTES

    def __post_init__(self) -> None:
        wrong = (
            [f"min_gain is {self.min_gain}, below 0"] if self.min_gain is not None and not self.min_gain >= 0 else []
        )
        shares = {"level": (self.level, 0.5), "holdout_share": (self.holdout_share, 0.0)}
        for name, (value, least) in shares.items():
            wrong += [] if least < value < 1 else [f"{name} is {value}, not above {least:g} and below 1"]
        wrong += [] if self.max_megabytes > 0 else [f"max_megabytes is {self.max_megabytes}, not above 0"]
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
    """What was decided and why. Errors are mean absolute errors in target units, with 95 % intervals, over n rows.

    left_out: unseen rows that could not judge, by reason. winner: who is promoted, where anybody is.
    """

    verdict: Verdict
    reasons: tuple[str, ...]
    n: int
    clusters: int
    champion_mae: Estimate | None
    challenger_mae: Estimate | None
    naive_mae: Estimate | None
    gain: PairedGain | None
    slices: tuple[SliceGain, ...] = ()
    left_out: Mapping[str, int] = {}
    winner: Winner = "challenger"


class PromotionEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """(n,) outcomes of unseen rows and what champion, challenger and plain rule answered, in target units or level
    numbers, with the rows' clusters.

    slices: column name to (n,) values by which students are told apart. megabytes: of the challenger's graph. units:
    (n,) labels each, of which rows with the same count once where rows are counted.
    """

    outcomes: Floats
    champion: Floats
    challenger: Floats
    naive: Floats
    clusters: NDArray[np.int64]
    slices: Mapping[str, NDArray[np.str_]] = {}
    megabytes: float = 0.0
    units: tuple[NDArray[np.int64], ...] = ()

    def count(self) -> int:
        """How many rows say something of their own."""
        return min([len(self.outcomes), *(len(np.unique(labels)) for labels in self.units)])

    def gain(self, first: Floats, second: Floats, level: float) -> PairedGain:
        """How much smaller the error of the `second` answers is than that of the `first`."""
        errors = absolute_errors(self.outcomes, first), absolute_errors(self.outcomes, second)
        return paired_gain(*errors, self.clusters, level=level)

    def following(self, said: Floats, level: float = FOLLOWING_LEVEL) -> PairedGain:
        """The covariance of answers and outcomes, as a mean over rows with its lower bound."""
        together = (said - said.mean()) * (self.outcomes - self.outcomes.mean())
        return paired_gain(together, np.zeros_like(together), self.clusters, level=level)


def decide(
    evidence: PromotionEvidence, policy: PromotionPolicy, *, min_gain: float, unit: str = ""
) -> PromotionDecision:
    """Promote when the gain is above `min_gain`, its lower bound above 0, no slice gets worse, the answers follow the
    outcomes and the plain rule is not credibly better; else shadow.

    A challenger whose graph is above `policy.max_megabytes` is not even tried, since in shadow it would be held, too.
    With fewer than `policy.min_rows` rows (`PromotionEvidence.count`), all of one cluster, or no difference between
    clusters, nothing is proved and the challenger stays in shadow. Outcomes that are all the same, or that run against
    the champion's answers, say more about the file than about models: nobody is tried on them. A plain rule that is
    credibly better than both takes the champion's place, where it meets all that is asked of a challenger.
    """
    n, groups, units = len(evidence.champion), len(np.unique(evidence.clusters)), evidence.count()
    if evidence.megabytes > policy.max_megabytes:
        return refusal(told_of_size("the challenger", evidence.megabytes, policy.max_megabytes), n=n, clusters=groups)
    if units < policy.min_rows or groups < 2:
        found = f"{n} rows in {groups} clusters that neither model has seen"
        found += f", which count as {units} (a student, and equal rows, once)" if units < n else ""
        reason = f"not enough data: {found}; {policy.min_rows} rows in 2 clusters are the least"
        return refusal(reason, n=n, clusters=groups, verdict="shadow")
    if mistake := _mistake(evidence):
        return refusal(mistake, n=n, clusters=groups)
    gain = evidence.gain(evidence.champion, evidence.challenger, policy.level)
    if gain.flat:
        reason = f"not enough data: all {groups} clusters show the very same difference of {gain.mean:.4g}"
        return refusal(reason, n=n, clusters=groups, verdict="shadow")
    failures, slices = _failures(evidence, evidence.challenger, gain, policy, min_gain, unit)
    rule = evidence.gain(evidence.challenger, evidence.naive, policy.level)
    decision = PromotionDecision(
        verdict="shadow" if failures or rule.lower > 0 else "promote",
        reasons=(*failures, *_beaten_by_rule(rule, unit)) or _successes(evidence, gain, rule, policy, min_gain, unit),
        n=n,
        clusters=gain.clusters,
        champion_mae=_mean_error(evidence, evidence.champion),
        challenger_mae=_mean_error(evidence, evidence.challenger),
        naive_mae=_mean_error(evidence, evidence.naive),
        gain=gain,
        slices=tuple(slices),
    )
    return _with_rule(decision, evidence, policy, min_gain, unit) if rule.lower > 0 else decision


def _mean_error(evidence: PromotionEvidence, said: Floats) -> Estimate:
    return mean_with_interval(absolute_errors(evidence.outcomes, said), evidence.clusters)


def _mistake(evidence: PromotionEvidence) -> str:
    """Why these outcomes look like a mistake in the file; empty where they do not."""
    outcomes = evidence.outcomes
    if (outcomes == outcomes[0]).all():
        return f"every outcome of the {len(outcomes)} judging rows is {outcomes[0]:g}: they tell no model from another"
    against = evidence.following(-evidence.champion)
    if against.lower > 0:
        return (
            f"the outcomes of the {len(outcomes)} judging rows run against the champion's answers: where it said more, "
            "less came. A scale that was turned round looks like that; look at the file before anybody learns from it"
        )
    return ""


def _failures(
    evidence: PromotionEvidence,
    said: Floats,
    gain: PairedGain,
    policy: PromotionPolicy,
    min_gain: float,
    unit: str,
) -> tuple[list[str], list[SliceGain]]:
    """What the answers `said` lack to take the champion's place, beside the plain rule's vote, and all slices."""
    slices = slice_gains(evidence, said, policy, min_gain)
    failures = [*gain_failures(gain, min_gain, unit), *slice_failures(slices)]
    if not evidence.following(said).lower > 0:
        failures.append(
            f"its answers are not seen to follow the outcomes of these rows ({FOLLOWING_LEVEL:.0%} bound): as if the "
            "outcomes were other students'"
        )
    return failures, slices


def _beaten_by_rule(rule: PairedGain, unit: str) -> list[str]:
    """The plain rule's vote, in words. rule: how much smaller its error is than the challenger's."""
    if not rule.lower > 0:
        return []
    return [
        f"the plain rule is better than the challenger on the same rows: its error is {_amount(rule.mean, unit)} "
        f"smaller, with a {rule.level:.0%} lower bound of {rule.lower:.4g}"
    ]


def _successes(
    evidence: PromotionEvidence,
    gain: PairedGain,
    rule: PairedGain,
    policy: PromotionPolicy,
    min_gain: float,
    unit: str,
) -> tuple[str, ...]:
    """Why the challenger is promoted, with its size, and where the plain rule is no worse."""
    said = [
        f"the challenger's error is {_amount(gain.mean, unit)} smaller (more than {min_gain:g}), with a "
        f"{gain.level:.0%} lower bound of {gain.lower:.4g}, on {gain.n} unseen rows"
    ]
    if evidence.megabytes:
        said.append(told_of_size("it", evidence.megabytes, policy.max_megabytes))
    if rule.mean >= 0:
        own, its = (_mean_error(evidence, answers).value for answers in (evidence.challenger, evidence.naive))
        said.append(f"the plain rule is no worse on the same rows, nor surely better: {its:.3f} against {own:.3f}")
    return tuple(said)


def _with_rule(
    decision: PromotionDecision, evidence: PromotionEvidence, policy: PromotionPolicy, min_gain: float, unit: str
) -> PromotionDecision:
    """The decision with the plain rule in the champion's place, where it shows all that a challenger must."""
    gain = evidence.gain(evidence.champion, evidence.naive, policy.level)
    failures, slices = _failures(evidence, evidence.naive, gain, policy, min_gain, unit)
    if failures or gain.flat:
        return decision
    reason = (
        f"the plain rule is better than both models on {gain.n} unseen rows and takes the champion's place: its error "
        f"is {_amount(gain.mean, unit)} smaller than the champion's (more than {min_gain:g}), with a {gain.level:.0%} "
        f"lower bound of {gain.lower:.4g}"
    )
    beaten = _beaten_by_rule(evidence.gain(evidence.challenger, evidence.naive, policy.level), unit)
    return msgspec.structs.replace(
        decision, verdict="promote", winner="plain rule", reasons=(reason, *beaten), slices=tuple(slices)
    )


def told_of_size(who: str, megabytes: float, most: float) -> str:
    """How large a graph is beside what is allowed.

    >>> told_of_size("random_forest", 65.3, 20.0)
    'random_forest has a graph of 65.3 MB, above the 20 MB that a model may take in every serving process'
    """
    side = "above" if megabytes > most else "within"
    of = f"{most:g} MB that a model may take in every serving process"
    return f"{who} has a graph of {megabytes:.3g} MB, {side} the {of}"


def _amount(value: float, unit: str) -> str:
    return f"{value:.4g} {unit}".rstrip()


def refusal(
    reason: str, *, n: int = 0, clusters: int = 0, verdict: Verdict = "keep", left_out: Mapping[str, int] | None = None
) -> PromotionDecision:
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
        left_out=left_out or {},
    )


def gain_failures(gain: PairedGain, min_gain: float, unit: str) -> list[str]:
    """Why the gain is not enough; empty when it is."""
    failures = []
    if not gain.mean > min_gain:
        failures.append(f"the gain of {_amount(gain.mean, unit)} is not above {min_gain:g}")
    if not gain.lower > 0:
        failures.append(
            f"the gain may be luck: its {gain.level:.0%} lower bound is {gain.lower:.4g} over {gain.n} rows "
            f"in {gain.clusters} clusters"
        )
    return failures


def slice_gains(evidence: PromotionEvidence, said: Floats, policy: PromotionPolicy, min_gain: float) -> list[SliceGain]:
    """The gain of the answers `said` in every slice that is large enough to be judged.

    All slices together are found worse by mere luck with a chance of 1 - level at most (Bonferroni).
    """
    parts = [
        (column, str(value), values == value)
        for column, values in sorted(evidence.slices.items())
        for value in np.unique(values)
        if (values == value).sum() >= policy.slice_rows
    ]
    level = 1 - (1 - policy.level) / max(1, len(parts))
    old, new = absolute_errors(evidence.outcomes, evidence.champion), absolute_errors(evidence.outcomes, said)
    return [
        _slice_gain(column, value, old[rows], new[rows], evidence.clusters[rows], level=level, min_gain=min_gain)
        for column, value, rows in parts
    ]


def _slice_gain(
    column: str, value: str, old: Floats, new: Floats, groups: NDArray[np.int64], *, level: float, min_gain: float
) -> SliceGain:
    """The gain from `old` to `new` errors; within one cluster its rows are the units, for it is judged itself."""
    if len(np.unique(groups)) < 2:
        groups = np.arange(len(groups))
    loss, gain = paired_gain(new, old, groups, level=level), paired_gain(old, new, groups, level=level)
    return SliceGain(column=column, value=value, gain=gain, worse=loss.mean > min_gain and loss.lower > 0)


def slice_failures(slices: list[SliceGain]) -> list[str]:
    """The slices that would get worse, in words."""
    return [
        f"students with {part.column.lstrip('_')} = {part.value} would get worse by {-part.gain.mean:.4g} "
        f"({part.gain.n} rows)"
        for part in slices
        if part.worse
    ]
