"""Whether a challenger replaces the champion: pure functions over errors on the same unseen rows.

No store, no model, no clock: the same errors give the same decision, with its reasons.
"""

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from model.decision import (
    Condition,
    ConditionName,
    PromotionDecision,
    SliceGain,
    Verdict,
    compared,
    told_of_slice,
)
from model.scores import Estimate, PairedGain, absolute_errors, mean_with_interval, paired_gain
from model.trial import TRIAL_ROWS

Floats = NDArray[np.float64]

MAX_MEGABYTES = 20.0
"""Of a model's graph, where no policy says otherwise."""

FEWEST_FAILED = 10
"""Students of a slice who failed, below whom the share that is warned of says nothing."""

Side = Literal["champion", "challenger", "naive"]
"""Whose answers stand beside the outcomes."""

FOLLOWING_LEVEL = 0.99
"""At which answers must be seen to go along with the outcomes; against them, it is a mistake in the file."""


class PromotionPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What a challenger must show.

    min_gain: how much smaller its mean absolute error must be, in target units (the schema's own by default).
    level: of the one-sided paired lower bound that must be above 0. min_rows: fewer unseen rows decide nothing.
    holdout_share: of the rows that the champion has not seen, the newest that are held out. slice_rows: a slice of
    students (group, protected column) with so many rows must not get credibly worse: neither the error by more than
    min_gain, nor the share that is not warned of, among those who failed, by more than max_missed. trial_rows: after so
    many new outcomes a challenger in shadow is judged, once; 0: none is tried in shadow. Of min_rows and trial_rows,
    those of one student count once, as do those with the same inputs and outcome. max_megabytes: of its graph (10^6
    bytes), which every serving process holds, first champions included. helped: of the records of students who were
    helped before their outcome, the share that teaches and judges; the others do neither.
    """

    min_gain: float | None = None
    level: float = 0.9
    min_rows: int = 50
    holdout_share: float = 0.5
    slice_rows: int = 30
    max_missed: float = 0.05
    trial_rows: int = TRIAL_ROWS
    max_megabytes: float = MAX_MEGABYTES
    helped: float = 0.0

    def __post_init__(self) -> None:
        wrong = (
            [f"min_gain is {self.min_gain}, below 0"] if self.min_gain is not None and not self.min_gain >= 0 else []
        )
        shares = {"level": (self.level, 0.5), "holdout_share": (self.holdout_share, 0.0)}
        for name, (value, least) in shares.items():
            wrong += [] if least < value < 1 else [f"{name} is {value}, not above {least:g} and below 1"]
        wrong += [] if 0 <= self.max_missed <= 1 else [f"max_missed is {self.max_missed}, not from 0 to 1"]
        wrong += [] if 0 <= self.helped <= 1 else [f"helped is {self.helped}, not from 0 to 1"]
        wrong += [] if self.max_megabytes > 0 else [f"max_megabytes is {self.max_megabytes}, not above 0"]
        rows = {"min_rows": self.min_rows, "slice_rows": self.slice_rows, "trial_rows": self.trial_rows}
        wrong += [f"{name} is {value}, below 0" for name, value in rows.items() if value < 0]
        if wrong:
            raise ValueError("promotion policy: " + "; ".join(wrong))


class PromotionEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """(n,) outcomes of unseen rows and what champion, challenger and plain rule answered, in target units or level
    numbers, with the rows' clusters.

    slices: column name to (n,) values by which students are told apart. megabytes: of the challenger's graph. units:
    (n,) labels each, of which rows with the same count once where rows are counted. pass_mark: outcomes below it have
    failed, or if `event`, are those to whom one came; None: there is none. causes: by whose answers, (n,) rows that
    they give cause to warn of; those below the pass mark if nothing is said of them.
    """

    outcomes: Floats
    champion: Floats
    challenger: Floats
    naive: Floats
    clusters: NDArray[np.int64]
    slices: Mapping[str, NDArray[np.str_]] = {}
    megabytes: float = 0.0
    units: tuple[NDArray[np.int64], ...] = ()
    pass_mark: float | None = None
    event: bool = False
    causes: Mapping[Side, NDArray[np.bool_]] = {}

    def missed_by(self, whose: Side, mark: float) -> Floats:
        """(n,) 1 where the answers of one side give no cause to warn."""
        return np.where(self.causes.get(whose, getattr(self, whose) < mark), 0.0, 1.0)

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


class _Gate(NamedTuple):
    """What has to hold before any gain is looked at; where it does not, that is all there is to say."""

    condition: Condition
    reason: str
    verdict: Verdict = "keep"


class _Showing(NamedTuple):
    """What some answers show beside the champion's. failures: the conditions that they do not meet, in words."""

    gain: PairedGain
    slices: tuple[SliceGain, ...]
    conditions: tuple[Condition, ...]
    failures: tuple[str, ...]


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
    n, passed = len(evidence.champion), []
    for gate in _gates(evidence, policy):
        passed.append(gate.condition)
        if not gate.condition.met:
            refused = refusal(
                gate.reason,
                n=n,
                clusters=len(np.unique(evidence.clusters)),
                verdict=gate.verdict,
                conditions=with_the_unasked(passed),
            )
            return msgspec.structs.replace(refused, min_gain=min_gain, unit=unit)
    shown = _showing(evidence, "challenger", policy, min_gain, unit)
    rule = evidence.gain(evidence.challenger, evidence.naive, policy.level)
    conditions = (*passed, *shown.conditions, compared("plain rule", rule.lower, 0.0))
    failures = (*shown.failures, *_beaten_by_rule(rule, unit))
    decision = PromotionDecision(
        verdict="promote" if all(one.met for one in conditions) else "shadow",
        reasons=failures or _successes(evidence, shown.gain, rule, policy, min_gain, unit),
        n=n,
        clusters=shown.gain.clusters,
        champion_mae=_mean_error(evidence, evidence.champion),
        challenger_mae=_mean_error(evidence, evidence.challenger),
        naive_mae=_mean_error(evidence, evidence.naive),
        gain=shown.gain,
        slices=shown.slices,
        conditions=conditions,
        min_gain=min_gain,
        unit=unit,
    )
    return _with_rule(decision, evidence, policy, tuple(passed)) if rule.lower > 0 else decision


def with_the_unasked(asked: list[Condition]) -> tuple[Condition, ...]:
    """The conditions that were looked at, and all others of a contest, which were not."""
    names: tuple[ConditionName, ...] = get_args(ConditionName)
    known = {one.name for one in asked} | {"made", "same champion"}
    return (*asked, *(Condition(name=name) for name in names if name not in known))


def _gates(evidence: PromotionEvidence, policy: PromotionPolicy) -> Iterator[_Gate]:
    """In the order in which they are asked; none is worked out before those above hold."""
    n, groups, units = len(evidence.champion), len(np.unique(evidence.clusters)), evidence.count()
    size = told_of_size("the challenger", evidence.megabytes, policy.max_megabytes)
    yield _Gate(compared("size", evidence.megabytes, policy.max_megabytes), size)
    found = f"{n} rows in {groups} clusters that neither model has seen"
    if units < n:
        once = f"{units} (a student, and equal rows, once)"
        found = f"{n} rows in {groups} clusters that neither model has seen, which count as {once}"
    few = f"not enough data: {found}; {policy.min_rows} rows in 2 clusters are the least"
    yield _Gate(compared("rows", units, policy.min_rows), few, "shadow")
    yield _Gate(compared("clusters", groups, 2), few, "shadow")
    same = f"every outcome of the {n} judging rows is {evidence.outcomes[0]:g}: they tell no model from another"
    yield _Gate(compared("outcomes differ", len(np.unique(evidence.outcomes)), 2), same)
    turned = (
        f"the outcomes of the {n} judging rows run against the champion's answers: where it said more, "
        "less came. A scale that was turned round looks like that; look at the file before anybody learns from it"
    )
    yield _Gate(compared("outcomes agree", evidence.following(-evidence.champion).lower, 0.0), turned)
    gain = evidence.gain(evidence.champion, evidence.challenger, policy.level)
    alike = f"not enough data: all {groups} clusters show the very same difference of {gain.mean:.4g}"
    yield _Gate(Condition(name="differences vary", met=not gain.flat), alike, "shadow")


def _mean_error(evidence: PromotionEvidence, said: Floats) -> Estimate:
    return mean_with_interval(absolute_errors(evidence.outcomes, said), evidence.clusters)


def _showing(evidence: PromotionEvidence, whose: Side, policy: PromotionPolicy, min_gain: float, unit: str) -> _Showing:
    """What the answers of one side show, and lack to take the champion's place, beside the plain rule's vote."""
    said: Floats = getattr(evidence, whose)
    gain = evidence.gain(evidence.champion, said, policy.level)
    slices = slice_gains(evidence, whose, policy, min_gain)
    conditions = (
        compared("gain", gain.mean, min_gain),
        compared("not luck", gain.lower, 0.0),
        compared("no slice worse", sum(part.worse for part in slices), 0),
        compared("follows outcomes", evidence.following(said).lower, 0.0),
    )
    luck = (
        f"the gain may be luck: its {gain.level:.0%} lower bound is {gain.lower:.4g} over {gain.n} rows "
        f"in {gain.clusters} clusters"
    )
    alien = (
        f"its answers are not seen to follow the outcomes of these rows ({FOLLOWING_LEVEL:.0%} bound): as if the "
        "outcomes were other students'"
    )
    words: Mapping[ConditionName, list[str]] = {
        "gain": [f"the gain of {_amount(gain.mean, unit)} is not above {min_gain:g}"],
        "not luck": [luck],
        "no slice worse": [told_of_slice(part, event=evidence.event) for part in slices if part.worse],
        "follows outcomes": [alien],
    }
    failures = [told for one in conditions if not one.met for told in words[one.name]]
    return _Showing(gain, tuple(slices), conditions, tuple(failures))


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
    decision: PromotionDecision,
    evidence: PromotionEvidence,
    policy: PromotionPolicy,
    passed: tuple[Condition, ...],
) -> PromotionDecision:
    """The decision with the plain rule in the champion's place, where it shows all that a challenger must."""
    min_gain, unit = decision.min_gain or 0.0, decision.unit
    shown = _showing(evidence, "naive", policy, min_gain, unit)
    gain = shown.gain
    if shown.failures or gain.flat:
        return decision
    reason = (
        f"the plain rule is better than both models on {gain.n} unseen rows and takes the champion's place: its error "
        f"is {_amount(gain.mean, unit)} smaller than the champion's (more than {min_gain:g}), with a {gain.level:.0%} "
        f"lower bound of {gain.lower:.4g}"
    )
    beaten = _beaten_by_rule(evidence.gain(evidence.challenger, evidence.naive, policy.level), unit)
    return msgspec.structs.replace(
        decision,
        verdict="promote",
        winner="plain rule",
        reasons=(reason, *beaten),
        gain=gain,
        slices=shown.slices,
        conditions=(*passed, *shown.conditions),
    )


