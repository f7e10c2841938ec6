"""One student week by week: the chance over time, what happened, what moves it, and what moved since last week."""

import streamlit as st

from dashboard import charts
from dashboard.figures import students as figures
from dashboard.visit import WeeksSeen
from language import _, ngettext, worded
from language.format import count, number, share
from model.explain import ThemeFactor
from preprocessing.schema import DomainSchema, title_of


def draw_weeks(seen: WeeksSeen, schema: DomainSchema) -> None:
    """Draw how it went, and why it stands where it does."""
    _draw_risk(seen)
    left, right = st.columns(2, gap="large")
    with left:
        _draw_events(seen)
    with right:
        _draw_themes(seen, schema)


def _draw_risk(seen: WeeksSeen) -> None:
    st.header(_("Weeks"), anchor=False)
    newest, policy = seen.weeks[-1], seen.policy
    title = _("{share} by {week}").format(share=share(newest.risk), week=figures.short_week(newest.week))
    longest = max(newest.risks, default=0)
    if (known := newest.ranges.get(longest)) is not None:
        title = f"{title} ({_range(known)})"
    if seen.since is not None:
        moved = _("{change} since {week}").format(
            change=_points(seen.since.risk), week=figures.short_week(seen.since.week)
        )
        title = f"{title}; {moved}"
    table = [
        {_("week"): one.week}
        | {_("within {n} weeks").format(n=number(horizon)): chance for horizon, chance in one.risks.items()}
        | {
            _("range within {n} weeks").format(n=number(horizon)): _range(known)
            for horizon, known in one.ranges.items()
        }
        for one in seen.weeks
    ]
    alternative = _("The chance of an event week by week. {title}").format(title=title)
    figure = figures.risk_by_week(seen.weeks, policy.threshold)
    charts.draw(figure, title=title, alternative=alternative, table=table, key="weeks")
    told = ", ".join(
        _("{share} within {n} weeks").format(share=_range(known), n=number(horizon))
        for horizon, known in newest.ranges.items()
    )
    if told:
        st.caption(
            _(
                "Of all who are answered as this student is in {week}, the share that comes to an event lies, nine "
                "times in ten: {ranges}. Nobody can say it of one student alone."
            ).format(week=figures.short_week(newest.week), ranges=told)
        )
    else:
        st.caption(_("Each as it was said for that week; the model that answered keeps no range of its chances."))


def _draw_events(seen: WeeksSeen) -> None:
    st.header(_("What happened"), anchor=False)
    if not seen.events:
        st.write(_("Nothing is recorded of this student in that year."))
        return
    absent = sum(one.excused + one.unexcused for one in seen.events)
    incidents = sum(one.incidents for one in seen.events)
    title = "; ".join(
        (
            ngettext("{n} day absent", "{n} days absent", absent).format(n=count(absent)),
            ngettext("{n} incident", "{n} incidents", incidents).format(n=count(incidents)),
        )
    )
    table = [
        {
            _("week"): one.name,
            _("unexcused"): one.unexcused,
            _("excused"): one.excused,
            _("tardy"): one.tardy,
            _("incidents"): one.incidents,
            _("share of points"): one.marks,
        }
        for one in seen.events
    ]
    alternative = _("Days absent and tardy, and incidents, week by week. {title}").format(title=title)
    figure = figures.events_by_week(seen.events)
    charts.draw(figure, title=title, alternative=alternative, table=table, key="events")


def _draw_themes(seen: WeeksSeen, schema: DomainSchema) -> None:
    st.header(_("What moves it"), anchor=False)
    if not seen.factors:
        st.write(_("Nothing stands out: all is as usual, or the model that answered serves no more."))
        return
    title = _("What moves it most is {strongest}").format(strongest=worded(seen.factors[0].theme))
    table = [
        {
            _("theme"): worded(one.theme),
            _("points of the chance"): one.points,
            _("fact"): _named(one, schema),
            _("value"): _said(one.value),
            _("usual"): _said(one.reference),
        }
        for one in seen.factors
    ]
    alternative = _("Bars of what lowers and what raises the chance. {title}").format(title=title)
    charts.draw(figures.theme_bars(seen.factors), title=title, alternative=alternative, table=table, key="themes")
    for one in seen.factors[:3]:
        st.caption(
            _("{fact}: {value}, usual is {usual}").format(
                fact=_named(one, schema), value=_said(one.value), usual=_said(one.reference)
            )
        )
    if seen.since is not None and seen.since.themes:
        moved = ", ".join(f"{worded(theme)} {_points(points)}" for theme, points in list(seen.since.themes.items())[:3])
        st.caption(
            _("Moved most since {week}: {themes}").format(week=figures.short_week(seen.since.week), themes=moved)
        )
    st.caption(_("About the model, not about causes: changing one of these need not change the result."))


def _named(one: ThemeFactor, schema: DomainSchema) -> str:
    return worded(title_of(schema.feature_by_name[one.column]))


def _said(value: float | str | None) -> str:
    if value is None:
        return _("unknown")
    return number(value, 2) if isinstance(value, float) else worded(value)


def _range(known: tuple[float, float]) -> str:
    """Both ends, such as 8–14 %."""
    low, high = known
    return f"{number(low * 100, 0)}–{share(high)}"


def _points(change: float) -> str:
    """How far a chance moved, such as +12 %."""
    sign = "+" if change >= 0 else "−"
    return f"{sign}{share(abs(change))}"
