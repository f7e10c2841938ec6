"""How a student stands this week: from what is observed of it to the risk within each horizon, and why, or why there is
no answer.

It answers by the service, which logs, and cuts levels by the warning policy in use. It knows no request, and no name.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Literal, NamedTuple, get_args

import msgspec

from clock import now
from database.observed_weeks import KnownStudent, KnownWeek, ObservedByDomain
from database.records import Answer, Cell, ChampionKey, Prediction
from database.store import RecordStore
from model.chance_ranges import ranges_of
from model.explain import ThemeFactor
from model.predictor import Predictor
from model.readable import said_about
from model.service import PredictionService
from monitoring.at_risk import ranked_target
from monitoring.feeds import STALE_DAYS
from monitoring.warning_policy import WarningPolicy, policy_in_use
from preprocessing.panel.few import Calendar
from preprocessing.panel.live import panel_of
from preprocessing.schema import DomainSchema, PanelSchema, Target
from preprocessing.validation.json_rows import ValidRow

MOST_THEMES = 5

FOUR_LEVELS = WarningPolicy(cuts=(0.25, 0.5, 0.75), levels=("low", "medium", "high", "critical"))
"""By whose levels a chance is told as long as the policy in use parts none."""

WhyNot = Literal["unknown", "no_year", "year_over", "withdrawn", "too_few_weeks", "stale_feed", "little_known"]
WHY_NOT: tuple[WhyNot, ...] = get_args(WhyNot)


class WeekCompleteness(msgspec.Struct, frozen=True, kw_only=True):
    """How much is known. weeks_of_data: of the year until then; known: the share of the model's columns that say
    something. attendance, marks: whether any was seen this week. last_seen: the last day with attendance at the school.
    peers_until: up to which day others of school and grade are known, with whom the student is compared."""

    weeks_of_data: int
    known: float
    attendance: bool
    marks: bool
    last_seen: date | None
    peers_until: date | None


class SinceWeek(msgspec.Struct, frozen=True, kw_only=True):
    """What the same model says of the week before. risk: how far the longest horizon's moved; themes: how far that of
    each that moved, the furthest first."""

    week: str
    risk: float
    themes: Mapping[str, float]


class WeeklyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How a student (a pseudonym) stands in the newest week.

    risks: by weeks of the horizon, the chance of an event within it; empty where nobody answers, and why_not says why
    in a word, told in a sentence. ranges: where the true chance of all who are answered so lies, nine times in ten;
    empty of a model that keeps none. risk, interval: of the longest horizon. level: by the warning policy in use, else
    by quarters of the chance. value: the likeliest level of the outcome; rule: what the plain rule says. prediction:
    under which it is logged.
    """

    student: str
    week: str | None = None
    school: str | None = None
    grade: str | None = None
    risk: float | None = None
    risks: Mapping[int, float] = {}
    ranges: Mapping[int, tuple[float, float]] = {}
    level: str | None = None
    value: str | None = None
    interval: tuple[float, float] | None = None
    rule: str | None = None
    factors: tuple[ThemeFactor, ...] = ()
    since: SinceWeek | None = None
    completeness: WeekCompleteness | None = None
    why_not: WhyNot | None = None
    told: str | None = None
    prediction: str | None = None
    model: str | None = None
    at: datetime | None = None


class _Placed(NamedTuple):
    """A student of whom something can be asked."""

    known: KnownStudent
    present: KnownWeek


