"""Whom a warning policy warns of now, and what another one would change: who comes in and who goes, how many of them
are likely to fail, for each group, beside the policy in use and beside the plain rule.

It reads what was answered, and answers nobody anew.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import NamedTuple

import msgspec

from database.newest import OF_ALL, AskedAbout, NewestAnswer, Reason, SilentAnswer, Which, place_of
from database.observed_weeks import closed_week
from database.records import Answer, Prediction
from database.store import RecordStore
from model.pauses import pause_of, pauses, plain_answer
from model.readable import number_of, said_about
from model.workspace import Workspace
from monitoring.fairness import MISSING_TRAIT
from monitoring.performance import tellable
from monitoring.warning_lots import LotDraw, NoLots, keep_draw, slots_of
from monitoring.warning_policy import (
    PolicyInUse,
    WarningPolicy,
    activate_policy,
    policies_in_use,
    policy_in_use,
)
from preprocessing.schema import DomainSchema, Target

ANSWERS_A_PAGE = 1000
"""Students read at once."""

NO_MARK: Reason = "no_pass_mark"
"""Why an answer has no chance whose value says all the same on which side of the mark it lies."""


class WarningCause(NamedTuple):
    """That the newest answer about a student in a group and period gives cause to warn. below: the chance of ending
    below the pass mark that was said; None: none was, and the answer lies below the mark, by `short`."""

    student: str
    group: str | None
    period: str | None
    prediction: str
    at: datetime
    below: float | None
    short: float = 0.0


class Warned(NamedTuple):
    """A student whom a policy warns of. level: of urgency, where the policy parts any and a chance was said."""

    cause: WarningCause
    level: str | None


class ListedBy(msgspec.Struct, frozen=True, kw_only=True):
    """How a list stands to those who were answered: how many it warns of, and by the chances that were said how many
    of these fail (hits), pass (false_alarms), and of the others fail (missed). None: of too few students, or of some
    whom no chance was said of."""

    students: int | None = None
    warned: int | None = None
    hits: float | None = None
    false_alarms: float | None = None
    missed: float | None = None


class ListChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a policy would change beside another list. entering, leaving: students (pseudonyms)."""

    entering: tuple[str, ...]
    leaving: tuple[str, ...]


class PolicyPreview(msgspec.Struct, frozen=True, kw_only=True):
    """A policy before it is in use. lists: by "proposed", "in use" and "plain rule". groups: of the proposed and of the
    present list, by group; of groups of fewer than ten students, and of those that would give them away, nothing.
    event: whether warned of is an event that may come."""

    domain: str
    target: str
    generation: int
    lists: Mapping[str, ListedBy]
    against_present: ListChange
    against_rule: ListChange
    groups: Mapping[str, tuple[ListedBy, ListedBy]]
    event: bool = False


