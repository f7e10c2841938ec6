"""Single events as systems send them while they happen, read without any library for tables.

An event says one thing of one student, or of the calendar, in one version. Nothing is stored here.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple

import msgspec

from errors import Category, GradewatchError
from preprocessing.panel.kinds import (
    DAY_OF,
    GRADE_STATES,
    LEAST_SEVERITY,
    MOST_SEVERITY,
    SAYS_OF,
    STATUSES,
    ObservationKind,
)
from preprocessing.schema import DomainSchema, PanelSchema
from preprocessing.validation.pii import names_somebody
from preprocessing.validation.rules import LONGEST_TEXT, Problem

Said = str | float | bool | None
LONGEST_EVENT_KEY = 200
"""Letters of a source's key of an event."""

LARGEST_VERSION = 2**62
"""Below what every database holds."""


class ObservedEvent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One event. event: the source's own key of it. student: the institution's key; none for the calendar. at: the
    school day as 2026-09-14, or an instant: of a mark when it was posted, of an enrolment its first day. values: as the
    kind has them. version: later ones take the place of earlier ones; by default when it came in. removed: it is taken
    back. source: whose keys these are."""

    kind: ObservationKind
    event: str
    at: str
    student: str | None = None
    values: Mapping[str, Said] = {}
    version: int | None = None
    removed: bool = False
    source: str = "events"


class NoPanel(GradewatchError):
    """A domain whose rows are not made of observations."""

    category = Category.INVALID


def panel_of(schema: DomainSchema) -> PanelSchema:
    """Raises NoPanel."""
    if schema.panel is None:
        raise NoPanel(f"{schema.name} has no [panel]: its rows are not made of observations by week")
    return schema.panel


class GivenEvent(NamedTuple):
    """An event as it is stored but for its pseudonym. day: since 1970; body: None where it is taken back."""

    kind: str
    student: str
    event: str
    version: int | None
    day: int
    body: tuple[Said, ...] | None
    source: str


def given_event(event: ObservedEvent, panel: PanelSchema) -> GivenEvent | str:
    """The event, or what is wrong with it; no value is told."""
    day = day_said(event.at, panel, event.values.get("school"))
    if day is None:
        return f"at ({DAY_OF[event.kind]}) must be a day such as 2026-09-14, or an instant of ISO 8601"
    if wrong := _wrong_keys(event):
        return wrong
    body: tuple[Said, ...] | None = None
    if not event.removed:
        given = {**DEFAULTS.get(event.kind, {}), **event.values}
        if {*given} - {*SAYS_OF[event.kind]}:
            return f"{event.kind} has {', '.join(SAYS_OF[event.kind])}, and nothing else"
        for name in SAYS_OF[event.kind]:
            if (value := given.get(name)) is not None or name not in MAY_LACK:
                test, rule = RULES[name]
                if not test(value):
                    return f"{name} {rule}"
        if wrong := _wrong_together(event.kind, day, given):
            return wrong
        body = tuple(_plain(name, given.get(name)) for name in SAYS_OF[event.kind])
    student = "" if event.kind == "calendar" else str(event.student)
    return GivenEvent(event.kind, student, event.event, event.version, day, body, event.source)


def given_events(events: Sequence[ObservedEvent], panel: PanelSchema) -> tuple[list[GivenEvent], list[Problem]]:
    """Those that can be stored, and what is wrong with the others, by their number from 1 on."""
    good: list[GivenEvent] = []
    problems: list[Problem] = []
    for number, event in enumerate(events, 1):
        found = given_event(event, panel)
        if isinstance(found, str):
            problems.append(Problem(file="", row=number, column=None, value=None, rule=found))
        else:
            good.append(found)
    return good, problems


def day_said(text: str, panel: PanelSchema, school: Said = None) -> int | None:
    """A day, or the school day of an instant, counted from 1970 on; None for neither.

    >>> day_said("2026-09-15T03:30:00Z", PanelSchema(entity="s", period="w", time_zone="America/Chicago")) == day_said(
    ...     "2026-09-14", PanelSchema(entity="s", period="w"))
    True
    """
    try:
        if len(text) == len("2026-09-14"):
            return (date.fromisoformat(text) - date(1970, 1, 1)).days
        moment = datetime.fromisoformat(text)
        zone = panel.zone_of(school if isinstance(school, str) else None)
        local = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(zone)
    except (ValueError, OverflowError):  # the latter on the first and the last day that there are
        return None
    return (local.date() - date(1970, 1, 1)).days


def is_harmless_word(value: Said) -> bool:
    """Whether a word of a source's own may be kept: a short text that names nobody."""
    is_short = isinstance(value, str) and 0 < len(value) <= LONGEST_TEXT
    return is_short and str(value).isprintable() and names_somebody(str(value)) is None


