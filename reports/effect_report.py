"""What became of students who were helped, beside those who were not: the effects of help in each way that there is,
and how far answers missed in both.

It reads answers, outcomes and steps of cases; how an effect is found, `reports.effects` knows.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
import numpy as np

from advice.case_steps import HELP, CaseStep, Done
from advice.cases import StudentCase, cases_of
from database.pairs import Pair
from database.store import RecordStore
from model.readable import number_of, said_about
from model.scores import Estimate, mean_with_interval
from monitoring.performance import tellable
from monitoring.warning_lots import draws_of
from monitoring.warning_policy import USUAL_WARNINGS, PolicyInUse, policies_in_use
from preprocessing.schema import DomainSchema, Target
from reports.effects import (
    Floats,
    HelpEffect,
    Integers,
    at_threshold,
    before_and_after,
    by_lot,
    doubly_robust,
    matched,
)

CASES_AT_ONCE = 500


class MissOf(msgspec.Struct, frozen=True, kw_only=True):
    """How far answers missed, among `students`; miss: None where so few are not told of."""

    who: str
    students: int | None = None
    miss: Estimate | None = None


class EffectReport(msgspec.Struct, frozen=True, kw_only=True):
    """effects: the best trusted way first, those that show nothing, too. threshold: of the warning policy in use now.
    share_helped: of answers with an outcome. misses: of answers to who was helped, was not, and all; help that works
    makes the first ones miss."""

    domain: str
    target: str
    unit: str
    threshold: float
    students: int
    share_helped: float | None
    effects: tuple[HelpEffect, ...]
    misses: tuple[MissOf, ...]


class _Counted(NamedTuple):
    """What counts as help: steps that say so, and of these a kind alone, where one is asked about."""

    done: Sequence[Done]
    kind: str | None


class _Student(NamedTuple):
    """What was said of a student first in a group and period, how far the chance was above the threshold of the time,
    what became of it, and whether help came between."""

    student: str
    away: float
    below: float
    said: float
    naive: float
    outcome: float
    helped: bool
    pair: Pair


def report_effects(
    store: RecordStore,
    schema: DomainSchema,
    target: Target,
    *,
    since: datetime | None = None,
    help_is: Sequence[Done] = HELP,
    kind: str | None = None,
    groups: Collection[str] | None = None,
) -> EffectReport:
    """About each student in a group and period: the first answer with a chance since then. kind: of help, beside which
    whoever got another is left out; who is warned of tells nothing of a kind. groups: of these alone. Of fewer than ten
    students, whatever the number of their answers, nothing is told."""
    pairs = store.pairs(schema.name, target.name, since=since, groups=None if groups is None else sorted(groups))
    first = {(one.prediction.student, one.prediction.group, one.prediction.period): one for one in pairs}
    history = policies_in_use(store, schema.name, target.name)
    counted = _Counted(help_is, kind)
    found = _students(store, schema, target, list(first.values()), history, counted)
    away, below, said, naive, outcome = (np.array([one[at] for one in found], dtype=np.float64) for at in range(1, 6))
    helped = np.array([one.helped for one in found], dtype=bool)
    who = np.unique(np.array([one.student for one in found], dtype=np.str_), return_inverse=True)[1]
    known = np.column_stack([below, said, naive])
    of_warning = (
        _of_lots(store, schema, target, pairs, counted),
        _beside_policies(at_threshold(away, away >= 0, helped, outcome, 0.0), history),
    )
    effects = (
        *(of_warning if kind is None else ()),
        doubly_robust(known, helped, outcome, who),
        matched(known, helped, outcome, who),
        before_and_after(said[helped], outcome[helped], who[helped]),
    )
    everybody = np.ones(len(found), dtype=bool)
    told = tellable([len(np.unique(who[rows])) for rows in (helped, ~helped)])
    misses = np.abs(said - outcome)
    parts = (("helped", helped, told[0]), ("not helped", ~helped, told[1]), ("all", everybody, any(told)))
    return EffectReport(
        domain=schema.name,
        target=target.name,
        unit=target.unit or ("levels" if target.levels else ""),
        threshold=(history[-1].policy if history else USUAL_WARNINGS).threshold,
        students=len(np.unique(who)),
        share_helped=float(helped.mean()) if any(told) else None,
        effects=effects if all(told) else (),
        misses=tuple(_miss(name, misses[rows], who[rows]) if may else MissOf(who=name) for name, rows, may in parts),
    )


def _miss(name: str, misses: Floats, who: Integers) -> MissOf:
    return MissOf(who=name, students=len(np.unique(who)), miss=mean_with_interval(misses, who))


def _beside_policies(found: HelpEffect, history: Sequence[PolicyInUse]) -> HelpEffect:
    """With what speaks against it where more than a threshold said who is warned of."""
    if not any(one.policy.capacity or one.policy.cool_down_days or one.policy.transitions_only for one in history):
        return found
    told = "not everybody above the threshold was warned of: a policy had a capacity, a cool-down or transitions"
    return msgspec.structs.replace(found, warnings=(*found.warnings, told))


def _of_lots(
    store: RecordStore, schema: DomainSchema, target: Target, pairs: Sequence[Pair], counted: _Counted
) -> HelpEffect:
    """The effect of slots that were given by lot, of each student the first time that it stood for one."""
    answered = {one.prediction.id: one for one in pairs}
    stood: dict[tuple[str | None, ...], tuple[int, bool, Pair]] = {}
    blocks = (block for draw in draws_of(store, schema.name, target.name) for block in draw.blocks)
    for number, block in enumerate(blocks):
        for ticket in block.tickets:
            if (pair := answered.get(ticket.prediction)) is not None:
                asked = pair.prediction
                stood.setdefault((asked.student, asked.group, asked.period), (number, ticket.drawn, pair))
    of_pair = {id(pair): (number, drawn) for number, drawn, pair in stood.values()}
    drawn_from = [pair for _, _, pair in stood.values()]
    found = _students(store, schema, target, drawn_from, [], counted)
    lots = [of_pair[id(one.pair)] for one in found]
    block_of, drawn = np.array([one for one, _ in lots], dtype=np.int64), np.array([one for _, one in lots], dtype=bool)
    helped = np.array([one.helped for one in found], dtype=bool)
    gained = np.array([one.outcome - one.said for one in found], dtype=np.float64)
    return by_lot(block_of, drawn, helped, gained)


def _students(
    store: RecordStore,
    schema: DomainSchema,
    target: Target,
    pairs: Sequence[Pair],
    history: Sequence[PolicyInUse],
    counted: _Counted,
) -> list[_Student]:
    found = []
    for begin in range(0, len(pairs), CASES_AT_ONCE):
        page = [one for one in pairs[begin : begin + CASES_AT_ONCE] if one.prediction.student]
        cases = cases_of(store, schema.name, sorted({one.prediction.student or "" for one in page}))
        for one in page:
            policy = next((used.policy for used in reversed(history) if used.at <= one.prediction.at), USUAL_WARNINGS)
            found.append(_student(one, target, cases.get(one.prediction.student or ""), policy.threshold, counted))
    return [one for one in found if one is not None]


def _student(
    pair: Pair, target: Target, case: StudentCase | None, threshold: float, counted: _Counted
) -> _Student | None:
    """None where there was no chance or no number, or another help than what counts."""
    asked, happened = pair.prediction, pair.outcome
    answer = said_about(asked, target)
    if answer is None or answer.below_pass is None or happened.at <= asked.at:
        return None
    said, naive = (
        number_of(msgspec.structs.replace(answer, value=value), target) for value in (answer.value, answer.naive)
    )
    outcome = number_of(msgspec.structs.replace(answer, value=happened.value), target)
    if said is None or outcome is None:
        return None
    until = happened.happened_at or happened.at
    steps = [one for one in (case.steps if case else ()) if one.done in counted.done and one.group == asked.group]
    came = [one.help.kind if one.help else None for one in steps if _came_between(one, asked.at, until)]
    if counted.kind is not None and set(came) - {counted.kind}:
        return None
    helped = bool(came)
    below, plain = answer.below_pass, said if naive is None else naive
    return _Student(asked.student or "", below - threshold, below, said, plain, outcome, helped, pair)


def _came_between(step: CaseStep, asked: datetime, until: datetime) -> bool:
    """Help of a kind is known by the day."""
    if step.help is not None:
        return asked.date() <= step.began <= until.date()
    return asked <= step.at < until