class WarningList:
    """Whom a policy, that in use if none is given, warns of by the newest answers about a target.

    An answer with a chance gives cause from the policy's threshold on. One without, for the plain rule or a model that
    knew no pass mark gave it, where it lies below the mark; a guess gives none. While a domain is paused everybody is
    judged by the plain rule, and nobody where nothing is answered. which: whose answers. objected: who is in no list.
    """

    def __init__(
        self,
        store: RecordStore,
        schema: DomainSchema,
        target: Target,
        which: Which = OF_ALL,
        objected: Container[str] = (),
        *,
        policy: WarningPolicy | None = None,
    ) -> None:
        self._store = store
        self._schema = schema
        self._target = target
        self._which = of_present(store, schema, which)
        self._objected = objected
        self.policy = policy_in_use(store, schema.name, target.name) if policy is None else policy
        self.paused = pause_of(pauses(store), schema.name)

    def warned(self) -> list[Warned]:
        """All of them, the likeliest first, then those without a chance, whoever lies lowest first."""
        causes = self.causes()
        chosen = choose(self.policy, causes, self._earlier(causes) if self.policy.looks_back else {})
        return [self.warning(one) for one in chosen]

    def warning(self, cause: WarningCause) -> Warned:
        """What the policy makes of somebody whom it warns of."""
        return Warned(cause, None if cause.below is None else self.policy.level_of(cause.below))

    def causes(self) -> list[WarningCause]:
        """Every newest answer that gives cause, whether or not the policy then warns of it."""
        if self.paused is not None:
            if self.paused.answers == "none":
                return []
            return [*self._read(self.answers()), *self._read(self.silent())]
        likely = (WarningCause(*one) for one in self.answers(self.policy.threshold))
        return [*likely, *self._read(self.silent(NO_MARK))]

    def cause_in(self, said: Prediction) -> WarningCause | None:
        """What cause there is in a prediction about a student; None for none."""
        answer = said_about(said, self._target)
        if self.paused is not None and answer is not None:
            answer = None if self.paused.answers == "none" else plain_answer(answer, answer.model)
        return cause_of(said, answer, self._target, self.policy)

    @property
    def by_chance_alone(self) -> bool:
        """Whether whoever has a large enough chance is warned of, and nobody else: lists need not be made then."""
        if self.paused is not None or self.policy.looks_back or self.policy.capacity is not None:
            return False
        return not self._store.silent_answers(*self._about, why=NO_MARK, limit=1)

    @property
    def _about(self) -> tuple[str, str, Which]:
        return self._schema.name, self._target.name, self._which

    def answers(self, least: float = 0.0) -> Iterator[NewestAnswer]:
        """Every newest answer that says so large a chance, the largest first."""
        before: NewestAnswer | None = None
        while page := self._store.newest_answers(*self._about, least=least, before=before, limit=ANSWERS_A_PAGE):
            yield from (one for one in page if one.student not in self._objected)
            if len(page) < ANSWERS_A_PAGE:
                return
            before = page[-1]

    def silent(self, why: Reason | None = None) -> Iterator[SilentAnswer]:
        """Every newest answer without a chance, for one reason or for any."""
        after: SilentAnswer | None = None
        while page := self._store.silent_answers(*self._about, why=why, after=after, limit=ANSWERS_A_PAGE):
            yield from (one for one in page if one.student not in self._objected)
            if len(page) < ANSWERS_A_PAGE:
                return
            after = page[-1]

    def _read(self, places: Iterable[NewestAnswer | SilentAnswer]) -> Iterator[WarningCause]:
        """The causes in predictions that have to be looked into."""
        waiting = iter(places)
        while page := list(islice(waiting, ANSWERS_A_PAGE)):
            found = map(self.cause_in, self._store.predictions_of([one.prediction for one in page]))
            yield from (one for one in found if one is not None)

    def _earlier(self, causes: Sequence[WarningCause]) -> dict[str, list[tuple[timedelta, bool]]]:
        """By newest prediction, whether answers before it gave cause, in the same group and period or of earlier
        weeks."""
        found = dict[str, list[tuple[timedelta, bool]]]()
        for begin in range(0, len(causes), ANSWERS_A_PAGE):
            some = causes[begin : begin + ANSWERS_A_PAGE]
            page = {(one.student, place_of(one.group, one.period)): one for one in some}
            asked = [
                one
                for one in self._store.asked_about(self._schema.name, sorted({student for student, _ in page}))
                if one.about in page and came_before(one, page[one.about]) and one.at <= page[one.about].at
            ]
            said = {one.id: one for one in self._store.predictions_of([one.prediction for one in asked])}
            for one in sorted(asked, key=lambda one: (one.at, one.prediction), reverse=True):
                before = said.get(one.prediction)
                if before is not None and _says_anything(said_about(before, self._target)):
                    newest, gave = page[one.about], self.cause_in(before) is not None
                    found.setdefault(newest.prediction, []).append((newest.at - one.at, gave))
        return found


def cause_of(said: Prediction, answer: Answer | None, target: Target, policy: WarningPolicy) -> WarningCause | None:
    """What cause an answer gives to warn of the student of a prediction; None for none."""
    if answer is None or said.student is None:
        return None
    place, mark = (said.student, said.group, said.period, said.id, said.at), target.pass_mark
    if answer.below_pass is not None:
        return WarningCause(*place, answer.below_pass) if answer.below_pass >= policy.threshold else None
    value = None if answer.out_of_range else number_of(answer, target)
    return None if value is None or mark is None or value >= mark else WarningCause(*place, None, mark - value)


def of_present(store: RecordStore, schema: DomainSchema, which: Which) -> Which:
    """The answers that are asked for; where weeks are closed, unless a period is asked for, of students who were
    answered in the last of them or since: who left stands in no list."""
    week = closed_week(store, schema.name) if schema.panel is not None and which.period is None else None
    return which if week is None else which._replace(from_week=week)


def came_before(one: AskedAbout, newest: NewestAnswer | SilentAnswer | WarningCause) -> bool:
    """Whether a prediction about the same is an earlier one: of an earlier week, or said before the newest. What was
    said of the newest week before, when less of it was known, is no step of its own."""
    if one.period != newest.period:
        return True
    is_week_of = not place_of(newest.group, newest.period)
    return not is_week_of and (one.at, one.prediction) < (newest.at, newest.prediction)


