"""Slots of the capacity that are given by lot: drawing them, and whether each draw follows from its seed."""

from collections.abc import Mapping

import streamlit as st

from dashboard.palette import State
from dashboard.tables import instant_column, show_table
from dashboard.visit import Visit
from errors import GradewatchError
from language import _, ngettext, retold
from language.format import count
from monitoring.warning_lots import ToldDraw
from overview.names import person
from preprocessing.schema import DomainSchema, Target


def draw_lots(visit: Visit, schema: DomainSchema) -> None:
    """Nothing where the policy in use gives no slot so and none was drawn, nor for who is confined to some groups."""
    target = next((one for one in schema.targets if one.pass_mark is not None), None)
    draws = None if target is None else visit.slot_draws(schema.name, target.name)
    if target is None or draws is None:
        return
    slots = visit.warning_policy(schema.name, target.name).by_lot
    if not (slots or draws):
        return
    st.subheader(_("Slots by lot"), anchor=False)
    if slots:
        said = ngettext(
            "In each group {n} slot of the capacity goes by lot among those at its edge: so chance alone says who is "
            "warned of, and Results can tell what that did.",
            "In each group {n} slots of the capacity go by lot among those at its edge: so chance alone says who is "
            "warned of, and Results can tell what that did.",
            slots,
        )
        st.write(said.format(n=count(slots)))
        if visit.may("change", schema.name):
            _offer(visit, schema, target)
    if draws:
        rows = [_row(one) for one in draws]
        show_table(
            rows,
            hide_index=True,
            width="stretch",
            key="slot draws",
            column_config={_("When"): instant_column(_("When"))},
        )


def _offer(visit: Visit, schema: DomainSchema, target: Target) -> None:
    if not st.button(_("Draw now"), key="draw slots", icon=":material/casino:"):
        return
    try:
        visit.draw_slots(schema.name, target.name)
    except GradewatchError as error:
        st.error(retold(str(error)), icon=State.ACT.icon)
        return
    st.rerun()


def _row(one: ToldDraw) -> Mapping[str, object]:
    gone = ngettext("{n} is not kept any more", "{n} are not kept any more", one.gone).format(n=count(one.gone))
    told = "; ".join(map(retold, one.wrong)) or _("follows from its seed")
    return {
        _("When"): one.at,
        _("Who"): person(one.actor),
        _("groups"): one.groups,
        _("stood"): one.stood,
        _("drew"): one.drew,
        _("seed"): str(one.seed),
        _("drawn again"): f"{told}; {gone}" if one.gone else told,
    }
