"""Chances beside what happened by school week, by school and by grade, as a picture and as tables."""

from typing import Any

import streamlit as st

from dashboard.charts import draw
from dashboard.figures import results as figures
from dashboard.tables import number_column, share_column, show_table
from language import _
from language.format import count, number, share
from model.scores import Estimate
from monitoring.performance import FEWEST_TOLD
from monitoring.weekly_performance import RiskFigures, WeeklyPerformance

Row = dict[str, object]
SCORE_DIGITS = 3


def draw_by_week(found: WeeklyPerformance) -> None:
    """Draw all of it."""
    st.subheader(_("Chances by school week"), anchor=False)
    rows = [risk_row(_("week"), one) for one in found.weeks]
    draw(
        figures.chance_beside_rate(found.weeks),
        title=risk_title(found),
        alternative=_("The mean chance that was told, and the share that came to an event, by school week."),
        table=rows,
        key="chances by week",
    )
    st.caption(
        _(
            "Within {n} weeks. Ranges are 95 %, by whole students; of fewer than {few} students no figure is told. If "
            "marks become kinder for all, the order of students, and so the AUC, stays as it was: this shows it."
        ).format(n=number(found.within), few=number(FEWEST_TOLD))
    )
    for name, title, parts in (("school", _("By school"), found.schools), ("grade", _("By grade"), found.grades)):
        if parts:
            st.markdown(f"**{title}**")
            head = _("school") if name == "school" else _("grade level")
            rows = [risk_row(head, one) for one in parts]
            show_table(rows, hide_index=True, width="stretch", column_config=_columns(), key=f"chances {name}")


def risk_title(found: WeeklyPerformance) -> str:
    """What it finds, with n."""
    whole = found.whole
    if whole.rate is None or whole.risk is None:
        return _("Too few outcomes are known to say how chances turned out ({n} answers)").format(n=count(whole.n))
    sentence = {
        "too low": _("Chances were too low: {risk} told on average, {rate} came to an event ({n} answers)"),
        "too high": _("Chances were too high: {risk} told on average, {rate} came to an event ({n} answers)"),
    }.get(whole.verdict, _("{risk} told on average, {rate} came to an event ({n} answers)"))
    return sentence.format(risk=share(whole.risk, 1), rate=share(whole.rate.value, 1), n=count(whole.n))


def risk_row(head: str, one: RiskFigures) -> Row:
    """A part of the answers as a row: shares of 1, and scores, each with the ends of its range."""
    verdicts = {"too low": _("too low"), "too high": _("too high"), "as said": _("as said")}
    return {
        head: one.name,
        _("Answers"): one.n,
        _("Students"): one.students,
        _("chances"): verdicts.get(one.verdict, _("not enough data")),
        _("chance told"): one.risk,
        **_ranged(_("happened"), one.rate),
        **_ranged(_("flagged"), one.flagged),
        **_ranged(_("AUC"), one.auc),
        **_ranged(_("Brier score"), one.brier),
    }


def _ranged(name: str, one: Estimate | None) -> Row:
    ends = _ends(name)
    return dict.fromkeys(ends) if one is None else dict(zip(ends, (one.value, one.low, one.high), strict=True))


def _ends(name: str) -> tuple[str, str, str]:
    return name, f"{name} ({_('from')})", f"{name} ({_('to')})"


def _columns() -> dict[str, Any]:
    shares = {name: share_column(digits=1) for told in (_("happened"), _("flagged")) for name in _ends(told)}
    scores = {name: number_column(digits=SCORE_DIGITS) for told in (_("AUC"), _("Brier score")) for name in _ends(told)}
    return {_("chance told"): share_column(digits=1), **shares, **scores}
