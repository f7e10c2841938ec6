"""An invented school district: observations of its students, at-risk events, and what is true of both.

Ability, engagement and schools move absences, marks and incidents; seven drivers set in for some students within the
year and raise the hazard of an event. It proves nothing about real students. Shares are set to published ones where
there are any (`Shares`); the rest is plain.
"""

from dataclasses import dataclass, fields
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from preprocessing.panel.grid import SCHOOL_DAYS_OF_WEEK
from preprocessing.panel.kinds import STATUSES, WEEK_DAYS
from preprocessing.panel.observations import Observations, of_kinds

Floats = NDArray[np.float64]
Places = NDArray[np.int64]

DRIVERS = ("abs_decline", "monfri", "tardy", "grade_slump", "subject_slump", "missing_work", "discipline_burst")
HAZARD_WEIGHTS = (2.55, 1.5, 0.75, 2.85, 1.65, 2.25, 2.1)
"""What each driver adds to the logarithm of the weekly hazard once it is there in full."""
BOTH_DECLINE = 1.8  # of absences and marks that decline at once, beside what each adds
STANDING_WEIGHT = -0.9  # of a student's ability and engagement, in the same logarithm
DRIVEN_SHARE, SECOND_DRIVER_SHARE = 0.30, 0.25
ONSETS, RAMP_WEEKS = (4, 29), 6

PERSISTENCE = 0.85  # of engagement from one week to the next
MONDAY_MORE, FRIDAY_MORE = 0.18, 0.22  # of the logit of an absence
WINTER_WEEK, WINTER_HUMP, WINTER_WIDTH = 20, 0.25, 5.0
FRAILTY = 0.22
"""Shape of the gamma distribution of students' own rates of incidents (mean 1): few have most of them."""
INCIDENTS_A_YEAR, BURST_A_WEEK = 0.42, 0.15
SEVERITIES = (0.42, 0.30, 0.16, 0.08, 0.04)
REMOVAL_SHARES = (0.0, 0.0, 0.15, 0.5, 0.85)  # by severity
INCIDENT_CATEGORIES = ("defiance", "disruption", "fighting", "property", "substance", "threat")
SUBJECTS = ("math", "ela", "science", "social studies", "world language", "arts")
MARKS_A_WEEK, POINTS_OF_WORK = 3, (10.0, 20.0, 50.0, 100.0)
MEAN_MARK, ABILITY_SPREAD, MARK_NOISE = 0.882, 0.06, 0.09
GRADE_LEVELS = tuple(str(grade) for grade in range(6, 13))
SCHOOL_SIZE = 600
RETURNING = 0.85  # of one year's students in the next

CALENDAR_WEEKS, HOLIDAY_WEEKS = 39, (17, 18, 30)
HOLIDAYS = ((1, 0), (13, 3), (13, 4), (21, 0))  # week and weekday


@dataclass(frozen=True)
class Shares:
    """Of students: absent on a tenth of days or more (15 % in 2018-19), with an event within the year."""

    chronic: float = 0.15
    event: float = 0.25


@dataclass(frozen=True)
class District:
    """What is observed, what is audited, when events were; drivers: of whom, which, from which week of which year."""

    observations: Observations
    demographics: pl.DataFrame
    events: pl.DataFrame
    drivers: pl.DataFrame


@dataclass(frozen=True)
class _Traits:
    """Of each student, (S,) each."""

    key: Places
    ability: Floats
    engagement: Floats
    frailty: Floats
    school: Places
    grade: Places
    low_income: NDArray[np.bool_]

    @classmethod
    def drawn(cls, rng: np.random.Generator, count: int, first: int, schools: int) -> "_Traits":
        ability = rng.standard_normal(count)
        low_income = rng.random(count) < 0.45
        return cls(
            np.arange(first, first + count),
            ability,
            0.5 * ability + np.sqrt(0.75) * rng.standard_normal(count) - 0.3 * low_income,
            rng.gamma(FRAILTY, 1 / FRAILTY, count),
            rng.integers(0, schools, count),
            rng.integers(0, len(GRADE_LEVELS), count),
            low_income,
        )

    def next_year(self, rng: np.random.Generator, first: int, schools: int) -> "_Traits":
        """Those who return, and as many new ones as left."""
        stay = rng.random(len(self.key)) < RETURNING
        new = _Traits.drawn(rng, int((~stay).sum()), first, schools)
        names = [one.name for one in fields(self)]
        return _Traits(*(np.concatenate([getattr(self, name)[stay], getattr(new, name)]) for name in names))