def _says_anything(answer: Answer | None) -> bool:
    return answer is not None and answer.value is not None and not answer.out_of_range


def in_order_of_need(one: WarningCause) -> tuple[object, ...]:
    """The order of a list: the likeliest first, then those without a chance, the lowest first; of equal ones whoever
    waits longer."""
    return one.below is None, -(one.below or 0.0), -one.short, one.at, one.student, one.prediction


def draw_slots(
    store: RecordStore,
    schema: DomainSchema,
    target: Target,
    which: Which = OF_ALL,
    objected: Container[str] = (),
    *,
    actor: str,
) -> LotDraw:
    """Give by lot what the policy in use gives so, by the newest answers, and keep who stood and who drew. Raises
    NoLots."""
    policy = policy_in_use(store, schema.name, target.name)
    if not policy.by_lot:
        raise NoLots(f"{schema.name}/{target.name}: the policy in use gives no slots by lot: {policy}")
    store.catch_up_newest()
    everybody = msgspec.structs.replace(policy, capacity=None, by_lot=0)
    by_group: dict[str | None, list[WarningCause]] = defaultdict(list)
    for one in WarningList(store, schema, target, which, objected, policy=everybody).warned():
        by_group[one.cause.group].append(one.cause)
    slots = {group: slots_of(policy, ordered) for group, ordered in by_group.items()}
    return keep_draw(store, schema.name, target.name, policy, slots, actor)


def choose(
    policy: WarningPolicy, causes: Iterable[WarningCause], earlier: Mapping[str, Sequence[tuple[timedelta, bool]]]
) -> list[WarningCause]:
    """Those whom a policy warns of. earlier: by prediction, how long before it an answer was given, and whether that
    gave cause, the latest first; asked only where the policy looks back."""
    reached = [one for one in causes if one.below is None or one.below >= policy.threshold]
    fresh = [one for one in reached if not _warned_before(policy, earlier.get(one.prediction, ()))]
    ordered = sorted(fresh, key=in_order_of_need)
    if policy.capacity is None:
        return ordered
    by_group: dict[str | None, list[WarningCause]] = defaultdict(list)
    for one in ordered:
        by_group[one.group].append(one)
    kept = {one.prediction for group in by_group.values() for one in _within(policy, policy.capacity, group)}
    return [one for one in ordered if one.prediction in kept]


def _within(policy: WarningPolicy, capacity: int, ordered: Sequence[WarningCause]) -> Sequence[WarningCause]:
    if policy.by_lot:
        slots = slots_of(policy, ordered)
        return [*slots.sure, *slots.drawn]
    if len(ordered) <= capacity or policy.ties == "older":
        return ordered[:capacity]
    edge = in_order_of_need(ordered[capacity - 1])[:3]
    if in_order_of_need(ordered[capacity])[:3] != edge:
        return ordered[:capacity]
    tied = [in_order_of_need(one)[:3] == edge for one in ordered]
    first = tied.index(True)
    return ordered[: first + sum(tied)] if policy.ties == "in" else ordered[:first]


def _warned_before(policy: WarningPolicy, earlier: Sequence[tuple[timedelta, bool]]) -> bool:
    """earlier: the latest first. A cool-down begins with a warning, not with each cause: whoever gives cause every day
    is warned of again when it is over, not never."""
    if policy.transitions_only and earlier and earlier[0][1]:
        return True
    days, last = timedelta(days=policy.cool_down_days), None
    for before, gave in reversed(earlier):
        if gave and (last is None or last - before > days):
            last = before
    return bool(days) and last is not None and last <= days


# Previews -------------------------------------------------------------------------------------------------------------


def preview(
    store: RecordStore,
    schema: DomainSchema,
    target: Target,
    policy: WarningPolicy,
    which: Which = OF_ALL,
    objected: Container[str] = (),
) -> PolicyPreview:
    """What a policy would change, by the newest answers."""
    generation = len(policies_in_use(store, schema.name, target.name))
    lists = [WarningList(store, schema, target, which, objected, policy=one) for one in (policy, None)]
    proposed, in_use = ([one.cause for one in each.warned()] for each in lists)
    answers = {one.prediction: WarningCause(*one) for one in lists[0].answers()}
    answers |= {one.prediction: one for one in (*proposed, *in_use) if one.prediction not in answers}
    everybody = list(answers.values())
    cells = _cells(store, schema, target, everybody)
    by_rule = [one for one in everybody if cells[one.prediction].by_rule]
    found = {"proposed": proposed, "in use": in_use, "plain rule": by_rule}
    return PolicyPreview(
        domain=schema.name,
        target=target.name,
        generation=generation,
        lists={name: _listed(everybody, one) for name, one in found.items()},
        against_present=_change(proposed, in_use),
        against_rule=_change(proposed, by_rule),
        groups=_by_group(everybody, cells, proposed, in_use),
        event=target.is_event,
    )


