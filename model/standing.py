"""How a version stands: when it was champion, and how far it missed beside others on the same unseen rows.

It reads records; it judges nothing, and it never sets scores of different rows side by side.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from database.records import Action, DecisionRecord, Succession
from model.bundle import Manifest
from model.decision import PromotionDecision, decision_of
from model.scores import Estimate

AgainstRule = Literal["ahead", "close", "behind"]


class Reign(msgspec.Struct, frozen=True, kw_only=True):
    """One time as champion. until: None while it lasts. action, actor, reason: of what began it."""

    version: str
    generation: int
    since: datetime
    until: datetime | None
    action: Action
    actor: str
    reason: str


class VersionStanding(msgspec.Struct, frozen=True, kw_only=True):
    """How far answers to the same n rows missed on average, in `unit`, with 95 % intervals; own had not seen them.

    other, others: another version, and how far its answers missed; None where the version was never in a contest: then
    the rows are those held out in its training. rule: the plain rule. decision: where it is recorded. nearer: whether
    it is surely nearer than the plain rule, row by row; None where nobody tested that.
    """

    version: str
    n: int
    unit: str
    own: Estimate
    rule: Estimate | None
    other: str | None = None
    others: Estimate | None = None
    decision: str | None = None
    nearer: bool | None = None

    @property
    def against_rule(self) -> AgainstRule:
        """Behind the plain rule where it missed as far; ahead where it is surely nearer, or, where that was not tested,
        where the two intervals do not even touch."""
        if self.rule is None:
            return "close"
        if self.own.value >= self.rule.value:
            return "behind"
        surely = self.own.high < self.rule.low if self.nearer is None else self.nearer
        return "ahead" if surely else "close"


def reigns_of(history: Sequence[Succession]) -> list[Reign]:
    """Every time that somebody was champion, in order. history: a key's successions, oldest first."""
    ends = [one.at for one in history[1:]]
    return [
        Reign(
            version=one.version,
            generation=one.generation,
            since=one.at,
            until=until,
            action=one.action,
            actor=one.actor,
            reason=one.reason,
        )
        for one, until in zip(history, [*ends, None], strict=True)
    ]


def before_of(history: Sequence[Succession]) -> str | None:
    """The champion before the present one; None where there was none."""
    return next((one.version for one in reversed(history[:-1]) if one.version != history[-1].version), None)


def errors_of(record: DecisionRecord, decision: PromotionDecision) -> Mapping[str, Estimate]:
    """Version to mean absolute error, on the same rows, of those that a decision was about."""
    rule = decision.winner == "plain rule" and decision.verdict != "keep"  # the challenger is a model of the rule
    found = {record.champion: decision.champion_mae, record.challenger: decision.challenger_mae}
    if rule:
        found[record.challenger] = decision.naive_mae
    return {version: mae for version, mae in found.items() if version and mae}


def judged_together(decisions: Sequence[DecisionRecord], first: str, second: str) -> DecisionRecord | None:
    """The newest decision that compared these two on the same rows. decisions: newest first."""
    both = {first, second}
    return next((one for one in decisions if {one.champion, one.challenger} == both and one.document.get("gain")), None)


def standing_of(
    manifest: Manifest, version: str, decisions: Sequence[DecisionRecord], other: str | None
) -> VersionStanding:
    """How a version stands beside `other`, or else beside whom it was judged with when it came, or last.

    decisions: of its key, newest first. Where no contest compared it, its training says how it did.
    """
    contests = [one for one in decisions if version in (one.champion, one.challenger) and one.document.get("gain")]
    with_other = judged_together(contests, version, other) if other and other != version else None
    came = next((one for one in contests if one.challenger == version), None)
    found = with_other or came or next(iter(contests), None)
    if found is not None:
        decision = decision_of(found)
        errors = errors_of(found, decision)
        (beside,) = errors.keys() - {version}
        return VersionStanding(
            version=version,
            n=decision.n,
            unit=unit_of(manifest),
            own=errors[version],
            rule=decision.naive_mae,
            other=beside,
            others=errors[beside],
            decision=found.id,
            nearer=_surely_nearer(found, decision) if version == found.challenger else None,
        )
    own, rule, tested = manifest.scores[manifest.candidate], manifest.scores.get("naive"), manifest.against_rule
    return VersionStanding(
        version=version,
        n=own.n,
        unit=unit_of(manifest),
        own=own.mae,
        rule=rule.mae if rule else None,
        nearer=tested.lower > 0 if tested else None,
    )


def _surely_nearer(record: DecisionRecord, decision: PromotionDecision) -> bool | None:
    """Whether the challenger of a decision is surely nearer than the plain rule. Its vote asked the opposite, at a
    lower bound; the upper one lies as far on the other side of the difference."""
    vote = next((one.found for one in decision.conditions if one.name == "plain rule"), None)
    own, rule = errors_of(record, decision).get(record.challenger or ""), decision.naive_mae
    if vote is None or own is None or rule is None:
        return None
    return 2 * (own.value - rule.value) - vote < 0


def unit_of(manifest: Manifest) -> str:
    """What errors of this model are counted in."""
    return "levels" if manifest.target.levels else manifest.target.unit