def told_of_size(who: str, megabytes: float, most: float) -> str:
    """How large a graph is beside what is allowed.

    >>> told_of_size("random_forest", 65.3, 20.0)
    'random_forest has a graph of 65.3 MB, above the 20 MB that a model may take in every serving process'
    """
    size = f"{megabytes:.3g}"
    if megabytes > most:
        return f"{who} has a graph of {size} MB, above the {most:g} MB that a model may take in every serving process"
    return f"{who} has a graph of {size} MB, within the {most:g} MB that a model may take in every serving process"


def _amount(value: float, unit: str) -> str:
    return f"{value:.4g} {unit}".rstrip()


def refusal(
    reason: str,
    *,
    n: int = 0,
    clusters: int = 0,
    verdict: Verdict = "keep",
    left_out: Mapping[str, int] | None = None,
    conditions: tuple[Condition, ...] = (),
) -> PromotionDecision:
    """A decision that came to no comparison of errors."""
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
        conditions=conditions,
    )


class _Part(NamedTuple):
    """A slice of students that is to be judged: errors and clusters of its rows, by old and by new answers."""

    column: str
    value: str
    about: Literal["miss", "found"]
    old: Floats
    new: Floats
    clusters: NDArray[np.int64]


def slice_gains(evidence: PromotionEvidence, whose: Side, policy: PromotionPolicy, min_gain: float) -> list[SliceGain]:
    """The gain of the answers of one side in every slice that is large enough to be judged.

    All slices together are found worse by mere luck with a chance of 1 - level at most (Bonferroni).
    """
    parts = list(_parts(evidence, whose, policy))
    level = 1 - (1 - policy.level) / max(1, len(parts))
    most = {"miss": min_gain, "found": policy.max_missed}
    return [_slice_gain(part, level=level, allowed=most[part.about]) for part in parts]


