"""The 14 weekly features of attendance, and its sums that peers are compared by.

A day counts where it is recorded and there was school; a day of a suspension is no such day.
"""

import numpy as np
from numpy.typing import NDArray

from preprocessing.panel import windows
from preprocessing.panel.kinds import STATUSES
from preprocessing.panel.windows import Weeks, earlier, rate, trailing

FEWEST_ABSENCES = 3
"""Fewer absences have no day of the week on which they gather."""
MONDAY_AND_FRIDAY, MIDWEEK = [0, 4], [1, 2, 3]
EVEN_SHARE = 0.2  # of absences on each of five days, where no day is special

PRESENT, TARDY, EXCUSED, UNEXCUSED = (1 + STATUSES.index(one) for one in STATUSES)


def attended(status: NDArray[np.int8]) -> tuple[Weeks, Weeks]:
    """(S, W) days there and days scheduled of each week."""
    there = (status == PRESENT) | (status == TARDY)
    return _days(there), _days(status != 0)


def attendance_features(status: NDArray[np.int8], pooled: Weeks) -> dict[str, Weeks]:
    """Features 1 to 14 by name, (S, W) each. pooled: the 4-week rate of each student's school and grade, NaN where
    there are too few peers."""
    there, scheduled = attended(status)
    there_4, scheduled_4 = trailing(there, 4), trailing(scheduled, 4)
    weekly, rate_4 = rate(there, scheduled), rate(there_4, scheduled_4)
    recorded = scheduled > 0
    runs, longest = _runs(status)
    return {
        "att_rate_w": weekly,
        "att_rate_4w": rate_4,
        "att_rate_ytd": rate(np.cumsum(there, axis=1), np.cumsum(scheduled, axis=1)),
        "unexc_rate_4w": rate(trailing(_days(status == UNEXCUSED), 4), scheduled_4),
        "exc_rate_4w": rate(trailing(_days(status == EXCUSED), 4), scheduled_4),
        "tardy_rate_4w": rate(trailing(_days(status == TARDY), 4), there_4),
        "att_trend_8w": windows.slope(weekly, recorded, 8, least=3),
        "att_volatility_8w": windows.deviation(weekly, recorded, 8, least=2),
        "att_delta_4v4": rate_4 - earlier(rate_4, 4, np.nan),
        "abs_run_days": runs,
        "abs_run_max_20w": windows.highest(longest, 20),
        **_by_weekday(status),
        "att_vs_peers_4w": rate_4 - pooled,
    }


def _days(which: NDArray[np.bool_]) -> Weeks:
    counted: Weeks = which.sum(axis=2).astype(np.float64)
    return counted


def _runs(status: NDArray[np.int8]) -> tuple[Weeks, Weeks]:
    """(S, W) the run of absences that stands at the end of each week, and the longest one reached on a scheduled day
    of it: a week without school has none, else a run would be carried into it."""
    scheduled = (status != 0).reshape(len(status), -1)
    absent = (status >= EXCUSED).reshape(len(status), -1)
    absences = np.cumsum(absent, axis=1, dtype=np.int32)
    before = np.maximum.accumulate(np.where(scheduled & ~absent, absences, 0), axis=1)
    run = (absences - before).reshape(status.shape).astype(np.float64)
    return run[:, :, -1].copy(), np.where(status != 0, run, 0.0).max(axis=2)


def _by_weekday(status: NDArray[np.int8]) -> dict[str, Weeks]:
    """Where absences gather in the week, over ten weeks."""
    by_day = status.transpose(0, 2, 1)
    absent, scheduled = (trailing(one.astype(np.float64), 10) for one in (by_day >= EXCUSED, by_day != 0))
    sides = [rate(absent[:, days].sum(axis=1), scheduled[:, days].sum(axis=1)) for days in (MONDAY_AND_FRIDAY, MIDWEEK)]
    absences, squares = absent.sum(axis=1), (absent**2).sum(axis=1)
    share = squares / np.maximum(absences, 1.0) ** 2
    gathered = np.where(absences >= FEWEST_ABSENCES, (share - EVEN_SHARE) / (1 - EVEN_SHARE), 0.0)
    return {
        "monfri_excess_10w": sides[0] - sides[1],
        "dow_concentration_10w": np.where(scheduled.sum(axis=1) > 0, gathered, np.nan),
    }
