"""How predictions turned out, once outcomes are known: errors over time, the model beside the plain rule.

The figures are `monitoring.performance`'s over pairs that the store has matched; this page only cuts them into days.
"""

from collections.abc import Sequence
from datetime import date, timedelta

import msgspec
import numpy as np
import streamlit as st

from dashboard import words
from dashboard.figures import results as figures
from dashboard.frame import controls
from dashboard.parts import capital, draw, moment_name
from dashboard.visit import Visit
from database.layout import DAY_MICROS, calendar_day
from database.pairs import LeftOut
from database.records import now
from drift.sentences import describe_change, describe_expected
from model.scores import Estimate
from monitoring.error_timeline import ErrorTimeline, TimelineSpan
from monitoring.evidence import EvidenceColumns
from monitoring.performance import (
    ENOUGH_OUTCOMES,
    FEWEST_TOLD,
    ModelPerformance,
    TargetPerformance,
    measure_target,
    tellable,
)
from monitoring.render import change_sentences, promise
from preprocessing.schema import DomainSchema, Target

STRETCHES = 12  # of time that one look can compare
TIMES_BACK = {"last 30 days": 30, "last 90 days": 90, "last 365 days": 365, "whole time": None}
RIGHT = "Share of answers that named the right class. Higher is better."


class Stretch(msgspec.Struct, frozen=True, kw_only=True):
    """Some days, both ends inclusive, by day of prediction (UTC), and how their predictions turned out."""

    first: date
    last: date
    found: TargetPerformance

    def __str__(self) -> str:
        first, last = f"{self.first.day} {self.first:%b}", f"{self.last.day} {self.last:%b}"
        return first if self.first == self.last else f"{first} to {last}"


def results(visit: Visit) -> None:
    """Draw the page."""
    st.title("Results", anchor=False)
    st.caption(
        "How did predictions turn out? Counted are answers that were given before the outcome was known, by models "
        "that had not learned from that row, whoever was champion then."
    )
    schema = controls(visit, at=False, target=False, days=False).schema
    target, days = _choose(visit, schema)
    since = None if days is None else now() - timedelta(days=days)
    with st.spinner("Matching predictions and outcomes …"):
        matched, left_out, timelines = visit.turned_out(schema.name, target.name, since)
    pairs = _at_moment(schema, matched)
    found = measure_target(target, pairs)
    _say_left_out(left_out)
    _say_changes(schema, timelines)
    if found.verdict == "not enough data" or found.mae is None or found.naive_mae is None:
        _say_too_few(schema, target, found)
        _expectations(schema, timelines)
        return
    _say_verdict(found)
    _expectations(schema, timelines)
    _figures(found, found.mae, found.naive_mae)
    _over_time(stretches(target, pairs), found.unit)
    for timeline in timelines:
        _promises(schema, timeline)
    _by_model(schema, found.models, found.unit)


def _choose(visit: Visit, schema: DomainSchema) -> tuple[Target, int | None]:
    """Target and days back. Two choices of time that differ by one student would tell of that one: to choose takes the
    permission to read predictions."""
    first, second = st.columns(2)
    times = list(TIMES_BACK) if visit.may("read", schema.name) else ["whole time"]
    time = first.selectbox("Predictions of the", times, index=min(2, len(times) - 1), key="performance time")
    if len(schema.targets) == 1:
        return schema.targets[0], TIMES_BACK[time]
    chosen = second.selectbox(
        "Target",
        list(schema.target_by_name),
        format_func=lambda name: words.title(schema.target_by_name[name]),
        key=f"performance target:{schema.name}",
    )
    return schema.target_by_name[chosen], TIMES_BACK[time]


def _at_moment(schema: DomainSchema, pairs: EvidenceColumns) -> EvidenceColumns:
    """The pairs of the moment that the visitor chooses: what is known later is easier to predict."""
    there = pairs.moments
    moments = [moment for moment in schema.moments if moment in there]
    if len(moments) < 2:
        return pairs
    chosen = st.segmented_control(
        "Predicted",
        ["all", *moments],
        default="all",
        required=True,
        format_func=lambda m: "At any moment" if m == "all" else capital(moment_name(schema, m)),
        key=f"performance moment:{schema.name}",
    )
    return pairs if chosen in (None, "all") else pairs.at_moment(str(chosen))