class WeeklyAnswers:
    """The students of one domain, answered by one service."""

    def __init__(
        self, store: RecordStore, service: PredictionService, schema: DomainSchema, observed: ObservedByDomain
    ) -> None:
        self._panel = panel_of(schema)
        self._store, self._service, self._schema, self._observed = store, service, schema, observed.of(schema.name)
        self.target = ranked_target(schema, next((one.name for one in schema.targets if one.within), None))

    def answers(
        self,
        students: Sequence[str],
        *,
        source: str,
        actor: str | None = None,
        as_of: date | None = None,
        factors: bool = False,
        groups: Collection[str] | None = None,
    ) -> list[WeeklyAnswer]:
        """Each of these, in order, logged where it is answered. as_of: the day at the end of which it is known, today
        by default. groups: schools that whoever asks is confined to: others' students are unknown. Raises NoChampion,
        StoreUnavailable."""
        day = as_of or today(self._panel)
        objections = self._service.objections
        asked = [one for one in students if one not in (objections or ())]
        known, calendar = self._observed.students(asked, day)
        seen = {one: found for one, found in known.items() if groups is None or found.school in groups}
        told = {one: self._without(one, seen.get(one), calendar, day) for one in students}
        open_ones = [_Placed(seen[one], present) for one, silent in told.items()
                     if silent is None and (present := seen[one].present) is not None]  # fmt: skip
        answered = self._answered(open_ones, source, actor, factors=factors)
        return [told[one] or answered[one] for one in students]

    def _without(self, student: str, known: KnownStudent | None, calendar: Calendar, day: date) -> WeeklyAnswer | None:
        """Why there is no answer, where that is seen before anybody is asked."""
        if known is None:
            year = calendar.year_at(day)
            why: WhyNot = "no_year" if year is None else "unknown"
            return _silent(student, None, why, "nothing is observed of this student by then in a school year")
        name, last = known.year.name, known.earlier
        if day >= known.year.end:
            return _silent(student, known, "year_over", f"the school year {name} is over: ask as of a day within it")
        if known.present is None:
            return _silent(student, known, "withdrawn", f"not enrolled since {last.name if last else name}")
        missing = calendar.school_days_between(known.last_seen, day, known.school)
        if missing >= STALE_DAYS:
            told = f"no attendance of its school for {missing} school days: records are missing, which is no risk"
            return _silent(student, known, "stale_feed", told)
        if (weeks := known.present.weeks_of_data) < self._panel.least_weeks:
            told = f"{weeks} weeks of data; an answer takes {self._panel.least_weeks}"
            return _silent(student, known, "too_few_weeks", told)
        return None

    def _answered(
        self, placed: Sequence[_Placed], source: str, actor: str | None, *, factors: bool
    ) -> dict[str, WeeklyAnswer]:
        if not placed:
            return {}
        rows = [self._row(one.known.student, one.present, place) for place, one in enumerate(placed, 1)]
        said = self._service.answer(self._schema, rows, source=source, actor=actor)
        cut = levels_in_use(self._store, self._schema.name, self.target.name)
        reasons = self._reasons(placed, said) if factors else {}
        found = {}
        for one, prediction in zip(placed, said, strict=True):
            answer = said_about(prediction, self.target)
            if answer is not None:
                why = reasons.get(one.known.student, ((), None))
                found[one.known.student] = self._told(one, prediction, answer, cut, why)
        return found

    def _row(self, student: str, week: KnownWeek, number: int) -> ValidRow:
        moment = self._schema.moments[-1]
        inputs = {feature.name: week.values.get(feature.name) for feature in self._schema.features_at(moment)}
        return ValidRow(row=number, inputs=inputs, moment=moment, student=student, group=week.school, period=week.name)

    def _told(
        self,
        placed: _Placed,
        prediction: Prediction,
        answer: Answer,
        policy: WarningPolicy,
        why: tuple[tuple[ThemeFactor, ...], SinceWeek | None],
    ) -> WeeklyAnswer:
        known, week = placed
        risk, risks = answer.below_pass, risks_of(answer, self.target)
        silent = not risks
        predictor = _predictor(self._service, self._schema, self.target, answer.model, prediction.moment)
        ranges = ranges_of(predictor.manifest.chance_ranges, risks) if predictor else {}
        little = f"too little is known: {', '.join((*answer.insufficient, *answer.out_of_range)[:3])}"
        return WeeklyAnswer(
            student=known.student, week=week.name, school=week.school, grade=week.grade or None,
            risk=risk, risks=risks, ranges=ranges, interval=ranges.get(max(risks, default=0)),
            level=None if risk is None else policy.level_of(risk),
            value=None if answer.value is None else str(answer.value),
            rule=None if answer.naive is None else str(answer.naive),
            factors=why[0], since=why[1], completeness=self._complete(known, week),
            why_not="little_known" if silent else None, told=little if silent else None,
            prediction=prediction.id, model=answer.model, at=prediction.at,
        )  # fmt: skip

    def _complete(self, known: KnownStudent, week: KnownWeek) -> WeekCompleteness:
        columns = self._schema.inputs_at(self._schema.moments[-1])
        return WeekCompleteness(
            weeks_of_data=week.weeks_of_data,
            known=sum(week.values.get(one.name) is not None for one in columns) / max(len(columns), 1),
            attendance=week.attendance,
            marks=week.marks,
            last_seen=known.last_seen,
            peers_until=known.peers_until,
        )

    def _reasons(
        self, placed: Sequence[_Placed], said: Sequence[Prediction]
    ) -> dict[str, tuple[tuple[ThemeFactor, ...], SinceWeek | None]]:
        """By student, what moved its answer and what moved since the week before."""
        found = {}
        for one, prediction in zip(placed, said, strict=True):
            last = one.known.earlier
            before = None if last is None else (last.name, self._row(one.known.student, last, 1).inputs)
            found[one.known.student] = moved_by(self._service, self._schema, self.target, prediction, before)
        return found