def _parts(evidence: PromotionEvidence, whose: Side, policy: PromotionPolicy) -> Iterator[_Part]:
    """By column and value: the misses of a slice, and who of it failed and was not warned of."""
    old, new = (absolute_errors(evidence.outcomes, said) for said in (evidence.champion, getattr(evidence, whose)))
    failed = np.zeros(len(old), dtype=bool)
    if (mark := evidence.pass_mark) is not None:
        failed = evidence.outcomes < mark
        missed, then_missed = evidence.missed_by("champion", mark), evidence.missed_by(whose, mark)
    for column, values in sorted(evidence.slices.items()):
        for value in np.unique(values):
            rows = values == value
            if rows.sum() < policy.slice_rows:
                continue
            yield _Part(column, str(value), "miss", old[rows], new[rows], evidence.clusters[rows])
            lost = rows & failed
            if lost.sum() >= FEWEST_FAILED:
                yield _Part(column, str(value), "found", missed[lost], then_missed[lost], evidence.clusters[lost])


def _slice_gain(part: _Part, *, level: float, allowed: float) -> SliceGain:
    """The gain from old to new errors; within one cluster its rows are the units, for it is judged itself.

    Who is missed is a yes or no, and of few students: it also has to be more than as many coins would do (McNemar's
    exact test of those about whom the two differ).
    """
    groups = part.clusters if len(np.unique(part.clusters)) > 1 else np.arange(len(part.old))
    gain = paired_gain(part.old, part.new, groups, level=level)
    loss = paired_gain(part.new, part.old, groups, level=level)
    worse = loss.mean > allowed and loss.lower > 0
    if worse and part.about == "found":
        worse = _by_coins(int((part.new > part.old).sum()), int((part.new < part.old).sum())) <= 1 - level
    return SliceGain(column=part.column, value=part.value, gain=gain, worse=worse, about=part.about)


def _by_coins(harmed: int, helped: int) -> float:
    """The chance that of so many who are told otherwise so many, or more, are harmed, where a coin says who.

    >>> round(_by_coins(5, 0), 4)
    0.0312
    """
    from scipy.special import bdtrc  # not needed to serve

    return float(bdtrc(harmed - 1, harmed + helped, 0.5))
