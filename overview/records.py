"""What needs a person, as frozen records: conditions that hold, and that somebody has seen one.

They hold no student data: counts, shares, names of columns and of models. Nothing here asks a store.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec

from access.roles import Permission, Principal
from database.records import digest

ConditionKind = Literal[
    "broken champion", "coverage", "plain rule", "drift", "trial", "guesses", "stray outcomes", "failed job",
    "failed alert", "late schedule", "uncounted", "examples", "helped share",
    "silent feed",
]  # fmt: skip
Urgency = Literal["act", "look"]
Room = Literal["students", "data", "models", "results", "upload", "settings"]
"""Pages of the dashboard that a condition is answered on."""

HARM: tuple[ConditionKind, ...] = (
    "broken champion", "silent feed", "coverage", "plain rule", "drift", "helped share", "guesses", "trial",
    "stray outcomes", "failed job", "late schedule", "failed alert", "uncounted", "examples",
)  # fmt: skip
"""Of conditions that are as urgent, what does more harm comes first: no answers, wrong promises, wrong answers, then
what stops the watching."""

SEEN_BY: Mapping[ConditionKind, Permission] = {
    "broken champion": "predict",
    "coverage": "see",
    "plain rule": "see",
    "drift": "compare",
    "trial": "compare",
    "guesses": "predict",
    "stray outcomes": "upload",
    "failed job": "retrain",
    "failed alert": "compare",
    "late schedule": "compare",
    "uncounted": "see",
    "examples": "see",
    "helped share": "compare",
    "silent feed": "see",
}
"""Whoever has this permission is told: who can do something about it, and of results everybody who may see them."""

JUDGES: Permission = "compare"
"""Who may say for all that a condition is known."""

OF_GROUPS: frozenset[ConditionKind] = frozenset(
    {"broken champion", "silent feed", "coverage", "plain rule", "guesses", "stray outcomes", "uncounted", "examples"}
)
"""What whoever is confined to groups is told, with figures of these groups alone."""

WORSE_BY = 1.25
"""A condition got worse when it is a quarter worse than when somebody saw it, and by more than its least step."""

LEAST_STEP: Mapping[ConditionKind, float] = {"coverage": 0.03, "plain rule": 0.03, "guesses": 0.05, "drift": 1.0,
                                             "stray outcomes": 0.05, "helped share": 0.05,
                                             "silent feed": 10.0}  # fmt: skip
"""In the measure of each kind."""


BEGIN: frozenset[ConditionKind] = frozenset({"drift", "late schedule", "silent feed"})
"""Kinds whose `since` is when they began, so that a later one is another one; others have what is new in their id."""


class OpenCondition(msgspec.Struct, frozen=True, kw_only=True):
    """Something that holds now and needs a person.

    domain: empty where it is about all. about: tells it from others of its kind and domain. since: when it began, or
    what it is told of did. figures: what its sentence says, JSON-ready, with n. worse: the more, the worse, in the
    kind's own measure. page, choice: where it is answered, and the address there.
    """

    kind: ConditionKind
    urgency: Urgency
    domain: str
    about: str
    page: Room
    since: datetime | None = None
    figures: Mapping[str, Any] = {}
    worse: float = 0.0
    choice: Mapping[str, str] = {}

    @property
    def id(self) -> str:
        """The same as long as it is the same condition."""
        return digest([self.kind, self.domain, self.about])

    @property
    def rank(self) -> tuple[int, int, float]:
        """The least first."""
        return self.urgency != "act", HARM.index(self.kind), -self.worse


class Acknowledgement(msgspec.Struct, frozen=True, kw_only=True):
    """That `actor` has seen a condition as it was then. id: of the event that keeps it."""

    id: str
    condition: OpenCondition
    actor: str
    at: datetime
    note: str = ""

    def covers(self, now: OpenCondition) -> bool:
        """Whether the condition is still the one that was seen: no worse, and not begun again."""
        before = self.condition
        more = now.worse > before.worse * WORSE_BY and now.worse > before.worse + LEAST_STEP.get(now.kind, 0.0)
        again = now.kind in BEGIN and now.since is not None and now.since > self.at
        return not (more or again or (now.urgency == "act" and before.urgency != "act"))


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A condition, and who has seen it as it is."""

    condition: OpenCondition
    seen: Acknowledgement | None = None


class ToldCondition(msgspec.Struct, frozen=True, kw_only=True):
    """A condition as commands and the service tell it. page, choice: of the dashboard, where it is answered. seen_by,
    seen_at, note: of who has seen it as it is."""

    id: str
    kind: ConditionKind
    urgency: Urgency
    domain: str
    sentence: str
    since: datetime | None
    figures: Mapping[str, Any]
    page: Room
    choice: Mapping[str, str]
    seen_by: str | None = None
    seen_at: datetime | None = None
    note: str = ""


def may_see(viewer: Principal, condition: OpenCondition) -> bool:
    """Whether a viewer is told of conditions of this kind, in this domain."""
    within = viewer.groups is None or condition.kind in OF_GROUPS
    return within and viewer.may(SEEN_BY[condition.kind], condition.domain or None)


def may_acknowledge(viewer: Principal, condition: OpenCondition) -> bool:
    """Whether a viewer may say for all that a condition is known."""
    return may_see(viewer, condition) and viewer.groups is None and viewer.may(JUDGES, condition.domain or None)