def _say_left_out(left_out: LeftOut) -> None:
    if said := str(left_out):
        st.caption(f"Not counted, since it shows nothing: {said}.")


def _say_too_few(schema: DomainSchema, target: Target, found: TargetPerformance) -> None:
    so_far = f"outcomes of {words.rows(found.students, 'student')} so far" if found.n else "no outcome so far"
    lacking = f"{ENOUGH_OUTCOMES} are needed"
    if found.students >= ENOUGH_OUTCOMES:
        lacking = "and all of them show the very same difference to the plain rule"
    st.info(
        f"**Not enough data to judge {words.title(target)}:** {so_far}, {lacking}. "
        "Send in what really happened, by student key or by prediction number:",
        icon=":material/info:",
    )
    st.code(f"gradewatch outcomes --domain {schema.name} FILE", language=None, wrap_lines=True)


def _say_verdict(found: TargetPerformance) -> None:
    gain = found.gain
    told = f" (gain {words.with_interval(gain, found.unit)}, {words.rows(found.n, 'outcome')})" if gain else ""
    sentence = f"The model was **{found.verdict}**{told}."
    if found.falls_short and found.covered:
        held = f"{found.covered.value:.0%} [{found.covered.low:.0%} to {found.covered.high:.0%}]"
        sentence += f" Its **intervals are too narrow**: {held} of outcomes lay within, not {found.coverage:.0%}."
    if found.verdict == "better than the plain rule" and not found.falls_short:
        st.success(sentence, icon=":material/check:")
    else:
        st.warning(sentence, icon=":material/priority_high:")


def _figures(found: TargetPerformance, model: Estimate, naive: Estimate) -> None:
    cells = iter(st.columns(4))
    for name, score in (("Mean error, model", model), ("Mean error, plain rule", naive)):
        _figure(next(cells), name, f"{words.number(score.value)}{words.space(found.unit)}", score, words.MAE)
    if found.accuracy:
        _figure(next(cells), "Right class", f"{found.accuracy.value:.0%}", found.accuracy, RIGHT)
    if found.covered and found.coverage:
        told = f"Share of outcomes inside the interval given with the answer; {found.coverage:.0%} was promised."
        _figure(next(cells), "Within the interval", f"{found.covered.value:.0%}", found.covered, told)
    if found.bias:
        told = "Mean of answer minus outcome: above 0, the model promises too much; below 0, too little."
        _figure(next(cells), "Bias", f"{words.number(found.bias.value)}{words.space(found.unit)}", found.bias, told)


def _figure(cell: "st.delta_generator.DeltaGenerator", name: str, value: str, score: Estimate, explained: str) -> None:
    cell.metric(name, value, help=explained, border=True)
    low, high = (f"{end:.0%}" if value.endswith("%") else words.number(end) for end in (score.low, score.high))
    cell.caption(f"95 % interval {low} to {high}")


