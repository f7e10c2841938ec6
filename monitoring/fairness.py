"""Whom answers serve less well: the misses of each group, and whom of it a warning would have found, beside all others.

A warning is an answer that gives the warning policy in use cause to warn, or one of so many that are likeliest to end
below the pass mark. Pure functions over columns that are evidence; nothing here changes a model or a threshold.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations, pairwise
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from drift.verdicts import adjust
from model.scores import effective_number
from monitoring.evidence import FEW_GROUPS, EvidenceColumns
from monitoring.performance import ENOUGH_OUTCOMES, tellable
from monitoring.tails import TAIL_LEVEL, binomial_interval, student_p, student_quantile
from monitoring.warned_rows import AnswerRows, warned_rows
from monitoring.warning_policy import USUAL_WARNINGS, WarningPolicy
from preprocessing.schema import DomainSchema, Target

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]

UNFAIR_SHARE = 0.05  # share of false findings among the groups called worse served (Benjamini–Hochberg)
WEIGHTS: Mapping[str, float] = {"found": 10.0}
"""How much of the level each figure has, beside 1: help that is missed is what harms most (Genovese, Roeder and
Wasserman 2006)."""
MISSING_TRAIT = "(missing)"
CROSSED = " × "  # between two columns, and two of their groups
MOST_NUMBERS = 8  # different numbers of a protected column that are groups of their own; of more, quarters are
TIE_WIDTH = 1e-9  # a standard error below it rests on values that do not differ

Treatment = Literal["credibly worse", "no difference shown", "not enough data"]
FigureName = Literal[
    "miss", "bias", "found", "wrongly", "failed", "warned", "alarmed", "gap", "covered", "silent", "filled"
]


class AgainstOthers(msgspec.Struct, frozen=True):
    """How much larger a figure of a group is than that of all others together. low, high: its interval at the level of
    the corrected test, so that it excludes 0 just where p_adjusted is at most UNFAIR_SHARE."""

    value: float
    low: float
    high: float
    p_adjusted: float


class GroupFigure(msgspec.Struct, frozen=True, kw_only=True):
    """A mean or a share of n answers with its 95 % interval, robust to what goes wrong together."""

    n: int
    value: float
    low: float
    high: float
    against: AgainstOthers | None = None


class GroupTreatment(msgspec.Struct, frozen=True, kw_only=True):
    """What the answers about one group were worth to it.

    n answers of `students` students; None for fewer than FEWEST_TOLD, and where they would give such a group away, of
    which nothing is told at all. miss: mean distance of answer and outcome, bias: mean of answer - outcome, both in the
    target's unit or levels. found: of the answers whose outcome failed, the share that was warned of. wrongly: of those
    warned of, the share that passed. failed, warned: shares of all answers whose outcome failed, and that gave cause to
    warn; alarmed: of those that passed, the share that was warned of. Of these three what would make out `found` or
    `wrongly` where that is not told is not told either. gap: mean of the said chance to fail less what happened (1:
    failed). covered: the share of outcomes within their interval. silent: of all rows that were
    asked about, the share without an answer; filled: the mean share of what such a row may hold that was known. Each is
    told where the students it rests on are enough, by the same rule. verdict: by miss, found and wrongly, beside all
    others; None of all answers together.
    """

    name: str
    n: int | None = None
    students: int | None = None
    verdict: Treatment | None = None
    miss: GroupFigure | None = None
    bias: GroupFigure | None = None
    found: GroupFigure | None = None
    wrongly: GroupFigure | None = None
    failed: GroupFigure | None = None
    warned: GroupFigure | None = None
    alarmed: GroupFigure | None = None
    gap: GroupFigure | None = None
    covered: GroupFigure | None = None
    silent: GroupFigure | None = None
    filled: GroupFigure | None = None


class FairnessCut(msgspec.Struct, frozen=True, kw_only=True):
    """The groups that a column makes, the largest first. by: a protected column, two of them ("sex × school", whose
    groups are called "F × GP"), or "group"."""

    by: str
    groups: tuple[GroupTreatment, ...]


class Quadrants(msgspec.Struct, frozen=True, kw_only=True):
    """Answers with an outcome, by whether they gave cause to warn and whether the outcome failed."""

    warned_failed: int
    warned_passed: int
    unwarned_failed: int
    unwarned_passed: int


class Fairness(msgspec.Struct, frozen=True, kw_only=True):
    """The answers about one target at one moment, at the threshold in use.

    pass_mark: of the target; None: nobody fails, and only misses are told. event: whether "failed" is said of whoever
    an event came to, since the target says when one comes. top: so many answers, the likeliest to fail, are warned of;
    None: those that give the warning policy, `policy` in words, cause. whole: all of them. cuts: columns that make two
    groups or more.
    """

    target: str
    moment: str
    unit: str
    pass_mark: float | None
    top: int | None
    policy: str
    whole: GroupTreatment
    quadrants: Quadrants | None
    cuts: tuple[FairnessCut, ...]
    event: bool = False


def judge_fairness(
    schema: DomainSchema,
    target: Target,
    moment: str,
    known: EvidenceColumns,
    *,
    top: int | None = None,
    policy: WarningPolicy = USUAL_WARNINGS,
) -> Fairness:
    """How groups fared. known: what was asked at the moment and is evidence. top, policy: as `Fairness` has them."""
    rows = known
    known = known.take(known.answered)
    asked, clusters = _questions(target, known, top, policy), known.clusters
    student = _numbered(known.student)
    whole = _cut(_one_part(known), student, asked, clusters)
    cuts = _all_parts(schema, known)
    judged = _corrected([_cut(parts, student, asked, _units(parts, student, clusters)) for parts in cuts])
    judged = [_with_rows(found, silence) for found, silence in zip(judged, _silence(schema, rows, cuts), strict=True)]
    (all_of_them,) = _with_rows((whole[0].treatment,), _asked_of(_one_part(rows), rows))
    return Fairness(
        target=target.name,
        moment=moment,
        unit=target.unit if target.kind == "value" else "levels",
        pass_mark=target.pass_mark,
        top=top,
        policy=str(policy),
        whole=all_of_them,
        quadrants=_quadrants(known, asked) if all_of_them.n is not None else None,
        cuts=tuple(FairnessCut(by=one.by, groups=found) for one, found in zip(cuts, judged, strict=True)),
        event=target.is_event,
    )


def _numbered(hashes: NDArray[np.uint64]) -> Integers:
    return np.asarray(np.unique(hashes, return_inverse=True)[1], dtype=np.int64)


def _one_part(known: EvidenceColumns) -> _Parts:
    return _Parts("", ("all",), np.zeros(known.n, np.int64))


def _silence(
    schema: DomainSchema, rows: EvidenceColumns, cuts: Sequence[_Parts]
) -> Iterator[Mapping[str, GroupTreatment]]:
    """By cut and group, which of all rows that were asked about had no answer, and how full they were."""
    parts = {one.by: one for one in _all_parts(schema, rows)}
    for cut in cuts:
        yield _asked_of(parts[cut.by], rows)


def _asked_of(parts: _Parts, rows: EvidenceColumns) -> Mapping[str, GroupTreatment]:
    student, everything = _numbered(rows.student), np.ones(rows.n, dtype=bool)
    asked = [
        _Question("silent", (~rows.answered).astype(np.float64), everything, is_share=True, worse=0),
        _Question("filled", rows.filled, ~np.isnan(rows.filled), is_share=False, worse=0),
    ]
    units = student if parts.by == "" else _units(parts, student, rows.clusters)
    return {one.treatment.name: one.treatment for one in _cut(parts, student, asked, units)}


def _with_rows(groups: Sequence[GroupTreatment], silence: Mapping[str, GroupTreatment]) -> tuple[GroupTreatment, ...]:
    """Of the groups that are told of, how many of their rows had no answer, too."""
    return tuple(
        one
        if one.n is None or (found := silence.get(one.name)) is None
        else msgspec.structs.replace(one, silent=found.silent, filled=found.filled)
        for one in groups
    )


def warned(target: Target, known: EvidenceColumns, top: int | None, policy: WarningPolicy) -> Mask:
    """(n,) answers that give cause to warn: by the policy, or so many that are likeliest to end below the pass mark, by
    their chance, then by what was answered, then the oldest; those without a chance come last, as in lists of
    students."""
    if top is None:
        mark = np.nan if target.pass_mark is None else target.pass_mark
        return warned_rows(policy, mark, _answer_rows(known))
    found = np.zeros(known.n, dtype=bool)
    chance = np.where(np.isnan(known.below), -1.0, known.below)
    found[np.lexsort((known.said, -chance))[:top]] = True
    return found


def _answer_rows(known: EvidenceColumns) -> AnswerRows:
    student = np.asarray(np.unique(known.student, return_inverse=True)[1], dtype=np.int64)
    return AnswerRows(known.said, known.below, known.guess.astype(bool), known.place, student)


class _Question(NamedTuple):
    """A figure: `values` of the answers among `among` (masks, n each)."""

    name: FigureName
    values: Floats
    among: Mask
    is_share: bool
    worse: int
    """The sign of a difference that is to a group's harm; 0: of none that is judged."""


