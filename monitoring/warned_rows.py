"""Which of many answers at once a warning policy finds cause to warn of, by column: what fairness and contests are
measured at.

How often somebody is told is not asked here: whoever gives cause within a cool-down was warned of before.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitoring.warning_policy import WarningPolicy

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


class AnswerRows(NamedTuple):
    """n answers, the oldest first. said: in target units or level numbers; below: the chance of ending below the pass
    mark, NaN where none was said. guess: of those the ones that give no cause, whatever was said. place, student:
    numbers of the group and period, and of the student."""

    said: Floats
    below: Floats
    guess: Mask
    place: NDArray[np.int64]
    student: NDArray[np.int64]


def warned_rows(policy: WarningPolicy, mark: float, rows: AnswerRows) -> Mask:
    """(n,) answers that give cause: by their chance, or, where none is told, by lying below the mark; of a place at
    most so many students as the policy has room for, the likeliest."""
    silent = np.isnan(rows.below)
    causes: Mask = (rows.below >= policy.threshold) | (silent & ~rows.guess & (rows.said < mark))
    if policy.capacity is None:
        return causes
    found = np.zeros(len(causes), dtype=bool)
    order = np.flatnonzero(causes)
    need = np.where(silent, mark - rows.said, rows.below)
    order = order[np.lexsort((order, -need[order], silent[order]))]
    for place in np.unique(rows.place[order]).tolist():
        there = order[rows.place[order] == place]
        kept = _kept(policy, there, rows.student, list(zip(silent[there].tolist(), need[there].tolist(), strict=True)))
        found[there] = np.isin(rows.student[there], kept)
    return found


def _kept(
    policy: WarningPolicy, there: NDArray[np.intp], student: NDArray[np.int64], need: list[tuple[bool, float]]
) -> list[int]:
    """The students of a place for whom there is room. there: answers that give cause, who needs most first; need: of
    each, as they are ordered."""
    best: dict[int, tuple[bool, float]] = {}
    for one, how in zip(student[there].tolist(), need, strict=True):
        best.setdefault(one, how)
    waiting, capacity = list(best), policy.capacity or 0
    if len(waiting) <= capacity or policy.ties == "older":
        return waiting[:capacity]
    edge = best[waiting[capacity - 1]]
    if best[waiting[capacity]] != edge:
        return waiting[:capacity]
    first = next(number for number, one in enumerate(waiting) if best[one] == edge)
    tied = [one for one in waiting if best[one] == edge]
    return waiting[:first] + (tied if policy.ties == "in" else [])
