"""The 42 weekly features against a slow reading of their definitions, and the laws that hold of any rows of them."""

import random
import statistics
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from functools import wraps
from itertools import pairwise
from math import isclose, isnan, nan

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from preprocessing.panel.computed import FEATURE_NAMES
from preprocessing.panel.events import events_of
from preprocessing.panel.features import peers_of, rows_in_parts, weekly_features
from preprocessing.panel.observations import FRAMES, check, of_kinds
from preprocessing.panel.school_year import school_years

MONDAY = date(2025, 8, 25)
WEEKS = 24
STUDENTS = 67
HOLIDAY_WEEKS, HOLIDAYS = {9, 15, 16}, {MONDAY + timedelta(7)}
ABSENT = {"excused", "unexcused"}


def district(seed: int = 1):
    """Observations of a small district: holidays, one of a day, one of a school alone, late entries, gaps, leavers,
    transfers, students without marks, absences in runs, a week without a recorded day, events on weekends."""
    rng = random.Random(seed)
    rows = defaultdict(list)
    days = [MONDAY + timedelta(7 * week + day) for week in range(WEEKS) for day in range(5)]
    for day in days:
        week = (day - MONDAY).days // 7
        rows["calendar"].append((None, day, week not in HOLIDAY_WEEKS and day not in HOLIDAYS))
    rows["calendar"] += [("south", MONDAY + timedelta(7 * 12 + day), False) for day in range(4)]
    for number in range(STUDENTS):
        one_student(rng, f"s{number:02d}", number, days, rows)
    order = {kind: rng.sample(found, len(found)) for kind, found in rows.items()}
    return check(of_kinds({kind: pl.DataFrame(found, FRAMES[kind], orient="row") for kind, found in order.items()}))


