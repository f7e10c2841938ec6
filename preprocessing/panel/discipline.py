"""The 13 weekly features of incidents. None is a value here, not a gap: who had no incident has zero of them.

Referrals carry the disparities of who is referred: a domain file can leave these columns out.
"""

import numpy as np
from numpy.typing import NDArray

from preprocessing.panel import windows
from preprocessing.panel.cells import Incidents
from preprocessing.panel.windows import WHOLE_PARTS, Mask, Weeks, earlier, trailing, whole

MOST_WEEKS_SINCE = 36.0
HALF_LIFE = 4  # weeks in which an incident's weight halves
RECIDIVISM_DAYS = 28


def discipline_features(incidents: Incidents, shape: tuple[int, int], school_weeks: Mask) -> dict[str, Weeks]:
    """Features 30 to 42 by name, (S, W) = `shape` each. school_weeks: (S, W) in which the student had school."""
    count, severity = incident_sums(incidents, shape), incident_sums(incidents, shape, incidents.severity)
    count_4 = trailing(count, 4)
    return {
        "inc_w": count,
        "inc_4w": count_4,
        "inc_ytd": np.cumsum(count, axis=1),
        "sev_sum_4w": trailing(severity, 4),
        "sev_max_20w": windows.highest(_worst(incidents, shape), 20),
        "sev_decay_hl4": _decayed(severity),
        "inc_accel_4v4": count_4 - earlier(count_4, 4),
        "sev_trend_8w": windows.slope(severity, school_weeks, 8, least=3, else_=0.0),
        "weeks_since_inc": _weeks_since(count),
        "recid_4w_20w": trailing(incident_sums(incidents, shape, _soon_again(incidents)), 20),
        "same_type_repeat_20w": np.maximum(_most_of_one_type(incidents, shape) - 1.0, 0.0),
        "removal_days_20w": trailing(incident_sums(incidents, shape, whole(incidents.removal_days)), 20) / WHOLE_PARTS,
        "sev_escalation_20w": _escalation(incidents, shape, trailing(count, 20), trailing(severity, 20)),
    }


def _cells(incidents: Incidents, weeks: int) -> NDArray[np.int64]:
    return incidents.student.astype(np.int64) * weeks + incidents.week


def incident_sums(incidents: Incidents, shape: tuple[int, int], weights: NDArray[np.float64] | None = None) -> Weeks:
    """(S, W) what the incidents of each week have together, or how many there are."""
    found = np.bincount(_cells(incidents, shape[1]), weights, shape[0] * shape[1])
    return found.reshape(shape).astype(np.float64)


def _worst(incidents: Incidents, shape: tuple[int, int]) -> Weeks:
    """The highest severity of each week, 0 without an incident."""
    found = np.zeros(shape)
    np.maximum.at(found, (incidents.student, incidents.week), incidents.severity)
    return found


def _decayed(severity: Weeks) -> Weeks:
    """Severity that halves every `HALF_LIFE` weeks."""
    found, kept = severity.copy(), 2.0 ** (-1 / HALF_LIFE)
    for week in range(1, severity.shape[1]):
        found[:, week] += kept * found[:, week - 1]
    return found


def _weeks_since(count: Weeks) -> Weeks:
    week = np.arange(count.shape[1], dtype=np.float64)
    last = np.maximum.accumulate(np.where(count > 0, week, -MOST_WEEKS_SINCE), axis=1)
    since: Weeks = np.minimum(week - last, MOST_WEEKS_SINCE)
    return since


def _soon_again(incidents: Incidents) -> NDArray[np.float64]:
    """1 for an incident within `RECIDIVISM_DAYS` of the one before of the same student."""
    same = np.diff(incidents.student, prepend=-1) == 0
    soon: NDArray[np.float64] = (same & (np.diff(incidents.day, prepend=0) <= RECIDIVISM_DAYS)).astype(np.float64)
    return soon


def _most_of_one_type(incidents: Incidents, shape: tuple[int, int]) -> Weeks:
    """How many incidents of the most frequent type there were in 20 weeks, type by type."""
    most = np.zeros(shape)
    for category in np.unique(incidents.category):
        of_it = incident_sums(incidents, shape, (incidents.category == category) * 1.0)
        np.maximum(most, trailing(of_it, 20), out=most)
    return most


def _escalation(incidents: Incidents, shape: tuple[int, int], count_20: Weeks, severity_20: Weeks) -> Weeks:
    """How much worse the last incident was than those before it in 20 weeks; 0 where there are none before."""
    last = np.zeros(shape)
    last[incidents.student, incidents.week] = incidents.severity  # in their order: the last one of a week stays
    last = windows.newest(last, last > 0)
    before = (severity_20 - last) / np.maximum(count_20 - 1.0, 1.0)
    return np.where(count_20 >= 2, last - before, 0.0)
