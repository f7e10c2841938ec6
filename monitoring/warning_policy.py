"""Whom a chance of failing gives cause to warn of, as an object of its own: versioned beside the model, activated by
compare-and-swap and rolled back like one.

A policy decides over chances that were answered; whom it warns of now, `monitoring.warning_lists` finds out.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, Literal

import msgspec

from clock import new_id, now
from database.errors import Conflict
from database.records import Document, Event, digest
from database.store import RecordStore
from database.withdrawal import require_nobody_named
from errors import Category, GradewatchError
from preprocessing.validation.rules import BadData, Problem

LIKELIER_THAN_NOT = 0.5
"""The chance from which somebody is said to be likely to end below the pass mark."""

POLICY_KIND = "warning policy"
"""The kind of the documents, one of each domain and target: its versions, and which was in use when."""

POLICY_EVENT = "warning_policy_changed"
CHANGE_TRIES = 20


class BadWarningPolicy(BadData):
    """A policy that says nothing, or contradicts itself; its problems are everything that is wrong."""

    def __str__(self) -> str:
        return "warning policy: " + "; ".join(f"{one.column} {one.rule}" for one in self.problems)


class NoSuchPolicy(GradewatchError):
    """No version of that name, or none before the one in use."""

    category = Category.UNKNOWN


class PolicyFields(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a policy says, as whoever proposes one writes it.

    threshold: the least chance of ending below the pass mark. capacity: of each group at most so many, the likeliest;
    None: all. ties: of those with the same chance at the end of a capacity, "in" takes all, "out" none, "older" whoever
    waits longer. cool_down_days: nobody again within so many days, as causes told, whether or not a capacity had room.
    transitions_only: not whoever gave cause by the answer before already. cuts: chances, ascending, that part levels of
    urgency; levels: their names, the least first, one more than cuts. by_lot: so many slots of a capacity are given by
    lot, by this seed, among those at its edge (`monitoring.warning_lots`); ties then count for nothing.
    """

    threshold: float = LIKELIER_THAN_NOT
    capacity: int | None = None
    ties: Literal["in", "out", "older"] = "older"
    cool_down_days: int = 0
    transitions_only: bool = False
    cuts: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()
    by_lot: int = 0
    seed: int = 0