def one_student(rng, student, number, days, rows):
    school, grade = ("north", "south", "west")[min(number // 30, 2)], str(7 + number % 2)
    begin, end = MONDAY - timedelta(400 * (number % 3 == 0)), None
    spells = [(student, school, grade, begin, None)]
    if number % 11 == 3:
        spells = [(student, school, grade, days[rng.randrange(10, 60)], None)]
    elif number % 11 == 5:
        leaves, back = days[rng.randrange(10, 30)], days[rng.randrange(40, 80)]
        spells = [(student, school, grade, begin, leaves), (student, school, grade, back, None)]
    elif number % 11 == 7:
        moves = days[rng.randrange(20, 70)]
        spells = [(student, school, grade, begin, moves), (student, "north", "7", moves, None)]
    elif number % 11 == 9:
        end = days[rng.randrange(30, 90)]
        spells = [(student, school, grade, begin, end)]
    rows["enrolment"] += spells
    weights = [(20, 2, 1, 1), (5, 2, 3, 4), (3, 0, 0, 6)][number % 3]
    status = "present"
    for day in days:
        there = any(first <= day and (last is None or day < last) for _, _, _, first, last in spells)
        if there and rng.random() < 0.95:
            again = rng.random() < 0.5
            status = status if again else rng.choices(("present", "tardy", "excused", "unexcused"), weights)[0]
            rows["attendance"].append((student, day, status))
    if number % 13 != 4:
        for _ in range(rng.choice((4, 60, 90))):
            posted = MONDAY + timedelta(rng.randrange(7 * WEEKS))
            state = rng.choices(("scored", "missing", "late", "exempt"), (14, 3, 3, 1))[0]
            most = rng.choice((10.0, 20.0, 50.0))
            points = None if state in ("missing", "exempt") else round(most * rng.choice((0.6, 0.9, rng.random())), 2)
            subject = rng.choice(("Math", "ELA", "science", "art")[: 1 + number % 4])
            rows["grades"].append((student, subject, posted, posted, points, most, state))
    for event in range(rng.choice((0, 0, 1, 2, 9, 25))):
        at = MONDAY + timedelta(rng.randrange(7 * WEEKS))
        removal = rng.choice((0.0, 0.0, 0.5, 3.0))
        rows["incidents"].append(
            (student, at, rng.choice(("a", "b", "c")), rng.randint(1, 5), removal, f"{student}-{event}")
        )


def remembered(method):
    """Answers of a method of an oracle, kept with it."""

    @wraps(method)
    def asked(self, *arguments):
        if (key := (method.__name__, *arguments)) not in self.kept:
            self.kept[key] = method(self, *arguments)
        return self.kept[key]

    return asked


class Oracle:
    """One student and week at a time, as the definitions read."""

    def __init__(self, observations):
        self.kept = {}
        self.of = {kind: defaultdict(list) for kind, _ in observations.frames()}
        for kind, frame in observations.frames():
            for row in frame.iter_rows(named=True):
                self.of[kind][row.get("student")].append(row)
        self.calendar = {(row["school"], row["day"]): row["school_day"] for row in self.of["calendar"][None]}

    @remembered
    def place(self, student, week):
        monday, friday = MONDAY + timedelta(7 * week), MONDAY + timedelta(7 * week + 4)
        spells = [s for s in self.of["enrolment"][student] if s["begin"] <= friday]
        spells = [s for s in spells if s["end"] is None or s["end"] > monday]
        last = max(spells, key=lambda s: s["begin"], default=None)
        return last and (last["school"], last["grade_level"])

    def is_open(self, student, day):
        place = self.place(student, (day - MONDAY).days // 7)
        own = self.calendar.get((place[0], day)) if place else None
        return self.calendar.get((None, day), False) if own is None else own

    @remembered
    def days(self, student):
        """Scheduled days in order: (week, weekday, status)."""
        found = sorted(self.of["attendance"][student], key=lambda r: r["day"])
        found = [r for r in found if r["day"].weekday() < 5 and self.is_open(student, r["day"])]
        return [((r["day"] - MONDAY).days // 7, r["day"].weekday(), r["status"]) for r in found]

    def within(self, student, week, span):
        return [one for one in self.days(student) if week - span < one[0] <= week]

    @remembered
    def attendance_rate(self, student, week, span):
        days = self.within(student, week, span)
        return Fraction(sum(s not in ABSENT for *_, s in days), len(days)) if days else None

    @remembered
    def marks(self, student):
        found = [r for r in self.of["grades"][student] if r["state"] != "exempt"]
        return [{**r, "week": (r["posted_at"] - MONDAY).days // 7} for r in found]

    @remembered
    def percentage(self, student, week, span, subject=None):
        points = most = Fraction(0)
        for r in self.marks(student):
            if week - span < r["week"] <= week and r["points"] is not None and subject in (None, r["subject"]):
                points, most = points + Fraction(str(r["points"])), most + Fraction(str(r["max_points"]))
        return points / most if most else None

    @remembered
    def incidents(self, student):
        found = [{**r, "week": (r["at"] - MONDAY).days // 7} for r in self.of["incidents"][student]]
        return sorted(found, key=lambda r: (r["at"], r["event_id"]))

    @remembered
    def pooled(self, place, week):
        """Rates of a school and grade over four weeks, with how many students have them."""
        of = [s for s in self.of["enrolment"] if self.place(s, week) == place]
        days = [day for s in of for day in self.within(s, week, 4)]
        points = most = Fraction(0)
        for s in of:
            for r in self.marks(s):
                if week - 4 < r["week"] <= week and r["points"] is not None:
                    points, most = points + Fraction(str(r["points"])), most + Fraction(str(r["max_points"]))
        attending = sum(bool(self.within(s, week, 4)) for s in of)
        marked = sum(self.percentage(s, week, 4) is not None for s in of)
        there = sum(s not in ABSENT for *_, s in days)
        return (attending, there / len(days) if days else nan), (marked, float(points / most) if most else nan)

    def row(self, student, week):
        return [nan if value is None else float(value) for value in self.features(student, week)]

    def features(self, student, week):
        yield from self.attendance_features(student, week)
        yield from self.grade_features(student, week)
        yield from self.discipline_features(student, week)

    def attendance_features(self, student, week):
        four, before = self.attendance_rate(student, week, 4), self.attendance_rate(student, week - 4, 4)
        days = self.within(student, week, 4)
        there = [s for *_, s in days if s not in ABSENT]
        weekly = [(w, self.attendance_rate(student, w, 1)) for w in range(week - 7, week + 1)]
        weekly = [(w, float(value)) for w, value in weekly if value is not None]
        yield self.attendance_rate(student, week, 1)
        yield four
        yield self.attendance_rate(student, week, 999)
        for status in ("unexcused", "excused"):
            yield Fraction(sum(s == status for *_, s in days), len(days)) if days else None
        yield Fraction(there.count("tardy"), len(there)) if there else None
        yield slope(weekly) if len(weekly) >= 3 else None
        yield statistics.pstdev([value for _, value in weekly]) if len(weekly) >= 2 else None
        yield None if four is None or before is None else four - before
        runs = self.runs(student)
        until = [(w, run) for w, run in runs if w <= week]
        yield until[-1][1] if until else 0
        yield max((run for w, run in until if w > week - 20), default=0)
        yield from self.weekdays(student, week)
        others, pooled = self.pooled(self.place(student, week), week)[0]
        yield None if four is None or others - 1 < 10 else float(four) - pooled

    @remembered
    def runs(self, student):
        found, run = [], 0
        for week, _, status in self.days(student):
            run = run + 1 if status in ABSENT else 0
            found.append((week, run))
        return found

    def weekdays(self, student, week):
        days = self.within(student, week, 10)
        edge = [s in ABSENT for _, day, s in days if day in (0, 4)]
        middle = [s in ABSENT for _, day, s in days if day in (1, 2, 3)]
        yield statistics.fmean(edge) - statistics.fmean(middle) if edge and middle else None
        absences = Counter(day for _, day, s in days if s in ABSENT)
        total = absences.total()
        if not days or total < 3:
            yield 0 if days else None
        else:
            yield (sum((n / total) ** 2 for n in absences.values()) - 0.2) / 0.8

    def grade_features(self, student, week):
        marks = self.marks(student)
        subjects = sorted({r["subject"] for r in marks})
        year = {s: self.percentage(student, week, 999, s) for s in subjects}
        eight = {s: self.percentage(student, week, 8, s) for s in subjects}
        year = {s: value for s, value in year.items() if value is not None}
        eight = {s: float(value) for s, value in eight.items() if value is not None}
        steps = [Fraction(n, 10) for n in (9, 8, 7, 6)]
        yield statistics.fmean(sum(value >= step for step in steps) for value in year.values()) if year else None
        yield self.percentage(student, week, 1)
        four, before = self.percentage(student, week, 4), self.percentage(student, week - 4, 4)
        yield four
        weekly = [(w, self.percentage(student, w, 1)) for w in range(week - 7, week + 1)]
        weekly = [(w, float(value)) for w, value in weekly if value is not None]
        yield slope(weekly) if len(weekly) >= 3 else None
        single = [
            r["points"] / r["max_points"] for r in marks if week - 8 < r["week"] <= week and r["points"] is not None
        ]
        yield statistics.pstdev(single) if len(single) >= 3 else None
        yield None if four is None or before is None else four - before
        assigned = [r["state"] for r in marks if week - 4 < r["week"] <= week]
        yield assigned.count("missing") / len(assigned) if assigned else None
        yield assigned.count("late") / len(assigned) if assigned else None
        yield sum(value < 0.6 for value in eight.values()) if eight else None
        yield min(eight.values(), default=None)
        yield eight.get("Math")
        yield eight.get("ELA")
        yield statistics.pstdev(eight.values()) if len(eight) >= 2 else None
        now = {s: self.percentage(student, week, 4, s) for s in subjects}
        yield min((value - year[s] for s, value in now.items() if value is not None), default=None)
        others, pooled = self.pooled(self.place(student, week), week)[1]
        yield None if four is None or others - 1 < 10 else float(four) - pooled

    def discipline_features(self, student, week):
        past = [r for r in self.incidents(student) if r["week"] <= week]

        def last(span):
            return [r for r in past if r["week"] > week - span]

        yield len(last(1))
        yield len(last(4))
        yield len(past)
        yield sum(r["severity"] for r in last(4))
        yield max((r["severity"] for r in last(20)), default=0)
        yield sum(r["severity"] * 2 ** (-(week - r["week"]) / 4) for r in past)
        yield 2 * len(last(4)) - len(last(8))
        weeks = [w for w in range(max(0, week - 7), week + 1) if self.school_week(student, w)]
        severities = [(w, sum(r["severity"] for r in past if r["week"] == w)) for w in weeks]
        yield slope(severities) if len(weeks) >= 3 else 0
        yield min(36, week - past[-1]["week"]) if past else 36
        soon = [b for a, b in pairwise(past) if (b["at"] - a["at"]).days <= 28]
        yield sum(r["week"] > week - 20 for r in soon)
        twenty = last(20)
        yield max(max(Counter(r["category"] for r in twenty).values(), default=0) - 1, 0)
        yield sum(r["removal_days"] for r in twenty)
        earlier = [r["severity"] for r in twenty[:-1]]
        yield twenty[-1]["severity"] - statistics.fmean(earlier) if earlier else 0

    def school_week(self, student, week):
        monday = MONDAY + timedelta(7 * week)
        return self.place(student, week) and any(self.is_open(student, monday + timedelta(day)) for day in range(5))


def slope(points):
    return statistics.linear_regression(*zip(*points, strict=True)).slope


def until(observations, last):
    """What happened up to a day, and nothing after."""
    return replace(
        observations,
        attendance=observations.attendance.filter(pl.col("day") <= last),
        grades=observations.grades.filter(pl.col("posted_at") <= last),
        incidents=observations.incidents.filter(pl.col("at") <= last),
        enrolment=observations.enrolment.filter(pl.col("begin") <= last),
    )


def of_students(observations, students):
    """What is observed of some, with the calendar."""
    kinds = {kind: frame for kind, frame in observations.frames() if kind != "calendar"}
    return replace(observations, **{kind: one.filter(pl.col("student").is_in(students)) for kind, one in kinds.items()})


def test_every_feature_is_what_its_definition_says():
    observations = district()
    (year,) = school_years(observations.calendar)
    rows, oracle = weekly_features(observations, year), Oracle(observations)
    expected = {(s, w) for s in oracle.of["enrolment"] for w in range(WEEKS) if oracle.place(s, w)}
    assert set(rows.select("student", "school_week").iter_rows()) == expected
    wrong = Counter()
    for row in rows.iter_rows(named=True):
        assert (row["school"], row["grade_level"]) == oracle.place(row["student"], row["school_week"])
        for name, truth in zip(FEATURE_NAMES, oracle.row(row["student"], row["school_week"]), strict=True):
            found = nan if row[name] is None else row[name]
            same = (isnan(found) and isnan(truth)) or isclose(found, truth, rel_tol=1e-6, abs_tol=2e-6)
            wrong[name] += not same
    assert +wrong == Counter()
    assert all(rows[name].null_count() < rows.height and rows[name].n_unique() > 3 for name in FEATURE_NAMES)


@pytest.mark.parametrize("week", [0, 3, 9, 12, 17])
def test_nothing_after_a_week_changes_what_it_says(week):
    observations = district(2)
    (year,) = school_years(observations.calendar)
    whole = weekly_features(observations, year).filter(pl.col("school_week") <= week).sort("student", "week")
    sunday = MONDAY + timedelta(7 * week + 6)
    assert_frame_equal(
        weekly_features(observations, year, as_of=sunday).sort("student", "week"), whole, check_exact=True
    )
    cut = weekly_features(until(observations, sunday), year).filter(pl.col("school_week") <= week)
    assert_frame_equal(cut.sort("student", "week"), whole, check_exact=True)


def test_rows_of_one_of_some_and_of_all_are_the_same_bits_in_any_order_and_parts():
    observations = district(3)
    (year,) = school_years(observations.calendar)
    events = events_of(observations, year)
    peers, rows = peers_of(events), weekly_features(observations, year)
    shuffled = replace(
        observations, **{kind: one.sample(fraction=1.0, shuffle=True, seed=5) for kind, one in observations.frames()}
    )
    assert_frame_equal(weekly_features(shuffled, year), rows, check_exact=True)
    for students in (["s07"], ["s05", "s40", "s66"]):
        some = weekly_features(of_students(observations, students), year, peers=peers)
        assert_frame_equal(some, rows.filter(pl.col("student").is_in(students)), check_exact=True)
    parts = events.parts(1)
    assert len(parts) == 3
    assert sum(len(part.roster.students) for part in parts) == STUDENTS
    together = pl.concat([rows_in_parts(part, peers, last_week=year.weeks - 1) for part in parts])
    assert_frame_equal(together, rows, check_exact=True)


def test_a_calendar_is_parted_into_years_by_its_long_breaks():
    days = [date(2024, 9, 3) + timedelta(n) for n in range(280)] + [
        date(2025, 8, 27) + timedelta(n) for n in range(100)
    ]
    frame = pl.DataFrame([(None, day, day.weekday() < 5) for day in days], FRAMES["calendar"], orient="row")
    assert [(year.name, year.start, year.weeks) for year in school_years(frame)] == [
        ("2024-25", date(2024, 9, 2), 41),
        ("2025", date(2025, 8, 25), 15),
    ]
