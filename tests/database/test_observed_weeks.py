"""What a store knows of single students as weekly features: the same as of all together, and new with each change."""

from collections.abc import Callable
from datetime import date, timedelta

import polars as pl
import pytest
from msgspec.structs import replace

from clock import new_id, now
from database.observed import store_events
from database.observed_frames import observation_frames
from database.observed_weeks import ObservedWeeks, PeersOfSchool, keep_peers
from database.store import RecordStore
from preprocessing.panel.computed import FEATURE_NAMES, POOLS
from preprocessing.panel.events import events_of
from preprocessing.panel.features import peers_of, weekly_features
from preprocessing.panel.kinds import DAY_OF, SAYS_OF
from preprocessing.panel.live import GivenEvent
from preprocessing.panel.observations import Observations
from preprocessing.panel.school_year import school_years
from preprocessing.schema import DomainSchema, load_domains
from preprocessing.validation.pii import pseudonym
from tests.preprocessing.panel.test_features import district

SECRET = b"a secret of the institution"
K12 = load_domains()["k12"]


def events_in(observations: Observations) -> list[GivenEvent]:
    """Every row as an event; a second word on some days, and spells that are told in two."""
    found = []
    for kind, frame in observations.frames():
        for number, row in enumerate(frame.iter_rows(named=True)):
            said = {name: one.isoformat() if isinstance(one, date) else one for name, one in row.items()}
            student = "" if kind == "calendar" else str(said["student"])
            body = tuple(float(one) if type(one) is int else one for one in map(said.get, SAYS_OF[kind]))
            day = (row[DAY_OF[kind]] - date(1970, 1, 1)).days
            found.append(GivenEvent(kind, student, f"{kind} {number}", 1, day, body, "sis"))
            if kind == "attendance" and number % 7 == 0:
                found.append(found[-1]._replace(event=f"again {number}", body=("excused",)))
    return found


def stored(store: RecordStore) -> DomainSchema:
    schema = replace(K12, name=new_id())
    store_events(store, schema.name, events_in(district()), secret=SECRET, at=now())
    return schema


def all_of(store: RecordStore, domain: str) -> Observations:
    parts = list(observation_frames(store, domain))
    return Observations(
        *(
            pl.concat([getattr(part, kind) for part in (parts if kind != "calendar" else parts[:1])])
            for kind in ("attendance", "grades", "incidents", "enrolment", "calendar")
        )
    )


def peers_as_kept(peers: pl.DataFrame, weeks: int, until: date) -> dict[str, PeersOfSchool]:
    found: dict[str, PeersOfSchool] = {}
    for (school, grade), part in peers.group_by("school", "grade_level"):
        of_weeks = {name: [0.0] * weeks for name in POOLS}
        for row in part.iter_rows(named=True):
            for name in POOLS:
                of_weeks[name][row["week"]] = row[name]
        found.setdefault(str(school), PeersOfSchool(until, None, {})).grades[str(grade)] = of_weeks  # type: ignore[index]
    return found


@pytest.mark.parametrize("week", [0, 9, 13, 23])
def test_one_student_has_the_very_features_that_it_has_among_all(
    sqlite_url: str, opened: Callable[[str], RecordStore], week: int
) -> None:
    store = opened(sqlite_url)
    schema = stored(store)
    everybody = all_of(store, schema.name)
    [year] = school_years(everybody.calendar)
    day = year.start + timedelta(days=7 * week + 4)
    peers = peers_of(events_of(everybody, year, as_of=day))
    keep_peers(store, schema.name, year, peers_as_kept(peers, year.weeks, day))
    rows = weekly_features(everybody, year, as_of=day)
    expected = {
        (row["student"], row["week"]): row for row in rows.iter_rows(named=True) if row["school_week"] >= week - 1
    }
    students = [pseudonym(f"s{number:02d}", SECRET) for number in range(67)]
    found, _ = ObservedWeeks(store, schema).students(students, day)
    known = {(one.student, at.name): at for one in found.values() for at in (one.present, one.earlier) if at}
    compared = 0
    for key, row in expected.items():
        at = known[key]
        for name in FEATURE_NAMES:
            column, value = schema.feature_by_name[name], row[name]
            if value is not None:
                value = max(value, column.minimum) if column.minimum is not None else value
                value = min(value, column.maximum) if column.maximum is not None else value
            assert at.values[name] == value, (key, name)
            compared += value is not None
        assert (at.school, at.grade, at.weeks_of_data) == (row["school"], row["grade_level"], row["weeks_of_data"])
        assert (at.attendance, at.marks) == (row["attendance_seen"], row["marks_seen"])
    assert compared > 500