def _questions(target: Target, known: EvidenceColumns, top: int | None, policy: WarningPolicy) -> list[_Question]:
    all_of_them, gap = np.ones(known.n, dtype=bool), known.said - known.truth
    found = [
        _Question("miss", np.abs(gap), all_of_them, is_share=False, worse=1),
        _Question("bias", gap, all_of_them, is_share=False, worse=0),
    ]
    if (ranged := ~np.isnan(known.low)).any():
        inside = ((known.low <= known.truth) & (known.truth <= known.high)).astype(np.float64)
        found.append(_Question("covered", inside, ranged, is_share=True, worse=0))
    if target.pass_mark is None:
        return found
    failed, told = known.truth < target.pass_mark, warned(target, known, top, policy)
    fails, warnings = failed.astype(np.float64), told.astype(np.float64)
    return [
        *found,
        _Question("found", warnings, failed, is_share=True, worse=-1),
        _Question("wrongly", 1 - fails, told, is_share=True, worse=1),
        _Question("failed", fails, all_of_them, is_share=True, worse=0),
        _Question("warned", warnings, all_of_them, is_share=True, worse=0),
        _Question("alarmed", warnings, ~failed, is_share=True, worse=0),
        _Question("gap", known.below - fails, ~np.isnan(known.below), is_share=False, worse=0),
    ]


