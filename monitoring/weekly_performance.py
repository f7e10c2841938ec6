"""How chances of an event turned out by school week, by school and by grade: what was told on average beside what
happened, how well it ranks, and how many were warned of.

That marks became kinder for all leaves the order of students, and so the AUC, as it was: mean chance beside rate shows
it. Figures are of arrays; which pairs count is `monitoring.evidence`'s.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from drift.verdicts import adjust
from model.scores import Estimate, area, effective_number
from monitoring.evidence import EvidenceColumns, Floats
from monitoring.performance import ENOUGH_OUTCOMES, FEWEST_TOLD, tellable
from monitoring.tails import TAIL_LEVEL, binomial_interval, student_p, student_quantile
from monitoring.warned_rows import AnswerRows, warned_rows
from monitoring.warning_policy import WarningPolicy
from preprocessing.periods import is_week
from preprocessing.schema import Target

RiskVerdict = Literal["as said", "too low", "too high", "not enough data"]
FALSE_ALARMS = 0.05
"""Share of verdicts that chances are off which may be wrong, of all of a kind together (Benjamini and Hochberg)."""


class RiskFigures(msgspec.Struct, frozen=True, kw_only=True):
    """n answers of `students` students, the last to each in a week; of fewer than ten, and of those who would give them
    away, nothing else. rate: the share that came to an event; risk: the mean chance that was told; gap: risk less rate.
    auc: None where all or none came to one. brier: mean squared distance of chance and event. flagged: the share that
    the policy in use has cause to warn of. Intervals are 95 %, by whole students. verdict: whether chances were
    credibly too low or too high, of 30 students or more; p is corrected over figures of a kind."""

    name: str
    n: int
    students: int
    verdict: RiskVerdict = "not enough data"
    rate: Estimate | None = None
    risk: float | None = None
    gap: Estimate | None = None
    p: float | None = None
    auc: Estimate | None = None
    brier: Estimate | None = None
    flagged: Estimate | None = None


class WeeklyPerformance(msgspec.Struct, frozen=True, kw_only=True):
    """within: weeks of the horizon. threshold: from which chance on the policy in use finds cause. weeks: from the
    first on; schools, grades: by name."""

    within: int
    threshold: float
    whole: RiskFigures
    weeks: tuple[RiskFigures, ...]
    schools: tuple[RiskFigures, ...]
    grades: tuple[RiskFigures, ...] = ()


class _Rows(NamedTuple):
    """n answers with what came of them. happened: 0 or 1."""

    student: NDArray[np.int64]
    risk: Floats
    happened: Floats
    warned: NDArray[np.bool_]

    def take(self, rows: NDArray[np.bool_]) -> "_Rows":
        return _Rows(self.student[rows], self.risk[rows], self.happened[rows], self.warned[rows])


def weekly_performance(
    target: Target,
    matched: EvidenceColumns,
    policy: WarningPolicy,
    *,
    grades: Sequence[str] | None = None,
    within: int | None = None,
) -> WeeklyPerformance | None:
    """Of answers that are evidence; None where none is of a school week. grades: (n,) of each row, "" unknown. within:
    one of the target's horizons, the longest by default."""
    weekly = np.array([period is not None and is_week(period) for _, period in matched.places] or [False])
    kept = _last_of_week(matched, weekly[matched.place] & ~np.isnan(matched.below))
    if not target.within or not len(kept):
        return None
    grade = np.array(["" if grades is None else one for one in grades or [""] * matched.n])[kept]
    found = matched.take(kept)
    horizon = within or target.within[-1]
    level = target.within.index(horizon)
    student = np.unique(found.student, return_inverse=True)[1].astype(np.int64)
    answers = AnswerRows(found.said, found.below, found.guess.astype(bool), found.place, student)
    rows = _Rows(
        student,
        found.shares[:, : level + 1].sum(axis=1),
        (found.truth <= level).astype(np.float64),
        warned_rows(policy, target.pass_mark or 0.0, answers),
    )
    schools, weeks = (np.array([place[at] or "" for place in found.places])[found.place] for at in (0, 1))
    return WeeklyPerformance(
        within=horizon,
        threshold=policy.threshold,
        whole=_figures("all", rows),
        weeks=_parts(rows, weeks),
        schools=_parts(rows, schools),
        grades=_parts(rows, grade) if grades is not None else (),
    )


