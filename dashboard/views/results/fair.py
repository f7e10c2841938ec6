"""Results at the threshold in use: whom a warning found, and for whom answers are worse."""

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dashboard.charts import draw
from dashboard.figures import results as figures
from dashboard.tables import LOCALIZED, number_column, show_table
from dashboard.views.results.states import fairness_title, harm_sentences, quadrants_title
from dashboard.visit import Visit
from language import _, worded
from language.ending_words import EndingWords, ending_words
from language.format import count
from monitoring.fairness import CROSSED, MISSING_TRAIT, Fairness, FigureName, GroupFigure, GroupTreatment
from monitoring.performance import FEWEST_TOLD
from monitoring.results import Results
from preprocessing.schema import DomainSchema, Target, label_of, title_of

MOST_DRAWN = 14  # groups of a picture; those served worse, then the largest
MOST_WARNED, USUAL_WARNED = 200, 20
WARNED_BY, TOP_WARNED = "warned", "top"  # the second stands in the address
Row = dict[str, object]


def choose_threshold(visit: Visit, schema: DomainSchema, target: Target) -> int | None:
    """The answers that are warned of: None for those of the policy in use, else so many of the likeliest. Two
    thresholds that differ by one would tell of one student: to choose takes the permission to read predictions."""
    if target.pass_mark is None or not visit.may("read", schema.name):
        return None
    _follow_threshold()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.segmented_control(
            _("Warned of are"),
            ["mark", "top"],
            required=True,
            format_func=lambda one: {
                "mark": _("by the warning policy in use"),
                "top": ending_words(event=target.is_event).likeliest,
            }[one],
            key=WARNED_BY,
        )
        if chosen != "top":
            st.query_params.pop(TOP_WARNED, None)
            return None
        top = st.slider(_("So many"), 1, MOST_WARNED, key=TOP_WARNED, width=320)
    st.query_params[TOP_WARNED] = str(top)
    return top


def _follow_threshold() -> None:
    """What the address says, where nothing was chosen on the page yet."""
    asked = st.query_params.get(TOP_WARNED, "")
    st.session_state.setdefault(WARNED_BY, "top" if asked.isdecimal() else "mark")
    st.session_state.setdefault(TOP_WARNED, min(MOST_WARNED, max(1, int(asked))) if asked.isdecimal() else USUAL_WARNED)


def draw_quadrants(found: Results, target: Target) -> None:
    """Answers beside outcomes, with the four counts at the threshold."""
    counts = found.fairness.quadrants
    if counts is None:
        return
    words = ending_words(event=target.is_event)
    table: list[Row] = [
        {_("warned of"): said, words.ended: failed, _("answers"): n}
        for said, failed, n in (
            (_("yes"), _("yes"), counts.warned_failed),
            (_("yes"), _("no"), counts.warned_passed),
            (_("no"), _("yes"), counts.unwarned_failed),
            (_("no"), _("no"), counts.unwarned_passed),
        )
    ]
    cells = st.columns(4)
    of_cells = counts.warned_failed, counts.warned_passed, counts.unwarned_failed, counts.unwarned_passed
    for cell, label, n in zip(cells, words.cells, of_cells, strict=True):
        cell.metric(label, count(n), border=True)
    if not found.cells:
        st.markdown(f"**{quadrants_title(found.fairness)}**")
        show_table(table, hide_index=True)
        return
    draw(
        figures.answers(found.cells, target, with_mark=found.fairness.top is None),
        title=quadrants_title(found.fairness),
        alternative=words.alternative,
        table=[*table, *({_("said"): c.said, _("happened"): c.happened, _("answers"): c.n} for c in found.cells)],
        key="answers",
    )


def draw_groups(schema: DomainSchema, fairness: Fairness) -> None:
    """Each group beside the others, as pictures and as a table."""
    st.subheader(_("Fair?"), anchor=False)
    named = names_of(schema, fairness)
    if not fairness.cuts:
        st.markdown(_("This subject has no protected column and no groups to compare."))
        return
    st.markdown(f"**{fairness_title(fairness, named)}**")
    for sentence in harm_sentences(fairness, named):
        st.markdown(f"- {sentence}")
    groups = {named[cut.by, group.name]: group for cut in fairness.cuts for group in cut.groups}
    told = {name: group for name, group in groups.items() if group.n is not None}
    order = sorted(told, key=lambda name: (told[name].verdict != "credibly worse", -(told[name].n or 0)))
    drawn = {name: told[name] for name in told if name in set(order[:MOST_DRAWN])}
    for figure, title, axis in _pictures(fairness):
        whole: GroupFigure | None = getattr(fairness.whole, figure)
        if any(getattr(group, figure) for group in drawn.values()):
            draw(
                figures.groups(figure, drawn, whole, title=axis, shares=figure in ("found", "wrongly")),
                title=title,
                alternative=_("{title}: a dot for each group with its 95 % interval; the grey line is all.").format(
                    title=title
                ),
                table=_figure_rows(figure, {_("all"): fairness.whole, **told}),
                key=f"groups-{figure}",
            )
    show_table(group_rows(fairness, groups), hide_index=True, width="stretch", column_config=_columns(fairness))
    st.caption(
        _(
            "Of groups of fewer than {fewest} students nothing is told, nor of those that would give such a group "
            "away. A group is served worse where it is worse off than all others together by more than chance, "
            "corrected for all groups and figures."
        ).format(fewest=count(FEWEST_TOLD))
    )


