"""A week's close: all students of a domain computed of what is observed, and answered; between two closes whoever
something new is observed of.

Cells of a student from the week of the first change on are computed anew by the same function as all others; what was
answered of earlier weeks stays as it was said. What schools have together is kept at a close: until the next one
features against peers stand as they were, whoever's own events come late.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import NamedTuple

import msgspec
import numpy as np
import polars as pl

from clock import new_id, now
from database.layout import parts
from database.observed import WEEKS_KIND
from database.observed_frames import dirty_since, observed_parts
from database.observed_weeks import PeersOfSchool, keep_peers
from database.records import Document
from database.store import RecordStore
from errors import Category, GradewatchError
from model.workspace import Workspace
from monitoring.feeds import CLOSED_KIND, Feed, SilentFeed, last_days_of, later, silent_feeds, silent_in
from monitoring.weekly_answers import WeeklyAnswers, today
from preprocessing.columns import tables_of
from preprocessing.panel.cells import Events
from preprocessing.panel.computed import POOLS
from preprocessing.panel.events import events_of
from preprocessing.panel.features import peers_of, rows_of_week
from preprocessing.panel.grid import SchoolYear, last_week
from preprocessing.panel.live import panel_of
from preprocessing.schema import DomainSchema, Feature

CLOSE_SOURCE = "weeks"
ANSWERED_TOGETHER = 5_000

Heard = Callable[[str, float | None], object]


class NoWeek(GradewatchError):
    """No school week is over, or none has begun, by that day."""

    category = Category.INVALID


class ClosedWeek(msgspec.Struct, frozen=True, kw_only=True):
    """What a close did. stale: schools without attendance for so long that nothing is said of their students, who are
    `without` an answer like those with too few weeks of data. silent: those and schools whose marks have stopped."""

    week: str
    as_of: date
    students: int
    answered: int
    without: int
    stale: tuple[str, ...] = ()
    silent: tuple[SilentFeed, ...] = ()


class Refreshed(msgspec.Struct, frozen=True, kw_only=True):
    """What was done between two closes. students: of whom something new was observed. cells: weeks of these from the
    first change on. answered: who of them has an answer now."""

    students: int
    cells: int
    answered: int


def keep_up(
    workspace: Workspace, domain: str, actor: str | None = None, heard: Heard = lambda *_: None
) -> ClosedWeek | Refreshed:
    """Close the week that is over, where it is not closed yet, else answer those anew of whom something is new."""
    schema = workspace.service.schema(domain)
    state = workspace.store.document(WEEKS_KIND, domain)
    day = last_day_over(today(panel_of(schema)))
    calendar = workspace.weeks.of(domain).calendar()
    year = calendar.year_at(day)
    day = day if year is None else min(day, year.end - timedelta(days=1))
    if year is not None and (state is None or state.body["week"] < year.week_name(last_week(year, day))):
        return close_week(workspace, domain, day, actor=actor, heard=heard)
    return refresh(workspace, domain, actor=actor, heard=heard)


def last_day_over(day: date) -> date:
    """The last day of the newest week whose school days are over.

    >>> last_day_over(date(2025, 10, 22)), last_day_over(date(2025, 10, 25))
    (datetime.date(2025, 10, 19), datetime.date(2025, 10, 25))
    """
    return day if day.weekday() >= 5 else day - timedelta(days=day.weekday() + 1)


class _Computed(NamedTuple):
    """Parts of all students of a year, what their schools have together, and what is audited of each student."""

    year: SchoolYear
    events: list[Events]
    peers: pl.DataFrame
    last_days: dict[Feed, dict[str, date]]
    traits: dict[str, Mapping[str, str]]


def close_week(
    workspace: Workspace, domain: str, as_of: date, *, actor: str | None = None, heard: Heard = lambda *_: None
) -> ClosedWeek:
    """Compute all students by what is known at the end of a day, keep what schools have together, and answer everybody
    in that day's week. Raises NoWeek, NoChampion, StoreUnavailable."""
    store, schema = workspace.store, workspace.service.schema(domain)
    receipt = store.observed_since(domain, None).newest  # before anything is read
    calendar = workspace.weeks.of(domain).calendar()
    year = calendar.year_at(as_of)
    if year is None or as_of >= year.end + timedelta(days=7):
        raise NoWeek(f"no school week of {domain} has begun by {as_of}, or the year is over")
    computed = _compute(store, domain, year, as_of, heard)
    keep_peers(store, domain, year, _kept_form(computed, as_of))
    until = last_week(year, as_of)
    silent = silent_feeds(calendar, computed.last_days, computed.peers["school"].unique().to_list(), as_of)
    stale = {one.school for one in silent if one.feed == "attendance"}
    rows = pl.concat([rows_of_week(part, computed.peers, until, schema) for part in computed.events])
    enough = pl.col("weeks_of_data") >= panel_of(schema).least_weeks
    asked = rows.filter(enough & ~pl.col("school").is_in(list(stale)))
    objected = workspace.service.objections or ()
    asked = asked.filter(pl.Series([one not in objected for one in asked["student"]], dtype=pl.Boolean))
    for number, some in enumerate(asked.iter_slices(ANSWERED_TOGETHER)):
        heard("answering", number * ANSWERED_TOGETHER / asked.height)
        tables = tables_of(_typed(some, computed.traits, schema), schema)
        workspace.service.answer_columns(schema, tables, source=CLOSE_SOURCE, actor=actor)
    closed = ClosedWeek(
        week=year.week_name(until), as_of=as_of, students=rows.height, answered=asked.height,
        without=rows.height - asked.height, stale=(*sorted(stale),), silent=silent,
    )  # fmt: skip
    _keep(store, CLOSED_KIND, f"{domain}/{closed.week}", domain, msgspec.to_builtins(closed))
    told = msgspec.to_builtins(silent)
    _keep_state(store, domain, {"week": closed.week, "receipt": receipt, "closed": new_id(), "silent": told})
    return closed