def moved_by(
    service: PredictionService,
    schema: DomainSchema,
    target: Target,
    prediction: Prediction,
    before: tuple[str, Mapping[str, Cell]] | None,
) -> tuple[tuple[ThemeFactor, ...], SinceWeek | None]:
    """The strongest themes of an answer, and what moved since the week before, as the model that answered has it;
    nothing where that one serves no more. before: that week and its row."""
    answer = said_about(prediction, target)
    predictor = None if answer is None else _predictor(service, schema, target, answer.model, prediction.moment)
    if predictor is None or not schema.themes or answer is None or answer.below_pass is None:
        return (), None
    rows = [prediction.inputs] if before is None else [prediction.inputs, before[1]]
    by_theme = predictor.explain_themes(rows, schema.themes, most=len(schema.themes))
    since = None
    if before is not None:
        [_, then] = predictor.answer(rows, generation=answer.generation)
        if then.below_pass is not None:
            moved = answer.below_pass - then.below_pass
            since = SinceWeek(week=before[0], risk=moved, themes=_moved(*by_theme))
    return by_theme[0][:MOST_THEMES], since


def risks_of(answer: Answer, target: Target) -> dict[int, float]:
    """By weeks of the horizon, the chance of an event within it, which never falls; nothing where no chance is told."""
    shares, risks, total = answer.probabilities or {}, dict[int, float](), 0.0
    if answer.below_pass is None:
        return {}
    for horizon, level in zip(target.within, target.levels, strict=False):
        total += shares.get(level, 0.0)
        risks[horizon] = min(total, 1.0)
    return risks if shares else {}


def levels_in_use(store: RecordStore, domain: str, target: str) -> WarningPolicy:
    """By whose levels a chance is told."""
    policy = policy_in_use(store, domain, target)
    return policy if policy.cuts else FOUR_LEVELS


def _predictor(
    service: PredictionService, schema: DomainSchema, target: Target, version: str, moment: str
) -> Predictor | None:
    """The model of that version, where it serves or is on trial."""
    serving = service.champions.loaded.get(ChampionKey(schema.name, target.name, moment))
    if serving is None:
        return None
    known = [serving.predictor, *([serving.challenger.predictor] if serving.challenger else [])]
    return next((one for one in known if one.version == version), None)


def today(panel: PanelSchema) -> date:
    """The day that it is where the schools are."""
    return now().astimezone(panel.zone_of(None)).date()


def _silent(student: str, known: KnownStudent | None, why: WhyNot, told: str) -> WeeklyAnswer:
    if known is None:
        return WeeklyAnswer(student=student, why_not=why, told=told)
    return WeeklyAnswer(
        student=student, week=known.year.week_name(known.week), school=known.school, why_not=why, told=told
    )


def _moved(present: Sequence[ThemeFactor], before: Sequence[ThemeFactor]) -> dict[str, float]:
    """How far the points of each theme moved, the furthest first."""
    now_, then = ({one.theme: one.points for one in part} for part in (present, before))
    moved = {theme: now_.get(theme, 0.0) - then.get(theme, 0.0) for theme in {**now_, **then}}
    return dict(sorted(moved.items(), key=lambda pair: (-abs(pair[1]), pair[0]))[:MOST_THEMES])
