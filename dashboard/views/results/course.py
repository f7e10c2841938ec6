"""Results over time: the pictures of misses and of ranges, and the weeks as a table."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import streamlit as st

from dashboard.charts import draw
from dashboard.figures import results as figures
from dashboard.figures.results import MISS_DIGITS
from dashboard.tables import LOCALIZED, number_column, show_table
from dashboard.views.results.states import (
    change_sentence,
    course_title,
    expected_sentence,
    inside_title,
    monday_of,
    verdict_words,
    week_words,
)
from language import _
from language.format import count, interval
from monitoring.error_timeline import ErrorTimeline, TimelineSpan

Row = dict[str, object]


def draw_course(timeline: ErrorTimeline, promoted: Sequence[tuple[datetime, str]]) -> None:
    """Misses by week beside training and the plain rule. promoted: when which model came into use."""
    weeks = [(monday_of(week.label), week) for week in timeline.windows]
    held = timeline.whole.held_out if timeline.whole else None
    estimates = [(monday_of(one.label), one) for one in timeline.waits]
    draw(
        figures.misses(weeks, estimates, (held.low, held.high) if held else None, promoted, timeline.unit),
        title=course_title(timeline),
        alternative=_(
            "Mean miss of the model and of the plain rule by week of prediction; the pale band is what training leads "
            "to expect ({range}), hollow dots are estimates for answers that wait."
        ).format(range=interval(held.low, held.high, MISS_DIGITS) if held else _("unknown")),
        table=week_rows(timeline),
        key="misses",
    )
    for change in timeline.changes:
        st.markdown(f"- {change_sentence(change)}")
    if said := expected_sentence(timeline):
        st.markdown(f"- {said}")


def draw_promise(timeline: ErrorTimeline) -> None:
    """Whether ranges held what they promise; of classes, whether confidence did."""
    weeks = [(monday_of(week.label), week) for week in timeline.windows]
    told = [(monday, week) for monday, week in weeks if week.covered]
    if told:
        draw(
            figures.inside(told),
            title=inside_title(timeline),
            alternative=_("Share of outcomes inside the range that was given, by week, with its 95 % interval."),
            table=week_rows(timeline),
            key="inside",
        )
    elif timeline.whole and (kept := timeline.whole.calibration):
        draw(
            figures.reliability(kept.bins),
            title=_("Share of right answers by how sure they were said to be ({n} answers)").format(n=count(kept.n)),
            alternative=_("Each dot: answers given with about the same confidence, and the share that was right."),
            table=[
                {_("said"): one.said, _("right"): one.right, _("from"): one.low, _("to"): one.high, _("answers"): one.n}
                for one in kept.bins
            ],
            key="confidence",
        )


def draw_weeks(timeline: ErrorTimeline) -> None:
    """The weeks as a table, the newest first."""
    st.subheader(_("Week by week"), anchor=False)
    show_table(week_rows(timeline)[::-1], hide_index=True, width="stretch", column_config=_columns(timeline.unit))
    st.caption(
        _(
            "By week of prediction, UTC. Against training: how much larger the mean miss was than on students that the "
            "model had not seen in training; its range is corrected for the number of weeks, as its state is."
        )
    )


def week_rows(timeline: ErrorTimeline) -> list[Row]:
    """The weeks, oldest first, numbers as numbers."""
    return [_row(week) for week in timeline.windows]


def _row(week: TimelineSpan) -> Row:
    miss, rule, excess, held = week.mae, week.naive_mae, week.excess, week.covered
    return {
        _("State"): verdict_words(week.verdict),
        _("Week"): week_words(week.label),
        _("Answers"): week.n,
        _("Mean miss"): miss.value if miss else None,
        _("Plain rule"): rule.value if rule else None,
        _("Against training"): excess.value if excess else None,
        _("from"): excess.low if excess else None,
        _("to"): excess.high if excess else None,
        _("Inside (%)"): round(100 * held.share, 1) if held else None,
    }


def _columns(unit: str) -> Mapping[str, Any]:
    plain = number_column(digits=MISS_DIGITS, help=unit or None)
    return {
        _("Answers"): number_column(digits=0),
        _("Mean miss"): plain,
        _("Plain rule"): plain,
        _("Against training"): plain,
        _("from"): plain,
        _("to"): plain,
        _("Inside (%)"): st.column_config.ProgressColumn(format=LOCALIZED, step=1, min_value=0, max_value=100),
    }
