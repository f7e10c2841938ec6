"""Chances beside what happened by school week, by school and by grade, as a picture and as tables."""

import streamlit as st

from dashboard.charts import draw
from dashboard.figures import results as figures
from dashboard.tables import show_table
from language import _
from language.format import count, number, share
from model.scores import Estimate
from monitoring.performance import FEWEST_TOLD
from monitoring.weekly_performance import RiskFigures, WeeklyPerformance

Row = dict[str, object]


def draw_by_week(found: WeeklyPerformance) -> None:
    """Draw all of it."""
    st.subheader(_("Chances by school week"), anchor=False)
    rows = [_row(_("week"), one) for one in found.weeks]
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
            show_table([_row(head, one) for one in parts], hide_index=True, width="stretch", key=f"chances {name}")


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


def _row(head: str, one: RiskFigures) -> Row:
    verdicts = {"too low": _("too low"), "too high": _("too high"), "as said": _("as said")}
    return {
        head: one.name,
        _("Answers"): one.n,
        _("Students"): one.students,
        _("happened"): _shared(one.rate),
        _("chance told"): "" if one.risk is None else share(one.risk, 1),
        _("chances"): verdicts.get(one.verdict, _("not enough data")),
        _("AUC"): _numbered(one.auc),
        _("Brier score"): _numbered(one.brier),
        _("flagged"): _shared(one.flagged),
    }


def _shared(one: Estimate | None) -> str:
    if one is None:
        return ""
    return f"{share(one.value, 1)} ({number(one.low * 100)}–{number(one.high * 100)})"


def _numbered(one: Estimate | None) -> str:
    if one is None:
        return ""
    return f"{number(one.value, 3)} ({number(one.low, 2)}–{number(one.high, 2)})"
