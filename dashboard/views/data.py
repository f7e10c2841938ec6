"""Is the data still alright? What happened, in a sentence; the reports in time; what moved, and whether it matters.

What a report says is `drift`'s; this page orders and draws it. What can be done is `dashboard.views.data_actions`'.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from dashboard.charts import draw
from dashboard.figures import data as figures
from dashboard.frame import WHOLE_TIME, Choice, controls, foot, state_line
from dashboard.palette import State
from dashboard.parts import champions_of, moment_name, say_no_champion, warn_of_changed_schemas, warn_of_examples
from dashboard.tables import LOCALIZED, number_column, share_column, show_table
from dashboard.version_words import Names, names_among
from dashboard.views.data_actions import REPORT, follow_work, offer_actions, offer_check
from dashboard.visit import Visit
from database.records import DriftRecord, Succession
from drift.quadrants import MATTERS_FROM, PlacedColumn, place_columns
from drift.records import TAUGHT_BY, ColumnDrift, DriftReport
from drift.sentences import describe_segment, sentences_of
from drift.story import change_of, in_order, name_of, state_of, tell_story
from language import _, ngettext, retold, worded
from language.format import count, day, moment, number, share
from monitoring.drift_timeline import TimelinePoint, changes_of, read_report, timeline_of
from preprocessing.schema import DomainSchema, title_of

REPORTS = 60  # newest, that are drawn in time
CARDS_SHOWN = 6
SEGMENTS_SHOWN = 40


def data(visit: Visit) -> None:
    """Draw the page."""
    choice = controls(visit, at=False, target=False, back=lambda _schema: WHOLE_TIME)
    schema = choice.schema
    stored = [one for one in visit.drift_reports(schema.name, REPORTS) if _within(one, choice)]
    points = timeline_of(stored, schema)
    follow_work(visit, schema)
    if not points:
        _empty(visit, choice)
        return
    record = _chosen(stored, points)
    report = read_report(record, schema)
    story = tell_story(report)
    state_line(state_of(report), story[0], lambda: offer_check(visit, schema))
    st.markdown("  \n".join(story[1:]))
    st.caption(_about(report, record, schema))
    offer_actions(visit, schema, record, report)
    warn_of_examples(visit, [schema.name])
    warn_of_changed_schemas(visit, [schema.name])
    changed = visit.champion_changes(schema.name)
    names = names_among([one for key in {one.key for one in changed} for one in visit.models(key)])
    _timeline(choice, points, record.id, changed, names)
    _map(report)
    _cards(report)
    if report.segments:
        _segments(report)
    _exact(report, schema)
    foot(
        model=names.told(report.origin.model) if report.origin.model else "",
        rows=_rows(report),
        name="data",
    )


def _within(record: DriftRecord, choice: Choice) -> bool:
    return (choice.since is None or record.at >= choice.since) and (choice.until is None or record.at < choice.until)


def _empty(visit: Visit, choice: Choice) -> None:
    schema = choice.schema
    if choice.since is None:
        said = _("Nobody has looked yet whether the data of {subject} is still like before.")
    else:
        said = _("In this time nobody looked whether the data of {subject} is still like before.")
    may = bool(champions_of(visit, schema))
    state_line(
        State.OPEN, said.format(subject=worded(schema.title)), (lambda: offer_check(visit, schema)) if may else None
    )
    if not may:
        say_no_champion(schema)
    warn_of_examples(visit, [schema.name])
    warn_of_changed_schemas(visit, [schema.name])
    foot()


def _chosen(stored: Sequence[DriftRecord], points: Sequence[TimelinePoint]) -> DriftRecord:
    """The report in the address, else the newest; the address says which."""
    known = {one.id: one for one in stored}
    asked = st.query_params.get(REPORT)
    found = known[asked if asked in {one.id for one in points} else points[-1].id]
    if asked is not None and asked != found.id:
        del st.query_params[REPORT]
    return found


def _about(report: DriftReport, record: DriftRecord, schema: Any) -> str:
    """When, which rows, compared with what."""
    origin = report.origin
    days = (
        _("predictions from {first} on").format(first=day(origin.since))
        if origin.since and origin.source == "predictions"
        else origin.source
    )
    asked = moment_name(schema, origin.moment) if origin.moment in schema.moments else ""
    taught = report.basis in ("", TAUGHT_BY)
    before = origin.reference_file or (_("what the model learned from") if taught else report.basis)
    told = [
        moment(record.at),
        ngettext("{n} student", "{n} students", report.n_current).format(n=count(report.n_current)),
        origin.file or days,
        asked,
        _("compared with {n}: {what}").format(n=count(report.n_reference), what=before),
    ]
    return " · ".join(part for part in told if part)


# Reports in time ----------------------------------------------------------------------------------------------------


def _timeline(
    choice: Choice, points: Sequence[TimelinePoint], chosen: str, changed: Sequence[Succession], names: Names
) -> None:
    schema = choice.schema
    changes = changes_of(changed, max(points[0].at, choice.since or points[0].at))
    loud = sum(one.state in (State.ACT, State.LOOK) for one in points)
    title = ngettext(
        "{loud} of {n} report found that something moved",
        "{loud} of {n} reports found that something moved",
        len(points),
    ).format(loud=count(loud), n=count(len(points)))
    alternative = _(
        "Reports in time, the newest of {day}: a dot each, higher where more facts moved; bars above show the share "
        "of students unlike any that the model knows; lines are changes of the model."
    )
    table = [
        {
            _("when"): one.at,
            _("state"): one.state.word,
            _("students"): one.rows,
            _("facts that moved"): one.moved,
            _("facts compared"): one.columns,
            _("unknown to the model"): one.outside,
            _("what"): one.told,
        }
        for one in reversed(points)
    ]
    came = [(one.at, ", ".join(dict.fromkeys(map(names.of, one.versions)))) for one in changes]
    figure = figures.timeline(points, came, chosen)
    draw(
        figure,
        title=title,
        alternative=alternative.format(day=day(points[-1].at)),
        table=table,
        key=f"timeline-{schema.name}",
        on_select=lambda: _follow_dot(f"timeline-{schema.name}"),
        selection_mode="points",
    )
    st.caption(_("Tap a dot to see that report. Dotted lines: another model came into use."))


def _follow_dot(key: str) -> None:
    """The report of the dot that was tapped goes into the address."""
    found = st.session_state[key].selection.points
    if found and (data_of := found[0].get("customdata")):
        st.query_params[REPORT] = data_of[0]


# What moved ---------------------------------------------------------------------------------------------------------


def _map(report: DriftReport) -> None:
    placed = place_columns(report)
    most = max((one.matters for one in placed), default=0.0)
    if not most:
        return
    both = [one for one in placed if one.quadrant == "moved and matters"]
    unit = report.expected.unit if report.expected else ""
    names = ", ".join(one.column.title or one.column.column for one in both[: figures.NAMED_DOTS])
    title = _("What moved and matters: {names}").format(names=names) if both else _("Nothing that matters has moved")
    table = [
        {
            _("fact"): name_of(one.column),
            _("moved"): one.moved,
            _("matters") + (f" ({unit})" if unit else ""): one.matters,
            _("quarter"): figures.quadrant_word(one.quadrant),
        }
        for one in placed
    ]
    figure = figures.drift_map(placed, limit=report.policy.ks_threshold, matters=most * MATTERS_FROM, unit=unit)
    draw(figure, title=title, alternative=_map_told(placed), table=table, key="map")


def _map_told(placed: Sequence[PlacedColumn]) -> str:
    counts = [
        f"{figures.quadrant_word(quadrant)}: {count(sum(one.quadrant == quadrant for one in placed))}"
        for quadrant in figures.QUADRANT_STATES
    ]
    return _("A dot for each fact; how many lie where: {counts}").format(counts="; ".join(counts))


def _cards(report: DriftReport) -> None:
    moved = [one for one in in_order(report) if one.alarming]
    if not moved:
        return
    st.subheader(_("Before and now"), anchor=False)
    drawn = moved
    if len(moved) > CARDS_SHOWN:
        label = _("All {n}").format(n=count(len(moved)))
        drawn = moved if st.toggle(label, key="all cards") else moved[:CARDS_SHOWN]
    for start in range(0, len(drawn), 2):
        for place, cell in enumerate(st.columns(2)):
            if start + place < len(drawn):
                with cell.container(border=True):
                    _card(drawn[start + place])


def _card(column: ColumnDrift) -> None:
    title = change_of(column)
    if column.curve is None:
        st.markdown(f"**{title}**")
    else:
        curve, (before, now) = column.curve, column.curve.shares
        names = figures.bin_names(curve) if curve.edges else list(curve.words)
        table: list[Mapping[str, object]] = [
            {_("value"): name, _("before"): old, _("now"): new, _("students before"): n, _("students now"): m}
            for name, old, new, n, m in zip(names, before, now, curve.before, curve.now, strict=True)
        ]
        told = _("{fact} before and now, in shares of the students").format(fact=name_of(column))
        figure = figures.before_and_now(curve, unit=worded(column.unit))
        draw(figure, title=title, alternative=told, table=table, key=f"card {column.column}")
    st.caption(_small_print(column))


def _small_print(column: ColumnDrift) -> str:
    told = [name_of(column), _("moved {effect}").format(effect=number(column.effect, 2))]
    if column.severity is not None:
        told.append(_("could cost {cost}").format(cost=number(column.severity, 2)))
    told.append(_("{n} students, {m} before").format(n=count(column.n_current), m=count(column.n_reference)))
    if column.missing.rate_current or column.missing.rate_reference:
        rates = {"now": share(column.missing.rate_current, 1), "before": share(column.missing.rate_reference, 1)}
        told.append(_("missing {now}, {before} before").format(**rates))
    return " · ".join(told)


def _segments(report: DriftReport) -> None:
    loud = [one for one in report.segments if one.alarm]
    shown = list(report.segments[:SEGMENTS_SHOWN])
    names = ", ".join(one.segment for one in loud[:3])
    title = (
        _("By {column}: something moved in {n} of {all} ({names})").format(
            column=report.by, n=count(len(loud)), all=count(len(report.segments)), names=names
        )
        if loud
        else _("By {column}: nothing moved in any of {all}").format(column=report.by, all=count(len(report.segments)))
    )
    table = [
        {
            str(report.by): one.segment,
            _("state"): (State.ACT if one.alarm else State.OPEN if one.reason or one.too_small else State.GOOD).word,
            _("students now"): one.n_current,
            _("students before"): one.n_reference,
            _("what moved"): ", ".join(name_of(column) for column in one.flagged) or describe_segment(one),
        }
        for one in report.segments
    ]
    alternative = _("A row for each group, a dot for each fact: how far it moved, from 0 to 1.")
    figure = figures.segments(shown, limit=report.policy.ks_threshold)
    draw(figure, title=title, alternative=alternative, table=table, key="segments")


# All numbers --------------------------------------------------------------------------------------------------------


def _exact(report: DriftReport, schema: DomainSchema) -> None:
    with st.expander(_("All {n} facts").format(n=count(len(report.columns)))):
        exact = st.toggle(
            _("Exact view"), key="exact", help=_("Effects with their ranges and limits, chance, sentences.")
        )
        show_table(
            [_row(one, exact=exact) for one in report.columns],
            hide_index=True,
            width="stretch",
            column_config=_configuration(),
        )
        if exact:
            st.markdown("\n".join(f"- {sentence}" for sentence in sentences_of(report)))
        for note in report.notes:
            st.caption(retold(note))
        for left in report.not_compared:
            column = schema.column_by_name.get(left.column)
            name = title_of(column) if column else left.column
            st.caption(_("{column} was not compared: {why}.").format(column=name, why=retold(left.reason)))


def _rows(report: DriftReport) -> list[Mapping[str, object]]:
    return [_row(one, exact=True) for one in report.columns]


def _row(column: ColumnDrift, *, exact: bool) -> dict[str, object]:
    before, now = column.curve.shares if column.curve else ((), ())
    found: dict[str, object] = {
        "fact": name_of(column),
        "state": _state(column).word,
        "moved": column.effect,
        "matters": column.importance,
        "before": list(before),
        "now": list(now),
        "missing before": column.missing.rate_reference,
        "missing now": column.missing.rate_current,
    }
    if exact:
        found |= {
            "moved at least": column.effect_low,
            "moved at most": column.effect_high,
            "counts from": column.threshold,
            "could cost": column.severity,
            "by chance": column.p_adjusted,
            "mean before": column.mean_reference,
            "mean now": column.mean_current,
        }
    return found


def _state(column: ColumnDrift) -> State:
    verdict = column.verdict if not column.alarming or column.verdict in ("drift", "warn") else column.missing.verdict
    known = {"drift": State.ACT, "warn": State.LOOK, "ok": State.GOOD}
    return known.get(verdict, State.OPEN)


def _configuration() -> dict[str, Any]:
    of = st.column_config
    return {
        "fact": of.TextColumn(_("fact")),
        "state": of.TextColumn(_("state")),
        "moved": of.ProgressColumn(_("moved"), min_value=0.0, max_value=1.0, format=LOCALIZED, step=0.01),
        "matters": number_column(_("matters"), 2, help=_("Error added when it is unknown.")),
        "before": of.BarChartColumn(_("before"), y_min=0.0, y_max=1.0),
        "now": of.BarChartColumn(_("now"), y_min=0.0, y_max=1.0),
        "missing before": share_column(_("missing before")),
        "missing now": share_column(_("missing now")),
        "moved at least": number_column(_("moved at least"), 3),
        "moved at most": number_column(_("moved at most"), 3),
        "counts from": number_column(_("counts from"), 2),
        "could cost": number_column(_("could cost"), 3),
        "by chance": number_column(_("by chance"), 4),
        "mean before": number_column(_("mean before"), 2),
        "mean now": number_column(_("mean now"), 2),
    }
