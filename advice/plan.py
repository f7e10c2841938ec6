"""A study plan: entries of the catalogue, chosen by rule from reasons. "No recommendation" is an answer.

The rule: each reason in turn gets the entry of its family for which there is the best evidence, the first in the file
among equals, none twice; what the institution must take part in is for those who are likelier than not to end below the
pass mark, and comes first for them. No model chooses.
"""

from collections.abc import Sequence

import msgspec

from advice.catalogue import EVIDENCE, Catalogue, PlanEntry, ReasonFamily
from advice.reasons import StudyReason

MOST_ENTRIES = 3
"""Of a plan: more at once is not kept."""

AT_RISK_FROM = 0.5
"""The chance of ending below the pass mark from which the institution takes part."""

NOTHING_STANDS_OUT = "nothing that can be changed stands out"


class Recommendation(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the catalogue and the reason that it was chosen for."""

    entry: PlanEntry
    reason: StudyReason


class StudyPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What is recommended, at most three things. none_because: where it is nothing, why. unanswered: families of
    reasons for which the catalogue has no entry."""

    recommendations: tuple[Recommendation, ...] = ()
    none_because: str | None = None
    unanswered: tuple[ReasonFamily, ...] = ()


def make_plan(reasons: Sequence[StudyReason], catalogue: Catalogue, *, below_pass: float | None = None) -> StudyPlan:
    """The plan for reasons in their order. below_pass: the chance of ending below the pass mark, where it is known."""
    if not reasons:
        return StudyPlan(none_because=NOTHING_STANDS_OUT)
    at_risk = below_pass is not None and below_pass >= AT_RISK_FROM
    waiting = {one.family: _fitting(catalogue, one.family, at_risk=at_risk) for one in reasons}
    unanswered = tuple(family for family, entries in waiting.items() if not entries)
    chosen: dict[str, Recommendation] = {}
    for reason in [*_one_of_each_family(reasons), *reasons]:
        entry = next((entry for entry in waiting[reason.family] if entry.id not in chosen), None)
        told = any(one.reason is reason for one in chosen.values())
        if entry and not told and len(chosen) < MOST_ENTRIES:
            chosen[entry.id] = Recommendation(entry=entry, reason=reason)
    lacking = None if chosen else f"the catalogue has nothing for {', '.join(unanswered)}"
    return StudyPlan(recommendations=tuple(chosen.values()), none_because=lacking, unanswered=unanswered)


def _one_of_each_family(reasons: Sequence[StudyReason]) -> list[StudyReason]:
    """The first of each, so that no family takes all the room."""
    first: dict[ReasonFamily, StudyReason] = {}
    for reason in reasons:
        first.setdefault(reason.family, reason)
    return list(first.values())


def _fitting(catalogue: Catalogue, family: ReasonFamily, *, at_risk: bool) -> list[PlanEntry]:
    """The entries for a family, in the order in which they are chosen."""
    entries = [one for one in catalogue.entries if family in one.reasons and (at_risk or one.support == "student")]
    return sorted(entries, key=lambda one: (one.support == "student", EVIDENCE.index(one.evidence)))