def stretches(target: Target, pairs: EvidenceColumns) -> list[Stretch]:
    """`pairs` in at most twelve stretches of time of equal length, oldest first; those without pairs left out."""
    days = pairs.at // DAY_MICROS
    first = int(days[0])
    length = -(-(int(days[-1]) - first + 1) // STRETCHES)
    number = (days - first) // length
    found = [
        Stretch(
            first=calendar_day(first + place * length),
            last=calendar_day(first + (place + 1) * length - 1),
            found=measure_target(target, pairs.take(number == place)),
        )
        for place in np.unique(number).tolist()
    ]
    told = tellable([one.found.students for one in found])
    return [one if tell else _untold(one) for one, tell in zip(found, told, strict=True)]


def _untold(stretch: Stretch) -> Stretch:
    """The stretch without figures, which would give away the few students of another one."""
    found = msgspec.structs.replace(stretch.found, mae=None, naive_mae=None)
    return msgspec.structs.replace(stretch, found=found)


def _expectations(schema: DomainSchema, timelines: Sequence[ErrorTimeline]) -> None:
    """What is to be expected of answers whose outcome is not in yet."""
    for timeline in timelines:
        if timeline.expected:
            said = f"**Estimate, {moment_name(schema, timeline.moment)}.** {describe_expected(timeline.expected)}"
            st.info(said, icon=":material/query_stats:")


def _say_changes(schema: DomainSchema, timelines: Sequence[ErrorTimeline]) -> None:
    """The newest change of the errors at each moment; all of them stand below the weeks."""
    for timeline in timelines:
        for change in timeline.changes[-1:]:
            said = f"**{capital(moment_name(schema, timeline.moment))}.** {describe_change(change)}"
            box, icon = (st.warning, "trending_up") if change.rose else (st.info, "trending_down")
            box(said, icon=f":material/{icon}:")


def _promises(schema: DomainSchema, timeline: ErrorTimeline) -> None:
    """Week by week against training: errors above it, and whether stated intervals and probabilities held."""
    if timeline.whole is None:
        return
    told = "Against what the same model showed on held-out rows in training; corrected for the number of weeks."
    st.subheader(f"Against training, {moment_name(schema, timeline.moment)}", anchor=False, help=told)
    st.dataframe([_against(window, timeline.unit) for window in timeline.windows], hide_index=True, width="stretch")
    for sentence in change_sentences(timeline):
        st.markdown(f"- {sentence}")
    if timeline.whole.calibration:
        draw(
            figures.reliability(timeline.whole.calibration.bins), "Confidence said and share right", key=timeline.moment
        )


def _against(window: TimelineSpan, unit: str) -> dict[str, object]:
    return {
        "week": window.label,
        "outcomes": window.n,
        "mean error": _told(window.mae, unit),
        "above training": words.with_interval(window.excess, unit) if window.excess else "unknown",
        "answer minus outcome": _told(window.bias, unit),
        "promise": promise(window),
        "verdict": window.verdict,
    }


def _over_time(found: Sequence[Stretch], unit: str) -> None:
    help_text = f"{words.MAE} By day of prediction; bars are 95 % intervals."
    st.subheader("Mean error over time", anchor=False, help=help_text)
    enough = [stretch for stretch in found if stretch.found.mae]
    if enough:
        model = [stretch.found.mae for stretch in enough if stretch.found.mae]
        naive = [stretch.found.naive_mae for stretch in enough if stretch.found.naive_mae]
        figure = figures.errors([str(stretch) for stretch in enough], model, naive, unit=unit)
        draw(figure, "Mean absolute error over time, model and plain rule", key="errors")
    if len(enough) < len(found):
        st.caption(f"Not drawn, for not enough data: days with outcomes of fewer than {FEWEST_TOLD} students together.")
    st.dataframe([_row(stretch, unit) for stretch in found], hide_index=True, width="stretch")


def _row(stretch: Stretch, unit: str) -> dict[str, object]:
    found = stretch.found
    told = {name: _told(error, unit) for name, error in (("model", found.mae), ("plain rule", found.naive_mae))}
    return {"predicted": str(stretch), "outcomes": found.n, **told}


def _told(score: Estimate | None, unit: str) -> str:
    return words.with_interval(score, unit) if score else "not enough data"


def _by_model(schema: DomainSchema, found: Sequence[ModelPerformance], unit: str) -> None:
    st.subheader("Version by version", anchor=False, help="Versions met different students: this is no fair contest.")
    table = [
        {
            "version": words.version(one.model),
            "answered": moment_name(schema, one.moment),
            "outcomes": one.n,
            "mean error": _told(one.mae, unit),
            "plain rule": _told(one.naive_mae, unit),
        }
        for one in found
    ]
    st.dataframe(table, hide_index=True, width="stretch")
