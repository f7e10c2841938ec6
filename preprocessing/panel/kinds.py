"""What can be observed about a student, and which values each kind has: names alone.

It needs no library, so that a service can know it; the frames of columns are `preprocessing.panel.observations`.
"""

from collections.abc import Mapping
from typing import Literal, get_args

WEEK_DAYS = 7

ObservationKind = Literal["attendance", "grades", "incidents", "enrolment", "calendar"]
OBSERVATION_KINDS: tuple[ObservationKind, ...] = get_args(ObservationKind)

Status = Literal["present", "tardy", "excused", "unexcused"]
STATUSES: tuple[Status, ...] = get_args(Status)
"""Of a day of a student: present and tardy are there, the other two are absent. A day of a suspension out of school has
none: it counts as removal of its incident."""

GradeState = Literal["scored", "missing", "late", "exempt"]
GRADE_STATES: tuple[GradeState, ...] = get_args(GradeState)
"""Of an assignment of a student: scored has points and late may, missing counts as none, exempt was not to be done."""

LEAST_SEVERITY, MOST_SEVERITY = 1, 5

AUDITED_KIND, HELP_KIND = "demographics", "interventions"
"""Kinds that are kept and belong to no frame: for audits alone, and what becomes steps of cases where it can."""

SAYS_OF: Mapping[str, tuple[str, ...]] = {
    "attendance": ("status",),
    "grades": ("subject", "due", "points", "max_points", "state"),
    "incidents": ("category", "severity", "removal_days"),
    "enrolment": ("school", "grade_level", "end"),
    "calendar": ("school", "school_day"),
    AUDITED_KIND: ("name", "value"),
    HELP_KIND: ("type_code", "end", "planned_doses", "delivered_doses", "state"),
}
"""The values of an observation of each kind, beside its student and its day; days among them as 2026-09-01."""

DAY_OF: Mapping[str, str] = {
    "attendance": "day",
    "grades": "posted_at",
    "incidents": "at",
    "enrolment": "begin",
    "calendar": "day",
    AUDITED_KIND: "day",
    HELP_KIND: "begin",
}
"""What the day of an observation of each kind is called: from which on it is known, or counts."""

OF_A_DAY: tuple[ObservationKind, ...] = ("attendance", "grades", "incidents")
"""Kinds that say something of their own day alone; an enrolment lasts, and a calendar counts from its first day."""