def _last_of_week(found: EvidenceColumns, wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The places of the last answer to each student in each week, in order; rows are the oldest first."""
    periods: dict[str | None, int] = {}
    week = np.array([periods.setdefault(period, len(periods)) for _, period in found.places] or [0])[found.place]
    rows = np.flatnonzero(wanted)[::-1]
    pairs = np.column_stack([found.student[rows], week[rows].astype(np.uint64)])
    return np.sort(rows[np.unique(pairs, axis=0, return_index=True)[1]]) if len(rows) else rows


def _parts(rows: _Rows, names: NDArray[np.str_]) -> tuple[RiskFigures, ...]:
    """Of each name; verdicts corrected over all of them."""
    known, code = np.unique(names, return_inverse=True)
    parts = [rows.take(code == number) for number in range(len(known))]
    told = tellable([len(np.unique(part.student)) for part in parts])
    found = [_figures(str(name), part, told=one) for name, part, one in zip(known, parts, told, strict=True)]
    tested = [one for one in found if one.p is not None]
    fair = dict(zip((one.name for one in tested), adjust([one.p or 0.0 for one in tested]).tolist(), strict=True))
    return tuple(_judged(one, fair.get(one.name)) for one in found if one.name)


def _figures(name: str, rows: _Rows, *, told: bool = True) -> RiskFigures:
    students = len(np.unique(rows.student))
    bare = RiskFigures(name=name, n=len(rows.risk), students=students)
    if not told or students < FEWEST_TOLD:
        return bare
    gap, p = _mean(rows.risk - rows.happened, rows.student)
    found = msgspec.structs.replace(
        bare,
        rate=_share(rows.happened, rows.student),
        risk=float(rows.risk.mean()),
        gap=gap,
        p=p,
        auc=area(rows.happened > 0, rows.risk, rows.student),
        brier=_not_below_0(_mean((rows.risk - rows.happened) ** 2, rows.student)[0]),
        flagged=_share(rows.warned.astype(np.float64), rows.student),
    )
    return _judged(found, p)


def _not_below_0(one: Estimate) -> Estimate:
    return Estimate(one.value, max(0.0, one.low), one.high)


def _judged(found: RiskFigures, p: float | None) -> RiskFigures:
    if p is None or found.gap is None or found.students < ENOUGH_OUTCOMES:
        return found
    low: RiskVerdict = "too low" if found.gap.value < 0 else "too high"
    return msgspec.structs.replace(found, p=p, verdict=low if p <= FALSE_ALARMS else "as said")


def _sums(values: Floats, student: NDArray[np.int64]) -> Floats:
    return np.asarray(np.bincount(np.unique(student, return_inverse=True)[1], weights=values))


def _mean(values: Floats, student: NDArray[np.int64]) -> tuple[Estimate, float]:
    """The mean with its interval, robust to what rows of a student share, and the p of a mean of 0."""
    n, mean = len(values), float(values.mean())
    sums = _sums(values - mean, student)
    count = len(sums)
    error = float(np.sqrt(count / max(count - 1, 1) * (sums**2).sum())) / n
    half = student_quantile(1 - TAIL_LEVEL, count - 1) * error
    return Estimate(mean, mean - half, mean + half), student_p(mean / error, count - 1) if error else float(mean == 0)


def _share(values: Floats, student: NDArray[np.int64]) -> Estimate:
    """The share with its exact interval, at as many independent rows as these are worth."""
    n, share = len(values), float(values.mean())
    sums = _sums(values - share, student)
    effective = effective_number(n, share, len(sums), float((sums**2).sum()))
    return Estimate(share, *binomial_interval(share * effective, effective))