def refresh(
    workspace: Workspace, domain: str, *, as_of: date | None = None, actor: str | None = None,
    heard: Heard = lambda *_: None,
) -> Refreshed:  # fmt: skip
    """Answer those anew of whom something came since the last close or refresh; where the calendar changed, or none was
    closed, everybody is closed anew. Raises as `close_week`."""
    store, schema = workspace.store, workspace.service.schema(domain)
    state, day = store.document(WEEKS_KIND, domain), as_of or today(panel_of(schema))
    newest, dirty = dirty_since(store, domain, 0 if state is None else state.body["receipt"])
    if state is None or "" in dirty:
        closed = close_week(workspace, domain, day, actor=actor, heard=heard)
        return Refreshed(students=closed.students, cells=closed.students, answered=closed.answered)
    observed = workspace.weeks.of(domain)
    year = observed.calendar().year_at(day)
    until = -1 if year is None else last_week(year, day)
    cells, answered, come = 0, 0, set[str]()
    for some in parts(sorted(dirty)):
        heard("answering", None)
        weekly = WeeklyAnswers(store, workspace.service, schema, workspace.weeks)
        told = weekly.answers(some, source=CLOSE_SOURCE, actor=actor, as_of=day)
        answered += sum(one.prediction is not None for one in told)
        come |= {one.school or "" for one in told if one.completeness is not None and one.completeness.attendance}
        if year is not None:
            first = [max((dirty[one] - year.start).days // 7, 0) for one in some]
            cells += sum(max(until + 1 - week, 0) for week in first)
    silent = [one for one in silent_in(state.body) if one.feed != "attendance" or one.school not in come]
    _keep_state(store, domain, {**state.body, "receipt": newest, "silent": msgspec.to_builtins(silent)})
    return Refreshed(students=len(dirty), cells=cells, answered=answered)


def _compute(store: RecordStore, domain: str, year: SchoolYear, as_of: date, heard: Heard) -> _Computed:
    events, pooled, last_days = list[Events](), list[pl.DataFrame](), dict[Feed, dict[str, date]]()
    traits = dict[str, Mapping[str, str]]()
    for number, part in enumerate(observed_parts(store, domain, days=(year.start, as_of))):
        heard(f"computing, part {number + 1}", None)
        found = events_of(part.observations, year, as_of=as_of)
        traits.update(part.traits)
        events.append(found)
        pooled.append(peers_of(found))
        last_days = later(last_days, last_days_of(found)) if last_days else last_days_of(found)
    if not events:
        raise NoWeek(f"nothing is observed of a student of {domain} by {as_of}")
    together = pl.concat(pooled).group_by("school", "grade_level", "week").agg(pl.col(*POOLS).sum())
    return _Computed(year, events, together, last_days, traits)


def _kept_form(computed: _Computed, as_of: date) -> dict[str, PeersOfSchool]:
    """By school what is kept of it."""
    weeks = computed.year.weeks
    grades: dict[str, dict[str, dict[str, list[float]]]] = defaultdict(dict)
    for (school, grade), part in computed.peers.group_by("school", "grade_level"):
        places = part["week"].to_numpy()
        table = np.zeros((len(POOLS), weeks))
        table[:, places] = part.select(POOLS).to_numpy().T
        grades[str(school)][str(grade)] = dict(zip(POOLS, table.tolist(), strict=True))
    return {
        school: PeersOfSchool(as_of, computed.last_days["attendance"].get(school), of_grades)
        for school, of_grades in grades.items()
    }


def _typed(frame: pl.DataFrame, traits: Mapping[str, Mapping[str, str]], schema: DomainSchema) -> pl.DataFrame:
    """Rows of a week as `tables_of` reads them: what is computed within the ranges that the domain declares, and traits
    that it has levels for (`database.observed_weeks.values_of`)."""
    moment = schema.moments[-1]
    features = schema.features_at(moment)
    audited = [
        pl.Series(one.name, [_trait(traits, student, one) for student in frame["student"]], dtype=pl.Enum(one.levels))
        for one in features if one.protected
    ]  # fmt: skip
    computed = [
        pl.col(one.name).clip(one.minimum, one.maximum)
        for one in features if not one.protected and one.name in frame.columns
    ]  # fmt: skip
    names = {"student": "_student", "school": "_group", "week": "_period"}
    placed = [pl.lit(moment).alias("_moment"), *(pl.col(name).alias(called) for name, called in names.items())]
    return frame.select(*placed, *computed).with_columns(audited)


def _trait(traits: Mapping[str, Mapping[str, str]], student: str, feature: Feature) -> str | None:
    trait = traits.get(student, {}).get(feature.name)
    return trait if trait in feature.levels else None


def _keep_state(store: RecordStore, domain: str, body: dict[str, object]) -> None:
    _keep(store, WEEKS_KIND, domain, domain, body)


def _keep(store: RecordStore, kind: str, name: str, domain: str, body: dict[str, object]) -> None:
    kept = store.document(kind, name)
    revision = 1 if kept is None else kept.revision + 1
    store.put_document(Document(kind=kind, name=name, revision=revision, at=now(), domain=domain, body=body))
