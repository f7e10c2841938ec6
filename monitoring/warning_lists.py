"""Whom a warning policy warns of now, and what another one would change: who comes in and who goes, how many of them
are likely to fail, for each group, beside the policy in use and beside the plain rule.

It reads what was answered; it answers nobody anew, and changes no policy.
"""

from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple

import msgspec

from database.newest import OF_ALL, NewestAnswer, Which, place_of
from database.store import PredictionLog, RecordStore
from model.readable import number_of, said_about
from monitoring.fairness import MISSING_TRAIT
from monitoring.performance import tellable
from monitoring.student_list import came_before
from monitoring.warning_policy import USUAL_WARNINGS, WarningPolicy, policies_in_use
from preprocessing.schema import DomainSchema, Target

ANSWERS_A_PAGE = 1000
"""Students read at once."""


class Warned(NamedTuple):
    """A student whom a policy warns of. level: of urgency, where the policy parts any."""

    answer: NewestAnswer
    level: str | None


class ListedBy(msgspec.Struct, frozen=True, kw_only=True):
    """How a list stands to those who were answered: how many it warns of, and by the chances that were said how many
    of these fail (hits), pass (false_alarms), and of the others fail (missed). None: of too few students."""

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
    present list, by group; of groups of fewer than ten students, and of those that would give them away, nothing."""

    domain: str
    target: str
    generation: int
    lists: Mapping[str, ListedBy]
    against_present: ListChange
    against_rule: ListChange
    groups: Mapping[str, tuple[ListedBy, ListedBy]]


def warned_of(
    log: PredictionLog,
    schema: DomainSchema,
    target: Target,
    policy: WarningPolicy,
    which: Which = OF_ALL,
    objected: Container[str] = (),
) -> list[Warned]:
    """Whom a policy warns of by the newest answers, the likeliest first. objected: who is in no list."""
    answers = list(_answers(log, schema, target, which, objected))
    chosen = choose(policy, answers, _earlier(log, schema, target, policy, answers))
    return [Warned(one, policy.level_of(one.below)) for one in chosen]


def choose(
    policy: WarningPolicy, answers: Iterable[NewestAnswer], causes: Mapping[str, Sequence[tuple[timedelta, float]]]
) -> list[NewestAnswer]:
    """The answers that a policy warns of. causes: by prediction, how long before it which chance was said, the latest
    first; asked only where the policy looks back."""
    reached = [one for one in answers if one.below >= policy.threshold]
    fresh = [one for one in reached if not _warned_before(policy, causes.get(one.prediction, ()))]
    ordered = sorted(fresh, key=lambda one: (-one.below, one.at, one.student, one.prediction))
    if policy.capacity is None:
        return ordered
    by_group: dict[str | None, list[NewestAnswer]] = defaultdict(list)
    for one in ordered:
        by_group[one.group].append(one)
    kept = {one.prediction for group in by_group.values() for one in _within(policy, policy.capacity, group)}
    return [one for one in ordered if one.prediction in kept]


def _within(policy: WarningPolicy, capacity: int, ordered: Sequence[NewestAnswer]) -> Sequence[NewestAnswer]:
    if len(ordered) <= capacity or policy.ties == "older":
        return ordered[:capacity]
    edge = ordered[capacity - 1].below
    if ordered[capacity].below < edge:
        return ordered[:capacity]
    return [one for one in ordered if one.below > edge or (one.below == edge and policy.ties == "in")]


def _warned_before(policy: WarningPolicy, earlier: Sequence[tuple[timedelta, float]]) -> bool:
    """earlier: the latest first. A cool-down begins with a warning, not with each cause: whoever gives cause every day
    is warned of again when it is over, not never."""
    if policy.transitions_only and earlier and earlier[0][1] >= policy.threshold:
        return True
    days, last = timedelta(days=policy.cool_down_days), None
    for before, chance in reversed(earlier):
        if chance >= policy.threshold and (last is None or last - before > days):
            last = before
    return bool(days) and last is not None and last <= days


def _answers(
    log: PredictionLog, schema: DomainSchema, target: Target, which: Which, objected: Container[str]
) -> Iterator[NewestAnswer]:
    before: NewestAnswer | None = None
    while page := log.newest_answers(schema.name, target.name, which, before=before, limit=ANSWERS_A_PAGE):
        yield from (one for one in page if one.student not in objected)
        if len(page) < ANSWERS_A_PAGE:
            return
        before = page[-1]


def _earlier(
    log: PredictionLog, schema: DomainSchema, target: Target, policy: WarningPolicy, answers: Sequence[NewestAnswer]
) -> dict[str, list[tuple[timedelta, float]]]:
    """By newest prediction, what answers before it said in the same group and period, or of earlier weeks; nothing
    where the policy does not look back."""
    if not (policy.transitions_only or policy.cool_down_days):
        return {}
    reached, found = (
        [one for one in answers if one.below >= policy.threshold],
        dict[str, list[tuple[timedelta, float]]](),
    )
    for begin in range(0, len(reached), ANSWERS_A_PAGE):
        some = reached[begin : begin + ANSWERS_A_PAGE]
        page = {(one.student, place_of(one.group, one.period)): one for one in some}
        asked = [
            one
            for one in log.asked_about(schema.name, sorted({student for student, _ in page}))
            if one.about in page and came_before(one, page[one.about]) and one.at <= page[one.about].at
        ]
        said = {one.id: one for one in log.predictions_of([one.prediction for one in asked])}
        for one in sorted(asked, key=lambda one: (one.at, one.prediction), reverse=True):
            answer = said_about(said[one.prediction], target) if one.prediction in said else None
            if answer is not None and answer.below_pass is not None:
                newest = page[one.about]
                found.setdefault(newest.prediction, []).append((newest.at - one.at, answer.below_pass))
    return found


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
    history = policies_in_use(store, schema.name, target.name)
    present = history[-1].policy if history else USUAL_WARNINGS
    answers = list(_answers(store, schema, target, which, objected))
    proposed, in_use = (
        choose(one, answers, _earlier(store, schema, target, one, answers)) for one in (policy, present)
    )
    cells = _cells(store, schema, target, answers)
    by_rule = [one for one in answers if cells[one.prediction].by_rule]
    lists = {"proposed": proposed, "in use": in_use, "plain rule": by_rule}
    return PolicyPreview(
        domain=schema.name,
        target=target.name,
        generation=len(history),
        lists={name: _listed(answers, found) for name, found in lists.items()},
        against_present=_change(proposed, in_use),
        against_rule=_change(proposed, by_rule),
        groups=_by_group(answers, cells, proposed, in_use),
    )


class _Cells(NamedTuple):
    """Of an answer: whether the plain rule would warn, and the groups that it is of, by column."""

    by_rule: bool
    groups: tuple[tuple[str, str], ...]


def _cells(
    log: PredictionLog, schema: DomainSchema, target: Target, answers: Sequence[NewestAnswer]
) -> dict[str, _Cells]:
    parted = [feature.name for feature in schema.features if feature.protected and feature.kind == "categorical"]
    found = {one.prediction: _Cells(by_rule=False, groups=()) for one in answers}
    for begin in range(0, len(answers), ANSWERS_A_PAGE):
        for said in log.predictions_of([one.prediction for one in answers[begin : begin + ANSWERS_A_PAGE]]):
            answer = said_about(said, target)
            naive = number_of(msgspec.structs.replace(answer, value=answer.naive), target) if answer else None
            below = naive is not None and target.pass_mark is not None and naive < target.pass_mark
            traits = [(name, said.inputs.get(name)) for name in parted]
            cells = [(name, MISSING_TRAIT if value is None else str(value)) for name, value in traits]
            cells += [("group", said.group)] if said.group else []
            found[said.id] = _Cells(below, tuple(cells))
    return found


def _listed(answers: Sequence[NewestAnswer], warned: Sequence[NewestAnswer]) -> ListedBy:
    hits = sum(one.below for one in warned)
    return ListedBy(
        students=len({one.student for one in answers}),
        warned=len(warned),
        hits=hits,
        false_alarms=len(warned) - hits,
        missed=sum(one.below for one in answers) - hits,
    )


def _change(new: Sequence[NewestAnswer], old: Sequence[NewestAnswer]) -> ListChange:
    after, before = (list(dict.fromkeys(one.student for one in found)) for found in (new, old))
    return ListChange(
        entering=tuple(one for one in after if one not in set(before)),
        leaving=tuple(one for one in before if one not in set(after)),
    )


def _by_group(
    answers: Sequence[NewestAnswer],
    cells: Mapping[str, _Cells],
    proposed: Sequence[NewestAnswer],
    in_use: Sequence[NewestAnswer],
) -> dict[str, tuple[ListedBy, ListedBy]]:
    by_column: dict[str, dict[str, list[NewestAnswer]]] = defaultdict(lambda: defaultdict(list))
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