def _quadrants(known: EvidenceColumns, asked: Sequence[_Question]) -> Quadrants | None:
    of_failed, of_warned = (next((one for one in asked if one.name == name), None) for name in ("found", "wrongly"))
    if of_failed is None or of_warned is None:
        return None
    failed, told = of_failed.among, of_warned.among
    both, one, other = int((failed & told).sum()), int(told.sum()), int(failed.sum())
    return Quadrants(
        warned_failed=both,
        warned_passed=one - both,
        unwarned_failed=other - both,
        unwarned_passed=known.n - one - other + both,
    )


class _Parts(NamedTuple):
    """The groups of a column, and (n,) which of them each answer is of. margins: of two columns together, (2,
    names) the groups of each that a group is of."""

    by: str
    names: tuple[str, ...]
    number: Integers
    margins: Integers | None = None

    def tellable(self, students: Sequence[int], among: Sequence[bool] | None = None) -> list[bool]:
        """Of which groups a figure may be told: of none that is small, or that gives a small one away: beside all of
        them, or of two columns beside those of the same group of one of both."""
        told = tellable(students, among)
        while self.margins is not None:
            before = list(told)
            for margin in self.margins:
                for group in np.unique(margin).tolist():
                    places = np.flatnonzero(margin == group).tolist()
                    may = tellable([students[at] for at in places], [told[at] for at in places])
                    for place, one in zip(places, may, strict=True):
                        told[place] = one
            if told == before:
                break
        return told