def invent_district(
    students: int, *, seed: int, years: int = 1, first_year: int = 2025, shares: Shares | None = None
) -> District:
    """So many invented students in each of some school years, the first of which begins in August of `first_year`.

    The same arguments give the same district.
    """
    rng = np.random.default_rng([seed, 42])
    schools = max(2, students // SCHOOL_SIZE)
    school_effect = 0.3 * rng.standard_normal(schools)
    traits, known, parts = _Traits.drawn(rng, students, 1, schools), students, list[District]()
    for number in range(years):
        if number:
            traits = traits.next_year(rng, known + 1, schools)
            known = int(traits.key.max())
        parts.append(_Year(rng, traits, school_effect, first_year + number, shares or Shares()).district())
    return District(
        of_kinds({kind: pl.concat([frame for part in parts for one, frame in part.observations.frames() if one == kind])
                  for kind, _ in parts[0].observations.frames()}),
        pl.concat([part.demographics for part in parts]).unique("student", keep="first", maintain_order=True),
        pl.concat([part.events for part in parts]),
        pl.concat([part.drivers for part in parts]),
    )  # fmt: skip


class _Year:
    """One school year as it is drawn: in the order of its methods, each from the same generator."""

    def __init__(
        self, rng: np.random.Generator, traits: _Traits, school_effect: Floats, begins: int, shares: Shares
    ) -> None:
        self._rng, self._traits, self._school = rng, traits, school_effect[traits.school]
        self._shares, self._begins = shares, begins
        self._start = _last_monday_of_august(begins)
        self._open = np.ones((CALENDAR_WEEKS, SCHOOL_DAYS_OF_WEEK), np.bool_)
        self._open[list(HOLIDAY_WEEKS)] = False
        for week, day in HOLIDAYS:
            self._open[week, day] = False
        self._school_weeks: NDArray[np.bool_] = np.asarray(self._open.any(axis=1))
        self._students = len(traits.key)
        self._names = pl.Series([f"example-{key:07d}" for key in traits.key.tolist()], dtype=pl.String)
        self._ramps = self._drivers()
        self._engagement = self._weekly_engagement()
        self._begin, self._end, self._transfer = self._spells()

    def district(self) -> District:
        """All of it."""
        event_week = self._events()
        incidents, removed = self._incidents()
        observations = of_kinds({
            "attendance": self._attendance(removed),
            "grades": self._grades(),
            "incidents": incidents,
            "enrolment": self._enrolment(),
            "calendar": self._calendar(),
        })  # fmt: skip
        return District(observations, self._demographics(), self._event_frame(event_week), self._driver_frame())

    # What moves everything --------------------------------------------------------------------------------------

    def _drivers(self) -> Floats:
        """(drivers, S, W) how far each has set in, 0 to 1."""
        rng, count = self._rng, self._students
        driven = rng.random(count) < DRIVEN_SHARE
        first = rng.integers(0, len(DRIVERS), count)
        second = (first + rng.integers(1, len(DRIVERS), count)) % len(DRIVERS)
        two = rng.random(count) < SECOND_DRIVER_SHARE
        self._onset = rng.integers(ONSETS[0], ONSETS[1] + 1, count)
        drives = np.arange(len(DRIVERS))[:, None]
        self._driven: NDArray[np.bool_] = driven & ((drives == first) | (two & (drives == second)))
        ramp = np.clip((np.arange(CALENDAR_WEEKS) - self._onset[:, None] + 1) / RAMP_WEEKS, 0.0, 1.0)
        ramps: Floats = self._driven[:, :, None] * ramp
        return ramps

    def _weekly_engagement(self) -> Floats:
        shocks = self._rng.standard_normal((self._students, CALENDAR_WEEKS)) * np.sqrt(1 - PERSISTENCE**2)
        for week in range(1, CALENDAR_WEEKS):
            shocks[:, week] += PERSISTENCE * shocks[:, week - 1]
        weekly: Floats = self._traits.engagement[:, None] + 0.5 * shocks
        return weekly

    def _spells(self) -> tuple[Places, Places, Places]:
        """(S,) the first week of each student, the week from which it is gone, and from which it is elsewhere."""
        rng, count, lot = self._rng, self._students, self._rng.random(self._students)
        begin = np.where(lot < 0.03, rng.integers(2, 26, count), 0)
        end = np.where((lot >= 0.03) & (lot < 0.05), rng.integers(6, 36, count), CALENDAR_WEEKS)
        transfer = np.where((lot >= 0.05) & (lot < 0.08), rng.integers(6, 32, count), CALENDAR_WEEKS)
        return begin, end, transfer

    def _here(self) -> NDArray[np.bool_]:
        """(S, W) who is enrolled."""
        week = np.arange(CALENDAR_WEEKS)
        here: NDArray[np.bool_] = (week >= self._begin[:, None]) & (week < self._end[:, None])
        return here

    def _events(self) -> Places:
        """(S,) the week of the event, `CALENDAR_WEEKS` without one; the baseline is set by `Shares.event`."""
        log_hazard = np.tensordot(HAZARD_WEIGHTS, self._ramps, axes=1)
        log_hazard += BOTH_DECLINE * self._ramps[0] * self._ramps[DRIVERS.index("grade_slump")]
        static = STANDING_WEIGHT * (self._traits.ability + self._traits.engagement) + self._school
        hazard = np.exp(log_hazard + static[:, None]) * self._school_weeks * self._here()
        whole, low, high = hazard.sum(axis=1), 1e-9, 1.0
        for _ in range(60):
            level = (low + high) / 2
            low, high = (low, level) if 1 - np.exp(-level * whole).mean() > self._shares.event else (level, high)
        reached = np.cumsum(low * hazard, axis=1) >= self._rng.exponential(size=self._students)[:, None]
        return np.where(reached.any(axis=1), reached.argmax(axis=1), CALENDAR_WEEKS)

    # What is observed -------------------------------------------------------------------------------------------

    def _attendance(self, removed: NDArray[np.bool_]) -> pl.DataFrame:
        """A status for each school day on which a student is enrolled and not removed."""
        rng, shape = self._rng, (self._students, CALENDAR_WEEKS, SCHOOL_DAYS_OF_WEEK)
        ramp = dict(zip(DRIVERS, self._ramps, strict=True))
        weekly = -0.55 * self._engagement - 0.15 * self._traits.ability[:, None] + self._school[:, None]
        weekly += 0.25 * self._traits.low_income[:, None] + 2.3 * ramp["abs_decline"]
        weekly += WINTER_HUMP * np.exp(-(((np.arange(CALENDAR_WEEKS) - WINTER_WEEK) / WINTER_WIDTH) ** 2) / 2)
        logit = np.repeat(weekly[:, :, None], SCHOOL_DAYS_OF_WEEK, axis=2)
        for weekday, more in ((0, MONDAY_MORE), (4, FRIDAY_MORE)):
            logit[:, :, weekday] += more + 1.9 * ramp["monfri"]
        draws = rng.random(shape)
        absent_from = np.log(draws / (1 - draws)) - logit  # absent where the intercept is above it
        is_open = np.broadcast_to(self._open, shape)
        days = absent_from[:, self._open]
        enough = int(np.ceil(days.shape[1] / 10))
        intercept = np.quantile(np.partition(days, enough - 1, axis=1)[:, enough - 1], self._shares.chronic)
        absent = absent_from < intercept
        late = rng.random(shape) < _logistic(-3.4 - 0.4 * self._engagement + 2.6 * ramp["tardy"])[:, :, None]
        unexcused = rng.random(shape) < _logistic(-0.5 - 0.4 * self._engagement)[:, :, None]
        status = np.where(absent, 2 + unexcused, late.astype(np.int64)).astype(np.uint32)
        student, week, day = np.nonzero(is_open & self._here()[:, :, None] & ~removed)
        return pl.DataFrame({
            "student": self._names.gather(student),
            "day": self._days(week * WEEK_DAYS + day),
            "status": pl.Series(STATUSES, dtype=pl.String).gather(status[student, week, day]),
        })  # fmt: skip

    def _grades(self) -> pl.DataFrame:
        """Assignments of each school week in turn over the subjects, each posted some days after it was due."""
        rng, shape = self._rng, (self._students, CALENDAR_WEEKS, MARKS_A_WEEK)
        ramp = dict(zip(DRIVERS, self._ramps, strict=True))
        place = np.arange(CALENDAR_WEEKS)[:, None] * MARKS_A_WEEK + np.arange(MARKS_A_WEEK)
        subject, most = place % len(SUBJECTS), np.array(POINTS_OF_WORK)[place * 7 % len(POINTS_OF_WORK)]
        talent = 0.03 * rng.standard_normal((self._students, len(SUBJECTS)))
        weak = rng.integers(0, len(SUBJECTS), self._students)
        weekly = MEAN_MARK + ABILITY_SPREAD * self._traits.ability[:, None] + 0.02 * self._engagement
        weekly -= 0.22 * ramp["grade_slump"]
        share = weekly[:, :, None] + talent[:, subject] - MARK_NOISE * (rng.gamma(1.5, 1 / 1.5, shape) - 1)
        share -= 0.4 * ramp["subject_slump"][:, :, None] * (subject == weak[:, None, None])
        points = np.round(np.clip(share, 0.0, 1.0) * most, 1)
        gone = rng.random(shape) < _logistic(-3.6 - 0.5 * self._engagement + 2.6 * ramp["missing_work"])[:, :, None]
        late = rng.random(shape) < _logistic(-3.0 - 0.4 * self._engagement)[:, :, None]
        state = np.where(gone, 1, 2 * late).astype(np.uint32)
        there = self._here()[:, :, None] & self._school_weeks[:, None]
        student, week, number = np.nonzero(np.broadcast_to(there, shape))
        due = week * WEEK_DAYS + 4
        posted = np.minimum(due + rng.integers(0, 8, len(due)), CALENDAR_WEEKS * WEEK_DAYS - 1)
        chosen = student, week, number
        marks = pl.Series(points[chosen]).set(pl.Series(gone[chosen]), None)
        return pl.DataFrame({
            "student": self._names.gather(student),
            "subject": pl.Series(SUBJECTS, dtype=pl.String).gather(subject[week, number]),
            "posted_at": self._days(posted),
            "due": self._days(due),
            "points": marks,
            "max_points": most[week, number],
            "state": pl.Series(["scored", "missing", "late"], dtype=pl.String).gather(state[chosen]),
        })  # fmt: skip

    def _incidents(self) -> tuple[pl.DataFrame, NDArray[np.bool_]]:
        """Incidents, and (S, W, 5) the days on which somebody is removed after one: no attendance is taken of them."""
        rng = self._rng
        burst = self._ramps[DRIVERS.index("discipline_burst")]
        weeks = int(self._school_weeks.sum())
        rate = INCIDENTS_A_YEAR / weeks * self._traits.frailty[:, None] * np.exp(-0.25 * self._engagement)
        rate = (rate + BURST_A_WEEK * burst) * self._here() * self._school_weeks
        student, week = np.nonzero(counts := rng.poisson(rate))
        student, week = (np.repeat(one, counts[counts > 0]) for one in (student, week))
        day = _some_open_day(self._open, week, rng)
        severity = rng.choice(5, len(student), p=SEVERITIES)
        category = rng.integers(0, len(INCIDENT_CATEGORIES), len(student))
        removal = (rng.random(len(student)) < np.array(REMOVAL_SHARES)[severity]) * rng.integers(1, 6, len(student))
        frame = pl.DataFrame({
            "student": self._names.gather(student),
            "at": self._days(week * WEEK_DAYS + day),
            "category": pl.Series(INCIDENT_CATEGORIES, dtype=pl.String).gather(category),
            "severity": pl.Series(severity + 1, dtype=pl.Int8),
            "removal_days": removal.astype(np.float64),
            "event_id": pl.Series([f"{self._begins}-{number:07d}" for number in range(len(student))], dtype=pl.String),
        })  # fmt: skip
        return frame, self._removed(student, week * SCHOOL_DAYS_OF_WEEK + day, removal)

    def _removed(self, student: Places, place: Places, removal: Places) -> NDArray[np.bool_]:
        """The school days after each incident, as many as it removes."""
        is_open = self._open.ravel()
        order = np.cumsum(is_open)
        edges = np.zeros((self._students, int(order[-1]) + 7), np.int64)
        np.add.at(edges, (student, order[place] + 1), removal > 0)
        np.add.at(edges, (student, order[place] + 1 + removal), -(removal > 0).astype(np.int64))
        gone = (np.cumsum(edges, axis=1) > 0)[:, order] & is_open
        return gone.reshape(self._students, CALENDAR_WEEKS, SCHOOL_DAYS_OF_WEEK)

    # Who and when ------------------------------------------------------------------------------------------------

    def _days(self, days: Places) -> pl.Series:
        first = (self._start - date(1970, 1, 1)).days
        return pl.Series(days + first, dtype=pl.Int32).cast(pl.Date)

    def _enrolment(self) -> pl.DataFrame:
        """A spell for each student, and a second one for those who changed school."""
        schools = len(np.unique(self._traits.school))
        moved = self._transfer < CALENDAR_WEEKS
        other = (self._traits.school + 1) % max(schools, 2)

        def spells(which: NDArray[np.bool_], school: Places, begin: Places, end: Places) -> pl.DataFrame:
            return pl.DataFrame({
                "student": self._names.filter(pl.Series(which)),
                "school": pl.Series([f"school-{number + 1:03d}" for number in school[which].tolist()], dtype=pl.String),
                "grade_level": pl.Series(GRADE_LEVELS, dtype=pl.String).gather(self._traits.grade[which]),
                "begin": self._days(begin[which] * WEEK_DAYS),
                "end": self._days(end[which] * WEEK_DAYS),
            })  # fmt: skip

        everybody = np.ones(self._students, np.bool_)
        first = spells(everybody, self._traits.school, self._begin, np.minimum(self._end, self._transfer))
        return pl.concat([first, spells(moved, other, self._transfer, self._end)])

    def _calendar(self) -> pl.DataFrame:
        week, day = np.divmod(np.arange(self._open.size), SCHOOL_DAYS_OF_WEEK)
        return pl.DataFrame({
            "school": pl.Series([None] * self._open.size, dtype=pl.String),
            "day": self._days(week * WEEK_DAYS + day),
            "school_day": self._open.ravel(),
        })  # fmt: skip

    def _demographics(self) -> pl.DataFrame:
        """Drawn by key, so that a student is the same in every year; only a low income moves anything."""
        draws = np.stack([np.random.default_rng([int(key), 7]).random(4) for key in self._traits.key])
        yes_no = pl.Series(["no", "yes"], dtype=pl.String)
        races = ("american indian", "asian", "black", "hispanic", "pacific islander", "two or more", "white")
        race = np.searchsorted(np.cumsum([0.01, 0.06, 0.15, 0.27, 0.01, 0.05]), draws[:, 1])
        return pl.DataFrame({
            "student": self._names,
            "sex": pl.Series(["female", "male", "other"], dtype=pl.String).gather(
                np.searchsorted([0.49, 0.995], draws[:, 0])
            ),
            "race_ethnicity": pl.Series(races, dtype=pl.String).gather(race),
            "low_income": yes_no.gather(self._traits.low_income.astype(np.uint32)),
            "english_learner": yes_no.gather((draws[:, 2] < 0.1).astype(np.uint32)),
            "disability": yes_no.gather((draws[:, 3] < 0.14).astype(np.uint32)),
        })  # fmt: skip

    def _event_frame(self, week: Places) -> pl.DataFrame:
        seen = np.flatnonzero(week < np.minimum(self._end, CALENDAR_WEEKS))
        day = _some_open_day(self._open, week[seen], self._rng)
        return pl.DataFrame({"student": self._names.gather(seen), "at": self._days(week[seen] * WEEK_DAYS + day)})

    def _driver_frame(self) -> pl.DataFrame:
        driver, student = np.nonzero(self._driven)
        return pl.DataFrame({
            "student": self._names.gather(student),
            "driver": pl.Series(DRIVERS, dtype=pl.String).gather(driver),
            "from": self._days(self._onset[student] * WEEK_DAYS),
            "onset_week": pl.Series(self._onset[student], dtype=pl.Int32),
            "weight": np.array(HAZARD_WEIGHTS)[driver],
        })  # fmt: skip


def _logistic(values: Floats) -> Floats:
    found: Floats = 1 / (1 + np.exp(-values))
    return found


def _last_monday_of_august(year: int) -> date:
    last = date(year, 8, 31)
    return last - timedelta(days=last.weekday())


def _some_open_day(is_open: NDArray[np.bool_], week: Places, rng: np.random.Generator) -> Places:
    """A school day of each week, by lot; the weeks have some."""
    lots = np.where(is_open[week], rng.random((len(week), SCHOOL_DAYS_OF_WEEK)), -1.0)
    day: Places = lots.argmax(axis=1)
    return day
