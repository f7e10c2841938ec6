"""What a trial has shown so far: how far apart two models are, and which of them was nearer to what happened.

It reads the log and judges in words; it starts, ends and promotes nothing.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from database.pairs import Learned, LeftOut, Pair, evidence
from database.records import Answer, Prediction
from database.store import PredictionLog
from model.scores import (
    Estimate,
    absolute_errors,
    as_numbers,
    interval_of_paired,
    interval_of_unpaired,
    mean_with_interval,
)
from model.trial import Trial
from monitoring.performance import ENOUGH_OUTCOMES, FEWEST_TOLD
from preprocessing.schema import DomainSchema, Target
from preprocessing.validation.validate import frame_of

Floats = NDArray[np.float64]
Verdict = Literal["challenger better", "champion better", "no difference seen", "not enough data"]
Both = tuple[Answer, Answer]
"""What champion and challenger said."""

COURSE_POINTS = 20
NEWEST_TRIED = 100_000
"""Predictions of a trial that a report reads at most, the newest."""


class Differences(msgspec.Struct, frozen=True, kw_only=True):
    """How two models' answers to the same n rows differ, whatever happened then.

    Distances in target units, or levels. share: of rows that differ by more than the smallest gain that counts in the
    domain (any other level, for classes). unanswered: rows that one of them gave no answer for.
    """

    n: int
    unanswered: int
    share: float
    mean: float
    largest: float


class Arm(msgspec.Struct, frozen=True, kw_only=True):
    """One model's answers that have outcomes: rows, students, and mean absolute errors with 95 % intervals, which are
    told of at least FEWEST students."""

    model: str
    n: int
    students: int
    mae: Estimate | None = None
    naive_mae: Estimate | None = None


class TrialPoint(msgspec.Struct, frozen=True, kw_only=True):
    """Mean absolute errors of all outcomes that had come by the end of a day (UTC), as of an `Arm`; n: the fewer of the
    two models' rows."""

    day: date
    n: int
    champion: Estimate
    challenger: Estimate


