"""The 15 weekly features of marks, and their sums that peers are compared by.

A mark counts in the week in which it was posted. One without points is assigned and tells no percentage.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from preprocessing.panel import windows
from preprocessing.panel.cells import LANGUAGE_ARTS, MATHEMATICS, Assignments
from preprocessing.panel.windows import Weeks, earlier, rate, trailing, whole

GRADE_POINTS_FROM = (0.9, 0.8, 0.7, 0.6)
"""Of the year's percentage of a subject: a grade point for each that it reaches."""
FAILING = 0.6
FEWEST_ASSIGNMENTS = 3
SHARE_PARTS = 1_000_000
"""Parts of the percentage of an assignment that are counted: the sums of their squares are exact."""


def marked(marks: Assignments, shape: tuple[int, int]) -> tuple[Weeks, Weeks]:
    """(S, W) points had and points to be had of the marks of each week, in parts (`windows.WHOLE_PARTS`)."""
    return _sums(marks, shape, ~np.isnan(marks.points))


def marked_in(marks: Assignments, shape: tuple[int, int], subject: str) -> tuple[Weeks, Weeks]:
    """As `marked`, of one subject."""
    place = marks.subjects.index(subject) if subject in marks.subjects else -1
    return _sums(marks, shape, ~np.isnan(marks.points) & (marks.subject == place))


def grade_features(marks: Assignments, shape: tuple[int, int], pooled: Weeks) -> dict[str, Weeks]:
    """Features 15 to 29 by name, (S, W) = `shape` each. pooled: the 4-week percentage of each student's school and
    grade, NaN where there are too few peers."""
    points, most = marked(marks, shape)
    weekly, rate_4 = rate(points, most), rate(trailing(points, 4), trailing(most, 4))
    assigned_4 = trailing(assigned(marks, shape, np.ones(len(marks.student), np.bool_)), 4)
    by_subject = _by_subject(marks, shape)
    return {
        "gpa_ytd": by_subject.pop("gpa_ytd"),
        "pct_w": weekly,
        "pct_4w": rate_4,
        "pct_trend_8w": windows.slope(weekly, most > 0, 8, least=3),
        "pct_volatility_8w": _spread_of_assignments(marks, shape),
        "pct_delta_4v4": rate_4 - earlier(rate_4, 4, np.nan),
        "missing_rate_4w": rate(trailing(assigned(marks, shape, marks.missing), 4), assigned_4),
        "late_rate_4w": rate(trailing(assigned(marks, shape, marks.late), 4), assigned_4),
        **by_subject,
        "pct_vs_peers_4w": rate_4 - pooled,
    }


def _cells(marks: Assignments, shape: tuple[int, int]) -> NDArray[np.int64]:
    return marks.student.astype(np.int64) * shape[1] + marks.week


def assigned(marks: Assignments, shape: tuple[int, int], which: NDArray[np.bool_]) -> Weeks:
    """(S, W) how many of some assignments were posted in each week."""
    return _added(_cells(marks, shape)[which], None, shape)


def _sums(marks: Assignments, shape: tuple[int, int], which: NDArray[np.bool_]) -> tuple[Weeks, Weeks]:
    """Points had and to be had of some marks, in parts."""
    cells = _cells(marks, shape)[which]
    points, most = (_added(cells, whole(one[which]), shape) for one in (marks.points, marks.most))
    return points, most


def _added(cells: NDArray[np.int64], weights: NDArray[np.float64] | None, shape: tuple[int, ...]) -> Weeks:
    """The sums of weights, or the number, of what falls into each cell."""
    return np.bincount(cells, weights, math.prod(shape)).reshape(shape).astype(np.float64)


