"""What a store knows of single students as weekly features: computed when asked, and kept in this process until
anything new is observed of them.

It loads no library for tables, so that a service can answer; all students at once are `database.observed_frames`'. What
those of the same school and grade have together is kept by whoever computes all (`keep_peers`), and stands until then.
"""

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import chain
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from clock import now
from database.layout import SEPARATOR
from database.observed import WEEKS_KIND
from database.records import Cell, Document
from database.store import ObservationTexts, RecordStore
from preprocessing.panel.attendance import EXCUSED, TARDY, UNEXCUSED
from preprocessing.panel.cells import Events
from preprocessing.panel.channels import CHANNEL_NAMES, weekly_channels
from preprocessing.panel.computed import POOLS, FeatureWeeks, compute
from preprocessing.panel.few import Calendar, SaidEvent, events_of_few
from preprocessing.panel.grades import marked
from preprocessing.panel.grid import SchoolYear, last_week
from preprocessing.panel.kinds import AUDITED_KIND
from preprocessing.panel.look_back import look_back
from preprocessing.schema import DomainSchema, Feature

PEERS_KIND = "weekly peers"
"""Documents of what a school's students have together in a year."""

ABSENT_OR_LATE = (EXCUSED, UNEXCUSED, TARDY)
MOST_STUDENTS_KEPT = 2_000
"""Students whose features are kept in a process: some 20 MB."""


class KnownWeek(NamedTuple):
    """A week of a student. values: the domain's columns, None where one says nothing. attendance, marks: whether any
    was seen in it. weeks_of_data: weeks of the year until then in which anything was."""

    name: str
    school: str
    grade: str
    values: Mapping[str, Cell]
    attendance: bool
    marks: bool
    weeks_of_data: int


class KnownStudent(NamedTuple):
    """How a student (a pseudonym) stands in a year. week: the newest that has begun, whether or not the student was
    there; present: that week, None where it was not enrolled in it; earlier: the last one of enrolment before. school:
    where it was last. last_seen: the last day on which the school, or the student itself, had attendance. peers_until:
    up to which day others are known by whom it is compared."""

    student: str
    year: SchoolYear
    week: int
    present: KnownWeek | None
    earlier: KnownWeek | None
    school: str
    last_seen: date | None
    peers_until: date | None


class WeekOfEvents(NamedTuple):
    """What happened to a student in a week: days absent and tardy, incidents, the share of points; None without any."""

    name: str
    school: str
    excused: int
    unexcused: int
    tardy: int
    incidents: int
    marks: float | None


class PeersOfSchool(msgspec.Struct, frozen=True):
    """What a school's students have together by grade and week of a year, by `POOLS`; until: the day up to which it is
    known; last_seen: the last day with attendance."""

    until: date
    last_seen: date | None
    grades: Mapping[str, Mapping[str, Sequence[float]]]