def _all_parts(schema: DomainSchema, known: EvidenceColumns) -> list[_Parts]:
    """The cuts of two groups or more: protected columns, then the groups that rows are of."""
    found = []
    for place, feature in enumerate(feature for feature in schema.features if feature.protected):
        cells = [trait[place] for trait in known.traits]
        found.append(_parts(feature.name, cells, known.trait, numeric=feature.kind == "numeric"))
    found = [parts for parts in found if len(parts.names) > 1]
    crossed = [_crossed(one, other) for one, other in combinations(found, 2)]
    groups = _parts("group", [group for group, _ in known.places], known.place)
    return [*found, *(one for one in crossed if len(one.names) > 1), *([groups] if len(groups.names) > 1 else [])]


def _crossed(one: _Parts, other: _Parts) -> _Parts:
    """The groups of two columns together."""
    width = len(other.names)
    there, number = np.unique(one.number * width + other.number, return_inverse=True)
    names = [CROSSED.join((one.names[both // width], other.names[both % width])) for both in there.tolist()]
    margins = np.stack([there // width, there % width])
    return _Parts(CROSSED.join((one.by, other.by)), tuple(names), np.asarray(number, dtype=np.int64), margins)


def _parts(by: str, cells: Sequence[str | None], of: Integers, *, numeric: bool = False) -> _Parts:
    """cells: by the number that `of` (n,) holds."""
    texts = _quarters(cells, of) if numeric else cells
    names = [MISSING_TRAIT if text is None else text for text in texts]
    there = {names[number] for number in np.unique(of).tolist()}
    order = {name: place for place, name in enumerate(sorted(there))}
    numbers = np.array([order.get(name, 0) for name in names] or [0], dtype=np.int64)
    return _Parts(by, tuple(order), numbers[of])


def _quarters(cells: Sequence[str | None], of: Integers) -> Sequence[str | None]:
    """Numbers as they are, or where there are many, the quarter of the answers that they are in."""
    numbers = np.array([np.nan if cell is None else float(cell) for cell in cells] or [np.nan])
    if len(np.unique(numbers[~np.isnan(numbers)])) <= MOST_NUMBERS:
        return cells
    cuts = np.unique(np.nanquantile(numbers[of], [0.25, 0.5, 0.75]))
    ends = [f"below {cuts[0]:g}", *(f"{low:g} to below {high:g}" for low, high in pairwise(cuts))]
    names = [*ends, f"{cuts[-1]:g} or more"]
    place = np.searchsorted(cuts, numbers, side="right")
    return [
        None if np.isnan(number) else names[one] for number, one in zip(numbers.tolist(), place.tolist(), strict=True)
    ]


def _units(parts: _Parts, student: Integers, clusters: Integers) -> Integers:
    """(n,) what goes wrong together: the clusters of all answers, or students, where the parts are the groups, or one
    has answers in few of these."""
    count = len(parts.names)
    if parts.by == "group" or min(_distinct(parts.number, clusters, count)) < FEW_GROUPS:
        return student
    return clusters


class _Draft(NamedTuple):
    """A group whose differences from the others are not corrected for how many there are yet."""

    treatment: GroupTreatment
    tests: Mapping[FigureName, _Test]


class _Test(NamedTuple):
    """A difference from the others, its standard error, degrees of freedom and two-sided p."""

    value: float
    error: float
    freedom: int
    p_value: float
    worse: int
    weight: float = 1.0


def _cut(parts: _Parts, student: Integers, asked: Sequence[_Question], units: Integers) -> list[_Draft]:
    """The groups of a cut, the largest first. student, units: (n,) whose answers they are, and what goes wrong
    together."""
    count = len(parts.names)
    rows, students = np.bincount(parts.number, minlength=count), _distinct(parts.number, student, count)
    told = parts.tellable(students)
    judged = [min(one, sum(students) - one) >= ENOUGH_OUTCOMES for one in students]
    figures: list[dict[FigureName, GroupFigure]] = [{} for _ in range(count)]
    tests: list[dict[FigureName, _Test]] = [{} for _ in range(count)]
    for question in asked:
        number = parts.number[question.among]
        own = parts.tellable(_distinct(number, student[question.among], count), told)
        if not any(own):
            continue
        sums = _sums(question.values[question.among], units[question.among], number, count)
        for place in np.flatnonzero(own).tolist():
            figures[place][question.name] = _figure(sums, place, is_share=question.is_share)
            if question.worse and judged[place] and (test := _test(sums, place, question)):
                tests[place][question.name] = test
    for place in range(count):
        _hide_what_follows(figures[place])
    counts = [{"n": int(rows[at]), "students": students[at]} if told[at] else {} for at in range(count)]
    order = np.lexsort((np.arange(count), -rows)).tolist()
    return [_Draft(GroupTreatment(name=parts.names[at], **counts[at], **figures[at]), tests[at]) for at in order]


def _hide_what_follows(figures: dict[FigureName, GroupFigure]) -> None:
    """Take out of a group's figures those from which, with others, one that is not told of few students follows: who
    failed, who was warned of, and one figure more make out all four counts of both."""
    if "found" in figures and "wrongly" in figures:
        return
    figures.pop("alarmed", None)
    if "found" in figures:
        figures.pop("warned", None)
    if "wrongly" in figures:
        figures.pop("failed", None)


def _distinct(number: Integers, one: Integers, count: int) -> list[int]:
    """How many different ones each of `count` parts has. number, one: (n,) part, and student or cluster."""
    width = int(one.max(initial=0)) + 1
    both = np.sort(number * width + one)
    first = np.ones(len(both), dtype=bool)
    first[1:] = both[1:] != both[:-1]
    return [int(n) for n in np.bincount(both[first] // width, minlength=count)]


class _Sums(NamedTuple):
    """By part: n answers, their mean, how many clusters they are in, and the sum of these clusters' squared residuals;
    of the mean less that of all others, its squared standard error; n and mean of these others."""

    n: Floats
    mean: Floats
    clusters: Integers
    squares: Floats
    gap_variance: Floats
    others: Floats
    others_mean: Floats


def _sums(values: Floats, units: Integers, number: Integers, count: int) -> _Sums:
    """values, units, number: (n,) figures of answers, what goes wrong together, and the part that each is of.

    A unit can have answers in several parts: what it adds to the mean of one part less that of the others is taken
    together (the influence of a cluster on a difference of ratios; Binder 1983)."""
    both, place = np.unique(number * (int(units.max()) + 1) + units, return_inverse=True)
    part, unit = np.divmod(both, int(units.max()) + 1)
    total, n = np.bincount(place, weights=values), np.bincount(place, weights=np.ones(len(values)))
    all_total, all_n = np.bincount(unit, weights=total), np.bincount(unit, weights=n)

    def by_part(weights: NDArray[Any]) -> Floats:
        return np.bincount(part, weights=weights, minlength=count).astype(np.float64)

    n_part, sum_part = by_part(n), by_part(total)
    n_others, sum_others = len(values) - n_part, values.sum() - sum_part
    with np.errstate(invalid="ignore", divide="ignore"):  # parts without answers, or of all of them: nothing is told
        mean, other = sum_part / n_part, sum_others / n_others
        residual = total - mean[part] * n
        rest = (all_total[unit] - total) - other[part] * (all_n[unit] - n)
        whole = all_total[unit] - other[part] * all_n[unit]
        moments = (all_total**2).sum(), (all_total * all_n).sum(), (all_n**2).sum()
        without = moments[0] - 2 * other * moments[1] + other**2 * moments[2] - by_part(whole**2)
        within = by_part((residual / n_part[part] - rest / n_others[part]) ** 2)
        units_there = int((all_n > 0).sum())
        variance = units_there / max(1, units_there - 1) * (within + np.maximum(0.0, without) / n_others**2)
    clusters = np.bincount(part, minlength=count)
    return _Sums(n_part, mean, clusters, by_part(residual**2), variance, n_others, other)


def _figure(sums: _Sums, place: int, *, is_share: bool) -> GroupFigure:
    n, mean, count = int(sums.n[place]), float(sums.mean[place]), int(sums.clusters[place])
    if is_share:
        effective = effective_number(n, mean, count, float(sums.squares[place]))
        low, high = binomial_interval(mean * effective, effective)
        return GroupFigure(n=n, value=mean, low=low, high=high)
    error = float(np.sqrt(count / max(1, count - 1) * sums.squares[place])) / n
    half = student_quantile(1 - TAIL_LEVEL, max(1, count - 1)) * error
    return GroupFigure(n=n, value=mean, low=mean - half, high=mean + half)


def _test(sums: _Sums, place: int, question: _Question) -> _Test | None:
    """Whether the figure of a part is that of all others; None where nothing can be told of chance."""
    n, others = int(sums.n[place]), int(sums.others[place])
    freedom = min(int(sums.clusters[place]), int(sums.clusters.sum() - sums.clusters[place])) - 1
    if not others or freedom < 1:
        return None
    value, variance = float(sums.mean[place] - sums.others_mean[place]), float(sums.gap_variance[place])
    if question.is_share:  # never surer than independent answers, one more each way (Agresti and Caffo 2000)
        shares = [(float(m) * k + 1) / (k + 2) for m, k in ((sums.mean[place], n), (sums.others_mean[place], others))]
        plain = sum(share * (1 - share) / (k + 2) for share, k in zip(shares, (n, others), strict=True))
        variance = max(variance, plain)
    error = float(np.sqrt(variance))
    if error < TIE_WIDTH:
        return None
    weight = WEIGHTS.get(question.name, 1.0)
    return _Test(value, error, freedom, student_p(value / error, freedom), question.worse, weight)


def _corrected(cuts: Sequence[Sequence[_Draft]]) -> list[tuple[GroupTreatment, ...]]:
    """The groups of all cuts with their verdicts, corrected for all differences that are told (Benjamini and Yekutieli
    2005 for the intervals), each by its weight."""
    tests = [test for drafts in cuts for draft in drafts for test in draft.tests.values()]
    weights = np.array([test.weight for test in tests]) / max(1.0, np.mean([test.weight for test in tests] or [1.0]))
    adjusted = adjust([test.p_value for test in tests], weights) if tests else np.empty(0)
    alpha = UNFAIR_SHARE * max(1, int((adjusted <= UNFAIR_SHARE).sum())) / max(1, len(tests))
    shares = iter((alpha * weights).tolist())
    p_values, judged = iter(adjusted.tolist()), []
    for drafts in cuts:
        found = []
        for draft in drafts:
            told: dict[str, GroupFigure] = {}
            worse = False
            for name, test in draft.tests.items():
                half, p_value = student_quantile(next(shares), test.freedom) * test.error, next(p_values)
                against = AgainstOthers(test.value, test.value - half, test.value + half, p_value)
                told[name] = msgspec.structs.replace(getattr(draft.treatment, name), against=against)
                worse = worse or (p_value <= UNFAIR_SHARE and test.value * test.worse > 0)
            verdict: Treatment = "not enough data"
            if draft.tests:
                verdict = "credibly worse" if worse else "no difference shown"
            found.append(msgspec.structs.replace(draft.treatment, verdict=verdict, **told))
        judged.append(tuple(found))
    return judged