class WarningPolicy(PolicyFields, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whom to warn of. Raises BadWarningPolicy where it is made of fields that contradict each other."""

    def __post_init__(self) -> None:
        wrong = faults_of(self)
        if wrong:
            raise BadWarningPolicy(wrong)

    @property
    def version(self) -> str:
        """Equal for equal policies."""
        return digest(msgspec.to_builtins(self))[:12]

    @property
    def looks_back(self) -> bool:
        """Whether earlier answers about a student decide, too."""
        return self.transitions_only or self.cool_down_days > 0

    def level_of(self, chance: float) -> str | None:
        """The level of urgency of a chance; None where the policy parts none.

        >>> WarningPolicy(cuts=(0.25, 0.5, 0.75), levels=("low", "some", "high", "highest")).level_of(0.5)
        'high'
        """
        return self.levels[sum(chance >= cut for cut in self.cuts)] if self.cuts else None

    def __str__(self) -> str:
        told = [f"a chance of {self.threshold:g} or more"]
        told += [f"at most {self.capacity} of a group (ties: {self.ties})"] if self.capacity else []
        told += [f"{self.by_lot} of these slots by lot (seed {self.seed})"] if self.by_lot else []
        told += [f"nobody twice in {self.cool_down_days} days"] if self.cool_down_days else []
        told += ["only who was not warned of by the answer before"] if self.transitions_only else []
        told += (
            [f"levels {', '.join(self.levels)} cut at {', '.join(f'{cut:g}' for cut in self.cuts)}"]
            if self.cuts
            else []
        )
        return "; ".join(told)


def faults_of(said: PolicyFields) -> list[Problem]:
    """Everything that keeps fields from being a policy."""
    told: list[tuple[str, str]] = []
    if not 0 <= said.threshold <= 1:
        told.append(("threshold", f"is {said.threshold:g}, not from 0 to 1"))
    if said.capacity is not None and said.capacity < 1:
        told.append(("capacity", f"is {said.capacity}, below 1"))
    if said.cool_down_days < 0:
        told.append(("cool_down_days", f"is {said.cool_down_days}, below 0"))
    if not 0 <= said.by_lot <= (said.capacity or 0):
        told.append(("by_lot", f"is {said.by_lot}, not from 0 to the capacity"))
    if any(not low < high for low, high in pairwise((0.0, *said.cuts, 1.0))):
        told.append(("cuts", f"are {said.cuts}, not ascending between 0 and 1"))
    if said.cuts and len(said.levels) != len(said.cuts) + 1:
        told.append(("levels", f"are {len(said.levels)}; {len(said.cuts)} cuts part {len(said.cuts) + 1}"))
    if said.levels and not said.cuts:
        told.append(("levels", "need the cuts that part them"))
    return [Problem(file="policy", row=None, column=column, value=None, rule=rule) for column, rule in told]


def read_levels(text: str) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Cuts and the levels that they part, as people write them. Raises BadWarningPolicy.

    >>> read_levels("low:0.25:some:0.5:high")
    ((0.25, 0.5), ('low', 'some', 'high'))
    """
    parts = text.split(":") if text else []
    try:
        return tuple(float(part) for part in parts[1::2]), tuple(parts[::2])
    except ValueError:
        rule = f"are written {text!r:.100}: write NAME:CHANCE:NAME, as low:0.25:some:0.5:high"
        raise BadWarningPolicy([Problem(file="policy", row=None, column="levels", value=None, rule=rule)]) from None


USUAL_WARNINGS = WarningPolicy()
"""In use where nobody chose: who is likelier than not to end below the pass mark."""


class PolicyInUse(msgspec.Struct, frozen=True, kw_only=True):
    """That a policy came into use. generation: counts from 1. preview: what it was expected to change, as it was shown.
    action: "activate" or "rollback"."""

    generation: int
    policy: WarningPolicy
    action: Literal["activate", "rollback"]
    actor: str
    reason: str
    at: datetime
    preview: Mapping[str, Any] = {}


def policies_in_use(store: RecordStore, domain: str, target: str) -> tuple[PolicyInUse, ...]:
    """All there were, oldest first; the last one holds."""
    found = store.document(POLICY_KIND, _name(domain, target))
    return msgspec.convert(dict(found.body), _Kept).history if found else ()


def policy_in_use(store: RecordStore, domain: str, target: str) -> WarningPolicy:
    """The one that holds."""
    history = policies_in_use(store, domain, target)
    return history[-1].policy if history else USUAL_WARNINGS


def policy_until(store: RecordStore, domain: str, target: str, until: datetime) -> WarningPolicy:
    """The one that held then."""
    before = [one.policy for one in policies_in_use(store, domain, target) if one.at < until]
    return before[-1] if before else USUAL_WARNINGS


def activate_policy(
    store: RecordStore,
    domain: str,
    target: str,
    policy: WarningPolicy,
    *,
    actor: str,
    reason: str,
    expected: int | None = None,
    preview: Mapping[str, Any] | None = None,
) -> PolicyInUse:
    """Put a policy into use. expected: the generation that it was compared with; Conflict where another one came in
    between. Raises NamesSomebody."""
    return _change(store, domain, target, lambda _: policy, "activate", actor, reason, expected, preview)


def roll_back_policy(store: RecordStore, domain: str, target: str, *, actor: str, reason: str) -> PolicyInUse:
    """Bring back the policy before the present one, however often that is done. Raises NoSuchPolicy, NamesSomebody."""
    return _change(store, domain, target, policy_before, "rollback", actor, reason, None, None)


def policy_before(history: Sequence[PolicyInUse]) -> WarningPolicy:
    """The one that a rollback brings back. As models are rolled back: a rollback takes the last one away, it adds none
    to what lies before. Raises NoSuchPolicy."""
    line: list[WarningPolicy] = []
    for one in history:
        if one.action == "rollback":
            line.pop()
        else:
            line.append(one.policy)
    if not line:
        raise NoSuchPolicy("the usual policy is in use; there is none before it")
    return line[-2] if len(line) > 1 else USUAL_WARNINGS


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    history: tuple[PolicyInUse, ...]


def _change(  # noqa: PLR0913, PLR0917 - what one change of policy is
    store: RecordStore,
    domain: str,
    target: str,
    choose: Any,
    action: Literal["activate", "rollback"],
    actor: str,
    reason: str,
    expected: int | None,
    preview: Mapping[str, Any] | None,
) -> PolicyInUse:
    require_nobody_named(reason)
    name = _name(domain, target)
    for attempt in range(CHANGE_TRIES):
        found = store.document(POLICY_KIND, name)
        history = msgspec.convert(dict(found.body), _Kept).history if found else ()
        if expected is not None and expected != len(history):
            raise Conflict(f"{domain}/{target}: another warning policy came into use meanwhile; preview it again")
        made = PolicyInUse(
            generation=len(history) + 1,
            policy=choose(history),
            action=action,
            actor=actor,
            reason=reason,
            at=now(),
            preview=preview or {},
        )
        body = msgspec.to_builtins(_Kept(history=(*history, made)))
        revision = found.revision + 1 if found else 1
        try:
            store.put_document(
                Document(kind=POLICY_KIND, name=name, revision=revision, at=made.at, domain=domain, body=body)
            )
        except Conflict:
            if attempt == CHANGE_TRIES - 1:
                raise
            continue
        _tell(store, domain, target, made)
        return made
    raise AssertionError("unreachable")


def _tell(store: RecordStore, domain: str, target: str, made: PolicyInUse) -> None:
    told: dict[str, Any] = {
        "target": target,
        "version": made.policy.version,
        "action": made.action,
        "policy": str(made.policy),
    }
    told |= {"actor": made.actor, "reason": made.reason, "generation": made.generation}
    store.add_event(Event(id=new_id(), kind=POLICY_EVENT, at=made.at, domain=domain, details=told))


def _name(domain: str, target: str) -> str:
    return f"{domain}/{target}"