def _pictures(fairness: Fairness) -> list[tuple[FigureName, str, str]]:
    """Figure, title and axis of each picture."""
    unit = f" ({worded(fairness.unit)})" if fairness.unit else ""
    n = count(fairness.whole.n or 0)
    title, axis = _("Mean miss by group{unit}, {n} answers"), _("mean miss{unit}")
    found: list[tuple[FigureName, str, str]] = [("miss", title.format(unit=unit, n=n), axis.format(unit=unit))]
    if fairness.pass_mark is None:
        return found
    failed, warned = fairness.whole.found, fairness.whole.wrongly
    words = ending_words(event=fairness.event)
    failed_n, warned_n = (count(one.n) if one else "–" for one in (failed, warned))
    return [
        *found,
        ("found", words.found.format(n=failed_n), _("share found")),
        ("wrongly", words.wrongly.format(n=warned_n), _("false alarms")),
    ]


def names_of(schema: DomainSchema, fairness: Fairness) -> dict[tuple[str, str], str]:
    """Words for each group: its column's name and its level's label."""
    found: dict[tuple[str, str], str] = {}
    for cut in fairness.cuts:
        columns = cut.by.split(CROSSED)
        for group in cut.groups:
            levels = group.name.split(CROSSED) if len(columns) > 1 else [group.name]
            told = (_level_words(schema, *each) for each in zip(columns, levels, strict=True))
            found[cut.by, group.name] = ", ".join(told)
    return found


def _level_words(schema: DomainSchema, column: str, name: str) -> str:
    feature, level = schema.feature_by_name.get(column), _("not stated") if name == MISSING_TRAIT else name
    return level if feature is None else f"{title_of(feature)}: {label_of(level, feature.labels)}"


def group_rows(fairness: Fairness, groups: Mapping[str, GroupTreatment]) -> list[Row]:
    """All groups, numbers as numbers; of those of which nothing is told the names."""
    words = ending_words(event=fairness.event)
    return [_group_row(name, group, words) for name, group in {_("all"): fairness.whole, **groups}.items()]


def _group_row(name: str, group: GroupTreatment, words: EndingWords) -> Row:
    verdict = {
        "credibly worse": _("served worse"),
        "no difference shown": _("no difference shown"),
        "not enough data": _("too few to tell"),
        None: "",
    }[group.verdict]
    values = [one.value if one else None for one in (group.miss, group.bias)]
    shares = [
        round(100 * one.value, 1) if one else None
        for one in (
            group.found,
            group.wrongly,
            group.failed,
            group.warned,
            group.alarmed,
            group.covered,
            group.silent,
            group.filled,
        )
    ]
    return {
        _("State"): verdict,
        _("Group"): name,
        _("Answers"): group.n,
        _("Mean miss"): values[0],
        _("Said too much by"): values[1],
        _("Found (%)"): shares[0],
        _("False alarms (%)"): shares[1],
        words.ended_share: shares[2],
        _("Warned of (%)"): shares[3],
        words.warned_of_others: shares[4],
        _("Within their range (%)"): shares[5],
        _("Without an answer (%)"): shares[6],
        _("Facts known (%)"): shares[7],
    }


def _columns(fairness: Fairness) -> Mapping[str, Any]:
    words = ending_words(event=fairness.event)
    share = st.column_config.ProgressColumn(format=LOCALIZED, step=1, min_value=0, max_value=100)
    return {
        _("Answers"): number_column(digits=0),
        _("Mean miss"): number_column(digits=2),
        _("Said too much by"): number_column(digits=2),
        _("Found (%)"): share,
        _("False alarms (%)"): share,
        words.ended_share: share,
        _("Warned of (%)"): share,
        words.warned_of_others: share,
        _("Within their range (%)"): share,
        _("Without an answer (%)"): share,
        _("Facts known (%)"): share,
    }


def _figure_rows(name: FigureName, groups: Mapping[str, GroupTreatment]) -> list[Row]:
    rows: list[Row] = []
    for words_of, group in groups.items():
        one: GroupFigure | None = getattr(group, name)
        if one is not None:
            ends = {_("value"): one.value, _("from"): one.low, _("to"): one.high}
            rows.append({_("Group"): words_of, **ends, _("answers"): one.n})
    return rows
