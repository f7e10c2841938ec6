"""The twelve weeks of the invented institution: what happens when, told to a teller who does it.

A school that another one joins, whose ranges break, and whose model is replaced; a university where all is calm; a
district whose students are answered week by week.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import NamedTuple

import polars as pl

from advice.case_steps import NewStep
from database.records import ChampionKey
from demo.district import district_story, events_between
from demo.plot import (
    CHANGED,
    DISTRICT,
    FIRST_MONDAY,
    JOINED,
    ONE_WEEK,
    REPLACED,
    ROLLED_BACK,
    SCHOOL,
    TRIED,
    UNIVERSITY,
    WEEKS,
)
from demo.students import AS_EVER, COMMON_EXAM, school_class, university_term
from demo.teller import ANALYST, TEACHER, Teller
from preprocessing.schema import DomainSchema
from preprocessing.validation.rules import BadData

TAUGHT, TAUGHT_UNIVERSITY = 340, 1600  # students whose ends are known when the demo begins
WEEKLY, WEEKLY_SOUTH, WEEKLY_UNIVERSITY = 60, 40, 320
LAST_NORTH, LAST_SOUTH, KNOWN_BY_NOW = 150, 76, 166  # the last class, and of how many the ends are known at last
LAST_BETTER = 1.1  # points of all its marks
NOTES = (
    NewStep("talked", "wants to come to the support lessons on Tuesdays"),
    NewStep("helped", "goes to the support lessons already"),
    NewStep("not_applicable", "was ill for three weeks and is catching up"),
)
FIRST_CLOSED = 4  # week of the story: then the year, which began a week before it, has four weeks
MONDAY, TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = range(5)


class StoryStep(NamedTuple):
    """What is done in an hour of a day of a week; the first week is 1, Monday 0."""

    week: int
    day: int
    hour: int
    done: Callable[[Teller], None]

    @property
    def at(self) -> datetime:
        """The moment, UTC."""
        monday = FIRST_MONDAY + (self.week - 1) * ONE_WEEK
        return datetime.combine(monday + timedelta(days=self.day), time(self.hour), tzinfo=UTC)


def tell(teller: Teller) -> None:
    """Live through all weeks in a teller's empty workspace; some minutes of work."""
    school, university, district = map(teller.schema, (SCHOOL, UNIVERSITY, DISTRICT))
    steps = [*_school(school), *_university(university), *_district(district)]
    for step in sorted(steps, key=lambda step: step.at):
        teller.clock.set(step.at)
        teller.say(f"{step.at:%a %d %b %H:%M}")
        step.done(teller)


# The school ----------------------------------------------------------------------------------------------------------


def _school(schema: DomainSchema) -> Iterator[StoryStep]:
    _, first_mark, second_mark = schema.moments
    taught = school_class(schema, "N0", TAUGHT, 1, AS_EVER, south=False)
    yield StoryStep(1, MONDAY, 8, lambda teller: teller.upload(SCHOOL, "labeled", taught, "north-2025.csv", ANALYST))
    yield StoryStep(1, MONDAY, 9, lambda teller: teller.train(SCHOOL))
    for week in range(2, TRIED):
        rows = _class_of(schema, week)
        yield StoryStep(week, MONDAY, 10, _asks(SCHOOL, rows, first_mark))
        yield StoryStep(week, WEDNESDAY, 10, _asks(SCHOOL, rows, second_mark))
        yield StoryStep(week + 1, MONDAY, 8, _ends(SCHOOL, rows, f"marks-week-{week}.csv"))
    yield from (StoryStep(week, THURSDAY, 7, lambda teller: teller.look(SCHOOL)) for week in range(2, WEEKS + 1))
    yield StoryStep(REPLACED, TUESDAY, 14, lambda teller: teller.contest(SCHOOL))
    asked = "the head asked for the model before, until the south has been told"
    yield StoryStep(ROLLED_BACK, TUESDAY, 9, lambda teller: teller.roll_back(CHANGED, asked))
    yield StoryStep(ROLLED_BACK, THURSDAY, 11, lambda teller: teller.bring_back(CHANGED, "the south has been told"))
    yield from _last_weeks(schema, first_mark, second_mark)