def activate_previewed(
    workspace: Workspace,
    schema: DomainSchema,
    target: Target,
    policy: WarningPolicy,
    *,
    actor: str,
    reason: str,
    which: Which = OF_ALL,
    expected: int | None = None,
) -> tuple[PolicyInUse, PolicyPreview]:
    """Put a policy into use; what it changes is kept with it, as counts. expected: the generation that its preview was
    compared with, that of now if none is given. Raises Conflict, NamesSomebody."""
    store = workspace.store
    store.catch_up_newest()
    found = preview(store, schema, target, policy, which, workspace.objections)
    changed = found.against_present
    counts = {"entering": len(changed.entering), "leaving": len(changed.leaving)}
    made = activate_policy(
        store,
        schema.name,
        target.name,
        policy,
        actor=actor,
        reason=reason,
        expected=found.generation if expected is None else expected,
        preview={"lists": msgspec.to_builtins(found.lists), **counts},
    )
    return made, found


class _Cells(NamedTuple):
    """Of an answer: whether the plain rule would warn, and the groups that it is of, by column."""

    by_rule: bool
    groups: tuple[tuple[str, str], ...]


def _cells(
    store: RecordStore, schema: DomainSchema, target: Target, answers: Sequence[WarningCause]
) -> dict[str, _Cells]:
    parted = [feature.name for feature in schema.features if feature.protected and feature.kind == "categorical"]
    found = {one.prediction: _Cells(by_rule=False, groups=()) for one in answers}
    for begin in range(0, len(answers), ANSWERS_A_PAGE):
        for said in store.predictions_of([one.prediction for one in answers[begin : begin + ANSWERS_A_PAGE]]):
            answer = said_about(said, target)
            naive = number_of(plain_answer(answer, answer.model), target) if answer else None
            below = naive is not None and target.pass_mark is not None and naive < target.pass_mark
            traits = [(name, said.inputs.get(name)) for name in parted]
            cells = [(name, MISSING_TRAIT if value is None else str(value)) for name, value in traits]
            cells += [("group", said.group)] if said.group else []
            found[said.id] = _Cells(below, tuple(cells))
    return found


def _listed(answers: Sequence[WarningCause], warned: Sequence[WarningCause]) -> ListedBy:
    chances = {one.prediction: one.below for one in answers}
    told = [chances[one.prediction] for one in warned]
    students, n = len({one.student for one in answers}), len(warned)
    known = [below for below in chances.values() if below is not None]
    if None in told or len(known) < len(chances):
        return ListedBy(students=students, warned=n)
    hits = sum(below for below in told if below is not None)
    return ListedBy(students=students, warned=n, hits=hits, false_alarms=n - hits, missed=sum(known) - hits)


def _change(new: Sequence[WarningCause], old: Sequence[WarningCause]) -> ListChange:
    after, before = (list(dict.fromkeys(one.student for one in found)) for found in (new, old))
    return ListChange(
        entering=tuple(one for one in after if one not in set(before)),
        leaving=tuple(one for one in before if one not in set(after)),
    )


def _by_group(
    answers: Sequence[WarningCause],
    cells: Mapping[str, _Cells],
    proposed: Sequence[WarningCause],
    in_use: Sequence[WarningCause],
) -> dict[str, tuple[ListedBy, ListedBy]]:
    by_column: dict[str, dict[str, list[WarningCause]]] = defaultdict(lambda: defaultdict(list))
    for one in answers:
        for column, value in cells[one.prediction].groups:
            by_column[column][value].append(one)
    lists = [{one.prediction for one in found} for found in (proposed, in_use)]
    found: dict[str, tuple[ListedBy, ListedBy]] = {}
    for column, groups in by_column.items():
        told = tellable([len({one.student for one in members}) for members in groups.values()])
        for (value, members), may in sorted(zip(groups.items(), told, strict=True)):
            new, old = (
                _listed(members, [one for one in members if one.prediction in names]) if may else ListedBy()
                for names in lists
            )
            found[f"{column} {value}"] = new, old
    return found
