"""How predictions turned out, once outcomes are known: errors over time, the model beside the naive rule.

The figures are `model.performance`'s over pairs that the store has matched.
"""

from collections.abc import Sequence
from datetime import timedelta

import streamlit as st

from dashboard import charts, words
from dashboard.installation import Installation
from dashboard.parts import capital, choose_domain, draw, moment_name
from database.records import Outcome, Prediction, now
from model.performance import LEVEL, MINIMUM, WINDOW_MINIMUM, Performance, Window
from model.performance import performance as measure
from model.scores import ClassScores, Estimate, Scores
from preprocessing.schema import DomainSchema, Target

MOST_PAIRS = 50_000
TIMES = {"last 30 days": 30, "last 90 days": 90, "last 365 days": 365, "whole time": None}
Pairs = Sequence[tuple[Prediction, Outcome]]


def performance(opened: Installation) -> None:
    """Draw the page."""
    st.title("Performance", anchor=False)
    st.caption(
        "How did predictions turn out? Counted are those whose outcome has come in, by whichever champion answered then."
    )
    home = opened.home
    schema = choose_domain(home)
    target, days = _choose(schema)
    since = None if days is None else now() - timedelta(days=days)
    pairs = _at_moment(schema, home.store.matched(schema.name, target.name, since=since, limit=MOST_PAIRS))
    found = measure(pairs, target)
    if found is None:
        _say_too_few(schema, target, len(pairs))
        return
    _figures(found, target)
    _over_time(found, target)
    if len(pairs) == MOST_PAIRS:
        st.caption(f"The newest {MOST_PAIRS:,} predictions with outcomes are counted.")


def _choose(schema: DomainSchema) -> tuple[Target, int | None]:
    first, second = st.columns(2)
    time = first.selectbox("Predictions of the", list(TIMES), index=2, key="performance time")
    if len(schema.targets) == 1:
        return schema.targets[0], TIMES[time]
    names = list(schema.target_by_name)
    chosen = second.selectbox(
        "Target",
        names,
        format_func=lambda name: words.title(schema.target_by_name[name]),
        key=f"performance target:{schema.name}",
    )
    return schema.target_by_name[chosen], TIMES[time]


def _at_moment(schema: DomainSchema, pairs: Pairs) -> Pairs:
    """The pairs of the moment that the visitor chooses: what is known later is easier to predict."""
    there = {prediction.moment for prediction, _ in pairs}
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
    return pairs if chosen in (None, "all") else [pair for pair in pairs if pair[0].moment == chosen]


def _say_too_few(schema: DomainSchema, target: Target, count: int) -> None:
    so_far = f"{words.rows(count, 'prediction')} with a known outcome so far" if count else "no outcome so far"
    st.info(
        f"**Not enough data to judge {words.title(target)}:** {so_far}, {MINIMUM} are needed. "
        "Send in what really happened, by student key or by prediction number:",
        icon=":material/info:",
    )
    st.code(f"gradewatch outcomes --domain {schema.name} FILE", language=None, wrap_lines=True)


def _figures(found: Performance, target: Target) -> None:
    unit = words.space(_unit(target))
    st.markdown(_verdict(found, target))
    cells = st.columns(4)
    for cell, (name, scores) in zip(cells[:2], (("Model", found.scores), ("Naive rule", found.naive)), strict=True):
        value, score, explained = main_score(scores)
        cell.metric(
            f"{name}, {value}",
            f"{words.number(score.value)}{'' if isinstance(scores, ClassScores) else unit}",
            help=f"{explained} 95 % interval {words.number(score.low)} to {words.number(score.high)}.",
            border=True,
        )
        cell.caption(f"95 % interval {words.number(score.low)} to {words.number(score.high)}")
    cells[2].metric("Outcomes", f"{found.n:,}", help="Predictions whose outcome is known.", border=True)
    if found.covered is not None and found.promised is not None:
        cells[3].metric(
            "Within the interval",
            f"{found.covered:.0%}",
            help=f"Share of outcomes inside the interval given with the answer; {found.promised:.0%} was promised.",
            border=True,
        )
        cells[3].caption(f"promised {found.promised:.0%}")


def main_score(scores: Scores) -> tuple[str, Estimate, str]:
    """The score to lead with: its name, itself, and what it means."""
    if isinstance(scores, ClassScores):
        return "share right", scores.accuracy, "How many of the answers named the right class. Higher is better."
    return "mean error", scores.mae, words.MAE


def _verdict(found: Performance, target: Target) -> str:
    gain, unit = found.gain, words.space(_unit(target))
    if gain.lower > 0:
        sentence = f"The model's answers were **{words.number(gain.mean)}{unit} closer** to the outcome than the naive"
        return f"{sentence} rule's, on average ({LEVEL:.0%} sure of at least {words.number(gain.lower)})."
    if gain.mean > 0:
        return (
            f"The model seems {words.number(gain.mean)}{unit} closer than the naive rule, but **that may be luck** "
            f"({found.n:,} outcomes)."
        )
    return f"The model **does not beat the naive rule** here ({found.n:,} outcomes)."


def _unit(target: Target) -> str:
    return "levels" if target.levels else target.unit


def _over_time(found: Performance, target: Target) -> None:
    st.subheader(
        "Mean error over time", anchor=False, help=f"{words.MAE} By day of prediction; bars are 95 % intervals."
    )
    shown = [window for window in found.windows if window.mae is not None and window.naive_mae is not None]
    if shown:
        model = [window.mae for window in shown if window.mae is not None]
        naive = [window.naive_mae for window in shown if window.naive_mae is not None]
        figure = charts.errors([days(window) for window in shown], model, naive, unit=_unit(target))
        draw(figure, "Mean absolute error over time, model and naive rule", key="errors")
    if len(shown) < len(found.windows):
        st.caption(
            f"Not enough data (fewer than {WINDOW_MINIMUM} outcomes) in the stretches of time that are not drawn."
        )
    st.dataframe([_row(window, _unit(target)) for window in found.windows], hide_index=True, width="stretch")


def days(window: Window) -> str:
    """The days of a window: '3 Mar' or '3 Mar to 9 Mar'."""
    first, last = f"{window.first.day} {window.first:%b}", f"{window.last.day} {window.last:%b}"
    return first if window.first == window.last else f"{first} to {last}"


def _row(window: Window, unit: str) -> dict[str, object]:
    errors = {"model": window.mae, "naive rule": window.naive_mae}
    told = {
        name: "not enough data" if error is None else words.with_interval(error, unit) for name, error in errors.items()
    }
    return {"days": days(window), "outcomes": window.n, **told}