class TrialReport(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a trial.

    sentence: the finding in words. gain: how much smaller the challenger's mean absolute error is, in `unit`, with its
    95 % interval; of the same rows in a shadow trial, of different students in a split. asked: its predictions.
    left_out: predictions with an outcome that are no evidence, by reason. differences: in a shadow trial. course: how
    the errors came to be what they are, from the day on from which there are enough students to tell them.
    """

    trial: Trial
    sentence: str
    verdict: Verdict
    unit: str
    asked: int
    left_out: LeftOut
    champion: Arm
    challenger: Arm
    gain: Estimate | None = None
    differences: Differences | None = None
    course: tuple[TrialPoint, ...] = ()


@dataclass(frozen=True)
class _Side:
    """Rows that one model answered and that have outcomes: (n,) errors, naive errors, student numbers and the days on
    which the outcomes came."""

    model: str
    errors: Floats
    naive: Floats
    students: NDArray[np.int64]
    days: NDArray[np.datetime64]

    def until(self, day: np.datetime64) -> "_Side":
        """What was known by the end of a day."""
        known = self.days <= day
        return _Side(self.model, self.errors[known], self.naive[known], self.students[known], self.days[known])

    def arm(self) -> Arm:
        n, students = len(self.errors), len(np.unique(self.students))
        if students < FEWEST_TOLD:
            return Arm(model=self.model, n=n, students=students)
        mae, naive = (mean_with_interval(errors, self.students) for errors in (self.errors, self.naive))
        return Arm(model=self.model, n=n, students=students, mae=mae, naive_mae=naive)


def report_trial(
    log: PredictionLog,
    schema: DomainSchema,
    trial: Trial,
    *,
    learned: Learned,
    groups: Sequence[str] | None = None,
    endings: Collection[str] | None = None,
) -> TrialReport:
    """The report of a running or ended trial over its newest predictions; groups: of students in these only. endings:
    of predictions with such ids alone, a random sample.

    learned: what models learned from; rows that one of the two knew prove nothing.
    """
    target = schema.target_by_name[trial.target]
    among: Any = {"since": trial.started, "until": trial.ended, "groups": groups, "endings": endings}
    among["limit"] = NEWEST_TRIED
    logged = log.predictions(schema.name, **among)
    of_trial = [prediction for prediction in logged if _both(trial, prediction) or _arm(trial, prediction)]
    happened = log.pairs(schema.name, target.name, **among)
    told = [pair for pair in happened if _both(trial, pair.prediction) or _arm(trial, pair.prediction)]
    fresh, left_out = evidence(told, lambda _: (trial.champion, trial.challenger), learned)
    counted = _once(schema, trial, fresh)
    judge = _judge_shadow if trial.mode == "shadow" else _judge_split
    report = judge(target, trial, counted)
    pairs = [both for prediction in of_trial if (both := _both(trial, prediction))]
    report = msgspec.structs.replace(
        report,
        asked=len(of_trial),
        left_out=msgspec.structs.replace(left_out, copied=len(fresh) - len(counted)),
        differences=_differences(target, pairs) if pairs else None,
    )
    return msgspec.structs.replace(report, sentence=_sentence(report))


def _once(schema: DomainSchema, trial: Trial, fresh: Sequence[Pair]) -> Sequence[Pair]:
    """The pairs whose rows count: of those that are copies of each other, under whatever keys, the newest."""
    columns = schema.content_of(trial.target, trial.moment)
    contents = {(*map(pair.prediction.inputs.get, columns), pair.outcome.value) for pair in fresh}
    if len(contents) == len(fresh):
        return fresh
    from monitoring.row_findings import as_record  # most trials need no data frame
    from preprocessing.copies import once

    rows = [
        msgspec.structs.replace(as_record(pair.prediction), targets={trial.target: pair.outcome.value})
        for pair in fresh
    ]
    kept = once(frame_of(rows, schema), columns)
    return [pair for pair, counts in zip(fresh, kept.tolist(), strict=True) if counts]


def _both(trial: Trial, prediction: Prediction) -> Both | None:
    """What champion and challenger said about the same row in a shadow trial."""
    said = _by(prediction.answers, trial.target, trial.champion)
    shadowed = _by(prediction.shadow, trial.target, trial.challenger)
    if said is None or shadowed is None or prediction.moment != trial.moment or said.generation != trial.generation:
        return None
    return said, shadowed


def _arm(trial: Trial, prediction: Prediction) -> Answer | None:
    """What the student's own arm of a split said; None for rows without student, or answered otherwise (by a worker
    that had not heard of the trial yet, or by the champion where the challenger failed)."""
    if trial.mode != "split" or prediction.student is None or prediction.moment != trial.moment:
        return None
    own = trial.challenger if trial.tries(prediction.student) else trial.champion
    said = _by(prediction.answers, trial.target, own)
    return said if said and said.generation == trial.generation else None


def _by(answers: Sequence[Answer], target: str, model: str) -> Answer | None:
    return next((answer for answer in answers if answer.target == target and answer.model == model), None)


def _judge_shadow(target: Target, trial: Trial, happened: Sequence[Pair]) -> TrialReport:
    found = [
        (said, pair)
        for pair in happened
        if (said := _both(trial, pair.prediction)) and said[0].value is not None and said[1].value is not None
    ]
    rows = [pair for _, pair in found]
    champion = _side(target, trial.champion, [said[0] for said, _ in found], rows)
    challenger = _side(target, trial.challenger, [said[1] for said, _ in found], rows)
    gain = interval_of_paired(champion.errors, challenger.errors, champion.students) if found else None
    return _report(target, trial, champion, challenger, gain)


def _judge_split(target: Target, trial: Trial, happened: Sequence[Pair]) -> TrialReport:
    found = [
        (answer, pair) for pair in happened if (answer := _arm(trial, pair.prediction)) and answer.value is not None
    ]
    sides = []
    for model in (trial.champion, trial.challenger):
        mine = [(answer, pair) for answer, pair in found if answer.model == model]
        sides.append(_side(target, model, [answer for answer, _ in mine], [pair for _, pair in mine]))
    champion, challenger = sides
    gain = None
    if len(champion.errors) and len(challenger.errors):
        gain = interval_of_unpaired(champion.errors, challenger.errors, champion.students, challenger.students)
    return _report(target, trial, champion, challenger, gain)


def _side(target: Target, model: str, answers: Sequence[Answer], rows: Sequence[Pair]) -> _Side:
    truth = as_numbers([pair.outcome.value for pair in rows], target.levels)
    said = as_numbers([answer.value for answer in answers if answer.value is not None], target.levels)
    naive = as_numbers([answer.naive for answer in answers if answer.naive is not None], target.levels)
    names = [pair.prediction.student or pair.prediction.id for pair in rows]
    students = np.asarray(np.unique(names, return_inverse=True)[1], dtype=np.int64)
    days = np.array([pair.outcome.at.date() for pair in rows], dtype="datetime64[D]")
    return _Side(model, absolute_errors(truth, said), absolute_errors(truth, naive), students, days)


def _report(target: Target, trial: Trial, champion: _Side, challenger: _Side, gain: Estimate | None) -> TrialReport:
    arms = champion.arm(), challenger.arm()
    enough = gain is not None and not gain.flat and min(arm.students for arm in arms) >= ENOUGH_OUTCOMES
    return TrialReport(
        trial=trial,
        sentence="",
        verdict=_verdict(gain) if gain and enough else "not enough data",
        unit="levels" if target.levels else target.unit,
        asked=0,
        left_out=LeftOut(),
        champion=arms[0],
        challenger=arms[1],
        gain=gain if enough else None,
        course=tuple(_course(champion, challenger)),
    )


def _course(champion: _Side, challenger: _Side) -> Iterator[TrialPoint]:
    """At COURSE_POINTS days at most, evenly among those on which outcomes came, the last one among them."""
    days = np.unique(np.concatenate([champion.days, challenger.days]))
    chosen = np.unique(np.linspace(len(days) - 1, 0, COURSE_POINTS).round().astype(int)) if len(days) else ()
    for day in days[list(chosen)]:
        arms = [side.until(day).arm() for side in (champion, challenger)]
        known = [arm.mae for arm in arms if arm.mae is not None]
        if len(known) == len(arms):
            yield TrialPoint(day=day.item(), n=min(arm.n for arm in arms), champion=known[0], challenger=known[1])


def _verdict(gain: Estimate) -> Verdict:
    if gain.low > 0:
        return "challenger better"
    return "champion better" if gain.high < 0 else "no difference seen"


def _differences(target: Target, pairs: Sequence[Both]) -> Differences:
    said = [(one.value, other.value) for one, other in pairs]
    both = [(one, other) for one, other in said if one is not None and other is not None]
    apart = np.abs(
        as_numbers([one for one, _ in both], target.levels) - as_numbers([other for _, other in both], target.levels)
    )
    least = 0.0 if target.levels else target.min_gain
    return Differences(
        n=len(both),
        unanswered=len(pairs) - len(both),
        share=float((apart > least).mean()) if both else 0.0,
        mean=float(apart.mean()) if both else 0.0,
        largest=float(apart.max()) if both else 0.0,
    )


def _sentence(report: TrialReport) -> str:
    """The finding in words, for a reader who knows no statistics."""
    unit = f" {report.unit}" if report.unit else ""
    rows = f"{report.champion.n} rows" if report.trial.mode == "shadow" else f"{_numbers_of(report)} students' rows"
    if report.gain is None:
        known = min(report.champion.students, report.challenger.students)
        where = "" if report.trial.mode == "shadow" else " in the smaller arm"
        if known >= ENOUGH_OUTCOMES:
            return f"Not enough data: all outcomes, of {known} students{where}, show the very same difference."
        return (
            f"Not enough data yet: outcomes of {known} students{where} are known, and {ENOUGH_OUTCOMES} are the least."
        )
    low, high = report.gain.low, report.gain.high
    if report.verdict == "champion better":  # said of the champion, so the other way round
        low, high = -high, -low
    size = f"{abs(report.gain.value):.3g}{unit}"
    bounds = f"95 % interval {low:.3g} to {high:.3g}, {rows}"
    if report.verdict == "challenger better":
        return f"The challenger is nearer to what happened, by {size} on average ({bounds})."
    if report.verdict == "champion better":
        return f"The champion is nearer to what happened, by {size} on average ({bounds})."
    return f"No difference is seen: the challenger's gain is {report.gain.value:.3g}{unit} ({bounds})."


def _numbers_of(report: TrialReport) -> str:
    return f"{report.champion.n} and {report.challenger.n}"