def _last_weeks(schema: DomainSchema, first_mark: str, second_mark: str) -> Iterator[StoryStep]:
    """A trial, and a class that is still under way on the last day."""
    key, rows = ChampionKey(SCHOOL, schema.targets[0].name, first_mark), _last_class(schema)
    known = rows.sample(KNOWN_BY_NOW, seed=3)
    why = "is it enough to learn from the newest students alone?"
    yield StoryStep(TRIED, MONDAY, 12, lambda teller: teller.try_newest(key, 50, why))
    yield StoryStep(TRIED, TUESDAY, 10, _asks(SCHOOL, rows, first_mark))
    yield StoryStep(WEEKS, WEDNESDAY, 10, _asks(SCHOOL, rows, second_mark))
    yield StoryStep(WEEKS, THURSDAY, 13, lambda teller: teller.note(SCHOOL, NOTES))
    yield StoryStep(WEEKS, FRIDAY, 8, _ends(SCHOOL, known, "marks-week-12.csv"))
    yield StoryStep(WEEKS, FRIDAY, 14, lambda teller: _send_addresses(teller, known.head(20)))


def _class_of(schema: DomainSchema, week: int) -> pl.DataFrame:
    """The students of a week: of the north, and from some week on of the south."""
    year = COMMON_EXAM if week > JOINED else AS_EVER
    classes = [school_class(schema, f"N{week}", WEEKLY, 10 + week, year, south=False)]
    if week >= JOINED:
        classes.append(school_class(schema, f"S{week}", WEEKLY_SOUTH, 60 + week, year, south=True))
    return pl.concat(classes)


def _last_class(schema: DomainSchema) -> pl.DataFrame:
    year = COMMON_EXAM._replace(better=LAST_BETTER)
    north = school_class(schema, "N12", LAST_NORTH, 208, year, south=False)
    south = school_class(schema, "S12", LAST_SOUTH, 300, year, south=True)
    return pl.concat([north, south])


def _send_addresses(teller: Teller, rows: pl.DataFrame) -> None:
    """A file whose key is an e-mail address, which is refused."""
    named = rows.with_columns(pl.col("student_id").str.to_lowercase() + "@school.example")
    with suppress(BadData):
        teller.outcomes(SCHOOL, named, "marks-by-mail.csv", TEACHER)


# The university ------------------------------------------------------------------------------------------------------


def _university(schema: DomainSchema) -> Iterator[StoryStep]:
    taught = university_term(schema, "U0", TAUGHT_UNIVERSITY, 100, "2026-1")
    yield StoryStep(1, MONDAY, 6, lambda teller: teller.upload(UNIVERSITY, "labeled", taught, "spring-2026.csv"))
    yield StoryStep(1, MONDAY, 7, lambda teller: teller.train(UNIVERSITY))
    for week in range(2, WEEKS + 1):
        rows = university_term(schema, f"U{week}", WEEKLY_UNIVERSITY, 100 + week, "2026-2")
        yield StoryStep(week, TUESDAY, 7, _asks(UNIVERSITY, rows, schema.moments[0]))
        yield StoryStep(week, THURSDAY, 6, lambda teller: teller.look(UNIVERSITY, days=21))
        if week + 2 <= WEEKS:
            yield StoryStep(week + 2, MONDAY, 7, _ends(UNIVERSITY, rows, f"ends-week-{week}.csv"))


# The district --------------------------------------------------------------------------------------------------------


def _district(schema: DomainSchema) -> Iterator[StoryStep]:
    """Last year's weeks are learned from; this year's days come every Monday, and the week that is over is closed."""
    learned, observed = district_story(schema)
    rows = "weeks-2025-26.csv"
    yield StoryStep(1, MONDAY, 3, lambda teller: teller.upload(DISTRICT, "labeled", learned, rows))
    yield StoryStep(1, MONDAY, 4, lambda teller: teller.train(DISTRICT))
    begin = date.min
    for week in range(1, WEEKS + 1):
        monday = FIRST_MONDAY + (week - 1) * ONE_WEEK
        events = list(events_between(observed, begin, monday))
        yield StoryStep(week, MONDAY, 5, partial(Teller.observe, domain=DISTRICT, events=events))
        begin = monday
        if week >= FIRST_CLOSED:
            yield StoryStep(week, MONDAY, 6, partial(Teller.close_week, domain=DISTRICT))


def _asks(domain: str, rows: pl.DataFrame, moment: str) -> Callable[[Teller], None]:
    return lambda teller: teller.ask(domain, rows, moment)


def _ends(domain: str, rows: pl.DataFrame, name: str) -> Callable[[Teller], None]:
    return lambda teller: teller.outcomes(domain, rows, name)
