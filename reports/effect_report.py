"""What became of students who were helped, beside those who were not: the effects of help in each way that there is,
and how far answers missed in both.

It reads answers, outcomes and steps of cases; how an effect is found, `reports.effects` knows.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
import numpy as np

from advice.cases import Done, StudentCase, cases_of
from database.pairs import Pair
from database.store import RecordStore
from model.readable import number_of, said_about
from model.scores import Estimate, mean_with_interval
from monitoring.performance import tellable
from monitoring.warning_policy import policy_in_use
from preprocessing.schema import DomainSchema, Target
from reports.effects import HelpEffect, at_threshold, before_and_after, doubly_robust

HELP: tuple[Done, ...] = ("talked", "helped")
"""Steps of a case that are help."""

CASES_AT_ONCE = 500


class MissOf(msgspec.Struct, frozen=True, kw_only=True):
    """How far answers missed, among `students`; miss: None where so few are not told of."""

    who: str
    students: int | None = None
    miss: Estimate | None = None


class EffectReport(msgspec.Struct, frozen=True, kw_only=True):
    """effects: the best trusted way first, those that show nothing, too. share_helped: of students with answer and
    outcome. misses: of answers to who was helped, was not, and all; help that works makes the first ones miss."""

    domain: str
    target: str
    unit: str
    threshold: float
    students: int
    share_helped: float | None
    effects: tuple[HelpEffect, ...]
    misses: tuple[MissOf, ...]


class _Student(NamedTuple):
    """What was said of a student first, what became of it, and whether help came between."""

    below: float
    said: float
    naive: float
    outcome: float
    helped: bool


def report_effects(
    store: RecordStore,
    schema: DomainSchema,
    target: Target,
    *,
    since: datetime | None = None,
    help_is: Sequence[Done] = HELP,
    groups: Collection[str] | None = None,
) -> EffectReport:
    """About each student in a group and period: the first answer with a chance since then. groups: of these alone."""
    pairs = store.pairs(schema.name, target.name, since=since, groups=None if groups is None else sorted(groups))
    first = {(one.prediction.student, one.prediction.group, one.prediction.period): one for one in pairs}
    found = _students(store, schema, target, list(first.values()), help_is)
    below, said, naive, outcome = (np.array([one[place] for one in found], dtype=np.float64) for place in range(4))
    helped = np.array([one.helped for one in found], dtype=bool)
    threshold = policy_in_use(store, schema.name, target.name).threshold
    known = np.column_stack([below, said, naive]) if found else np.empty((0, 3))
    effects = (
        at_threshold(below, below >= threshold, helped, outcome, threshold),
        doubly_robust(known, helped, outcome),
        before_and_after(said[helped], outcome[helped]),
    )
    told = tellable([int(helped.sum()), int((~helped).sum())])
    misses = np.abs(said - outcome)
    parts = (("helped", helped, told[0]), ("not helped", ~helped, told[1]), ("all", helped | ~helped, any(told)))
    return EffectReport(
        domain=schema.name,
        target=target.name,
        unit=target.unit or ("levels" if target.levels else ""),
        threshold=threshold,
        students=len(found),
        share_helped=float(helped.mean()) if any(told) else None,
        effects=effects if all(told) else (),
        misses=tuple(_miss(who, misses[rows]) if may else MissOf(who=who) for who, rows, may in parts),
    )


def _miss(who: str, misses: np.ndarray[tuple[int], np.dtype[np.float64]]) -> MissOf:
    n = len(misses)
    return MissOf(who=who, students=n, miss=mean_with_interval(misses, np.arange(n)))


def _students(
    store: RecordStore, schema: DomainSchema, target: Target, pairs: Sequence[Pair], help_is: Sequence[Done]
) -> list[_Student]:
    found = []
    for begin in range(0, len(pairs), CASES_AT_ONCE):
        page = [one for one in pairs[begin : begin + CASES_AT_ONCE] if one.prediction.student]
        cases = cases_of(store, schema.name, sorted({one.prediction.student or "" for one in page}))
        found += [_student(one, target, cases.get(one.prediction.student or ""), help_is) for one in page]
    return [one for one in found if one is not None]


def _student(pair: Pair, target: Target, case: StudentCase | None, help_is: Sequence[Done]) -> _Student | None:
    """None where there was no chance or no number."""
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
    steps = case.steps if case else ()
    helped = any(one.done in help_is and asked.at <= one.at < until and one.group == asked.group for one in steps)
    return _Student(answer.below_pass, said, said if naive is None else naive, outcome, helped)