class ObservedWeeks:
    """The students of one domain. Safe to share between threads."""

    def __init__(self, store: RecordStore, schema: DomainSchema) -> None:
        self._store, self._schema = store, schema
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, date], KnownStudent | None] = OrderedDict()
        self._calendar: Calendar | None = None
        self._peers: dict[tuple[str, str], PeersOfSchool | None] = {}
        self._receipt: int | None = None
        self._closed = ""

    def calendar(self) -> Calendar:
        """On which days there is school, as is known now."""
        with self._lock:
            self._forget_changed()
            return self._present_calendar()

    def students(self, wanted: Collection[str], as_of: date) -> tuple[dict[str, KnownStudent], Calendar]:
        """How these stand by what is known at the end of the day `as_of`, without those who are in no week of its year;
        and the calendar."""
        with self._lock:
            self._forget_changed()
            calendar = self._present_calendar()
            missing = [one for one in dict.fromkeys(wanted) if (one, as_of) not in self._kept]
            if missing:
                for student, found in self._compute(missing, as_of).items():
                    self._kept[student, as_of] = found
            told = {one: self._kept[one, as_of] for one in wanted}
            while len(self._kept) > MOST_STUDENTS_KEPT:
                self._kept.popitem(last=False)
        return {one: known for one, known in told.items() if known is not None}, calendar

    def course(self, student: str, as_of: date) -> list[WeekOfEvents]:
        """What is known of a student by the end of a day, week by week of its year."""
        with self._lock:
            self._forget_changed()
            calendar = self._present_calendar()
        year = calendar.year_at(as_of)
        if year is None:
            return []
        pages = self._store.observation_texts(self._schema.name, students=[student])
        events = events_of_few(said_of(pages), calendar, year, as_of=as_of)
        shape, roster = events.roster.school.shape, events.roster
        points, most = marked(events.marks, shape)
        incidents = np.bincount(events.incidents.week, minlength=shape[1])
        found = []
        enrolled = roster.enrolled[0, : last_week(year, as_of) + 1] if shape[0] else np.zeros(0)
        for week in np.flatnonzero(enrolled).tolist():
            excused, unexcused, tardy = (int((events.status[0, week] == one).sum()) for one in ABSENT_OR_LATE)
            share = float(points[0, week] / most[0, week]) if most[0, week] else None
            school = roster.schools[roster.school[0, week]]
            told = year.week_name(week), school, excused, unexcused, tardy, int(incidents[week]), share
            found.append(WeekOfEvents(*told))
        return found

    def _forget_changed(self) -> None:
        """Whatever is older than what the store knows."""
        state = self._store.document(WEEKS_KIND, self._schema.name)
        closed = "" if state is None else str(state.body["closed"])
        since = self._store.observed_since(self._schema.name, self._receipt)
        if closed != self._closed or "" in since.students:
            self._kept.clear()
            self._peers.clear()
            self._calendar = None
        elif since.students:
            changed = set(since.students)
            for key in [key for key in self._kept if key[0] in changed]:
                del self._kept[key]
        self._receipt, self._closed = since.newest, closed

    def _present_calendar(self) -> Calendar:
        if self._calendar is None:
            pages = self._store.observation_texts(self._schema.name, students=[""])
            self._calendar = Calendar(said_of(pages))
        return self._calendar

    def _present_peers(self, year: SchoolYear, schools: Collection[str]) -> dict[str, PeersOfSchool]:
        """What is kept of these schools."""
        missing = [one for one in schools if (year.name, one) not in self._peers]
        found = peers_of_schools(self._store, self._schema.name, year, missing)
        self._peers.update(((year.name, one), found.get(one)) for one in missing)
        return {one: known for one in schools if (known := self._peers[year.name, one]) is not None}

    def _compute(self, wanted: Sequence[str], as_of: date) -> dict[str, KnownStudent | None]:
        calendar, found = self._present_calendar(), dict[str, KnownStudent | None](dict.fromkeys(wanted))
        year = calendar.year_at(as_of)
        if year is None:
            return found
        said = list(said_of(self._store.observation_texts(self._schema.name, students=wanted)))
        events = events_of_few(said, calendar, year, as_of=as_of)
        if not events.roster.students:
            return found
        peers = self._present_peers(year, events.roster.schools)
        until = last_week(year, as_of)
        computed = _looking_back(events, compute(events, pools_of(events, peers)), self._schema, until)
        traits = _traits_of(said)
        for place, student in enumerate(events.roster.students):
            found[student] = self._student(events, computed, place, until, peers, traits.get(student, {}))
        return found

    def _student(
        self,
        events: Events,
        computed: FeatureWeeks,
        place: int,
        until: int,
        peers: Mapping[str, PeersOfSchool],
        traits: Mapping[str, str],
    ) -> KnownStudent | None:
        roster = events.roster
        weeks = np.flatnonzero(roster.enrolled[place, : until + 1])
        if not len(weeks):
            return None
        school = roster.schools[roster.school[place, weeks[-1]]]
        known = [self._week(events, computed, place, int(week), traits) for week in weeks[-2:]]
        present = known.pop() if weeks[-1] == until else None
        own = np.flatnonzero(events.status[place].reshape(-1))
        own_day = None if not len(own) else _day_at(roster.year, int(own[-1]))
        of_school = peers.get(school)
        days = [day for day in (own_day, of_school.last_seen if of_school else None) if day is not None]
        return KnownStudent(
            str(roster.students[place]), roster.year, until, present, known[-1] if known else None, school,
            max(days, default=None), of_school.until if of_school else None,
        )  # fmt: skip

    def _week(
        self, events: Events, computed: FeatureWeeks, place: int, week: int, traits: Mapping[str, str]
    ) -> KnownWeek:
        roster, at = events.roster, (place, week)
        row = {name: column[at] for name, column in computed.features.items()}
        return KnownWeek(
            roster.year.week_name(week),
            roster.schools[roster.school[at]],
            roster.grades[roster.grade[at]],
            values_of(self._schema.features, row, traits),
            bool(computed.attendance_seen[at]),
            bool(computed.marks_seen[at]),
            int(computed.weeks_of_data[at]),
        )


def _looking_back(events: Events, computed: FeatureWeeks, schema: DomainSchema, until: int) -> FeatureWeeks:
    """With the domain's columns of a week alone, and those that look back."""
    columns = schema.feature_by_name
    channels = weekly_channels(events) if {*CHANNEL_NAMES} & {*columns} else {}
    features = {**computed.features, **channels}
    rows = events.roster.enrolled & (np.arange(events.roster.year.weeks) <= until)
    made_of = {one.of for one in columns.values() if one.of}
    weekly = {name: np.where(rows, features[name], np.nan) for name in made_of}
    return computed._replace(features={**features, **look_back(weekly, schema)})