def version_of(at: datetime) -> int:
    """The version of what came in then and has none of its own."""
    return int((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000)


def _wrong_keys(event: ObservedEvent) -> str:
    if not event.event or len(event.event) > LONGEST_EVENT_KEY:
        return f"event must be a key of 1 to {LONGEST_EVENT_KEY} letters"
    if event.kind != "calendar" and not (event.student and len(event.student.strip()) in range(1, LONGEST_TEXT + 1)):
        return f"student must be a key of 1 to {LONGEST_TEXT} letters"
    if not is_harmless_word(event.source):
        return f"source {WORD_RULE}"
    if event.version is not None and not 0 <= event.version < LARGEST_VERSION:
        return "version must be a whole number of 0 or more"
    return ""


def _wrong_together(kind: str, day: int, given: Mapping[str, Said]) -> str:
    """What is wrong with values that are each as they should be."""
    points, state, end = given.get("points"), given.get("state"), given.get("end")
    if kind == "grades" and state == "scored" and points is None:
        return "points must be given where state is scored"
    if kind == "grades" and state in ("missing", "exempt") and points is not None:
        return f"points must not be given where state is {state}"
    if kind == "enrolment" and not given.get("school"):
        return f"school {WORD_RULE}"
    if kind == "enrolment" and end is not None and (date.fromisoformat(str(end)) - date(1970, 1, 1)).days <= day:
        return "end must be after the day of at (begin)"
    return ""


def _plain(name: str, value: Said) -> Said:
    return float(value) if name in NUMBERS and value is not None else value


def _is_number(value: Said) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _is_day(value: Said) -> bool:
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


NUMBERS = frozenset({"points", "max_points", "severity", "removal_days"})
MAY_LACK = frozenset({"due", "points", "grade_level", "end"})
DEFAULTS: Mapping[str, Mapping[str, Said]] = {
    "incidents": {"removal_days": 0.0},
    "calendar": {"school_day": True, "school": None},
    "grades": {"state": "scored"},
}
NUMBER_RULE = "must be a number of 0 or more"
WORD_RULE = f"must be a text of 1 to {LONGEST_TEXT} letters that names nobody"
DAY_RULE = "must be a day such as 2026-09-14"
RULES: Mapping[str, tuple[Callable[[Said], bool], str]] = {
    "status": (lambda value: value in STATUSES, f"must be one of {', '.join(STATUSES)}"),
    "state": (lambda value: value in GRADE_STATES, f"must be one of {', '.join(GRADE_STATES)}"),
    "severity": (
        lambda value: value in range(LEAST_SEVERITY, MOST_SEVERITY + 1) and value is not True,
        f"must be a whole number from {LEAST_SEVERITY} to {MOST_SEVERITY}",
    ),
    "points": (_is_number, NUMBER_RULE),
    "max_points": (lambda value: _is_number(value) and bool(value), "must be a number above 0"),
    "removal_days": (_is_number, NUMBER_RULE),
    "subject": (is_harmless_word, WORD_RULE),
    "category": (is_harmless_word, WORD_RULE),
    "grade_level": (is_harmless_word, WORD_RULE),
    "school": (lambda value: value is None or is_harmless_word(value), WORD_RULE),
    "school_day": (lambda value: isinstance(value, bool), "must be true or false"),
    "due": (_is_day, DAY_RULE),
    "end": (_is_day, DAY_RULE),
}
