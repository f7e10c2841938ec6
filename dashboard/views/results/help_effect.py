"""What help did: its effect in each way that there is, those that show nothing like the others, and for whom answers
missed.

It is computed when it is asked for, and shown until the visit ends; how an effect is found, `reports.effects` knows.
"""

from collections.abc import Mapping, Sequence

import streamlit as st

from dashboard.charts import in_unit
from dashboard.parts import capital
from dashboard.tables import number_column, show_table
from dashboard.visit import Visit
from language import _, ngettext, retold
from language.format import count
from preprocessing.schema import DomainSchema, Target
from reports.effect_report import EffectReport
from reports.effects import HelpEffect


def draw_help(visit: Visit, schema: DomainSchema, target: Target) -> None:
    """Nothing where there is no pass mark to warn about."""
    if target.pass_mark is None:
        return
    st.subheader(_("What help did"), anchor=False)
    kept = f"effects of {schema.name} {target.name}"
    found: EffectReport | None = st.session_state.get(kept)
    if found is None:
        st.write(
            _(
                "Outcomes of students who were helped beside those who were not, in each way that there is, with how "
                "far each may be trusted."
            )
        )
    else:
        _draw(found)
    if st.button(
        _("Compute now") if found is None else _("Compute again"), key="effects now", icon=":material/play_arrow:"
    ):
        with st.spinner(_("Comparing who was helped with who was not …")):
            st.session_state[kept] = visit.effects(schema.name, target.name)
        st.rerun()


def _draw(found: EffectReport) -> None:
    said = ngettext("Of {n} student an outcome is known.", "Of {n} students outcomes are known.", found.students)
    if found.share_helped is not None:
        st.write(said.format(n=count(found.students)))
    if found.effects:
        unit = in_unit(found.unit)
        digits = {name: number_column(name, 2) for name in (_("effect") + unit, _("from"), _("to"))}
        show_table(effect_rows(found.effects, unit), hide_index=True, width="stretch", column_config=digits)
        for sentence in effect_sentences(found.effects):
            st.markdown(f"- {sentence}")
        st.caption(_("The best trusted way first; intervals: 95 %. One around 0 shows no effect, which is a result."))
    else:
        st.info(_("Not enough data: of too few students is it known that help came, or did not, and how it ended."))
    missed = miss_rows(found)
    if missed:
        config = {name: number_column(name, 2) for name in (_miss_head(found), _("from"), _("to"))}
        show_table(missed, hide_index=True, width="stretch", column_config=config)
        st.caption(_("Help that works makes answers about those who got it miss."))


def way_words(way: str) -> str:
    """Of a way in which an effect is found."""
    return {
        "by lot": _("slots by lot"),
        "threshold": _("at the threshold"),
        "doubly robust": _("doubly robust"),
        "matched": _("matched"),
        "before and after": _("before and after"),
    }[way]


def effect_rows(effects: Sequence[HelpEffect], unit: str) -> list[Mapping[str, object]]:
    """Each way as a row, numbers as numbers."""
    return [
        {
            _("Way"): capital(way_words(one.way)),
            _("effect") + unit: one.effect,
            _("from"): one.low,
            _("to"): one.high,
            _("it shows"): _shown(one),
            _("helped, or above"): one.helped,
            _("others"): one.others,
            _("how far to trust it"): retold(one.trust),
        }
        for one in effects
    ]


def _shown(one: HelpEffect) -> str:
    if one.effect is None:
        return _("too few to tell")
    return _("an effect") if one.shown else _("none")


def effect_sentences(effects: Sequence[HelpEffect]) -> list[str]:
    """What speaks against each."""
    told = _("{way}: {what}.")
    return [
        told.format(way=capital(way_words(one.way)), what="; ".join(map(retold, one.warnings)))
        for one in effects
        if one.warnings
    ]


def _miss_head(found: EffectReport) -> str:
    return _("mean miss{unit}").format(unit=in_unit(found.unit))


def miss_rows(found: EffectReport) -> list[Mapping[str, object]]:
    """How far answers missed for whom, where it may be told."""
    who = {"helped": _("who were helped"), "not helped": _("who were not helped"), "all": _("all")}
    return [
        {
            _("Answers to students"): who[one.who],
            _("students"): one.students,
            _miss_head(found): one.miss.value,
            _("from"): one.miss.low,
            _("to"): one.miss.high,
        }
        for one in found.misses
        if one.miss is not None
    ]