def _traits_of(said: Iterable[SaidEvent]) -> dict[str, dict[str, str]]:
    """What is audited of each student, by name."""
    found: dict[str, dict[str, str]] = {}
    for one in said:
        if one.kind == AUDITED_KIND:
            name, value = one.body
            found.setdefault(one.student, {})[name] = value
    return found


class ObservedByDomain:
    """Those of each domain, made when they are first asked for."""

    def __init__(self, store: RecordStore, schemas: Mapping[str, DomainSchema]) -> None:
        self._store, self._schemas = store, schemas
        self._made: dict[str, ObservedWeeks] = {}

    def of(self, domain: str) -> ObservedWeeks:
        return self._made.setdefault(domain, ObservedWeeks(self._store, self._schemas[domain]))


def said_of(pages: Iterable[Sequence[ObservationTexts]]) -> Iterator[SaidEvent]:
    """Each event in its newest version, but for those that were taken back; those of a student and kind by event."""
    bodies: dict[str, Any] = {}  # most days, and many marks, are like others
    for student, kind, _, told in chain.from_iterable(pages):
        newest: dict[str, list[str]] = {}
        for line in told.split("\n"):
            cells = line.split(SEPARATOR)
            before = newest.setdefault(cells[0], cells)
            if before is not cells and int(cells[1]) > int(before[1]):
                newest[cells[0]] = cells
        for event, _, day, body in sorted(newest.values()):
            if body not in bodies:
                bodies[body] = msgspec.json.decode(body)
            if bodies[body] is not None:
                yield SaidEvent(student, kind, event, int(day), bodies[body])


def closed_week(store: RecordStore, domain: str) -> str | None:
    """The week that was closed last; None where none was."""
    state = store.document(WEEKS_KIND, domain)
    return None if state is None else str(state.body["week"])


def peers_of_schools(
    store: RecordStore, domain: str, year: SchoolYear, schools: Collection[str]
) -> dict[str, PeersOfSchool]:
    """What is kept of these schools in a year."""
    names = {_name(domain, year, school): school for school in schools}
    kept = store.documents_named(PEERS_KIND, list(names)) if names else []
    return {names[one.name]: msgspec.convert(one.body, PeersOfSchool) for one in kept}


def keep_peers(store: RecordStore, domain: str, year: SchoolYear, schools: Mapping[str, PeersOfSchool]) -> None:
    """Keep what is known of schools in a year, in the place of what was."""
    kept = {one.name: one for one in store.documents_named(PEERS_KIND, [_name(domain, year, one) for one in schools])}
    for school, peers in schools.items():
        name = _name(domain, year, school)
        body, before = msgspec.to_builtins(peers), kept.get(name)
        if before is None or before.body != body:
            revision = before.revision + 1 if before else 1
            store.put_document(
                Document(kind=PEERS_KIND, name=name, revision=revision, at=now(), domain=domain, body=body)
            )


def pools_of(events: Events, peers: Mapping[str, PeersOfSchool]) -> dict[str, NDArray[np.float64]]:
    """(S, W) what each student's peers have together, by `POOLS`; nothing where nobody is enrolled, or nothing kept."""
    roster = events.roster
    table = np.zeros((len(POOLS), len(roster.schools) + 1, len(roster.grades) + 1, roster.year.weeks))
    for at, school in enumerate(roster.schools):
        for place, grade in enumerate(roster.grades):
            kept = peers[school].grades.get(grade) if school in peers else None
            if kept is not None:
                table[:, at, place] = [kept[name] for name in POOLS]
    weeks = np.arange(roster.year.weeks)
    return {name: one[roster.school, roster.grade, weeks] for name, one in zip(POOLS, table, strict=True)}


def _name(domain: str, year: SchoolYear, school: str) -> str:
    return f"{domain}/{year.name}/{school}"


def _day_at(year: SchoolYear, place: int) -> date:
    """The day of a place in (weeks, 5)."""
    week, weekday = divmod(place, 5)
    return year.start + timedelta(days=7 * week + weekday)


def values_of(features: Sequence[Feature], computed: Mapping[str, Any], traits: Mapping[str, Any]) -> dict[str, Cell]:
    """The values of a row of a week: computed numbers within the ranges that the domain declares, None for none; and
    traits that it has levels for."""
    return {one.name: _value_of(one, computed, traits) for one in features}


def _value_of(feature: Feature, computed: Mapping[str, Any], traits: Mapping[str, Any]) -> Cell:
    if feature.protected:
        trait = traits.get(feature.name)
        return trait if trait in feature.levels else None
    value = computed.get(feature.name)
    if value is None or np.isnan(value):
        return None
    number = float(value)
    number = number if feature.minimum is None else max(number, feature.minimum)
    return number if feature.maximum is None else min(number, feature.maximum)
