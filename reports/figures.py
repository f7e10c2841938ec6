"""The whole class in figures, all of which follow from a report's students: its picture, what moved, what is missing.

It draws nothing and says nothing in words but what the bars of the picture are called.
"""

import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from language.format import interval
from model.readable import least_move, number_of, round_step
from preprocessing.schema import Target, label_of
from reports.records import CohortReport, ReportedStudent

LIKELIER_BELOW = 0.5
BANDS = 10


class Band(NamedTuple):
    """A bar of the picture. low, high: of values; the place of a level twice. fails: whether it lies below the pass
    mark; None where there is none."""

    label: str
    low: float
    high: float
    students: int
    fails: bool | None


class Picture(NamedTuple):
    """The class. bands: by answer. answered: students with an answer. chances: with a chance below the pass mark, of
    whom so many are likelier than not to end there; expected: the sum of the chances."""

    bands: tuple[Band, ...]
    students: int
    answered: int
    chances: int
    likelier: int
    expected: float


class Moves(NamedTuple):
    """Whose answer about the first target is another than in the last report. by_data, by_model: of `moved` those that
    one of them alone or mainly moved. worse, better: now on the other side of even chances below the pass mark."""

    both: int
    joined: tuple[ReportedStudent, ...]
    moved: tuple[ReportedStudent, ...]
    by_data: int
    by_model: int
    worse: tuple[ReportedStudent, ...]
    better: tuple[ReportedStudent, ...]


class Completeness(NamedTuple):
    """What is not there. missing: column to the number of students without it, most first. unanswered: without an
    answer; unlike: with something unlike any row in training; stale: whose row came in before the last report."""

    missing: dict[str, int]
    unanswered: tuple[ReportedStudent, ...]
    unlike: tuple[ReportedStudent, ...]
    stale: int
    oldest: datetime | None
    newest: datetime | None


def ranked(report: CohortReport) -> list[ReportedStudent]:
    """The likeliest to end below the pass mark first, then by the answer, the lowest first; who has none last."""

    def place(one: ReportedStudent) -> tuple[bool, float, float, str]:
        answer = one.answer(report.target.name)
        number = number_of(answer, report.target)
        below = answer.below_pass if answer else None
        return number is None, -1.0 if below is None else -below, math.inf if number is None else number, one.student

    return sorted(report.students, key=place)


def picture_of(report: CohortReport) -> Picture:
    """How the class stands in the first target."""
    target, name = report.target, report.target.name
    said = [one.answer(name) for one in report.students]
    numbers = [number for answer in said if (number := number_of(answer, target)) is not None]
    chances = [answer.below_pass for answer in said if answer and answer.below_pass is not None]
    likelier = sum(chance >= LIKELIER_BELOW for chance in chances)
    bands = _levels(target, numbers) if target.levels else _bands(target, numbers)
    return Picture(bands, len(said), len(numbers), len(chances), likelier, math.fsum(chances))


def _levels(target: Target, numbers: Sequence[float]) -> tuple[Band, ...]:
    counts, mark = Counter(numbers), target.pass_mark
    return tuple(
        Band(label_of(level, target.labels), place, place, counts[place], None if mark is None else place < mark)
        for place, level in enumerate(target.levels)
    )


def _bands(target: Target, numbers: Sequence[float]) -> tuple[Band, ...]:
    """About ten of equal width, one of which ends at the pass mark; where the target has no range, over the answers."""
    if not numbers:
        return ()
    low = target.minimum if target.minimum is not None else min(numbers)
    high = target.maximum if target.maximum is not None else max(numbers)
    step, mark = round_step((high - low) / BANDS), target.pass_mark
    first = low if mark is None else mark - math.ceil((mark - low) / step) * step
    count = max(1, math.ceil(round((high - first) / step, 9)))
    places = Counter(min(count - 1, max(0, math.floor(round((number - first) / step, 9)))) for number in numbers)
    found = []
    for place in range(count):
        start, end = first + place * step, first + (place + 1) * step
        shown = max(low, start), min(high, end)
        found.append(Band(interval(*shown, 3), *shown, places[place], None if mark is None else end <= mark))
    return tuple(found)


def moves_of(report: CohortReport) -> Moves | None:
    """Who moved since the last report; None where there is none."""
    if report.last is None:
        return None
    target, known = report.target, [one for one in report.students if one.before]
    moved = tuple(one for one in known if abs(change_of(one, target) or 0.0) >= least_move(target) - 1e-9)
    mostly = [one for one in moved if one.before and abs(one.before.by_data or 0) >= abs(one.before.by_model or 0)]
    told = [one for one in moved if one.before and one.before.by_data is not None]
    before, now = ({one.student: side for one, side in _sides(known, target, then)} for then in (True, False))
    crossed = [
        one for one in known if one.student in before.keys() & now.keys() and before[one.student] != now[one.student]
    ]
    by_data = sum(one in told for one in mostly)
    return Moves(
        both=len(known),
        joined=tuple(one for one in report.students if one.before is None),
        moved=moved,
        by_data=by_data,
        by_model=len(told) - by_data,
        worse=tuple(one for one in crossed if now[one.student]),
        better=tuple(one for one in crossed if not now[one.student]),
    )


def _sides(students: Sequence[ReportedStudent], target: Target, then: bool) -> list[tuple[ReportedStudent, bool]]:
    """Of those with a chance, then or now, whether they are likelier than not to end below the pass mark."""
    chances = [(one, one.before.below_pass if then and one.before else _chance(one, target)) for one in students]
    return [(one, chance >= LIKELIER_BELOW) for one, chance in chances if chance is not None]


def _chance(one: ReportedStudent, target: Target) -> float | None:
    answer = one.answer(target.name)
    return answer.below_pass if answer else None


def change_of(one: ReportedStudent, target: Target) -> float | None:
    """How far the answer moved since the last report, in target units or levels; None where one of both is none."""
    if one.before is None or one.before.value is None:
        return None
    now = number_of(one.answer(target.name), target)
    before = target.levels.index(str(one.before.value)) if target.levels else float(one.before.value)
    return None if now is None else now - before


def completeness_of(report: CohortReport) -> Completeness:
    """What is missing, and how old the rest is."""
    counts = Counter(name for one in report.students for name in one.missing)
    times = [one.row_at for one in report.students]
    said = [(one, one.answer(report.target.name)) for one in report.students]
    return Completeness(
        missing=dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))),
        unanswered=tuple(one for one, answer in said if answer is None or answer.value is None),
        unlike=tuple(one for one, answer in said if answer is not None and answer.out_of_range),
        stale=sum(at < report.last.made for at in times) if report.last else 0,
        oldest=min(times, default=None),
        newest=max(times, default=None),
    )
