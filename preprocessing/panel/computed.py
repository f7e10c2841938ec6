"""The 42 weekly features of students as arrays: one function for training, a batch, one student and a live update.

What a week says depends on the student's own events up to its end, and on what those of the same school and grade have
together (pools): those of few students equal those of all of them, bit by bit, where the pools are given. It loads no
library for tables; rows are `preprocessing.panel.features`'.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from preprocessing.panel.attendance import attendance_features, attended
from preprocessing.panel.cells import Events
from preprocessing.panel.discipline import discipline_features
from preprocessing.panel.grades import grade_features, marked
from preprocessing.panel.windows import Mask, Weeks, rate, trailing

ATTENDANCE_FEATURES = (
    "att_rate_w", "att_rate_4w", "att_rate_ytd", "unexc_rate_4w", "exc_rate_4w", "tardy_rate_4w", "att_trend_8w",
    "att_volatility_8w", "att_delta_4v4", "abs_run_days", "abs_run_max_20w", "monfri_excess_10w",
    "dow_concentration_10w", "att_vs_peers_4w",
)  # fmt: skip
GRADE_FEATURES = (
    "gpa_ytd", "pct_w", "pct_4w", "pct_trend_8w", "pct_volatility_8w", "pct_delta_4v4", "missing_rate_4w",
    "late_rate_4w", "failing_subjects_8w", "min_subject_pct_8w", "math_pct_8w", "ela_pct_8w", "subject_spread_8w",
    "worst_subject_drop", "pct_vs_peers_4w",
)  # fmt: skip
DISCIPLINE_FEATURES = (
    "inc_w", "inc_4w", "inc_ytd", "sev_sum_4w", "sev_max_20w", "sev_decay_hl4", "inc_accel_4v4", "sev_trend_8w",
    "weeks_since_inc", "recid_4w_20w", "same_type_repeat_20w", "removal_days_20w", "sev_escalation_20w",
)  # fmt: skip
FEATURE_NAMES = (*ATTENDANCE_FEATURES, *GRADE_FEATURES, *DISCIPLINE_FEATURES)

FEWEST_PEERS = 10
"""Others of the same school and grade, below which nobody is compared with them."""
POOLS = ("there", "scheduled", "attending", "points", "most", "marked")


class FeatureWeeks(NamedTuple):
    """(S, W) each: the features by name, NaN where they say nothing; whether attendance and marks were seen."""

    features: Mapping[str, Weeks]
    attendance_seen: Mask
    marks_seen: Mask

    @property
    def weeks_of_data(self) -> Weeks:
        """How many weeks until then anything was seen in."""
        counted: Weeks = np.cumsum(self.attendance_seen | self.marks_seen, axis=1)
        return counted


def compute(events: Events, pools: Mapping[str, Weeks]) -> FeatureWeeks:
    """All features of some students. pools: (S, W) what those of each one's school and grade have together, by `POOLS`;
    0 where nobody is enrolled."""
    roster = events.roster
    shape = roster.school.shape
    school_weeks = roster.days.any(axis=2) & roster.enrolled
    found = {
        **attendance_features(events.status, _pooled_rate(pools["there"], pools["scheduled"], pools["attending"])),
        **grade_features(events.marks, shape, _pooled_rate(pools["points"], pools["most"], pools["marked"])),
        **discipline_features(events.incidents, shape, school_weeks),
    }
    scheduled, most = attended(events.status)[1], marked(events.marks, shape)[1]
    return FeatureWeeks(found, scheduled > 0, most > 0)


def own_sums(events: Events) -> tuple[Weeks, ...]:
    """Of each student and week, what `POOLS` adds up."""
    there, scheduled = (trailing(one, 4) for one in attended(events.status))
    points, most = (trailing(one, 4) for one in marked(events.marks, there.shape))
    return there, scheduled, (scheduled > 0).astype(np.float64), points, most, (most > 0).astype(np.float64)


def _pooled_rate(part: Weeks, of: Weeks, students: Weeks) -> Weeks:
    """The rate of all of a group, the student included; NaN where there are fewer than `FEWEST_PEERS` others."""
    return np.where(students > FEWEST_PEERS, rate(part, of), np.nan)
