"""What happened in a week alone, as numbers of it: what a model may look back on week by week, nothing cumulated.

Beside the week's own of the 42 features; a domain that declares none of these pays for none.
"""

import numpy as np

from preprocessing.panel.attendance import EXCUSED, TARDY, UNEXCUSED, attended
from preprocessing.panel.cells import Events
from preprocessing.panel.discipline import incident_sums
from preprocessing.panel.grades import assigned, marked_in
from preprocessing.panel.windows import WHOLE_PARTS, Weeks, rate, whole

CHANNEL_NAMES = (
    "unexc_rate_w", "exc_rate_w", "tardy_rate_w", "missing_rate_w", "late_rate_w", "math_pct_w", "ela_pct_w",
    "sev_sum_w", "removal_days_w",
)  # fmt: skip


def weekly_channels(events: Events) -> dict[str, Weeks]:
    """`CHANNEL_NAMES`, (S, W) each; NaN where there is nothing to be a share of."""
    marks, incidents, shape = events.marks, events.incidents, events.roster.school.shape
    there, scheduled = attended(events.status)
    unexcused, excused, tardy = (_days(events, status) for status in (UNEXCUSED, EXCUSED, TARDY))
    given = assigned(marks, shape, np.ones(len(marks.student), np.bool_))
    return {
        "unexc_rate_w": rate(unexcused, scheduled),
        "exc_rate_w": rate(excused, scheduled),
        "tardy_rate_w": rate(tardy, there),
        "missing_rate_w": rate(assigned(marks, shape, marks.missing), given),
        "late_rate_w": rate(assigned(marks, shape, marks.late), given),
        **{f"{name}_pct_w": rate(*marked_in(marks, shape, name)) for name in ("math", "ela")},
        "sev_sum_w": incident_sums(incidents, shape, incidents.severity),
        "removal_days_w": incident_sums(incidents, shape, whole(incidents.removal_days)) / WHOLE_PARTS,
    }


def _days(events: Events, status: int) -> Weeks:
    counted: Weeks = (events.status == status).sum(axis=2).astype(np.float64)
    return counted