def _spread_of_assignments(marks: Assignments, shape: tuple[int, int]) -> Weeks:
    """The deviation of the percentages of single assignments over eight weeks, by exact sums of their parts."""
    scored = ~np.isnan(marks.points)
    cells = _cells(marks, shape)[scored]
    share = np.rint(marks.points[scored] / marks.most[scored] * SHARE_PARTS)
    sums = (_added(cells, weights, shape) for weights in (None, share, share**2))
    n, total, squares = (trailing(one, 8).astype(np.int64) for one in sums)
    spread = np.sqrt((n * squares - total**2).astype(np.float64)) / np.maximum(n, 1) / SHARE_PARTS
    return np.where(n >= FEWEST_ASSIGNMENTS, spread, np.nan)


def _by_subject(marks: Assignments, shape: tuple[int, int]) -> dict[str, Weeks]:
    """What is asked of each subject of a student by itself, and then of all of them together."""
    points, most = _subject_sums(marks, shape)
    year, points_8, most_8 = rate(points.cumsum(-1), most.cumsum(-1)), trailing(points, 8), trailing(most, 8)
    rate_8, drop = rate(points_8, most_8), rate(trailing(points, 4), trailing(most, 4)) - year
    with np.errstate(invalid="ignore"):
        reached = np.sum([year >= least for least in GRADE_POINTS_FROM], axis=0)
        failing = (rate_8 < FAILING).sum(axis=1)
    graded = (most_8 > 0).sum(axis=1)
    subjects = (most.cumsum(-1) > 0).sum(axis=1)
    least = _lowest(rate_8)
    return {
        "gpa_ytd": rate(reached.sum(axis=1).astype(np.float64), subjects.astype(np.float64)),
        "failing_subjects_8w": np.where(graded > 0, failing, np.nan),
        "min_subject_pct_8w": least,
        **dict(_of_one_subject(marks, shape)),
        "subject_spread_8w": _spread_of_subjects(rate_8, least, graded),
        "worst_subject_drop": _lowest(drop),
    }


def _subject_sums(marks: Assignments, shape: tuple[int, int]) -> tuple[Weeks, Weeks]:
    """(S, subjects, W) points had and to be had, in parts; each student's own subjects, in the order of their names."""
    scored = ~np.isnan(marks.points)
    student, subject = marks.student[scored].astype(np.int64), marks.subject[scored]
    has = np.zeros((shape[0], len(marks.subjects)), np.bool_)
    has[student, subject] = True
    place = np.cumsum(has, axis=1, dtype=np.int32) - 1
    width = int(has.sum(axis=1).max(initial=1)) if has.size else 1
    cells = (student * width + place[student, subject]) * shape[1] + marks.week[scored]
    by_subject = (shape[0], width, shape[1])
    points, most = (_added(cells, whole(one[scored]), by_subject) for one in (marks.points, marks.most))
    return points, most


def _of_one_subject(marks: Assignments, shape: tuple[int, int]) -> Iterator[tuple[str, Weeks]]:
    for name, subject in (("math_pct_8w", MATHEMATICS), ("ela_pct_8w", LANGUAGE_ARTS)):
        points, most = marked_in(marks, shape, subject)
        yield name, rate(trailing(points, 8), trailing(most, 8))


def _lowest(of_subjects: Weeks) -> Weeks:
    """The lowest over subjects; NaN where there is none."""
    least = np.where(np.isnan(of_subjects), np.inf, of_subjects).min(axis=1)
    return np.where(np.isinf(least), np.nan, least)


def _spread_of_subjects(rates: Weeks, least: Weeks, graded: NDArray[np.int64]) -> Weeks:
    """The population deviation over subjects, from the lowest one, so that equal ones have exactly none. Subjects are
    added one by one: a student's sum does not depend on how many others have."""
    above = np.where(np.isnan(rates), 0.0, rates - least[:, None])
    n, total = np.maximum(graded, 1), np.zeros(least.shape)
    for place in range(rates.shape[1]):
        total = total + above[:, place]
    mean, squares = total / n, np.zeros(least.shape)
    for place in range(rates.shape[1]):
        squares = squares + np.where(np.isnan(rates[:, place]), 0.0, (above[:, place] - mean) ** 2)
    return np.where(graded >= 2, np.sqrt(squares / n), np.nan)
